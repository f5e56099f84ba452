"""An archive without what nobody needs any more: written anew beside the old one, in whose place it is put when it is complete.

Payloads are copied, each compared with its check. Where the member that had a payload is gone, the first that needs it gets it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from photoarc import codecs
from photoarc.archive import Archive
from photoarc.container import frames, groups
from photoarc.container.chunks import read_chunk, read_payload
from photoarc.container.ends import Codings, read_ends
from photoarc.container.frames import Footer
from photoarc.container.payloads import contents_key
from photoarc.container.source import FileSource, source_of
from photoarc.container.wishes import of_several
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import IndexCorrupt, MemberError, Truncated, UsageError
from photoarc.jobs.coding import BATCH_BYTES
from photoarc.jobs.space import free_bytes
from photoarc.member import Kind, Member
from photoarc.progress import Callback, Meter, silent
from photoarc.units import size


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactSummary:
    """What `compact` did. Where nothing could be saved the archive was left as it is."""

    archive: str
    members: int
    before_bytes: int
    after_bytes: int
    seconds: float
    warnings: tuple[str, ...] = ()


def compact(archive_path: str | os.PathLike[str], progress: Callback = silent, *, recovery_percent: float | None = None) -> CompactSummary:
    """Writes an archive anew without what was removed or replaced, and without earlier indexes.

    `recovery_percent`: of the archive come back by recovery data then; None keeps to what was asked for when it was packed.
    Raises UsageError: it is damaged, another one is writing to it, there is no room for a second one; FormatError: it is none.
    """
    started, path = time.monotonic(), Path(archive_path)
    seen = _Seen.of(path)
    warnings: tuple[str, ...] = ()
    after_bytes = seen.size_bytes
    recovery = seen.footer.recovery_percent if recovery_percent is None else recovery_percent
    if seen.may_save or recovery != seen.footer.recovery_percent:
        _refuse_without_room(path, seen.size_bytes)
        writer = ArchiveWriter(path, force=True, archive_id=seen.archive_id, coding=seen.coding, recovery_percent=recovery)
        with writer:  # nobody else writes from here on
            if _Seen.of(path) != seen:
                raise UsageError(f"{path}: was changed by another photoarc meanwhile; do it again")
            with _opened(path) as archive, closing(source_of(path)) as source:
                _Copy(archive, source, progress).write_into(writer)
        after_bytes, warnings = writer.size_bytes, tuple(writer.warnings)
    return CompactSummary(
        archive=str(path),
        members=seen.members,
        before_bytes=seen.size_bytes,
        after_bytes=after_bytes,
        seconds=round(time.monotonic() - started, 3),
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An archive as it was looked at before anything was done; `may_save`: something was added to it or removed from it."""

    archive_id: bytes
    coding: bytes
    footer: Footer
    members: int
    size_bytes: int
    may_save: bool

    @classmethod
    def of(cls, path: Path) -> _Seen:
        """Raises UsageError, FormatError."""
        with _opened(path) as archive, closing(source_of(path)) as source:
            ends = read_ends(source)
            coding = Codings.of(source, ends.footer).last(ends.header)
            alike = {archive.coding_of(member) for member in archive if member.kind is Kind.FILE and not member.duplicate} <= {coding}
            return cls(
                archive_id=ends.header.archive_id,
                coding=coding if alike else of_several(coding),
                footer=ends.footer,
                members=len(archive),
                size_bytes=source.size_bytes,
                may_save=bool(ends.footer.previous_footer) or ends.footer.archive_bytes != source.size_bytes,
            )


def _opened(path: Path) -> Archive:
    try:
        return Archive(path)
    except (IndexCorrupt, Truncated) as error:
        raise UsageError(f"{error}. A damaged archive is not made compact; unpack what is whole and pack it again") from error


def _refuse_without_room(path: Path, needed_bytes: int) -> None:
    free = free_bytes(path.parent)
    if free is not None and needed_bytes > free:
        raise UsageError(f"{path}: up to {size(needed_bytes)} are needed beside it, {size(free)} are free; free some space first")


