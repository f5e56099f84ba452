"""Chunks of an archive file: read them with every check, and make them (docs/format.md section 3).

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
from photoarc.container.frames import CHUNK_HEADER_BYTES, ChunkHeader, ChunkType
from photoarc.container.records import MAX_PAYLOAD_BYTES
from photoarc.container.source import Source, blocks_at
from photoarc.errors import FormatError, LimitExceeded, PayloadCorrupt, Truncated
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


def make_chunk(archive_id: bytes, kind: ChunkType, sequence: int, record: bytes, payload: bytes, flags: int = 0) -> list[bytes]:
    """Header + record, payload, padding; to be written one after the other. Inverse of read_chunk and read_payload."""
    if len(record) > frames.MAX_RECORD_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise LimitExceeded(f"a chunk cannot hold a record of {len(record)} and a payload of {len(payload)} bytes; split the file in parts")
    header = ChunkHeader(
        archive_tag=archive_id[:4],
        type=kind,
        flags=flags if kind == ChunkType.RECOVERY else frames.CRITICAL | flags,
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
