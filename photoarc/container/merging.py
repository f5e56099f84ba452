"""Copies of one archive without recovery data, each damaged elsewhere: chunk by chunk from the copy where it is whole.

The copies are of the same bytes: what lies at an offset in one lies there in all. Memory: one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from photoarc.container import frames
from photoarc.container.chunks import Chunk, payload_is_intact, read_chunk
from photoarc.container.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FOOTER_BYTES
from photoarc.container.source import Source, blocks_at
from photoarc.container.traces import Marks
from photoarc.errors import FormatError, LimitExceeded, UsageError


class Merge:
    """`damaged` counts, after `pieces`, the places that are whole in no copy, `mended` the chunks that the first copy has damaged."""

    def __init__(self, copies: Sequence[Source]) -> None:
        """Raises UsageError if they are of different archives."""
        self._copies = copies
        self._marks = [Marks(copy) for copy in copies]
        self._end = max(copy.size_bytes for copy in copies)
        self.damaged = self.mended = 0
        ids = {identity for copy in copies if (identity := _identity(copy))}
        if len(ids) > 1:
            raise UsageError(f"{copies[1].name} is another archive than {copies[0].name}; name copies of one")

    def pieces(self) -> Iterator[bytes]:
        """All bytes, front to back."""
        at = 0
        while at < self._end:
            number, end = self._whole(at)
            if number is None:
                self.damaged += 1
                number, end = self._longest(at), self._next(at)
            self.mended += number > 0
            yield from blocks_at(self._copies[number], at, min(end, self._copies[number].size_bytes) - at)
            at = end

    def _whole(self, at: int) -> tuple[int | None, int]:
        """The first copy where a header, chunk or footer at an offset is whole, and where it ends."""
        for number, copy in enumerate(self._copies):
            try:
                return number, _end_of(copy, at)
            except (FormatError, LimitExceeded):
                continue
        return None, at

    def _next(self, at: int) -> int:
        """Where the next header of a chunk, or a footer, is whole in some copy; the end if there is none."""
        nearest = self._end
        for copy, marks in zip(self._copies, self._marks, strict=True):
            start = at + 1
            while (mark := marks.find(start, min(nearest, copy.size_bytes))) is not None:
                start, magic = mark
                try:
                    _head(copy, start) if magic == CHUNK_MAGIC else _end_of(copy, start)
                    nearest = start
                except (FormatError, LimitExceeded):
                    start += 1
        return nearest

    def _longest(self, at: int) -> int:
        """A copy that has bytes there."""
        return max(range(len(self._copies)), key=lambda number: (self._copies[number].size_bytes > at, -number))


def _identity(copy: Source) -> bytes:
    try:
        return frames.parse_file_header(copy.read_at(0, FILE_HEADER_BYTES)).archive_id
    except FormatError:
        return b""


def _head(copy: Source, at: int) -> Chunk:
    return read_chunk(copy, at, None)


def _end_of(copy: Source, at: int) -> int:
    """End of the header, chunk or footer at an offset. Raises FormatError or LimitExceeded if it is not whole."""
    magic = copy.read_at(at, len(CHUNK_MAGIC))
    if magic == CHUNK_MAGIC:
        chunk = _head(copy, at)
        if not payload_is_intact(copy, chunk):
            raise FormatError("a payload is damaged", section="3.1", offset=at)
        return chunk.end
    if magic == frames.FILE_MAGIC:
        frames.parse_file_header(copy.read_at(at, FILE_HEADER_BYTES))
        return at + FILE_HEADER_BYTES
    frames.parse_footer(copy.read_at(at, FOOTER_BYTES))
    return at + FOOTER_BYTES
