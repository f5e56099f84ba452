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
# What one search counts for at least, and what all may count for together, in words to compare for a byte of data.
_LEAST_WORDS, _MOST_WORDS = 5000, 1000

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
        self._words = np.ndarray((len(data) + MAX_MATCH,), "<u8", data.tobytes() + bytes(MAX_MATCH + 7), 0, (1,))
        self._left = _MOST_WORDS * len(data)
        self._rungs = [self._rung(least, *shared)]  # the highest first
        while (size := self._rungs[0].size) < nice:
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
        start = here - 1
        if rung.size < self._nice:
            start = int(rung.begin[here] + np.searchsorted(rung.members[rung.begin[here] : here], floor))
        candidates = rung.members[start:here]
        offsets = np.arange(rung.size, above, 8)
        self._left -= max(candidates.size * offsets.size, _LEAST_WORDS)
        if self._left < 0:
            raise PayloadError("too repetitive to be retraced")
        length = np.minimum(
            rung.size + _equal_bytes(self._words[candidates[:, None] + offsets] ^ self._words[at + offsets]), self._end - at
        )
        length = np.minimum(length, MAX_MATCH)
        best = len(length) - 1 - int(np.argmax(length[::-1]))
        return int(length[best]), at - int(candidates[best])


def _equal_bytes(differences: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n, words) -> (n,) number of zero bytes before the first other one, the low byte of each word first."""
    if not differences.shape[1]:
        return np.zeros(len(differences), np.int64)
    word = np.argmax(differences != 0, axis=1)
    value = differences[np.arange(len(word)), word]
    lowest = value & (~value + np.uint64(1))
    inside = np.searchsorted(_BYTE_STARTS, lowest, side="right").astype(np.int64) - 1
    return np.where(value == 0, np.int64(8 * differences.shape[1]), 8 * word + inside)
