"""Chunks of an archive file: read them with every check, read the index, and make them (docs/format.md sections 3 and 5).

Nothing here knows codecs or destinations. Lengths are believed only after the checksum around them fits, and only when the chunk
lies inside the file, so a damaged archive never costs memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blake3 import blake3

from photoarc.container import frames
from photoarc.container.frames import CHUNK_HEADER_BYTES, FILE_HEADER_BYTES, FOOTER_BYTES, ChunkHeader, ChunkType, FileHeader, Footer
from photoarc.container.records import MAX_PAYLOAD_BYTES
from photoarc.container.source import Source, blocks_at
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, PayloadCorrupt, Truncated
from photoarc.member import Member

WHAT_TO_DO = "; members can still be found by scanning: photoarc unpack does this by itself"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk whose header and record have been checked; its payload has not been read."""

    offset: int
    header: ChunkHeader
    record: bytes

    @property
    def payload_offset(self) -> int:
        """Where the payload starts in the file."""
        return self.offset + CHUNK_HEADER_BYTES + self.header.record_bytes

    @property
    def end(self) -> int:
        """Where the next chunk starts."""
        return self.offset + self.header.size_bytes


def make_chunk(archive_id: bytes, kind: ChunkType, sequence: int, record: bytes, payload: bytes) -> list[bytes]:
    """Header + record, payload, padding; to be written one after the other. Inverse of read_chunk and read_payload."""
    if len(record) > frames.MAX_RECORD_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise LimitExceeded(f"a chunk cannot hold a record of {len(record)} and a payload of {len(payload)} bytes; split the file in parts")
    header = ChunkHeader(
        archive_tag=archive_id[:4],
        type=kind,
        flags=0 if kind == ChunkType.RECOVERY else frames.CRITICAL,
        record_bytes=len(record),
        sequence=sequence,
        payload_bytes=len(payload),
        payload_check=blake3(payload).digest(8),
        record_crc=zlib.crc32(record),
    )
    padding = header.size_bytes - CHUNK_HEADER_BYTES - len(record) - len(payload)
    return [frames.pack_chunk_header(header) + record, payload, bytes(padding)]


def read_chunk(source: Source, offset: int, archive_tag: bytes | None) -> Chunk:
    """Header and record of the chunk at an offset, checked in the order of section 3.1; None accepts any archive's chunk.

    Raises FormatError or LimitExceeded.
    """
    header = frames.parse_chunk_header(source.read_at(offset, CHUNK_HEADER_BYTES))
    if archive_tag is not None and header.archive_tag != archive_tag:
        raise FormatError(
            f"the chunk belongs to another archive (tag {header.archive_tag.hex()}, expected {archive_tag.hex()})",
            section="3.1",
            offset=offset,
        )
    if offset + header.size_bytes > source.size_bytes:
        raise Truncated(f"a chunk of {header.size_bytes} bytes does not fit into the file", section="3.1", offset=offset)
    record = source.read_at(offset + CHUNK_HEADER_BYTES, header.record_bytes)
    if zlib.crc32(record) != header.record_crc:
        raise FormatError("the record of a chunk is damaged (its CRC-32 does not fit)", section="3.1", offset=offset)
    return Chunk(offset, header, record)


def read_payload(source: Source, chunk: Chunk) -> bytes:
    """Payload of a chunk, compared with its check; raises FormatError."""
    payload = source.read_at(chunk.payload_offset, chunk.header.payload_bytes)
    check = blake3(payload).digest(8)
    if check != chunk.header.payload_check:
        raise FormatError(
            f"a payload is damaged (BLAKE3 {check.hex()}, expected {chunk.header.payload_check.hex()})", section="3.1", offset=chunk.offset
        )
    return payload


def payload_is_intact(source: Source, chunk: Chunk) -> bool:
    """The same check in bounded memory."""
    digest = blake3()
    for block in blocks_at(source, chunk.payload_offset, chunk.header.payload_bytes):
        digest.update(block)
    return digest.digest(8) == chunk.header.payload_check


@contextmanager
def damage_of(member: Member) -> Iterator[None]:
    """What is wrong with the archive in this block is damage of one member: raises PayloadCorrupt for FormatError and LimitExceeded."""
    try:
        yield
    except (FormatError, LimitExceeded) as error:
        raise PayloadCorrupt(member.display_name, f"damaged in the archive: {error}; restore it from another copy") from error


def read_ends(source: Source) -> tuple[FileHeader, Footer]:
    """File header and footer, each checked and in agreement; raises FormatError with what to do (NotAnArchive without)."""
    try:
        header = frames.parse_file_header(source.read_at(0, min(FILE_HEADER_BYTES, source.size_bytes)))
    except IndexCorrupt as error:
        raise IndexCorrupt(f"{error}{WHAT_TO_DO}", section="2") from error
    footer = _read_footer(source)
    mine = (header.archive_id, header.version, header.must_understand, header.may_ignore)
    if mine != (footer.archive_id, footer.version, footer.must_understand, footer.may_ignore):
        raise IndexCorrupt(f"header and footer are of different archives{WHAT_TO_DO}", section="5.2")
    return header, footer


