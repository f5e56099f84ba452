"""Files in blocks (codec 10) read at any place: only the blocks that are touched are read as a whole, compared with their check, decoded.

The heads of all others are read beforehand, for they say where each block starts. Nobody has compared these with anything, so their sum
must be the size of the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from photoarc.codecs import blocks
from photoarc.container.chunks import Chunk, damage_of, read_payload
from photoarc.container.pieces import Held, Hole, Joined, Piece
from photoarc.container.source import Source
from photoarc.errors import PayloadCorrupt, of_member
from photoarc.member import Member


class _Reader:
    """Reads and decodes blocks; the last one is kept, which takes up to MAX_DATA_BYTES."""

    def __init__(self, source: Source, member: Member) -> None:
        self._source, self._member = source, member
        self._last: tuple[Chunk, Piece] | None = None

    def stands_for(self, chunk: Chunk) -> int:
        """Bytes of the file that a block stands for, as its head says. Raises PayloadCorrupt."""
        with of_member(self._member.display_name), damage_of(self._member):
            return blocks.stands_for(
                lambda at, count: self._source.read_at(chunk.payload_offset + at, count),
                chunk.header.payload_bytes,
                self._member.size_bytes,
            )

    def decoded(self, chunk: Chunk, size_bytes: int) -> Piece:
        """Contents of a block. Raises MemberError."""
        if self._last is None or self._last[0] is not chunk:
            self._last = chunk, self._decode(chunk, size_bytes)
        return self._last[1]

    def _decode(self, chunk: Chunk, size_bytes: int) -> Piece:
        with damage_of(self._member):
            payload = read_payload(self._source, chunk)
        with of_member(self._member.display_name):
            pieces = [piece for hole, data in blocks.decode_block(payload, size_bytes) for piece in (Hole(hole), Held(data))]
        found = Joined(pieces)
        if found.size_bytes != size_bytes:
            raise PayloadCorrupt(self._member.display_name, f"a block stands for {found.size_bytes} bytes, its head said {size_bytes}")
        return found


class _Block:
    """One block, decoded when it is read."""

    def __init__(self, reader: _Reader, chunk: Chunk) -> None:
        self._reader, self._chunk = reader, chunk
        self.size_bytes = reader.stands_for(chunk)

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes of it. Raises MemberError."""
        return self._reader.decoded(self._chunk, self.size_bytes).read_at(offset, count)


def open_blocks(source: Source, member: Member, chunks: Sequence[Chunk]) -> Joined:
    """Contents of a member in blocks. Raises PayloadCorrupt, now (heads) or when it is read (the rest of a block)."""
    reader = _Reader(source, member)
    found = Joined([_Block(reader, chunk) for chunk in chunks])
    if found.size_bytes != member.size_bytes:
        raise PayloadCorrupt(member.display_name, f"its blocks hold {found.size_bytes} bytes, the file had {member.size_bytes}")
    return found
