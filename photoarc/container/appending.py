"""Archives that grow: members added, replaced, renamed and removed behind what is there (docs/format.md section 5.4).

old archive with its footer | chunks | REMOVED chunk | whole index | footer
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from photoarc.container import frames
from photoarc.container.appended_file import AppendedFile
from photoarc.container.chunks import read_chunk
from photoarc.container.frames import CHUNK_HEADER_BYTES, CODING_BYTES, FOOTER_BYTES, ChunkType
from photoarc.container.index import Entry, pack_entry, pack_removals
from photoarc.container.likeness import END_BYTES
from photoarc.container.payloads import contents_key
from photoarc.container.source import FileSource, source_of
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import FormatError, UsageError
from photoarc.member import Kind, Member

_MOST_REMOVED = 4096  # in one chunk


class ArchiveAppender(ArchiveWriter):
    """Writes to an archive that exists; a context manager. What `add` gets under a name that is there replaces that.

    Nothing counts before the context ends without an exception; with one, the archive is as it was.
    """

    def __init__(self, path: str | os.PathLike[str], *, coding: bytes = bytes(CODING_BYTES)) -> None:
        """`coding` of the new chunks; none, for those that code nothing: that of the archive."""
        super().__init__(path, archive_id=bytes(16), coding=coding)
        self._appended = AppendedFile(Path(path))
        self._file = self._appended
        self._all: list[Entry] = []
        self._at: dict[bytes, int] = {}  # name -> position in _all
        self._gone: list[tuple[int, bytes]] = []  # sequence number of the chunk, name
        self._changed = False
        self._seeded = False
        self._source: FileSource | None = None
        self._stored: set[tuple[bytes, int]] = set()  # digest and codec of whole payloads

    def __enter__(self) -> ArchiveAppender:
        self._file.create()
        ends, index = self._appended.ends, self._appended.index
        self._id, self._sequence = ends.header.archive_id, index.next_sequence
        self._previous_footer = ends.footer.archive_bytes - FOOTER_BYTES
        self._recovery_percent, self._protected_from = ends.footer.recovery_percent, ends.footer.archive_bytes
        self._all = list(index.entries)
        self._at = {entry.member.name: position for position, entry in enumerate(index.entries) if not entry.removed}
        if not any(self._coding):
            self._coding = self._appended.codings.last(ends.header)
        self._stored = {(entry.member.digest, entry.member.codec_id) for entry in index.entries if _is_whole(entry.member)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close_source()
        super().__exit__(kind, error, trace)

    @property
    def members(self) -> list[Member]:
        """Those that are in the archive, in archive order."""
        return [self._all[position].member for position in sorted(self._at.values())]

    def is_new(self, name: bytes) -> bool:
        """Whether this writer has written a member of this name, and it is there."""
        position = self._at.get(name)
        return position is not None and self._all[position].offset >= self._appended.begun_bytes

    def coded(self) -> list[tuple[Member, bytes]]:
        """Members, each with how its payload was coded (photoarc.container.wishes); before anything is written."""
        codings = self._appended.codings
        first: dict[object, int] = {}
        for entry in self._all:
            if _has_payload(entry.member):
                first.setdefault(contents_key(entry.member), entry.offset)
        found = (self._all[position] for position in sorted(self._at.values()))
        return [(entry.member, codings.at(first.get(contents_key(entry.member), entry.offset))) for entry in found]

    def remove(self, name: bytes) -> None:
        """Take a member out. Raises UsageError if none has this name, FormatError."""
        entry = self._all[self._position(name)]
        if self._source is None or self._source.size_bytes <= entry.offset:  # opened anew for what was added since
            self._close_source()
            self._source = source_of(self.path)
        self._gone.append((read_chunk(self._source, entry.offset, self._id[:4]).header.sequence, name))
        self._drop(name)

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def rename(self, name: bytes, new: bytes) -> None:
        """Give a member another name, which must be free. Raises UsageError, FormatError."""
        member = self._all[self._position(name)].member
        if new in self._at:
            raise UsageError(f"{self.path}: a member is called {dataclasses.replace(member, name=new).display_name} already")
        member.refuse_unknown()
        self.remove(name)
        self.add(_with_payload_of(member, name=new), ())

    def replace_record(self, member: Member) -> None:
        """Write another record for a member that is there, with the same contents. Raises UsageError."""
        self._position(member.name)
        self.add(_with_payload_of(member), ())

    def _position(self, name: bytes) -> int:
        if name not in self._at:
            raise UsageError(f"{self.path}: no member is called {os.fsdecode(name)}")
        return self._at[name]

    def _drop(self, name: bytes) -> None:
        position = self._at.pop(name)
        self._all[position] = self._all[position]._replace(removed=True)
        self._changed = True

    def _refuse_twice(self, member: Member) -> None:
        """Nothing is refused: a later member replaces an earlier one."""

    def _take(self, start: int, member: Member, record: bytes) -> None:
        if member.name in self._at:
            self._drop(member.name)
        self._at[member.name] = len(self._all)
        self._all.append(Entry(start, member, record))
        if _is_whole(member):
            self._stored.add((member.digest, member.codec_id))
        self._changed = True

    def add_coded(self, member: Member, payload: bytes) -> Member:
        """As the base does it; payloads of members that were there before count, too."""
        if not self._seeded:
            self._seed()
        return super().add_coded(member, payload)

    def _may_be_shared(self, member: Member) -> bool:
        """A record names another's payload by digest and codec: of two such, the first (docs/format.md section 4.9)."""
        return (member.digest, member.codec_id) not in self._stored

    def _seed(self) -> None:
        """Reads the end of each payload: 0.1 ms each."""
        self._seeded = True
        seen: set[tuple[bytes, int]] = set()
        source = source_of(self.path)
        try:
            for entry in self._all:
                member = entry.member
                if not _is_whole(member) or (member.digest, member.codec_id) in seen:
                    continue
                seen.add((member.digest, member.codec_id))
                if member.parts < 2 and not member.grouped and member.payload_bytes > END_BYTES:
                    end = entry.offset + CHUNK_HEADER_BYTES + len(entry.record) + member.payload_bytes
                    tail = source.read_at(end - END_BYTES, END_BYTES)
                    self._likenesses.remember_end(member.digest, member.codec_id, tail, entry.offset)
        except FormatError as error:
            raise UsageError(f"{self.path}: cannot be read: {error}") from error
        finally:
            source.close()

    def _finish(self) -> None:
        """Lists of what was removed, index and footer; nothing if nothing was changed. Raises UsageError."""
        if not self._changed:
            return
        for start in range(0, len(self._gone), _MOST_REMOVED):
            self._chunk(ChunkType.REMOVED, *pack_removals(self._gone[start : start + _MOST_REMOVED]))
        entries = [pack_entry(entry.offset, entry.record, removed=entry.removed) for entry in needed(self._all)]
        self._write_index(entries, len(self._at), flags=frames.LAST_PIECE)

    def _settle(self) -> None:
        self._appended.sync()


