"""Structures around the file records: frozen dataclass <-> bytes, each `pack_x` beside its `parse_x` (docs/format.md sections 2-5).

    FileHeader    48 bytes  at the start of the file                      section 2
    ChunkHeader   48 bytes  before every record and payload               section 3.1
    PartRecord     8 bytes  which member a further part belongs to        section 4.4
    GroupRecord   44 bytes  + deflated file records                       section 4.7
    IndexRecord   12 bytes  what an index payload inflates to             section 5.1
    Footer       128 bytes  at the end of the file                        section 5.2

All integers are little-endian and of fixed width. Parsing raises FormatError (or a subclass) and LimitExceeded, nothing else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from photoarc.container import lengths
from photoarc.container.records import MAX_PAYLOAD_BYTES, pack_member, parse_member
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, NotAnArchive, Truncated, UnsupportedVersion
from photoarc.member import Member

VERSION = (1, 0)  # written; every 1.x is read
KNOWN_FEATURES = 0  # must-understand bits that this version understands (section 2.1)

FILE_MAGIC = b"\x89PHA\r\n\x1a\n"
CHUNK_MAGIC = b"\xc9PHAck\r\n"
FOOTER_MAGIC = b"\x89PHAend\n"

MAX_RECORD_BYTES = 1 << 20
MAX_SHARD_BYTES = 16 << 20  # of one index payload after inflation
MAX_SHARD_MEMBERS = 4096  # of one index part, and of one group
MAX_GROUP_BYTES = 16 << 20  # of the files of one group together
CRITICAL, LAST_PIECE = 1, 2  # chunk flag bits 0 and 1
CODING_BYTES = 8

_FILE_HEADER = Struct("<8sHHII16s8sI")
_CHUNK_HEADER = Struct("<8s4sHHIIQ8sII")
_PART = Struct("<II")
_INDEX = Struct("<III")
_GROUP = Struct("<III32s")
_FOOTER = Struct("<8sHHII16sIQQQQ32s8sH10xI")
_CRC = Struct("<I")

FILE_HEADER_BYTES = _FILE_HEADER.size
CHUNK_HEADER_BYTES = _CHUNK_HEADER.size
FOOTER_BYTES = _FOOTER.size
PART_RECORD_BYTES = _PART.size
GROUP_RECORD_BYTES = _GROUP.size  # without its list of records


class ChunkType(IntEnum):
    """Permanent numbers of section 3.2; other types are skipped."""

    MEMBER = 1
    PART = 2
    INDEX = 3
    MODEL = 4
    GROUP = 5
    REMOVED = 6
    RECOVERY = 7


@dataclass(frozen=True, slots=True)
class FileHeader:
    """Start of the file (section 2); `coding` is photoarc.container.wishes'."""

    archive_id: bytes
    version: tuple[int, int] = VERSION
    must_understand: int = 0
    may_ignore: int = 0
    coding: bytes = bytes(CODING_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkHeader:
    """Start of every chunk (section 3.1). `type` stays a plain number: later versions add types."""

    archive_tag: bytes
    type: int
    flags: int
    record_bytes: int
    sequence: int
    payload_bytes: int
    payload_check: bytes
    record_crc: int

    @property
    def size_bytes(self) -> int:
        """Header, record, payload and the zero bytes up to the next multiple of 8."""
        return chunk_bytes(self.record_bytes, self.payload_bytes)


@dataclass(frozen=True, slots=True)
class PartRecord:
    """Record of a PART chunk: the sequence number of its MEMBER chunk and the part number, from 1 (section 4.4)."""

    member_sequence: int
    part: int


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """Record of an INDEX chunk (section 5.1)."""

    shard: int
    members: int
    inflated_bytes: int


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """Record of a GROUP chunk (section 4.7); `size_bytes` and `digest` are of its files, back to back."""

    members: tuple[Member, ...]
    size_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Last 128 bytes of a finished archive (section 5.2); `coding` is photoarc.container.wishes', `recovery_percent` of what is added."""

    archive_id: bytes
    index_chunks: int
    index_offset: int
    members: int
    archive_bytes: int
    previous_footer: int
    index_digest: bytes
    version: tuple[int, int] = VERSION
    must_understand: int = 0
    may_ignore: int = 0
    coding: bytes = bytes(CODING_BYTES)
    recovery_percent: float = 0


def chunk_bytes(record_bytes: int, payload_bytes: int) -> int:
    """Whole length of a chunk in the file, padding included."""
    return (CHUNK_HEADER_BYTES + record_bytes + payload_bytes + 7) & ~7


def _with_crc(body: bytes) -> bytes:
    return body[:-4] + _CRC.pack(zlib.crc32(body[:-4]))


def _crc_fits(data: bytes) -> bool:
    return bool(_CRC.unpack_from(data, len(data) - 4)[0] == zlib.crc32(data[:-4]))


def _check_version(version: tuple[int, int], must_understand: int) -> None:
    if version[0] != VERSION[0] or must_understand & ~KNOWN_FEATURES:
        raise UnsupportedVersion(
            f"the archive is of format version {version[0]}.{version[1]} with feature bits {must_understand:#x}; "
            f"this photoarc reads version {VERSION[0]}.x with feature bits {KNOWN_FEATURES:#x}; use a newer photoarc",
            section="2",
        )


def pack_file_header(header: FileHeader) -> bytes:
    """48 bytes; section 2."""
    features = header.must_understand, header.may_ignore
    return _with_crc(_FILE_HEADER.pack(FILE_MAGIC, *header.version, *features, header.archive_id, header.coding, 0))


def parse_file_header(data: bytes) -> FileHeader:
    """Inverse of pack_file_header; raises NotAnArchive, Truncated, IndexCorrupt or UnsupportedVersion."""
    if not data or data[:8] != FILE_MAGIC[: len(data)]:
        raise NotAnArchive(
            f"not a photoarc archive: expected the magic {FILE_MAGIC.hex()}, found {data[:8].hex() or 'nothing'}", section="2"
        )
    if len(data) < FILE_HEADER_BYTES:
        raise Truncated(f"the file header has {FILE_HEADER_BYTES} bytes, the file only {len(data)}", section="2")
    if not _crc_fits(data):
        raise IndexCorrupt("the file header is damaged (its CRC-32 does not fit)", section="2", offset=0)
    _, major, minor, must_understand, may_ignore, archive_id, coding, _ = _FILE_HEADER.unpack(data)
    _check_version((major, minor), must_understand)
    return FileHeader(archive_id, (major, minor), must_understand, may_ignore, coding)


def pack_chunk_header(header: ChunkHeader) -> bytes:
    """48 bytes; section 3.1."""
    lengths = header.record_bytes, header.sequence, header.payload_bytes
    fields = header.archive_tag, header.type, header.flags, *lengths, header.payload_check, header.record_crc
    return _with_crc(_CHUNK_HEADER.pack(CHUNK_MAGIC, *fields, 0))


def parse_chunk_header(data: bytes) -> ChunkHeader:
    """Inverse of pack_chunk_header; raises Truncated, FormatError or LimitExceeded. Lengths are believed only after the CRC."""
    if len(data) < CHUNK_HEADER_BYTES:
        raise Truncated(f"a chunk header has {CHUNK_HEADER_BYTES} bytes, only {len(data)} are left", section="3.1")
    if data[:8] != CHUNK_MAGIC or not _crc_fits(data):
        raise FormatError("no intact chunk header (magic or CRC-32 do not fit)", section="3.1")
    _, tag, kind, flags, record_bytes, sequence, payload_bytes, check, record_crc, _ = _CHUNK_HEADER.unpack(data)
    if record_bytes > MAX_RECORD_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise LimitExceeded(
            f"a chunk declares a record of {record_bytes} and a payload of {payload_bytes} bytes; "
            f"the limits are {MAX_RECORD_BYTES} and {MAX_PAYLOAD_BYTES}"
        )
    return ChunkHeader(
        archive_tag=tag,
        type=kind,
        flags=flags,
        record_bytes=record_bytes,
        sequence=sequence,
        payload_bytes=payload_bytes,
        payload_check=check,
        record_crc=record_crc,
    )


def pack_part(part: PartRecord) -> bytes:
    """8 bytes; section 4.4."""
    return _PART.pack(part.member_sequence, part.part)


def parse_part(data: bytes) -> PartRecord:
    """Inverse of pack_part; raises FormatError."""
    if len(data) != _PART.size:
        raise FormatError(f"a part record has {_PART.size} bytes, found {len(data)}", section="4.4")
    return PartRecord(*_PART.unpack(data))


def pack_index_record(index: IndexRecord) -> bytes:
    """12 bytes; section 5.1."""
    return _INDEX.pack(index.shard, index.members, index.inflated_bytes)


def parse_index_record(data: bytes) -> IndexRecord:
    """Inverse of pack_index_record; raises IndexCorrupt or LimitExceeded."""
    if len(data) != _INDEX.size:
        raise IndexCorrupt(f"an index record has {_INDEX.size} bytes, found {len(data)}", section="5.1")
    index = IndexRecord(*_INDEX.unpack(data))
    if index.inflated_bytes > MAX_SHARD_BYTES or index.members > MAX_SHARD_MEMBERS:
        raise LimitExceeded(
            f"a part of the index declares {index.members} members and {index.inflated_bytes} bytes; "
            f"the limits are {MAX_SHARD_MEMBERS} and {MAX_SHARD_BYTES}"
        )
    return index


def deflate(data: bytes) -> bytes:
    """Raw DEFLATE (RFC 1951)."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def inflate(data: bytes, size_bytes: int, *, section: str) -> bytes:
    """Inverse of deflate; never allocates more than `size_bytes`. Raises FormatError unless it is exactly that many."""
    stream = zlib.decompressobj(-15)
    try:
        inflated = stream.decompress(data, size_bytes + 1)
    except zlib.error as error:
        raise FormatError(f"file records cannot be inflated: {error}", section=section) from error
    if len(inflated) != size_bytes or not stream.eof or stream.unused_data:
        raise FormatError(f"file records do not inflate to the declared {size_bytes} bytes", section=section)
    return inflated


def pack_group(group: GroupRecord) -> bytes:
    """44 bytes and the deflated list of records; section 4.7."""
    records = lengths.join(map(pack_member, group.members))
    return _GROUP.pack(len(group.members), len(records), group.size_bytes, group.digest) + deflate(records)


def parse_group(data: bytes) -> GroupRecord:
    """Inverse of pack_group; raises FormatError or LimitExceeded, the latter before anything is inflated."""
    if len(data) < _GROUP.size:
        raise FormatError(f"a group record has at least {_GROUP.size} bytes, found {len(data)}", section="4.7")
    members_n, inflated_bytes, size_bytes, digest = _GROUP.unpack_from(data)
    if members_n > MAX_SHARD_MEMBERS or inflated_bytes > MAX_SHARD_BYTES or size_bytes > MAX_GROUP_BYTES:
        raise LimitExceeded(
            f"a group declares {members_n} members, {inflated_bytes} bytes of records and {size_bytes} bytes of files; "
            f"the limits are {MAX_SHARD_MEMBERS}, {MAX_SHARD_BYTES} and {MAX_GROUP_BYTES}"
        )
    records = inflate(data[_GROUP.size :], inflated_bytes, section="4.7")
    try:
        members = [parse_member(record) for record in lengths.split(records)]
    except ValueError as error:
        raise FormatError(f"a record of a group is cut: {error}", section="4.7") from error
    sizes_bytes = sum(member.size_bytes for member in members if not member.duplicate)
    if len(members) != members_n or sizes_bytes != size_bytes or not all(member.grouped for member in members):
        raise FormatError(f"a group declares {members_n} members of {size_bytes} bytes, its records something else", section="4.7")
    return GroupRecord(tuple(members), size_bytes, digest)


def pack_footer(footer: Footer) -> bytes:
    """128 bytes; section 5.2."""
    start = *footer.version, footer.must_understand, footer.may_ignore, footer.archive_id
    index = footer.index_chunks, footer.index_offset, footer.members
    end = footer.archive_bytes, footer.previous_footer, footer.index_digest
    return _with_crc(_FOOTER.pack(FOOTER_MAGIC, *start, *index, *end, footer.coding, round(footer.recovery_percent * 100), 0))


def parse_footer(data: bytes) -> Footer:
    """Inverse of pack_footer; raises Truncated (no footer here), IndexCorrupt or UnsupportedVersion."""
    if len(data) != FOOTER_BYTES or data[:8] != FOOTER_MAGIC:
        raise Truncated("there is no footer at the end of the file", section="5.2")
    if not _crc_fits(data):
        raise IndexCorrupt("the footer is damaged (its CRC-32 does not fit)", section="5.2")
    _, *start, archive_id, chunks, offset, members, length, previous, digest, coding, recovery, _ = _FOOTER.unpack(data)
    major, minor, must_understand, may_ignore = start
    _check_version((major, minor), must_understand)
    return Footer(
        archive_id=archive_id,
        index_chunks=chunks,
        index_offset=offset,
        members=members,
        archive_bytes=length,
        previous_footer=previous,
        index_digest=digest,
        version=(major, minor),
        must_understand=must_understand,
        may_ignore=may_ignore,
        coding=coding,
        recovery_percent=recovery / 100,
    )