class _Copy:
    """Members on their way from one archive into another."""

    def __init__(self, archive: Archive, source: FileSource, progress: Callback) -> None:
        self._archive, self._source = archive, source
        self._meter = Meter.over(progress, archive.members)
        self._written: set[object] = set()  # contents of members with a payload

    def write_into(self, writer: ArchiveWriter) -> None:
        """All members, in archive order. Raises UsageError for one that is damaged."""
        try:
            for _, same_chunk in itertools.groupby(self._archive, lambda member: (self._archive.offset_of(member), member.grouped)):
                members = list(same_chunk)
                if members[0].grouped:
                    self._group(writer, members)
                else:
                    self._single(writer, members[0])
                for member in members:
                    self._meter.finish(member.name, member.kind, member.size_bytes)
        except MemberError as error:
            raise UsageError(f"{error}. Nothing was changed: a damaged archive is not made compact") from error

    def _single(self, writer: ArchiveWriter, member: Member) -> None:
        member.refuse_unknown()
        if member.kind is not Kind.FILE or (member.duplicate and contents_key(member) in self._written):
            writer.add(member, ())
            return
        if member.codec_id == codecs.SOLID:  # its group is gone
            self._regroup(writer, [member])
            return
        self._written.add(contents_key(member))
        parts = self._parts(member)
        if member.codec_id in codecs.STREAMED:
            count, payload_bytes = self._extent(member)
            if count > 1 or member.codec_id == codecs.BLOCKS:
                whole = dataclasses.replace(member, duplicate=False, parts=count, payload_bytes=payload_bytes)
                writer.add(whole, parts)
                return
        payload = b"".join(parts)
        writer.add_coded(dataclasses.replace(member, duplicate=False, shared=None, parts=1, payload_bytes=len(payload)), payload)

    def _parts(self, member: Member) -> Iterator[bytes]:
        """Payload, part by part, of a member as the archive has it; without the empty part that the chunk of a duplicate has."""
        stored = self._archive.info(member.name)
        parts = self._archive.payload_parts(stored)
        if stored.duplicate and not stored.grouped:
            next(parts)
        return parts

    def _extent(self, member: Member) -> tuple[int, int]:
        """Parts and bytes of the payload of a stored member, which may be another's; they are read for it."""
        if not member.duplicate:
            return max(member.parts, 1), member.payload_bytes
        sizes = [len(part) for part in self._parts(member)]
        return len(sizes), sum(sizes)

    def _group(self, writer: ArchiveWriter, members: Sequence[Member]) -> None:
        """As it is, if all of it is there and has what it needs; else put together anew."""
        chunk = read_chunk(self._source, self._archive.offset_of(members[0]), None)
        whole = len(frames.parse_group(chunk.record).members) == len(members)
        own = {contents_key(member) for member in members if not member.duplicate}
        if not whole or any(member.duplicate and contents_key(member) not in self._written | own for member in members):
            self._regroup(writer, members)
            return
        self._written |= own
        writer.add_group(members, read_payload(self._source, chunk), frames.parse_group(chunk.record).digest)

    def _regroup(self, writer: ArchiveWriter, members: Sequence[Member]) -> None:
        """Small files in a new group; those that need the payload of one that is gone, and is no small file, by themselves."""
        together: list[tuple[Member, bytes]] = []
        alone: list[Member] = []
        for member in members:
            member.refuse_unknown()
            if member.duplicate and (contents_key(member) in self._written or member.codec_id != codecs.SOLID):
                alone.append(dataclasses.replace(member, grouped=False))
                continue
            self._written.add(contents_key(member))
            data = b"".join(self._parts(member))
            if sum(len(other) for _, other in together) + len(data) > BATCH_BYTES:
                _add_group(writer, together)
                together = []
            together.append((dataclasses.replace(member, grouped=True, duplicate=False), data))
        _add_group(writer, together)
        for member in alone:
            self._single(writer, member)


def _add_group(writer: ArchiveWriter, files: Sequence[tuple[Member, bytes]]) -> None:
    """Members and their contents in one chunk; none if there are none."""
    if not files:
        return
    contents = [data for _, data in files]
    payload = groups.encode_group(contents)
    shares = groups.shares(len(payload), [len(data) for data in contents])
    grouped = [dataclasses.replace(member, payload_bytes=share) for (member, _), share in zip(files, shares, strict=True)]
    writer.add_group(grouped, payload, blake3(b"".join(contents)).digest())
