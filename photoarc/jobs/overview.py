"""What can be said about an archive without decoding anything in it. Light: `list` and `info` need nothing else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from photoarc.archive import Archive
from photoarc.codecs import codec_name
from photoarc.container import frames
from photoarc.errors import FormatError
from photoarc.jobs.selection import matches
from photoarc.member import Kind, Member
from photoarc.progress import Failure, failure


@dataclass(frozen=True, slots=True)
class CodecTotal:
    """What one codec did to the files that it got; `payload_bytes` is their size in the archive."""

    codec: str
    files: int
    size_bytes: int
    payload_bytes: int

    def plus(self, member: Member) -> CodecTotal:
        """The same with one more file."""
        return CodecTotal(self.codec, self.files + 1, self.size_bytes + member.size_bytes, self.payload_bytes + member.payload_bytes)


class CodecTotals:
    """Files and sizes by codec."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._by_codec: dict[int, CodecTotal] = {}
        for member in members:
            self.add(member)

    def add(self, member: Member) -> None:
        """One more member; folders and links are not counted."""
        if member.kind is Kind.FILE:
            total = self._by_codec.get(member.codec_id) or CodecTotal(codec_name(member.codec_id), 0, 0, 0)
            self._by_codec[member.codec_id] = total.plus(member)

    def add_removed(self, member: Member) -> None:
        """A payload that is there without its member."""
        if (total := self._by_codec.get(member.codec_id)) is not None:
            self._by_codec[member.codec_id] = replace(total, payload_bytes=total.payload_bytes + member.payload_bytes)

    def in_order(self) -> tuple[CodecTotal, ...]:
        """In that of the codec IDs."""
        return tuple(total for _, total in sorted(self._by_codec.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What `info` says about an archive; `format_version` is empty if the header is damaged. `additions`: how often it was changed.

    `refused`: in words why files have not the codec that is usual for their kind, and how many. `recovery_percent` of the archive may be
    lost in one place, and `repair` brings it back; 0: it has no recovery data.
    """

    archive: str
    format_version: str
    archive_bytes: int
    files: int
    directories: int
    symlinks: int
    size_bytes: int
    payload_bytes: int
    lossy: int
    models: tuple[int, ...]
    codecs: tuple[CodecTotal, ...]
    additions: int = 0
    refused: tuple[tuple[str, int], ...] = ()
    recovery_percent: float = 0


def damaged(archive: Archive, globs: Sequence[str] = (), *, ignore_case: bool = False) -> list[Failure]:
    """Members that a scan knows by name only."""
    return [failure(error) for error in archive.damaged if not globs or any(matches(error.name, glob, ignore_case) for glob in globs)]


def overview(path: str, archive: Archive) -> Overview:
    """Counts the members of an archive that has been opened. Raises OSError if it is gone since."""
    members = archive.members
    kinds = Counter(member.kind for member in members)
    totals = CodecTotals(members)
    for member in archive.removed:
        totals.add_removed(member)
    by_codec = totals.in_order()
    return Overview(
        archive=path,
        format_version=_format_version(path),
        archive_bytes=os.path.getsize(path),
        files=kinds[Kind.FILE],
        directories=kinds[Kind.DIRECTORY],
        symlinks=kinds[Kind.SYMLINK],
        size_bytes=sum(total.size_bytes for total in by_codec),
        payload_bytes=sum(total.payload_bytes for total in by_codec),
        lossy=sum(member.lossy for member in members),
        models=tuple(sorted({member.photo.model_id for member in members if member.photo})),
        codecs=by_codec,
        additions=archive.additions,
        recovery_percent=archive.recovery_percent,
        refused=tuple(Counter(member.refused for member in members if member.refused).most_common()),
    )


def _format_version(path: str) -> str:
    try:
        with open(path, "rb") as file:
            major, minor = frames.parse_file_header(file.read(frames.FILE_HEADER_BYTES)).version
    except FormatError:
        return ""
    return f"{major}.{minor}"
