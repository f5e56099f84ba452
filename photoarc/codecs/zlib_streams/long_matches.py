"""The longest match at one position, where it is known to be long: asked for the few positions where a token starts in such a place.

A ladder of sizes, each twice the one before. On each rung, equal strings of its size are a class; classes of the next rung are pairs of
classes. So five sorts serve matches of any length, and a search has to compare its string only with members of one class: that of the
highest rung that still has a candidate within reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError

WINDOW, MAX_MATCH = 32768, 258
MAX_DISTANCE = WINDOW - MAX_MATCH - 4
POSITION_BITS = 22
MAX_BYTES = 1 << POSITION_BITS  # of one stretch
_MASK = np.uint64(MAX_BYTES - 1)
_BYTE_STARTS = np.array([1 << 8 * k for k in range(8)], np.uint64)
_FEW = 32  # candidates that are compared one by one, as numbers of up to 2,064 bits, instead of by NumPy
# What one search counts for at least, and what all may count for together, in words to compare for a byte of data.
_LEAST_WORDS, _MOST_WORDS = 1000, 1000

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Classes:
    """Positions sorted by the strings there, then ascending; `joined`: whether the one before has the same string, within reach."""

    position: Positions
    joined: NDArray[np.bool_]

    @classmethod
    def of(cls, key: NDArray[np.uint64], position: Positions) -> Classes:
        """Classes of equal keys of at most 42 bits; sorting them with the positions as one number is ten times as fast as an argsort."""
        ordered = np.sort(key << np.uint64(POSITION_BITS) | position.view(np.uint64))
        position = (ordered & _MASK).view(np.int64)
        ordered >>= np.uint64(POSITION_BITS)
        joined = np.zeros(len(position), np.bool_)
        joined[1:] = (ordered[1:] == ordered[:-1]) & (np.diff(position) <= MAX_DISTANCE)
        return cls(position, joined)

    def shared(self) -> tuple[Positions, NDArray[np.uint64]]:
        """Members of classes of two or more, which alone can match at any greater size, and numbers of their classes, 21 bits."""
        company = self.joined.copy()
        company[:-1] |= self.joined[1:]
        return self.position.compress(company), np.cumsum(~self.joined.compress(company), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class _Rung:
    """`members` of classes, class by class, `begin` of the class of each among them; `place` (n,) of a position among them, or -1."""

    size: int
    members: Positions
    begin: Positions
    place: Positions


class Ladder:
    """Searches in `data`, given the (positions, classes) of strings of `least` bytes that occur more than once."""

    def __init__(self, data: NDArray[np.uint8], least: int, nice: int, shared: tuple[Positions, NDArray[np.uint64]]) -> None:
        self._end, self._nice = len(data), nice
        self._bytes = data.tobytes() + bytes(MAX_MATCH + 8)
        self._words = np.ndarray((len(data) + MAX_MATCH,), "<u8", self._bytes, 0, (1,))
        self._left = _MOST_WORDS * len(data)
        self._rungs = [self._rung(least, *shared)]  # the highest first
        while (size := self._rungs[0].size) < nice and len(shared[0]):
            position, number = shared
            wider = min(2 * size, nice)
            number_at = np.zeros(len(data) + 1, np.uint64)  # 0: none
            number_at[position] = number
            behind = number_at.take(np.minimum(position + (wider - size), len(data)))
            both = behind > 0
            key = number.compress(both) << np.uint64(POSITION_BITS - 1) | behind.compress(both)
            shared = Classes.of(key, position.compress(both)).shared()
            self._rungs.insert(0, self._rung(wider, *shared))

    def _rung(self, size: int, members: Positions, number: NDArray[np.uint64]) -> _Rung:
        index = np.arange(len(members))
        place = np.full(self._end, -1)
        place[members] = index
        first = np.diff(number, prepend=np.uint64(0)) > 0
        return _Rung(size, members, np.maximum.accumulate(np.where(first, index, 0)), place)

    def longest(self, at: int, floor: int) -> tuple[int, int]:
        """(length, distance) of the longest match with a candidate from `floor` on, the nearest of equals; nice bytes end the search.

        There must be one of the least size. Raises PayloadError when all searches together took too much.
        """
        above = MAX_MATCH
        for rung in self._rungs:
            here = int(rung.place[at])
            if here > 0 and here > rung.begin[here] and rung.members[here - 1] >= floor:
                break
            above = rung.size
        above = min(above, self._end - at)
        start = here - 1
        if rung.size < min(self._nice, above):
            start = int(rung.begin[here] + np.searchsorted(rung.members[rung.begin[here] : here], floor))
        candidates = rung.members[start:here]
        self._left -= max(candidates.size * (above - rung.size + 7 >> 3), _LEAST_WORDS)
        if self._left < 0:
            raise PayloadError("too repetitive to be retraced")
        compare = self._compare_few if candidates.size <= _FEW else self._compare_many
        length, candidate = compare(at, candidates, rung.size, above)
        return rung.size + length, at - candidate

    def _compare_few(self, at: int, candidates: Positions, size: int, above: int) -> tuple[int, int]:
        """Most equal bytes from at + size on, up to `above`, and the last candidate that has so many."""
        mine = int.from_bytes(self._bytes[at + size : at + above], "little")
        best, most = -1, -1
        for candidate in reversed(candidates.tolist()):
            differ = mine ^ int.from_bytes(self._bytes[candidate + size : candidate + above], "little")
            length = (differ & -differ).bit_length() - 1 >> 3 if differ else above - size
            if length > most:
                best, most = candidate, length
        return most, best

    def _compare_many(self, at: int, candidates: Positions, size: int, above: int) -> tuple[int, int]:
        """The same with NumPy."""
        offsets = np.arange(size, above, 8)
        differ = self._words[candidates[:, None] + offsets] ^ self._words[at + offsets]
        word = np.argmax(differ != 0, axis=1)
        value = differ[np.arange(len(word)), word]
        inside = np.searchsorted(_BYTE_STARTS, value & (~value + np.uint64(1)), side="right") - 1
        length = np.minimum(np.where(value == 0, above - size, 8 * word + inside), above - size)
        best = len(length) - 1 - int(np.argmax(length[::-1]))
        return int(length[best]), int(candidates[best])
