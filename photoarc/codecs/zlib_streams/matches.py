"""What zlib's match finder would do at every position of a stretch of data, for all positions at once.

Source: zlib's published algorithm (deflate.c: hash chains of three-byte hashes, lazy evaluation), of which levels 4 to 9 insert every
position into the chains: what a search finds depends on the data only, not on the parse before it. The k-th candidate of a chain is
the k-th last position with the same hash; a limit on candidates is therefore a limit on how far back a candidate may lie. The nearest
earlier occurrences of the same 3, 4, .. bytes come from one sort each; longer matches are searched where a token starts with one.

This is a *prediction*: what a stream does otherwise is stored. Integers only, so every machine predicts the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams.long_matches import MAX_DISTANCE, Classes, Ladder, Positions

Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE = 1, 2, 3
TOO_FAR = 4096  # a match of three bytes further back is not taken
# level: (good, lazy, nice, chain)
LEVELS = {
    4: (4, 4, 16, 16),
    5: (8, 16, 32, 32),
    6: (8, 16, 128, 128),
    7: (8, 32, 128, 256),
    8: (32, 128, 258, 1024),
    9: (32, 258, 258, 4096),
}
# level: (longest match of which all positions are candidates, nice, chain)
FAST_LEVELS = {1: (4, 8, 4), 2: (5, 16, 8), 3: (6, 32, 32)}
# One more sort for each length makes searches one by one rarer. From 16 bytes on, this many positions may be sorted for a byte of data:
# in flat graphics nearly all have company and four more lengths take that, in photographs hardly any and it does for all lengths.
_LEAST_LONG, _SORTED_A_BYTE = 16, 4


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of zlib: level 1..9, memory level 1..9, strategy 0..3 as zlib.h numbers them.

    `far`: built without a limit for matches of three bytes. zlib-ng: `far` at level 9; `four`: hashes of four bytes at levels 5 to 8;
    `greedy`: no match gives way, at levels 5 and 6.
    """

    level: int
    memory: int = 8
    strategy: int = 0
    far: bool = False
    four: bool = False
    greedy: bool = False

    @classmethod
    def of(cls, level: int, memory: int, flags: int) -> Parameters:
        """Inverse of `flags`."""
        return cls(level, memory, flags & 1 | flags >> 6 << 1, *(bool(flags & bit) for bit in (2, 16, 32)))

    @property
    def flags(self) -> int:
        """All but the levels, as docs/format.md section 7.7 numbers their bits."""
        return self.strategy & 1 | self.strategy >> 1 << 6 | self.far << 1 | self.four << 4 | self.greedy << 5

    @property
    def is_fast(self) -> bool:
        """Whether it is deflate_fast: photoarc.codecs.zlib_streams.fast_matches."""
        return self.level in FAST_LEVELS and self.strategy in (0, Z_FILTERED)


class Search:
    """Longest matches at the positions start..stop-1 of `data`; what lies before is history, behind it lookahead.

    (2, n) each: `length` (0: none) and `distance` with the whole chain, and with a quarter of it. Lengths from `long` on may be too
    small: `longest` tells.
    """

    def __init__(self, data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int) -> None:
        _, _, nice, chain = LEVELS[parameters.level]
        self._start, more = start, min(stop + 1, len(data))  # whether a match gives way depends on the next position
        self.count = stop - start
        hashes = _hash_of_four(data) if parameters.four else hash_of_three(data, parameters.memory)
        self._floors = _floors(hashes, chain, (start, more))
        found, self.long, shared = nearest(data, nice, self._floors)
        self.length, self.distance = (found[:, start:more] >> 16).astype(np.uint16), found[:, start:more].astype(np.uint16)
        self._ladder = Ladder(data, self.long, nice, shared)
        self._known: dict[tuple[int, int], tuple[int, int]] = {}

    def longest(self, index: int, state: int) -> tuple[int, int]:
        """(length, distance) at start + index. Raises PayloadError if all such searches took too long."""
        at = self._start + index
        key = at, int(self._floors[state, at])
        if key not in self._known:
            self._known[key] = self._ladder.longest(*key)
        return self._known[key]


