"""A DEFLATE stream as the differences from what zlib would have done with the same data, and back.

    data, tokens  --differences-->  parameters of zlib that explain most, the tokens that they do not explain
    data, parameters, exceptions  --replay-->  tokens

Prediction runs over stretches of the data (matches, or runs); both directions see the same stretches. Levels 1 to 3
have a walk of their own (photoarc.codecs.zlib_streams.fast_matches).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams import fast_matches
from photoarc.codecs.zlib_streams.long_matches import MAX_MATCH, WINDOW
from photoarc.codecs.zlib_streams.matches import Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Parameters, Predictions, Search
from photoarc.codecs.zlib_streams.runs import Runs
from photoarc.codecs.zlib_streams.tokens import Stream
from photoarc.errors import PayloadCorrupt, PayloadError

_STRETCH_BYTES = 1 << 20
_TRIAL_BYTES = 1 << 16
_MOST_WRONG = 0.25  # beyond, the exceptions cost what the pixels save
_LEVELS = {3: (9, 8, 7, 6, 5, 4), 2: (6, 7, 8, 9, 5, 4), 1: (5, 4, 6, 7, 8, 9), 0: (6, 9, 8, 7, 5, 4)}  # what to try, by FLEVEL (RFC 1950)
_FAST: dict[int, tuple[int, ...]] = {3: (), 2: (), 1: (3, 2), 0: (1, 3, 2)}  # FLEVEL 0 is level 1, or any with Z_FIXED
_OLD = [Parameters(6, strategy=strategy, far=far) for strategy in (0, Z_FILTERED) for far in (False, True)]
_NEW = [Parameters(6, four=True, greedy=True), Parameters(6, four=True), Parameters(6, four=True, strategy=Z_FILTERED)]
_CLOSE = 4  # a family with this many times as many exceptions at its usual level is not the one
_ASK = 1 << 60

Lengths = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Exceptions:
    """Tokens that are not as predicted, (n,) each: `positions` where they start, ascending; `lengths`, `distances` as in deflate.Stream."""

    positions: NDArray[np.int64]
    lengths: Lengths
    distances: Lengths

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exceptions) and all(map(np.array_equal, astuple(self), astuple(other)))

    def __hash__(self) -> int:
        return hash(self.positions.tobytes())

    def between(self, start: int, stop: int) -> Exceptions:
        """Those of a stretch."""
        part = slice(*np.searchsorted(self.positions, (start, stop)).tolist())
        return Exceptions(self.positions[part], self.lengths[part], self.distances[part])


NO_EXCEPTIONS = Exceptions(np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.uint16))


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    stop: int
    predictions: Predictions | Runs


def _search(data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int) -> Search:
    first = max(start - WINDOW, 0)
    return Search(data[first : stop + MAX_MATCH + 8], parameters, start - first, stop - first)


def _predictions(data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int) -> Predictions | Runs:
    if parameters.strategy in (Z_HUFFMAN_ONLY, Z_RLE):
        first = max(start - 1, 0)
        return Runs(data[first : stop + MAX_MATCH], parameters, start - first, stop - first)
    return Predictions(_search(data, parameters, start, stop), parameters)


def _stretches(data: NDArray[np.uint8], parameters: Parameters) -> Iterator[_Stretch]:
    for start in range(0, len(data), _STRETCH_BYTES):
        stop = min(start + _STRETCH_BYTES, len(data))
        yield _Stretch(start, stop, _predictions(data, parameters, start, stop))


def differences(data: NDArray[np.uint8], stream: Stream, flevel: int, known: Parameters | None = None) -> tuple[Parameters, Exceptions]:
    """What `replay` needs, proven. `stream` has no stored blocks and stands for `data`; `flevel` is the level that its header tells.

    `known` parameters are not guessed. Raises PayloadError if zlib would do it quite otherwise, or where it would take too long.
    """
    starts = np.cumsum(stream.lengths, dtype=np.int64) - stream.lengths
    parameters = known or guess(data, stream, flevel)[0]
    if parameters.is_fast:
        numbers = fast_matches.unexplained(data, parameters, (starts, stream.lengths, stream.distances), 0, len(data))
        exceptions = Exceptions(starts[numbers], stream.lengths[numbers], stream.distances[numbers])
        if not all(map(np.array_equal, replay(data, parameters, exceptions), (stream.lengths, stream.distances))):
            raise PayloadError("the tokens do not come back")
        return parameters, exceptions
    wrong = []
    at = at_state = state = 0
    for stretch in _stretches(data, parameters):
        tokens = slice(*np.searchsorted(starts, (stretch.start, stretch.stop)).tolist())
        here, state = _unexplained(stretch, starts[tokens], stream.lengths[tokens], stream.distances[tokens], state)
        numbers = here + tokens.start
        found = Exceptions(starts[numbers], stream.lengths[numbers], stream.distances[numbers])
        at, at_state, lengths, distances = _walk(stretch, found, at, at_state)
        if not (np.array_equal(lengths, stream.lengths[tokens]) and np.array_equal(distances, stream.distances[tokens])):
            raise PayloadError("the tokens do not come back")
        wrong.append(numbers)
    numbers = np.concatenate(wrong)
    return parameters, Exceptions(starts[numbers], stream.lengths[numbers], stream.distances[numbers])


def guess(data: NDArray[np.uint8], stream: Stream, flevel: int) -> tuple[Parameters, float]:
    """Parameters that explain best, and the share of tokens that they do not explain, of a stretch in the middle of the stream.

    `stream` may be the first blocks only; sizes of blocks tell the memory level. Raises PayloadError if zlib would do it quite otherwise.
    """
    memory = min(max((stream.blocks[0].tokens + 1).bit_length() - 7, 1), 9) if len(stream.blocks) > 1 else 8
    starts = np.cumsum(stream.lengths, dtype=np.int64) - stream.lengths
    end = int(starts[-1]) + int(stream.lengths[-1])
    first = int(np.searchsorted(starts, max(end // 2 - _TRIAL_BYTES // 2, 0)))
    first += int(np.argmax(stream.lengths[max(first - 1, 0) :] > 1)) if first else 0  # behind a match the state is known
    start = int(starts[first])
    stop = min(start + _TRIAL_BYTES, end)
    tokens = slice(first, int(np.searchsorted(starts, stop)))

    def unexplained(predictions: Predictions | Runs) -> int:
        stretch = _Stretch(start, stop, predictions)
        return len(_unexplained(stretch, starts[tokens], stream.lengths[tokens], stream.distances[tokens], 0)[0])

    def best_of(level: int, writers: list[Parameters]) -> tuple[int, Parameters]:
        """Of writers that hash alike."""
        trials = [replace(writer, level=level, memory=memory) for writer in writers]
        search = _search(data, trials[0], start, stop)
        return min(((unexplained(Predictions(search, trial)), trial) for trial in trials), key=itemgetter(0))

    tried: list[tuple[int, Parameters]] = []

    def try_fast() -> None:
        for level in _FAST[flevel]:
            fast = Parameters(level, memory)
            if all(wrong for wrong, _ in tried):
                tried.append((len(fast_matches.unexplained(data, fast, (starts, stream.lengths, stream.distances), start, stop)), fast))

    if (farthest := int(stream.distances.max())) <= 1:
        runs = Parameters(6, memory, Z_RLE if farthest else Z_HUFFMAN_ONLY)  # at any level
        tried.append((unexplained(_predictions(data, runs, start, stop)), runs))
    if flevel == 0:
        try_fast()
    if all(wrong for wrong, _ in tried):
        usual, *others = _LEVELS[flevel]
        families = [best_of(usual, _OLD)]
        if families[0][0]:
            families = sorted([*families, best_of(usual, _NEW)], key=itemgetter(0))
        tried.append(families[0])
        for wrong, writer in families:
            for level in others:
                if min(tried, key=itemgetter(0))[0] and wrong < _CLOSE * families[0][0]:
                    tried.append(best_of(level, [writer]))
    if flevel:
        try_fast()
    least, best = min(tried, key=itemgetter(0))
    share = least / max(tokens.stop - tokens.start, 1)
    if share > _MOST_WRONG:
        raise PayloadError("the stream is not zlib's")
    return best, share


def _unexplained(
    stretch: _Stretch, starts: NDArray[np.int64], lengths: Lengths, distances: Lengths, state: int
) -> tuple[NDArray[np.int64], int]:
    """Which of the tokens that start in a stretch are not as predicted, and the state behind the last."""
    predictions, index = stretch.predictions, starts - stretch.start
    expected = predictions.lengths[index], predictions.distances[index]
    ask = predictions.ask[index]
    ask[:1] |= bool(state)
    k = 0
    for first in np.flatnonzero(ask).tolist():
        k = max(k, first)
        while k == first or (state and k < len(index)):
            expected[0][k], expected[1][k], state = predictions.token(int(index[k]), state)
            state = state if lengths[k] == 1 else 0
            k += 1
    return np.flatnonzero((expected[0] != lengths) | (expected[1] != distances)), state


def replay(data: NDArray[np.uint8], parameters: Parameters, exceptions: Exceptions = NO_EXCEPTIONS) -> tuple[Lengths, Lengths]:
    """Lengths and distances of all tokens. Raises PayloadError if the exceptions do not fit the data."""
    if parameters.is_fast:
        return fast_matches.replay(data, parameters, (exceptions.positions, exceptions.lengths, exceptions.distances))
    at, state, parts = 0, 0, []
    for stretch in _stretches(data, parameters):
        at, state, *tokens = _walk(stretch, exceptions.between(stretch.start, stretch.stop), at, state)
        parts.append(tokens)
    if at != len(data):
        raise PayloadError("the tokens do not fit the pixels", PayloadCorrupt)
    lengths, distances = (np.concatenate(part) for part in zip(*parts, strict=True))
    return lengths, distances


def _walk(stretch: _Stretch, exceptions: Exceptions, at: int, state: int) -> tuple[int, int, Lengths, Lengths]:
    """From token to token through a stretch, from a position and state -> (position and state behind it, lengths, distances)."""
    predictions, count = stretch.predictions, stretch.stop - stretch.start
    lengths, distances, ask = predictions.lengths.copy(), predictions.distances.copy(), predictions.ask.copy()
    fixed = exceptions.positions - stretch.start
    lengths[fixed], distances[fixed], ask[fixed] = exceptions.lengths, exceptions.distances, False
    hops = np.arange(count) + lengths
    hops[ask] = _ASK
    following, fixed_ones = hops.tolist(), set(fixed.tolist())
    at -= stretch.start
    starts: list[int] = []
    while True:
        if state == 0:
            while at < count:
                starts.append(at)
                at = following[at]
            if at != _ASK:
                break
            at = starts.pop()
        elif at >= count:
            break
        starts.append(at)
        if at in fixed_ones:
            state = 0
        else:
            lengths[at], distances[at], state = predictions.token(at, state)
        at += int(lengths[at])
    where = np.array(starts, np.int64)
    return at + stretch.start, state, lengths[where], distances[where]
