"""LZW as TIFF has it: codes from the most significant bit on, wider one code early (TIFF 6.0 section 13; Welch 1984).

    stream --find--> data, recipe: how many codes lie between two Clear codes, what follows the last    recipe, data --follow--> stream

Every encoder takes the longest string that its table knows. So the codes follow from the data once it is known where the table starts
anew, and there encoders differ: libtiff starts anew when it is full, or when it stops to help. Numbers of codes say it for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams.tokens import Writer
from photoarc.errors import PayloadCorrupt, PayloadError

CLEAR, END, FIRST = 256, 257, 258
MAX_CODES = 3838  # of a run: then the table has 4,096 entries
MAX_RATIO = 1400  # to 1: a run of one byte over and over, of MAX_CODES codes
_MAX_BITS = 12
_BITS = np.array([min((FIRST - 1 + number).bit_length(), _MAX_BITS) for number in range(1, MAX_CODES + 2)])  # of code 1, 2, .. of a run
_OFFSETS = np.append(0, np.cumsum(_BITS))
_MAX_END_BITS = 0xFFFF
# Numbers with their bits turned round: Deflate's writer takes the lowest first.
_TURNED = np.array([int(f"{code:012b}"[::-1], 2) for code in range(1 << _MAX_BITS)], np.uint64)
_TURNED_BYTES = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


@dataclass(frozen=True, slots=True)
class Recipe:
    """`runs`: numbers of codes behind each Clear. `end`: (bits, their number) behind the last, the first is the lowest.

    (0, 0): the end code, zeros to the byte.
    """

    runs: tuple[int, ...]
    end: tuple[int, int] = (0, 0)


def find(stream: bytes, size_bytes: int) -> tuple[bytes, Recipe]:
    """Data of `size_bytes` and their recipe, which has been followed. Raises PayloadError if the stream is broken or of another kind."""
    padded, bits = np.frombuffer(stream + bytes(2), np.uint8), 8 * len(stream)
    at = int(_BITS[0])
    if len(stream) < 3 or int.from_bytes(stream[:2], "big") >> 16 - at != CLEAR:
        raise PayloadError("LZW stream: no Clear code at its start")
    pieces: list[bytes] = []
    runs: list[int] = []
    got = 0
    while True:
        codes = _codes(padded, at, bits)
        stops = np.flatnonzero((codes == CLEAR) | (codes == END))
        count = int(stops[0]) if len(stops) else len(codes)
        if count > MAX_CODES:
            raise PayloadError("LZW stream: the table overflows")
        pieces.append(_strings(codes[:count].tolist()))
        runs.append(count)
        got += len(pieces[-1])
        at += int(_OFFSETS[count])
        if got >= size_bytes or not len(stops) or codes[count] == END:
            break
        at += int(_BITS[count])
    left = bits - at
    if got != size_bytes or left > _MAX_END_BITS:
        raise PayloadError("LZW stream: other than the declared length")
    data, recipe = b"".join(pieces), Recipe(tuple(runs))
    if follow(recipe, data) != stream:
        recipe = Recipe(recipe.runs, (int.from_bytes(stream[at // 8 :].translate(_TURNED_BYTES), "little") >> (at & 7), left))
        if follow(recipe, data) != stream:
            raise PayloadError("LZW stream: not of the longest strings")
    return data, recipe


def follow(recipe: Recipe, data: bytes) -> bytes:
    """The stream. Raises PayloadError if the recipe does not fit the data."""
    writer, before = Writer(), 0
    for codes in _parsed(data, recipe.runs):
        _write(writer, [CLEAR], _BITS[before:])
        _write(writer, codes, _BITS)
        before = len(codes)
    if recipe.end[1]:
        writer.append(*recipe.end)
    else:
        _write(writer, [END], _BITS[before:])
    return writer.finish().translate(_TURNED_BYTES)


def _codes(stream: NDArray[np.uint8], at: int, end: int) -> NDArray[np.int64]:
    """Codes of a run from bit `at` on, up to a run's length and one, at most to bit `end`; `stream` has two bytes more."""
    count = int(np.searchsorted(_OFFSETS, end - at, "right")) - 1
    starts, bits = at + _OFFSETS[:count], _BITS[:count]
    index = starts >> 3
    words = stream[index].astype(np.int64) << 16 | stream[index + 1].astype(np.int64) << 8 | stream[index + 2]
    codes: NDArray[np.int64] = words >> 24 - (starts & 7) - bits & (1 << bits) - 1
    return codes


def _strings(codes: list[int]) -> bytes:
    """Data of a run."""
    if not codes:
        return b""
    table = [bytes([value]) for value in range(256)] + [b"", b""]
    if codes[0] >= CLEAR:
        raise PayloadError("LZW stream: a code that is not known yet")
    before = table[codes[0]]
    found = [before]
    for code in codes[1:]:
        if code < len(table):
            here = table[code]
            table.append(before + here[:1])
        elif code == len(table):
            here = before + before[:1]
            table.append(here)
        else:
            raise PayloadError("LZW stream: a code that is not known yet")
        found.append(here)
        before = here
    return b"".join(found)


def _parsed(data: bytes, runs: tuple[int, ...]) -> Iterator[list[int]]:
    """Codes of each run: the longest strings. 0.25 s a megabyte. Raises PayloadError if they are not as many."""
    rest = iter(data)
    code = next(rest, -1)
    for number, count in enumerate(runs, 1):
        codes: list[int] = []
        table: dict[int, int] = {}
        free, full = FIRST, FIRST + count
        if free != full and code >= 0:
            for value in rest:
                key = code << 8 | value
                if key in table:
                    code = table[key]
                    continue
                codes.append(code)
                table[key] = free
                free += 1
                code = value
                if free == full:
                    break
            else:
                codes.append(code)
                code = -1
        if len(codes) != count or (code >= 0 and number == len(runs)):
            raise PayloadError("the runs do not fit the data", PayloadCorrupt)
        yield codes


def _write(writer: Writer, codes: list[int], bits: NDArray[np.int64]) -> None:
    """Append codes, the first as wide as `bits` starts."""
    width = bits[: len(codes)].astype(np.int64)
    writer.pack(_TURNED[codes] >> (_MAX_BITS - width).astype(np.uint64), width)
