"""The index: a copy of all file records behind the chunks (docs/format.md sections 5.1 and 5.3), and lists of what was removed (5.4).

Entry          12 bytes  + a copy of the file record
removal        6 bytes   + name
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from blake3 import blake3

from photoarc.container import frames
from photoarc.container.chunks import WHAT_TO_DO, read_chunk, read_payload
from photoarc.container.frames import FILE_HEADER_BYTES, FOOTER_BYTES, MAX_RECORD_BYTES, MAX_SHARD_BYTES, ChunkType, FileHeader, Footer
from photoarc.container.records import parse_member
from photoarc.container.source import Source, blocks_at
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded
from photoarc.member import Member

_ENTRY = Struct("<QI")
_REMOVALS = Struct("<II")
_REMOVAL = Struct("<IH")
_IS_REMOVED = 1  # bit 0 of an offset


class Entry(NamedTuple):
    """A member, where its chunk is, and its record; `removed`: it is there for the payloads of others only."""

    offset: int
    member: Member
    record: bytes
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """All entries in archive order, removed ones among them, and the sequence number of the next chunk."""

    entries: tuple[Entry, ...]
    next_sequence: int


def pack_entry(offset: int, record: bytes, *, removed: bool = False) -> bytes:
    """One index entry: where the MEMBER chunk is and a copy of its record; section 5.1."""
    return _ENTRY.pack(offset | (_IS_REMOVED if removed else 0), len(record)) + record


def parse_entries(data: bytes) -> list[Entry]:
    """Inverse of pack_entry for a whole inflated index payload. Raises IndexCorrupt."""
    entries, at, end = [], 0, len(data)
    while at < end:
        if end - at < _ENTRY.size:
            raise IndexCorrupt("an index entry is cut", section="5.1")
        offset, length = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        if length > end - at or length > MAX_RECORD_BYTES:
            raise IndexCorrupt(f"an index entry declares {length} bytes, {end - at} are left", section="5.1")
        record = data[at : at + length]
        try:
            member = parse_member(record)
        except FormatError as error:
            raise IndexCorrupt(str(error), section=error.section) from error
        entries.append(Entry(offset & ~_IS_REMOVED, member, record, bool(offset & _IS_REMOVED)))
        at += length
    return entries


def pack_removals(removed: Iterable[tuple[int, bytes]]) -> tuple[bytes, bytes]:
    """Record and payload of a REMOVED chunk: sequence numbers of MEMBER and GROUP chunks, names; section 5.4."""
    pieces = [_REMOVAL.pack(sequence, len(name)) + name for sequence, name in removed]
    data = b"".join(pieces)
    return _REMOVALS.pack(len(pieces), len(data)), frames.deflate(data)


def parse_removals(record: bytes, payload: bytes) -> list[tuple[int, bytes]]:
    """Inverse of pack_removals; raises FormatError or LimitExceeded."""
    if len(record) != _REMOVALS.size:
        raise FormatError(f"the record of a list of removed members has {_REMOVALS.size} bytes, found {len(record)}", section="5.4")
    count, inflated_bytes = _REMOVALS.unpack(record)
    if inflated_bytes > MAX_SHARD_BYTES:
        raise LimitExceeded(f"a list of removed members declares {inflated_bytes} bytes; the limit is {MAX_SHARD_BYTES}")
    data, at, found = frames.inflate(payload, inflated_bytes, section="5.4"), 0, []
    while at < len(data):
        if len(data) - at < _REMOVAL.size:
            raise FormatError("a list of removed members is cut", section="5.4")
        sequence, length = _REMOVAL.unpack_from(data, at)
        at += _REMOVAL.size
        if length > len(data) - at:
            raise FormatError(f"a removed member's name declares {length} bytes, {len(data) - at} are left", section="5.4")
        found.append((sequence, data[at : at + length]))
        at += length
    if len(found) != count:
        raise FormatError(f"a list of removed members declares {count}, found {len(found)}", section="5.4")
    return found


def inflate_index(payload: bytes, record: bytes) -> list[Entry]:
    """Entries of one INDEX chunk; raises IndexCorrupt or LimitExceeded."""
    index = frames.parse_index_record(record)
    try:
        data = frames.inflate(payload, index.inflated_bytes, section="5.1")  # never more than was declared, and that is limited
    except FormatError as error:
        raise IndexCorrupt(f"a part of the index is damaged: {error}", section="5.1") from error
    entries = parse_entries(data)
    if len(entries) != index.members:
        raise IndexCorrupt(f"a part of the index declares {index.members} members, found {len(entries)}", section="5.1")
    return entries


def read_index(source: Source, header: FileHeader, footer: Footer) -> Index:
    """The whole index; everything in section 5.3 is checked. Raises IndexCorrupt (with what to do) or LimitExceeded."""
    check = _Agreement(footer)
    region_end = footer.archive_bytes - FOOTER_BYTES
    digest = blake3()
    at, next_sequence = footer.index_offset, 0
    try:
        for shard in range(footer.index_chunks):
            chunk = read_chunk(source, at, header.archive_id[:4])
            if chunk.header.type != ChunkType.INDEX or chunk.end > region_end or frames.parse_index_record(chunk.record).shard != shard:
                raise IndexCorrupt(f"part {shard} of the index was expected here", section="5.3", offset=at)
            for block in blocks_at(source, at, chunk.header.size_bytes):
                digest.update(block)
            for entry in inflate_index(read_payload(source, chunk), chunk.record):
                check.take(entry)
            at, next_sequence = chunk.end, chunk.header.sequence + 1
    except FormatError as error:
        raise IndexCorrupt(f"the index is damaged: {error}{WHAT_TO_DO}", section=error.section) from error
    if at != region_end or digest.digest() != footer.index_digest or len(check.names) != footer.members:
        raise IndexCorrupt(
            f"the index does not agree with the footer ({len(check.names)} members, expected {footer.members}){WHAT_TO_DO}", section="5.3"
        )
    return Index(tuple(check.entries), next_sequence)


class _Agreement:
    """Takes entries, each of which must lie behind the one before, under a name of its own."""

    def __init__(self, footer: Footer) -> None:
        self.entries: list[Entry] = []
        self.names: set[bytes] = set()
        self._end = footer.index_offset
        self._free_from, self._group_offset = FILE_HEADER_BYTES, -1

    def take(self, entry: Entry) -> None:
        """Raises IndexCorrupt."""
        offset, member = entry.offset, entry.member
        if not entry.removed:
            if member.name in self.names:
                raise IndexCorrupt(f"the index has two members called {member.display_name}", section="5.3")
            self.names.add(member.name)
        same_group = member.grouped and offset == self._group_offset
        smallest = _smallest_extent(member, len(entry.record))
        if not same_group and (offset < self._free_from or offset % 8 or offset + smallest > self._end):
            raise IndexCorrupt(f"{member.display_name} overlaps another part of the archive", section="5.3", offset=offset)
        self.entries.append(entry)
        self._free_from = max(self._free_from, offset + smallest)
        self._group_offset = offset if member.grouped else -1


def _smallest_extent(member: Member, record_bytes: int) -> int:
    """Bytes that a member's chunks take at least (padding between parts, and the rest of a group, are not known before they are read)."""
    if member.grouped:
        return frames.chunk_bytes(frames.GROUP_RECORD_BYTES, member.payload_bytes)
    extent = frames.chunk_bytes(record_bytes, member.payload_bytes)
    return extent if member.parts < 2 else extent + (member.parts - 1) * frames.chunk_bytes(frames.PART_RECORD_BYTES, 0)
