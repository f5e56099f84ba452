"""What zlib's deflate_fast (levels 1 to 3) would do with a stretch of data, token by token.

Source: zlib's published algorithm (zlib 1.3.1, deflate.c: deflate_fast, configuration_table). No match gives way, and of a long match
only the first position goes into the hash chains: the others are *skipped*. So what a search finds depends on the tokens before it, and
the prediction has to follow them. But few positions are skipped. What the search would find if none were is had for all positions at
once (photoarc.codecs.zlib_streams.matches), and mostly it can be told that this is it; else the chain is walked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams.long_matches import MAX_DISTANCE, MAX_MATCH, WINDOW, Positions
from photoarc.codecs.zlib_streams.matches import FAST_LEVELS, Parameters, candidates, hash_of_three, lowest, nearest
from photoarc.errors import PayloadCorrupt, PayloadError

_STRETCH_BYTES = 1 << 18  # of which each takes 200 bytes in lists
Lengths = NDArray[np.uint16]
Token = tuple[int, int]  # length and distance
Known = tuple[Positions, Lengths, Lengths]  # (n,) each: where tokens start, ascending, their lengths and distances
_LITERAL = (1, 0)


class FastSearch:
    """Tokens that start at the positions start..stop-1 of `data`; what lies before is history, behind it lookahead.

    `skipped`: positions in the history and, as far as its last match reaches, behind it that are in no chain, ascending.
    """

    def __init__(self, data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int, skipped: Iterable[int]) -> None:
        self._kept, self._nice, self._chain = FAST_LEVELS[parameters.level]
        self._end, self._stop, self._bytes = len(data), stop, data.tobytes()
        hashes = hash_of_three(data, parameters.memory)
        before, last = candidates(hashes, (1, self._chain))
        index = np.arange(len(data))
        floors = np.full((2, len(data)), len(data))  # of the candidates within reach, if many are skipped, and if none is
        floors[:, start:stop] = np.maximum(index - MAX_DISTANCE, 1)[start:stop], lowest(before, last)[start:stop]
        found, self._long, _ = nearest(data, self._nice, floors)
        length = found >> 16
        self._may_match, is_sure = length[0] > 0, (length[0] == length[1]) & (length[0] < self._long)  # unless the candidate is skipped
        self._most, self._length, self._sure = length[0].tolist(), length[1].tolist(), np.where(is_sure, length[1], 0).tolist()
        self._distance = (found[1] & 0xFFFF).tolist()
        self._hashes, self._before, self._last = hashes.tolist(), before.tolist(), last.tolist()
        self._is_skipped = bytearray(len(data))
        self._skipped_of: dict[int, list[int]] = {}  # by hash
        self._skip(skipped)

    @property
    def skipped(self) -> Positions:
        """Positions that are in no chain: those given, and those in the tokens that `follow` met."""
        return np.flatnonzero(np.frombuffer(self._is_skipped, np.uint8))

    def follow(self, at: int, known: Mapping[int, Token], *, complete: bool) -> tuple[int, dict[int, Token], list[int]]:
        """From the token that starts at `at` -> (start of the first behind the stretch, matches, where `known` are not as predicted).

        `known`: tokens by where they start; others are as predicted or, with `complete`, literals.
        """
        stops = self._may_match.copy()
        stops[list(known)] = True
        here = np.where(stops, np.arange(self._end), self._end)
        following = [*np.minimum.accumulate(here[::-1])[::-1].tolist(), self._end]
        lengths, distances, is_skipped = self._sure, self._distance, self._is_skipped
        matches: dict[int, Token] = {}
        wrong: list[int] = []
        behind = at
        while (at := following[at]) < self._stop:
            length, distance = lengths[at], distances[at]
            expected = self._longest(at) if not length or is_skipped[at - distance] else (length, distance)
            token = known.get(at, _LITERAL if complete else expected)
            if token != expected:
                wrong.append(at)
            length = token[0]
            behind = at + length
            if behind > self._end:
                raise PayloadError("the tokens do not fit the pixels", PayloadCorrupt)
            if length > 1:
                matches[at] = token
                if length > self._kept:
                    self._skip(range(at + 1, behind))
            at = behind
        return max(behind, self._stop), matches, wrong

    def _skip(self, positions: Iterable[int]) -> None:
        """Takes positions out of their chains. One that is skipped has the last that is not before it, so runs of them cost nothing."""
        before, is_skipped = self._before, self._is_skipped
        for position in positions:
            is_skipped[position] = 1
            if is_skipped[before[position]]:
                before[position] = before[before[position]]
            self._skipped_of.setdefault(self._hashes[position], []).append(position)

    def _longest(self, at: int) -> Token:
        """What zlib finds at a position."""
        length, distance = self._length[at], self._distance[at]
        is_skipped = length and self._is_skipped[at - distance]
        is_at_limit = at >= MAX_DISTANCE and self._hashes[at - MAX_DISTANCE] == self._hashes[at]  # where only a first candidate may be
        if is_skipped or is_at_limit or self._long <= length < self._nice:
            return self._walk(at, self._before[at], self._chain, 2, 0)
        if length == self._nice:
            return self._common(at - distance, at), distance
        last, skipped = self._last[at], self._skipped_of.get(self._hashes[at])
        if last and skipped:  # as many more are within reach as are skipped up to the last that is
            left = len(skipped) - bisect_left(skipped, last)
            return self._walk(at, self._before[last], left, max(length, 2), distance)
        return (length, distance) if length else _LITERAL

    def _walk(self, at: int, candidate: int, left: int, length: int, distance: int) -> Token:
        """Token at a position with the longer of the match given and of the next `left` candidates."""
        before, is_skipped, data, most = self._before, self._is_skipped, self._bytes, self._most[at]
        enough, longer = most if most < self._long else min(self._nice, self._end - at), data[at : at + length + 1]
        farthest = at - MAX_DISTANCE + (left < self._chain)  # the first candidate may be a byte further away
        while left:
            if is_skipped[candidate]:
                candidate = before[candidate]
            if not candidate or candidate < farthest:  # zlib takes position 0 for the end of a chain
                break
            if data[candidate : candidate + length + 1] == longer:
                length, distance = self._common(candidate, at), at - candidate
                if length >= enough:
                    break
                longer = data[at : at + length + 1]
            candidate = before[candidate]
            farthest = at - MAX_DISTANCE + 1
            left -= 1
        return (length, distance) if distance else _LITERAL

    def _common(self, candidate: int, at: int) -> int:
        """Equal bytes from two positions on."""
        size = min(8, self._end - at)
        while True:
            ours, theirs = self._bytes[at : at + size], self._bytes[candidate : candidate + size]
            if ours != theirs:
                differ = int.from_bytes(ours, "little") ^ int.from_bytes(theirs, "little")
                return (differ & -differ).bit_length() - 1 >> 3
            if size == min(MAX_MATCH, self._end - at):
                return size
            size = min(MAX_MATCH, self._end - at)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A stretch from the start of its first token to that of the next stretch; matches and wrong tokens by where they start in the data."""

    start: int
    stop: int
    matches: dict[int, Token]
    wrong: list[int]

    def tokens(self) -> tuple[Lengths, Lengths]:
        """Lengths and distances of all tokens."""
        count = self.stop - self.start
        lengths, distances = np.ones(count, np.uint16), np.zeros(count, np.uint16)
        where = np.fromiter(self.matches, np.int64, len(self.matches)) - self.start
        lengths[where], distances[where] = np.array([*self.matches.values()], np.uint16).reshape(-1, 2).T
        depth = np.zeros(count + 1, np.int8)
        depth[where + 1] += 1
        depth[where + lengths[where]] -= 1
        starts = np.cumsum(depth[:-1], dtype=np.int8) == 0
        return lengths[starts], distances[starts]


