"""Bytes that are put together from pieces: stretches of a file, holes, what has to be decoded first. Read at any offset, piece by piece."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from photoarc.errors import Truncated


class Piece(Protocol):
    """Bytes of known length that can be read at any offset; a Source is one."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes, all of which are there."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of another piece, from `start` on."""

    whole: Piece
    start: int
    size_bytes: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes of it."""
        return self.whole.read_at(self.start + offset, count)


@dataclass(frozen=True, slots=True)
class Hole:
    """Zeros, which take no memory."""

    size_bytes: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Zeros."""
        return bytes(count)


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in memory."""

    data: bytes | memoryview

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return len(self.data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes of it."""
        return bytes(self.data[offset : offset + count])


class Made:
    """Bytes that are made as a whole when they are needed, and kept."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make

    @cached_property
    def _held(self) -> Held:
        return Held(self._make())

    @property
    def size_bytes(self) -> int:
        """How many there are; raises what making them raises."""
        return self._held.size_bytes

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes of it; raises what making them raises."""
        return self._held.read_at(offset, count)


class Joined:
    """Pieces, one behind the other."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._ends = list(itertools.accumulate(piece.size_bytes for piece in pieces))
        self.size_bytes = self._ends[-1] if self._ends else 0

    def read_at(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes, of the pieces that they lie in; raises Truncated where there are fewer."""
        if offset < 0 or offset + count > self.size_bytes:
            raise Truncated(f"{count} bytes expected at {offset}, there are {self.size_bytes}")
        found = []
        at = bisect.bisect_right(self._ends, offset)
        while count:
            piece, end = self._pieces[at], self._ends[at]
            taken = min(count, end - offset)
            if taken:
                found.append(piece.read_at(offset - end + piece.size_bytes, taken))
            offset, count, at = offset + taken, count - taken, at + 1
        return found[0] if len(found) == 1 else b"".join(found)
