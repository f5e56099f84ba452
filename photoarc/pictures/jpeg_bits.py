"""Blocks of coefficients -> the bits of a sequential JPEG's scan (ITU-T T.81 F.1.2)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError


def encode(
    blocks: NDArray[np.int16], codes: NDArray[np.int64], dc_base: NDArray[np.int64], cuts: NDArray[np.int64], rest: int, rest_bits: int
) -> tuple[bytes, list[int], list[int], int]:
    """Blocks -> bytes that begin with the rest of the strip before.

    Also: where the intervals that begin at blocks `cuts` begin, in bytes, and how many bits are free before; bits in all.
    """
    coded = blocks != 0
    coded[:, 0] = True
    places = np.flatnonzero(coded)
    k = places & 63
    heads = np.flatnonzero(k == 0)
    counts = np.diff(heads, append=len(places))
    category = _categories().take(blocks.ravel()[places].view(np.uint16), mode="clip")
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
    ends = np.cumsum(length)
    total = rest_bits + int(ends[-1])
    start = ends - length
    start += rest_bits
    pads = np.zeros(0, np.int64)
    begins = start[heads[cuts]]
    if len(cuts):
        pads = -np.diff(begins, prepend=0) % 8
        shift = np.cumsum(pads)
        begins += shift
        start += np.repeat(np.append(0, shift), np.diff(heads[cuts], prepend=0, append=len(start)))
        total += int(shift[-1])
    words = np.zeros(total // 64 + 2, np.uint64)
    words[0] = rest << 56
    if len(far):
        _pack(words, start[far], zeros, times * bits)
        start[far] += times * bits
        length[far] -= times * bits
    _pack(words, start, piece, length)
    return words.astype(">u8").tobytes(), (begins // 8).tolist(), pads.tolist(), total


@cache
def _categories() -> NDArray[np.int64]:
    """By coefficient as uint16: extra bits << 5 | number of them (T.81 F.1.2.1.1)."""
    value = np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.int64)
    size = np.frexp(np.abs(value))[1].astype(np.int64)
    return (value - (value < 0) & (1 << size) - 1) << 5 | size


def _pack(words: NDArray[np.uint64], start: NDArray[np.int64], piece: NDArray[np.int64], length: NDArray[np.int64]) -> None:
    """Write pieces of up to 64 bits, first bit highest, at rising bit positions where `words` have zeros."""
    word, offset = start >> 6, (start & 63).view(np.uint64)
    left = piece.view(np.uint64) << (64 - length).view(np.uint64)
    first = np.concatenate([[0], np.flatnonzero(word[1:] != word[:-1]) + 1])
    words[word[first]] |= np.bitwise_or.reduceat(left >> offset, first)
    over = np.flatnonzero((start & 63) + length > 64)
    words[word[over] + 1] |= left[over] << (np.uint64(64) - offset[over])
