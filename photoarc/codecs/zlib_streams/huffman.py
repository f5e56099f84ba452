"""Huffman codes of DEFLATE (RFC 1951 section 3.2) and the lengths that zlib would give them.

`zlib_header` repeats zlib's published tree construction (trees.c: heap with depth as tie-break, overflow repair, run lengths), so
that a block header made by zlib needs no bits of its own in a payload. A header that it does not foresee is stored instead:
nothing here has to equal anybody's zlib for a file to come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

LITERALS, DISTANCES, CODE_LENGTHS, END_OF_BLOCK = 286, 30, 19, 256
MAX_BITS, MAX_META_BITS = 15, 7
META_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


@cache
def length_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(base, extra bits) of length symbols 257..285, index 0..28."""
    extra = [0] * 8 + [k for k in range(1, 6) for _ in range(4)] + [0]
    base = [3]
    for bits in extra[:-2]:
        base.append(base[-1] + (1 << bits))
    return np.array([*base, 258]), np.array(extra)


@cache
def distance_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(base, extra bits) of distance symbols 0..29."""
    extra = [0] * 4 + [k for k in range(1, 14) for _ in range(2)]
    base = [1]
    for bits in extra[:-1]:
        base.append(base[-1] + (1 << bits))
    return np.array(base), np.array(extra)


@cache
def symbol_tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Length 0..258 -> symbol 257..285; distance 0..32768 -> symbol 0..29 (entries below the least length or distance are unused)."""
    base, _ = length_table()
    lengths = 256 + np.searchsorted(base, np.arange(259), side="right")
    return lengths, np.searchsorted(distance_table()[0], np.arange(32769), side="right") - 1


def fixed_lengths() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Code lengths of block type 1: literals (288,), distances (30,)."""
    return np.repeat([8, 9, 7, 8], [144, 112, 24, 8]), np.full(DISTANCES, 5)


def codes(lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Canonical codes, first bit lowest, as they stand in the stream."""
    out = np.zeros(len(lengths), np.uint64)
    code = 0
    for bits in range(1, MAX_BITS + 1):
        for symbol in np.flatnonzero(lengths == bits):
            out[symbol] = int(f"{code:0{bits}b}"[::-1], 2)
            code += 1
        code <<= 1
    return out


def zlib_lengths(frequencies: Sequence[int], max_bits: int) -> list[int]:
    """Code lengths as zlib chooses them, without the zeros behind the last used symbol (never fewer than two codes)."""
    count = len(frequencies)
    key = [f << 16 for f in frequencies] + [0] * (count + 1)  # frequency, then depth of the subtree
    heap = [0] + [n for n in range(count) if frequencies[n]]
    last = heap[-1] if len(heap) > 1 else -1
    while len(heap) < 3:
        node = last + 1 if last < 2 else 0
        last = max(last, node)
        heap.append(node)
        key[node] = 1 << 16
    leaves = heap[1:]
    for k in range(len(leaves) // 2, 0, -1):
        _sift(heap, key, k)
    parent, order, node = [0] * (2 * count + 1), [], count
    while True:
        first = heap[1]
        _pop(heap, key)
        second = heap[1]
        order += [first, second]
        key[node] = (key[first] >> 16) + (key[second] >> 16) << 16 | max(key[first] & 0xFFFF, key[second] & 0xFFFF) + 1
        parent[first] = parent[second] = heap[1] = node
        if len(heap) == 2:
            break
        _sift(heap, key, 1)
        node += 1
    return _limited(order, parent, node, last, count, max_bits)


def _limited(order: list[int], parent: list[int], root: int, last: int, count: int, max_bits: int) -> list[int]:
    """Depths of the leaves; those beyond `max_bits` are repaired as zlib does it."""
    depth, per_length, overflow = [0] * (root + 1), [0] * (max_bits + 1), 0
    for n in reversed(order):
        depth[n] = depth[parent[n]] + 1
        if depth[n] > max_bits:
            depth[n] = max_bits
            overflow += 1
        if n < count:
            per_length[depth[n]] += 1
    if overflow > 0:
        while overflow > 0:
            bits = max_bits - 1
            while not per_length[bits]:
                bits -= 1
            per_length[bits] -= 1
            per_length[bits + 1] += 2
            per_length[max_bits] -= 1
            overflow -= 2
        leaves = (n for n in order if n < count)
        for bits in range(max_bits, 0, -1):
            for _ in range(per_length[bits]):
                depth[next(leaves)] = bits
    used = set(order)
    return [depth[n] if n in used else 0 for n in range(last + 1)]


def _pop(heap: list[int], key: list[int]) -> None:
    tail = heap.pop()
    heap[1] = tail
    _sift(heap, key, 1)


def _sift(heap: list[int], key: list[int], k: int) -> None:
    """Move heap[k] down; of equals, zlib takes the later child only if it is strictly not larger."""
    value, size = heap[k], len(heap) - 1
    while (child := 2 * k) <= size:
        if child < size and key[heap[child + 1]] <= key[heap[child]]:
            child += 1
        if key[value] <= key[heap[child]]:
            break
        heap[k] = heap[child]
        k = child
    heap[k] = value


def _runs(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Code lengths as (meta symbol, extra value, extra bits), cut into runs as zlib cuts them."""
    out: list[tuple[int, int, int]] = []
    count, before = 0, -1
    most, least = (138, 3) if lengths[0] == 0 else (7, 4)
    for n, current in enumerate(lengths):
        following = lengths[n + 1] if n + 1 < len(lengths) else -1
        count += 1
        if count < most and current == following:
            continue
        if count < least:
            out += [(current, 0, 0)] * count
        elif current:
            if current != before:
                out.append((current, 0, 0))
                count -= 1
            out.append((16, count - 3, 2))
        else:
            out.append((17, count - 3, 3) if count <= 10 else (18, count - 11, 7))
        count, before = 0, current
        most, least = (138, 3) if following == 0 else (6, 3) if current == following else (7, 4)
    return out


def zlib_header(literals: Sequence[int], distances: Sequence[int]) -> tuple[int, int]:
    """Header of a dynamic block behind its three type bits, for these symbol frequencies: (bits, their number), first bit lowest."""
    trees = zlib_lengths(literals, MAX_BITS), zlib_lengths(distances, MAX_BITS)
    runs = [run for tree in trees for run in _runs(tree)]
    frequencies = [0] * CODE_LENGTHS
    for symbol, _, _ in runs:
        frequencies[symbol] += 1
    meta = zlib_lengths(frequencies, MAX_META_BITS)
    meta += [0] * (CODE_LENGTHS - len(meta))
    count = max(4, 1 + max(k for k in range(CODE_LENGTHS) if meta[META_ORDER[k]]))
    meta_codes = codes(np.array(meta))
    pieces = [(len(trees[0]) - 257, 5), (len(trees[1]) - 1, 5), (count - 4, 4)]
    pieces += [(meta[META_ORDER[k]], 3) for k in range(count)]
    for symbol, extra, bits in runs:
        pieces += [(int(meta_codes[symbol]), meta[symbol]), (extra, bits)]
    value = at = 0
    for piece, bits in pieces:
        value |= piece << at
        at += bits
    return value, at