def _follow(
    data: NDArray[np.uint8], parameters: Parameters, known: Known, start: int, stop: int, skipped: Positions, *, complete: bool
) -> Iterator[_Followed]:
    """Stretch by stretch from a token that starts at `start`; `skipped`, `known` and `complete` as in FastSearch."""
    positions, lengths, distances = known
    at = start
    for begin in range(start, stop, _STRETCH_BYTES):
        end, first = min(begin + _STRETCH_BYTES, stop), max(begin - WINDOW, 0)
        history = (skipped[np.searchsorted(skipped, first) :] - first).tolist()
        search = FastSearch(data[first : end + MAX_MATCH], parameters, begin - first, end - first, history)
        part = slice(*np.searchsorted(positions, (begin, end)).tolist())
        tokens = zip(lengths[part].tolist(), distances[part].tolist(), strict=True)
        here = dict(zip((positions[part] - first).tolist(), tokens, strict=True))
        behind, matches, wrong = search.follow(at - first, here, complete=complete)
        yield _Followed(at, behind + first, {k + first: token for k, token in matches.items()}, [k + first for k in wrong])
        at, skipped = behind + first, search.skipped + first


def replay(data: NDArray[np.uint8], parameters: Parameters, exceptions: Known) -> tuple[Lengths, Lengths]:
    """Lengths and distances of all tokens. Raises PayloadError if the exceptions do not fit the data."""
    stretches = _follow(data, parameters, exceptions, 0, len(data), np.empty(0, np.int64), complete=False)
    lengths, distances = (np.concatenate(part) for part in zip(*(stretch.tokens() for stretch in stretches), strict=True))
    return lengths, distances


def unexplained(data: NDArray[np.uint8], parameters: Parameters, tokens: Known, start: int, stop: int) -> Positions:
    """Which of the tokens that start at start..stop-1 are not as predicted. One of them starts at `start`."""
    positions, lengths, distances = tokens
    is_match = distances > 0
    matches = positions[is_match], lengths[is_match], distances[is_match]
    before = slice(*np.searchsorted(positions, (start - WINDOW - MAX_MATCH, start)).tolist())
    is_long = lengths[before] > FAST_LEVELS[parameters.level][0]
    offsets = np.arange(1, MAX_MATCH)
    skipped = (positions[before][is_long, None] + offsets)[offsets < lengths[before][is_long, None]]
    stretches = _follow(data, parameters, matches, start, stop, skipped, complete=True)
    return np.searchsorted(positions, [at for stretch in stretches for at in stretch.wrong])
