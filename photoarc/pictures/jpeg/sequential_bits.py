"""Blocks of coefficients -> the bits of a sequential JPEG's scan (ITU-T T.81 F.1.2); and what any scan's bits are made with."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError


class Intervals:
    """Strips of a scan, one after the other, as intervals. `rest`: what does not fill a byte yet, `rest_bits` of it."""

    def __init__(self) -> None:
        self.rest = self.rest_bits = 0
        self._parts: list[bytes] = []
        self._done: list[bytes] = []
        self._free: list[int] = []

    def add(self, data: bytes, begins: NDArray[np.int64], pads: NDArray[np.int64], bits: int) -> None:
        """`bits` of data, which begin with the rest; intervals begin at these bytes, with so many bits free before."""
        begin = 0
        for end, pad in zip(begins.tolist(), pads.tolist(), strict=True):
            self._done.append(b"".join([*self._parts, data[begin:end]]))
            self._free.append(pad)
            self._parts, begin = [], end
        whole = bits // 8
        self._parts.append(data[begin:whole])
        self.rest_bits = bits % 8
        self.rest = data[whole] if self.rest_bits else 0

    def finish(self) -> tuple[list[bytes], list[int]]:
        """Intervals without stuffing and markers, and the number of bits that are free (0) at the end of each."""
        if self.rest_bits:
            self._parts.append(bytes([self.rest]))
        return [*self._done, b"".join(self._parts)], [*self._free, -self.rest_bits % 8]


def encode(
    blocks: NDArray[np.int16], codes: NDArray[np.int64], dc_base: NDArray[np.int64], cuts: NDArray[np.int64], rest: int, rest_bits: int
) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64], int]:
    """Blocks -> bytes that begin with the rest of the strip before.

    Also: where the intervals that begin at blocks `cuts` begin, in bytes, and how many bits are free before; bits in all.
    """
    coded = blocks != 0
    coded[:, 0] = True
    places = np.flatnonzero(coded)
    k = places & 63
    heads = np.flatnonzero(k == 0)
    counts = np.diff(heads, append=len(places))
    category = categories(blocks.ravel()[places])
    size, extra = category & 31, category >> 5
    run = np.diff(places, prepend=0) - 1
    run[heads] = 0
    symbol = (run & 15) << 4
    symbol += size
    symbol += np.repeat(dc_base + 256, counts)
    symbol[heads] -= 256
    code = codes.take(symbol, mode="clip")
    if not code.all():
        raise PayloadError("coefficient without a Huffman code")
    piece = (code & 0xFFFF) << size | extra
    length = (code >> 16) + size
    # The end of block goes with the last coefficient; runs of 16 zeros are pieces of their own, before the next one.
    last = np.append(heads[1:], len(places)) - 1
    open_ = k[last] != 63
    last = last[open_]
    eob = codes[dc_base[open_] + 256]
    piece[last] = piece[last] << (eob >> 16) | eob & 0xFFFF
    length[last] += eob >> 16
    far = np.flatnonzero(run > 15)
    times = run[far] >> 4
    zrl = codes[dc_base[np.searchsorted(heads, far, side="right") - 1] + 256 + 0xF0]
    if not eob.all() or not zrl.all():
        raise PayloadError("coefficient without a Huffman code")
    bits, zrl = zrl >> 16, zrl & 0xFFFF
    zeros = np.where(times > 2, zrl << 2 * bits, 0) | np.where(times > 1, zrl << bits, 0) | zrl
    length[far] += times * bits
    start, begins, pads, total = lay(length, heads[cuts], rest_bits)
    filled = words(total, rest)
    if len(far):
        pack(filled, start[far], zeros, times * bits)
        start[far] += times * bits
        length[far] -= times * bits
    pack(filled, start, piece, length)
    return filled.astype(">u8").tobytes(), begins, pads, total


def undo_prediction(differences: NDArray[np.integer], reset: int) -> NDArray[np.int16]:
    """DC values in the order of the scan, predicted from the one before, or from 0 every `reset` values (T.81 F.1.1.5.1)."""
    total = np.concatenate([[0], np.cumsum(differences, dtype=np.int64)])
    before = total[: len(differences) : reset]
    values = total[1:] - np.repeat(before, reset)[: len(differences)]
    out: NDArray[np.int16] = values.astype(np.int16)
    if (out != values).any():
        raise PayloadError("broken JPEG: DC out of range")
    return out


def predict(values: NDArray[np.int16], reset: int) -> NDArray[np.int16]:
    """Inverse of undo_prediction."""
    differences = np.diff(values.astype(np.int32), prepend=0)
    differences[::reset] = values[::reset]
    out: NDArray[np.int16] = differences.astype(np.int16)
    if (out != differences).any() or (out == -32768).any():
        raise PayloadError("DC out of range")
    return out


def lay(
    length: NDArray[np.int64], cuts: NDArray[np.int64], rest_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Where pieces begin, in bits. Intervals begin with pieces `cuts`: where, in bytes, and how many bits are free before; bits in all."""
    ends = np.cumsum(length)
    total = rest_bits + int(ends[-1])
    start = ends - length
    start += rest_bits
    pads = np.zeros(0, np.int64)
    begins = start[cuts]
    if len(cuts):
        pads = -np.diff(begins, prepend=0) % 8
        shift = np.cumsum(pads)
        begins += shift
        start += np.repeat(np.append(0, shift), np.diff(cuts, prepend=0, append=len(start)))
        total += int(shift[-1])
    return start, begins // 8, pads, total


def words(total: int, rest: int) -> NDArray[np.uint64]:
    """Room for so many bits, the first of which are `rest`."""
    out = np.zeros(total // 64 + 2, np.uint64)
    out[0] = rest << 56
    return out


def categories(values: NDArray[np.int16]) -> NDArray[np.int64]:
    """Extra bits << 5 | number of them (T.81 F.1.2.1.1)."""
    return _categories().take(values.view(np.uint16), mode="clip")


@cache
def _categories() -> NDArray[np.int64]:
    """By coefficient as uint16."""
    value = np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.int64)
    size = np.frexp(np.abs(value))[1].astype(np.int64)
    return (value - (value < 0) & (1 << size) - 1) << 5 | size


def pack(words: NDArray[np.uint64], start: NDArray[np.int64], piece: NDArray[np.int64], length: NDArray[np.int64]) -> None:
    """Write pieces of up to 64 bits, first bit highest, at rising bit positions where `words` have zeros."""
    word, offset = start >> 6, (start & 63).view(np.uint64)
    left = piece.view(np.uint64) << (64 - length).view(np.uint64)
    first = np.concatenate([[0], np.flatnonzero(word[1:] != word[:-1]) + 1])
    words[word[first]] |= np.bitwise_or.reduceat(left >> offset, first)
    over = np.flatnonzero((start & 63) + length > 64)
    words[word[over] + 1] |= left[over] << (np.uint64(64) - offset[over])