class Predictions:
    """What zlib does if a token starts at one of the positions of a search.

    `lengths` (n,) (1: a literal) and `distances` (n,) are right in state 0, except where one should `ask`: `token` tells. State 1: the
    token before is a literal that gave way to the match here, found with a quarter of the chain.
    """

    def __init__(self, search: Search, parameters: Parameters) -> None:
        self._search, self._good, self._lazy = search, *LEVELS[parameters.level][:2]
        if parameters.greedy:
            self._lazy = 0
        length, distance = search.length.copy(), search.distance
        length[length <= 5 if parameters.strategy == Z_FILTERED else (length == 3) & (distance > TOO_FAR) & (not parameters.far)] = 0
        if parameters.four:
            length[length == 3] = 0
        following = np.zeros_like(length)
        following[:, :-1] = length[:, 1:]
        hurried = length[0] >= self._good
        gives_way = (length[0] < self._lazy) & (np.where(hurried, following[1], following[0]) > length[0])
        taken = (length[0] >= 3) & ~gives_way
        self.lengths = np.where(taken, length[0], np.uint16(1))[: search.count]
        self.distances = np.where(taken, distance[0], np.uint16(0))[: search.count]
        self.ask = (hurried & gives_way | (length[0] >= search.long))[: search.count]
        self._length, self._distance = length, distance

    def token(self, index: int, state: int) -> tuple[int, int, int]:
        """(length, distance, state behind it). Raises PayloadError if all such searches took too long."""
        length, distance = self._match(index, state)
        hurried = int(length >= self._good)
        gives_way = length < self._lazy and self._match(index + 1, hurried)[0] > length
        return (length, distance, 0) if length >= 3 and not gives_way else (1, 0, hurried)

    def _match(self, index: int, state: int) -> tuple[int, int]:
        if index >= self._length.shape[1]:
            return 0, 0
        if self._length[state, index] < self._search.long:
            return int(self._length[state, index]), int(self._distance[state, index])
        return self._search.longest(index, state)


def _floors(hashes: NDArray[np.uint16], chain: int, inside: tuple[int, int]) -> Positions:
    """(2, n) the first position that zlib would look at with the whole chain, and with a quarter of it; n outside of `inside`.

    Position 0 is never looked at: zlib takes it for the end of a chain. The first of a chain may be a byte further away than the others.
    """
    first, *last = candidates(hashes, (1, chain, chain >> 2))
    floors = np.stack([lowest(first, one) for one in last])
    floors[:, : inside[0]] = floors[:, inside[1] :] = len(hashes)
    return floors


def candidates(hashes: NDArray[np.uint16], numbers: Sequence[int]) -> Positions:
    """(numbers, n) the candidates of these numbers for each position, counted backwards from 1; 0 if there is none."""
    order = np.argsort(hashes, kind="stable")
    hashes = hashes.take(order)
    found = np.zeros((len(numbers), len(order)), np.int64)
    for candidate, number in zip(found, numbers, strict=True):
        candidate[order[number:]] = np.where(hashes[number:] == hashes[:-number], order[:-number], 0)
    return found


def lowest(first: Positions, last: Positions) -> Positions:
    """(n,) the first position that zlib would look at, of the first and the last candidate that its chain lets it look at."""
    index = np.arange(len(first))
    return np.maximum(np.maximum(last, 1), index - np.where(first == index - MAX_DISTANCE, MAX_DISTANCE, MAX_DISTANCE - 1))


def hash_of_three(data: NDArray[np.uint8], memory: int) -> NDArray[np.uint16]:
    """Of the three bytes at each position; zeros follow the data."""
    bits = memory + 7
    shift = (bits + 2) // 3
    padded = np.append(data, np.zeros(2, np.uint8)).astype(np.uint32)
    return (((padded[:-2] << shift ^ padded[1:-1]) << shift ^ padded[2:]) & ((1 << bits) - 1)).astype(np.uint16)


def _hash_of_four(data: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The same of four bytes, as zlib-ng computes it."""
    words = np.ndarray((len(data),), "<u4", data.tobytes() + bytes(4), 0, (1,))
    return (words.astype(np.uint32) * np.uint32(2654435761) >> np.uint32(16)).astype(np.uint16)


def nearest(data: NDArray[np.uint8], nice: int, floors: Positions) -> tuple[NDArray[np.uint32], int, tuple[Positions, NDArray[np.uint64]]]:
    """(2, n) length << 16 | distance of the longest match, 0 for none; the length up to which they are right; who has matches of it."""
    found = np.zeros((2, len(data)), np.uint32)
    wide = data.astype(np.uint64)
    position, key = np.arange(max(len(data) - 2, 0)), wide[:-2] << np.uint64(16) | wide[1:-1] << np.uint64(8) | wide[2:]
    size, left = 3, _SORTED_A_BYTE * len(data)
    while True:
        classes = Classes.of(key, position)
        joined = np.flatnonzero(classes.joined)
        here, there = classes.position.take(joined), classes.position.take(joined - 1)
        for floor, best in zip(floors, found, strict=True):
            reached = there >= floor.take(here)
            here, there = here.compress(reached), there.compress(reached)
            best[here] = size << 16 | here - there
        position, number = classes.shared()
        left -= len(position) if size >= _LEAST_LONG else 0
        if size == nice or left < 0 or not len(position):
            return found, size, (position, number)
        inside = position < len(data) - size
        position, number = position.compress(inside), number.compress(inside)
        key = number << np.uint64(8) | data.take(position + size)
        size += 1
