"""What zlib's match finder would do at every position of a stretch of data, for all positions at once.

Source: zlib's published algorithm (deflate.c: hash chains of three-byte hashes, lazy evaluation), of which levels 4 to 9 insert every
position into the chains: what a search finds depends on the data only, not on the parse before it. The k-th candidate of a chain is
the k-th last position with the same hash; a limit on candidates is therefore a limit on the difference of two ranks. So the
nearest earlier occurrences of the same 3, 4 and 5 bytes come from three sorts, and only chains of equal 6 bytes have to be walked.

This is a *prediction*: what a stream does otherwise is stored. Integers only, so every machine predicts the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError

WINDOW, MAX_MATCH = 32768, 258
MAX_DISTANCE = WINDOW - MAX_MATCH - 4
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
_POSITION_BITS = 22
_MASK = np.uint64((1 << _POSITION_BITS) - 1)
MAX_BYTES = 1 << _POSITION_BITS  # of one stretch
_LONGEST_RUNG = 32
# Long equal strings are compared candidate by candidate: 0.1-8 steps a byte in photographs, 18-35 in flat graphics, which would take
# a minute a megabyte each way and are refused.
_MOST_STEPS, _FREE_STEPS = 10, 500_000

Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of zlib: level 4..9, memory level 1..9, strategy 1 (filtered) or 0; `far`: built without a limit for matches of three bytes."""

    level: int
    memory: int = 8
    filtered: bool = False
    far: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """Longest match at each position, (n,) each: length (0: none) and distance; `short_*` with a quarter of the chain."""

    length: Integers
    distance: Integers
    short_length: Integers
    short_distance: Integers