def needed(entries: Sequence[Entry]) -> list[Entry]:
    """Entries without those that are removed and whose payloads nobody needs."""
    contents: dict[object, int] = {}
    payloads: dict[tuple[bytes, int], int] = {}
    for position, entry in enumerate(entries):
        if _has_payload(entry.member):
            contents.setdefault(contents_key(entry.member), position)
            if not entry.member.shared:
                payloads.setdefault((entry.member.digest, entry.member.codec_id), position)
    kept = {position for position, entry in enumerate(entries) if not entry.removed}
    todo = sorted(kept)
    while todo:
        member = entries[todo.pop()].member
        wanted = contents.get(contents_key(member)) if member.duplicate else None
        if member.shared:
            wanted = payloads.get((member.shared.digest, member.codec_id))
        if wanted is not None and wanted not in kept:
            kept.add(wanted)
            todo.append(wanted)
    return [entries[position] for position in sorted(kept)]


def _with_payload_of(member: Member, *, name: bytes = b"") -> Member:
    """The record of a duplicate of a member (docs/format.md section 4.5); of what is no file, the same record."""
    member = dataclasses.replace(member, name=name or member.name)
    if member.kind is not Kind.FILE:
        return member
    return dataclasses.replace(member, duplicate=True, payload_bytes=0, parts=0, shared=None, grouped=False)


def _is_whole(member: Member) -> bool:
    """Whether its payload may be named by others (docs/format.md section 4.9)."""
    return _has_payload(member) and not member.shared


def _has_payload(member: Member) -> bool:
    return member.kind is Kind.FILE and not member.duplicate