def _read_footer(source: Source) -> Footer:
    """Footer at the end of the file; raises Truncated or IndexCorrupt, and says so when the archive ends before the file does."""
    tail_at = max(source.size_bytes - (64 << 10), 0)
    tail = source.read_at(tail_at, source.size_bytes - tail_at)
    try:
        footer = frames.parse_footer(tail[-FOOTER_BYTES:])
    except Truncated:
        end = _footer_before(tail, tail_at)
        if end is None:
            raise Truncated(
                f"the archive has no footer at its end: it was cut, or never finished{WHAT_TO_DO}", section="5.2", offset=source.size_bytes
            ) from None
        raise IndexCorrupt(
            f"{source.size_bytes - end} bytes follow the end of the archive; remove them{WHAT_TO_DO}", section="5.2", offset=end
        ) from None
    except IndexCorrupt as error:
        raise IndexCorrupt(f"{error}{WHAT_TO_DO}", section="5.2", offset=source.size_bytes - FOOTER_BYTES) from error
    if footer.archive_bytes != source.size_bytes:
        raise IndexCorrupt(
            f"the archive should have {footer.archive_bytes} bytes, the file has {source.size_bytes}{WHAT_TO_DO}", section="5.2"
        )
    return footer


def _footer_before(tail: bytes, tail_at: int) -> int | None:
    """End of an archive whose footer is somewhere in the tail, in bytes from the start of the file."""
    at = tail.rfind(frames.FOOTER_MAGIC)
    while at >= 0:
        try:
            if frames.parse_footer(tail[at : at + FOOTER_BYTES]).archive_bytes == tail_at + at + FOOTER_BYTES:
                return tail_at + at + FOOTER_BYTES
        except FormatError:
            pass
        at = tail.rfind(frames.FOOTER_MAGIC, 0, at)
    return None


def inflate_index(payload: bytes, record: bytes) -> list[tuple[int, Member, int]]:
    """Entries of one INDEX chunk: (chunk offset, member, record_bytes); raises IndexCorrupt or LimitExceeded."""
    index = frames.parse_index_record(record)
    try:
        data = frames.inflate(payload, index.inflated_bytes, section="5.1")  # never more than was declared, and that is limited
    except FormatError as error:
        raise IndexCorrupt(f"a part of the index is damaged: {error}", section="5.1") from error
    entries = frames.parse_entries(data)
    if len(entries) != index.members:
        raise IndexCorrupt(f"a part of the index declares {index.members} members, found {len(entries)}", section="5.1")
    return entries


def read_index(source: Source, header: FileHeader, footer: Footer) -> tuple[list[Member], list[int]]:
    """Members and the offsets of their chunks, in archive order; everything in section 5.3 is checked.

    Raises IndexCorrupt (with what to do) or LimitExceeded.
    """
    members: list[Member] = []
    offsets: list[int] = []
    names: set[bytes] = set()
    region_end = footer.archive_bytes - FOOTER_BYTES
    digest = blake3()
    at, free_from, group_offset = footer.index_offset, FILE_HEADER_BYTES, -1
    try:
        for shard in range(footer.index_chunks):
            chunk = read_chunk(source, at, header.archive_id[:4])
            if chunk.header.type != ChunkType.INDEX or chunk.end > region_end or frames.parse_index_record(chunk.record).shard != shard:
                raise IndexCorrupt(f"part {shard} of the index was expected here", section="5.3", offset=at)
            for block in blocks_at(source, at, chunk.header.size_bytes):
                digest.update(block)
            for offset, member, record_bytes in inflate_index(read_payload(source, chunk), chunk.record):
                if member.name in names:
                    raise IndexCorrupt(f"the index has two members called {member.display_name}", section="5.3")
                same_group = member.grouped and offset == group_offset
                smallest = _smallest_extent(member, record_bytes)
                if not same_group and (offset < free_from or offset % 8 or offset + smallest > footer.index_offset):
                    raise IndexCorrupt(f"{member.display_name} overlaps another part of the archive", section="5.3", offset=offset)
                names.add(member.name)
                members.append(member)
                offsets.append(offset)
                free_from = max(free_from, offset + smallest)
                group_offset = offset if member.grouped else -1
            at = chunk.end
    except FormatError as error:
        raise IndexCorrupt(f"the index is damaged: {error}{WHAT_TO_DO}", section=error.section) from error
    if at != region_end or digest.digest() != footer.index_digest or len(members) != footer.members:
        raise IndexCorrupt(
            f"the index does not agree with the footer ({len(members)} members, expected {footer.members}){WHAT_TO_DO}", section="5.3"
        )
    return members, offsets


def _smallest_extent(member: Member, record_bytes: int) -> int:
    """Bytes that a member's chunks take at least (padding between parts, and the rest of a group, are not known before they are read)."""
    if member.grouped:
        return frames.chunk_bytes(frames.GROUP_RECORD_BYTES, member.payload_bytes)
    extent = frames.chunk_bytes(record_bytes, member.payload_bytes)
    return extent if member.parts < 2 else extent + (member.parts - 1) * frames.chunk_bytes(frames.PART_RECORD_BYTES, 0)