def _grams(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The eight bytes from each position on, first byte lowest; zeros behind the end."""
    padded = data.tobytes() + bytes(8)
    return np.ndarray((len(data),), "<u8", padded, 0, (1,)).astype(np.uint64)


def _sorted(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keys of at most 42 bits with their positions, sorted; sorting values is ten times as fast as sorting indexes."""
    return np.sort(key << np.uint64(_POSITION_BITS) | np.arange(len(key), dtype=np.uint64))


def find(data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int) -> Matches:
    """Matches at positions start..stop-1 of `data` (at most MAX_BYTES); what lies before `start` is history, behind `stop` lookahead.

    Position 0 is never a candidate: zlib takes it for the end of a chain. Raises PayloadError where that would take too long.
    """
    _, _, nice, chain = LEVELS[parameters.level]
    grams = _grams(data)
    ordered = _sorted(_hash(grams, parameters.memory))
    rank = np.empty(len(data), np.int32)
    rank[(ordered & _MASK).astype(np.int32)] = np.arange(len(data), dtype=np.int32)
    found = Matches(*(np.zeros(stop - start, np.int32) for _ in range(4)))
    position = np.arange(len(data), dtype=np.uint64)
    group = grams & np.uint64(0xFFFF)  # number of the group of equal strings of `size - 1` bytes, at first the bytes themselves
    for size in range(3, min(nice, _LONGEST_RUNG) + 1):
        there = position + np.uint64(size) <= np.uint64(len(data))
        position, group = position[there], group[there]
        if not len(position):
            return found
        last = data[position + np.uint64(size - 1)].astype(np.uint64)
        ordered = np.sort((group << np.uint64(8) | last) << np.uint64(_POSITION_BITS) | position)
        position, key = ordered & _MASK, ordered >> np.uint64(_POSITION_BITS)
        same = key[1:] == key[:-1]
        _note(found, rank, (position[1:][same].astype(np.int32), position[:-1][same].astype(np.int32)), size, chain, start, stop)
        company = np.append(same, False) | np.insert(same, 0, False)  # strings that occur once cannot match at any greater size
        group = np.insert(np.cumsum(~same), 0, 0)[company].astype(np.uint64)
        position = position[company]
    _walk(grams, rank, (position.astype(np.int32), group), found, (chain, nice, start, stop))
    return found


def _note(found: Matches, rank: Integers, pairs: tuple[Integers, Integers], size: int, chain: int, start: int, stop: int) -> None:
    """Enter matches of `size` bytes, (positions, nearest candidates), over those of fewer."""
    here, before = pairs
    inside = (here >= start) & (here < stop) & (here - before <= MAX_DISTANCE)
    here, before = here[inside], before[inside]
    step = rank[here] - rank[before]
    good = _reachable(here, before, step) & (step <= chain)
    here, distance, step = here[good] - start, (here - before)[good], step[good]
    found.length[here], found.distance[here] = size, distance
    short = step <= chain >> 2
    found.short_length[here[short]], found.short_distance[here[short]] = size, distance[short]


def _hash(grams: NDArray[np.uint64], memory: int) -> NDArray[np.uint64]:
    bits = memory + 7
    shift = np.uint64((bits + 2) // 3)
    first, second, third = (grams >> np.uint64(8 * k) & np.uint64(255) for k in range(3))
    return (((first << shift) ^ second) << shift ^ third) & np.uint64((1 << bits) - 1)


def _reachable(here: Integers, before: Integers, step: Integers) -> NDArray[np.bool_]:
    """Whether zlib would look at `before`: the first of a chain may be one byte further away than the others; position 0 is no position."""
    distance = here - before
    return np.asarray((before > 0) & (distance < MAX_DISTANCE + (step == 1)))


def _walk(
    grams: NDArray[np.uint64],
    rank: Integers,
    groups: tuple[Integers, NDArray[np.uint64]],
    found: Matches,
    limits: tuple[int, int, int, int],
) -> None:
    """Longer matches: candidate by candidate along the chains of equal strings of the longest rung.

    `groups`: (positions, number of the group of each), sorted by group. `limits`: chain, nice, start, stop.
    """
    chain, nice, start, stop = limits
    members, group = groups
    previous = np.full(len(grams), -1, np.int32)
    same = group[1:] == group[:-1]
    previous[members[1:][same]] = members[:-1][same]
    position = members[(members >= start) & (members < stop)]
    candidate = previous[position]
    best = np.full(len(grams), min(nice, _LONGEST_RUNG) - 1, np.int32)
    steps = _FREE_STEPS + _MOST_STEPS * (stop - start)
    while len(position):
        steps -= len(position)
        if steps < 0:
            raise PayloadError("too repetitive to be retraced")
        step = rank[position] - rank[candidate]
        keep = (candidate > 0) & _reachable(position, candidate, step) & (step <= chain)
        position, candidate, step = position[keep], candidate[keep], step[keep]
        length = _common(grams, position, candidate, len(grams))
        longer = np.flatnonzero(length > best[position])
        at, distance, length = position[longer], (position - candidate)[longer], length[longer]
        best[at] = length
        found.length[at - start], found.distance[at - start] = length, distance
        short = step[longer] <= chain >> 2
        found.short_length[at[short] - start], found.short_distance[at[short] - start] = length[short], distance[short]
        go_on = best[position] < np.minimum(nice, len(grams) - position)
        position, candidate = position[go_on], previous[candidate[go_on]]


def _common(grams: NDArray[np.uint64], first: Integers, second: Integers, end: int) -> Integers:
    """Number of equal bytes from two positions on, at most 258 and not beyond the end."""
    limit = np.minimum(end - first, MAX_MATCH).astype(np.int32)
    length = np.zeros(len(first), np.int32)
    todo = np.arange(len(first))
    while len(todo):
        a, b = first[todo] + length[todo], second[todo] + length[todo]
        differ = grams[a] ^ grams[b]
        equal = np.where(differ == 0, 8, _zero_bytes(differ)).astype(np.int32)
        length[todo] += equal
        todo = todo[(equal == 8) & (length[todo] < limit[todo])]
    return np.minimum(length, limit)


def _zero_bytes(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Number of zero bytes at the low end of non-zero values."""
    lowest = values & (~values + np.uint64(1))
    return np.searchsorted(_BYTE_STARTS, lowest, side="right").astype(np.int64) - 1


_BYTE_STARTS = np.array([1 << 8 * k for k in range(8)], np.uint64)


def predict(found: Matches, parameters: Parameters) -> tuple[Integers, Integers, NDArray[np.int8]]:
    """What zlib does when a token starts at a position: (2, n) lengths (1: literal), distances, and the state behind a literal.

    State (first axis) 1: the token before is a literal that gave way to the match here, found with a quarter of the chain.
    The last position has no successor here and is only right where it does not matter: ask for one position more than needed.
    """
    good, lazy, _, _ = LEVELS[parameters.level]
    usable = []
    for length, distance in ((found.length, found.distance), (found.short_length, found.short_distance)):
        drop = length <= 5 if parameters.filtered else (length == 3) & (distance > TOO_FAR) & (not parameters.far)
        usable.append(np.where(drop, 0, length))
    following = [np.append(length[1:], 0) for length in usable]
    lengths, distances = np.ones((2, len(found.length)), np.int32), np.zeros((2, len(found.length)), np.int32)
    after = np.zeros((2, len(found.length)), np.int8)
    for state, distance in enumerate((found.distance, found.short_distance)):
        length = usable[state]
        hurried = length >= good
        give_way = (length < lazy) & (np.where(hurried, following[1], following[0]) > length)
        take = (length >= 3) & ~give_way
        lengths[state][take] = length[take]
        distances[state][take] = distance[take]
        after[state] = (length >= 3) & give_way & hurried
    return lengths, distances, after
