"""A DEFLATE stream as the differences from what zlib would have done with the same data, and back.

    data, tokens  --differences-->  parameters of zlib that explain most, the tokens that they do not explain
    data, parameters, exceptions  --replay-->  tokens

Prediction runs over stretches of the data (photoarc.codecs.matches); both directions see the same stretches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs import matches
from photoarc.codecs.deflate import Stream
from photoarc.codecs.matches import MAX_MATCH, WINDOW, Parameters
from photoarc.errors import PayloadCorrupt, PayloadError

_STRETCH_BYTES = 1 << 20
_TRIAL_BYTES = 1 << 16
_BOTH = (False, True)
_MOST_WRONG = 0.25  # beyond, the exceptions cost what the pixels save
# Level 8 searches chains 4 times as long, also on the way back: it must explain this share of the tokens more. Level 9 takes 16 times
# as long and explains 1 token in 300 more (kodim16): left out.
_FAST_LEVEL = 7
_LEVELS = {7: 0.0, 5: 0.0, 4: 0.0, 8: 0.01}


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Tokens that are not as predicted: `numbers` (n,) uint32 ascending, `lengths` and `distances` (n,) uint16 as in deflate.Stream."""

    numbers: NDArray[np.uint32]
    lengths: NDArray[np.uint16]
    distances: NDArray[np.uint16]


def _predictions(
    data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int
) -> Iterator[tuple[int, list[list[int]], list[list[int]], list[list[int]]]]:
    """(offset, lengths, distances, states behind a literal) stretch by stretch; lists, because they are read one by one."""
    for at in range(start, stop, _STRETCH_BYTES):
        end = min(at + _STRETCH_BYTES, stop)
        first = max(at - WINDOW, 0)
        piece = data[first : end + MAX_MATCH + 8]
        found = matches.find(piece, parameters, at - first, min(end + 1 - first, len(piece)))
        lengths, distances, after = matches.predict(found, parameters)
        yield at, lengths.tolist(), distances.tolist(), after.tolist()


def differences(
    data: NDArray[np.uint8], stream: Stream, known: Parameters | None = None, *, thorough: bool = False
) -> tuple[Parameters, Exceptions]:
    """What `replay` needs. `stream` has no stored blocks and stands for `data`.

    `known`: parameters that explain all but a few tokens; levels above 7 are taken slowly, if `thorough`, or guessed.

    Raises PayloadError if zlib would do it quite otherwise, or where it would take too long.
    """
    starts = np.cumsum(stream.lengths, dtype=np.int64) - stream.lengths
    best = known if known is not None and (thorough or known.level <= _FAST_LEVEL) else _guess(data, stream, starts, thorough)
    levels = [best.level, *(level for level in ((8, 7, 6) if thorough else (6,)) if level < best.level)]
    for level in levels:
        parameters = Parameters(level, best.memory, best.filtered, best.far)
        try:
            numbers = _unexplained(data, stream, starts, parameters, 0, len(data))
            break
        except PayloadError:  # takes too long somewhere
            if level == levels[-1]:
                raise
    return parameters, Exceptions(np.array(numbers, np.uint32), stream.lengths[numbers], stream.distances[numbers])


def _guess(data: NDArray[np.uint8], stream: Stream, starts: NDArray[np.int64], thorough: bool) -> Parameters:
    """Parameters that explain a stretch in the middle best; block sizes tell the memory level."""
    memory = min(max((stream.blocks[0].tokens + 1).bit_length() - 7, 1), 9) if len(stream.blocks) > 1 else 8
    start = max(len(data) // 2 - _TRIAL_BYTES // 2, 0)
    stop = min(start + _TRIAL_BYTES, len(data))
    tokens = max(int(np.searchsorted(starts, stop) - np.searchsorted(starts, start)), 1)

    def wrong(parameters: Parameters) -> float:
        return len(_unexplained(data, stream, starts, parameters, start, stop)) / tokens

    shares = {parameters: wrong(parameters) for parameters in (Parameters(6, memory, *both) for both in product(_BOTH, _BOTH))}
    best = min(shares, key=shares.__getitem__)
    share = shares[best]
    for level, usual_gain in _LEVELS.items():
        gain = 0.0 if thorough else usual_gain
        other = Parameters(level, memory, best.filtered, best.far)
        with suppress(PayloadError):
            if share > gain and (found := wrong(other)) < share - gain:
                best, share = other, found
    if share > _MOST_WRONG:
        raise PayloadError("the stream is not zlib's")
    return best


def _unexplained(
    data: NDArray[np.uint8], stream: Stream, starts: NDArray[np.int64], parameters: Parameters, start: int, stop: int
) -> list[int]:
    """Numbers of the tokens that start in a stretch and are not as predicted."""
    number = int(np.searchsorted(starts, start))
    last = int(np.searchsorted(starts, stop))
    wrong, state = [], 0
    for offset, lengths, distances, after in _predictions(data, parameters, start, stop):
        end = min(offset + _STRETCH_BYTES, stop)
        until = min(int(np.searchsorted(starts, end)), last)
        rows = zip(
            (starts[number:until] - offset).tolist(), stream.lengths[number:until].tolist(), stream.distances[number:until].tolist(),
            strict=True,
        )  # fmt: skip
        for k, (at, length, distance) in enumerate(rows, number):
            if lengths[state][at] != length or distances[state][at] != distance:
                wrong.append(k)
            state = after[state][at] if length == 1 else 0
        number = until
    return wrong


def replay(data: NDArray[np.uint8], parameters: Parameters, exceptions: Exceptions) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Lengths and distances of all tokens. Raises PayloadError if the exceptions do not fit the data."""
    special = dict(
        zip(exceptions.numbers.tolist(), zip(exceptions.lengths.tolist(), exceptions.distances.tolist(), strict=True), strict=True)
    )
    out_lengths: list[int] = []
    out_distances: list[int] = []
    at = state = number = 0
    for offset, lengths, distances, after in _predictions(data, parameters, 0, len(data)):
        end = min(offset + _STRETCH_BYTES, len(data))
        while at < end:
            if number in special:
                length, distance = special[number]
            else:
                length, distance = lengths[state][at - offset], distances[state][at - offset]
            state = after[state][at - offset] if length == 1 else 0
            out_lengths.append(length)
            out_distances.append(distance)
            at += length
            number += 1
    if at != len(data) or (len(exceptions.numbers) and int(exceptions.numbers[-1]) >= number):
        raise PayloadError("the tokens do not fit the pixels", PayloadCorrupt)
    return np.array(out_lengths, np.uint16), np.array(out_distances, np.uint16)
