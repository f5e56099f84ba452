"""DEFLATE streams (RFC 1951) as tokens and block headers, and back to the very same bits.

    stream --parse--> blocks (type, header bits, number of tokens), tokens (length, distance)     data is inflated by zlib
    data, blocks, tokens --Writer--> stream

Decoding bit by bit costs 2 us a token in Python. Here the length of the token that would start at every bit of a window is looked up
at once, and a chain of jumps then finds the true starts: 0.1 us a token and 0.1 us a bit position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams import huffman
from photoarc.errors import PayloadError

STORED, FIXED, DYNAMIC = 0, 1, 2
_MAX_HEADER_BYTES = 640  # 14 + 19 * 3 + 316 * 14 bits at most
_FIRST_WINDOW, _LAST_WINDOW = 1 << 12, 1 << 15  # bytes
_END, _BAD = 1 << 60, 1 << 61  # jumps that leave the window: end of block, no code here

Lengths = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `tokens` counts literals and matches (of a stored block: bytes); `header` is (bits, their number) behind the type."""

    kind: int
    tokens: int
    header: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Stream:
    """A parsed stream. Tokens of all blocks but stored ones: `lengths` (n,) uint16, 1 for a literal; `distances` (n,) uint16, 0 for one."""

    blocks: tuple[Block, ...]
    lengths: Lengths
    distances: Lengths


def parse(data: bytes, least_tokens: int | None = None) -> Stream:
    """A stream, or its first blocks until they have `least_tokens`.

    Raises PayloadError if it is broken, has bytes behind its end, or padding bits that are not zero.
    """
    blocks: list[Block] = []
    lengths, distances = [np.empty(0, np.uint16)], [np.empty(0, np.uint16)]
    at, final = 0, 0
    while not final:
        if least_tokens is not None and sum(map(len, lengths)) >= least_tokens:
            return Stream(tuple(blocks), np.concatenate(lengths), np.concatenate(distances))
        if at + 3 > 8 * len(data):
            raise PayloadError("deflate stream: ends early")
        bits = int.from_bytes(data[at >> 3 : (at >> 3) + _MAX_HEADER_BYTES], "little") >> (at & 7)
        final, kind = bits & 1, bits >> 1 & 3
        at += 3
        if kind == STORED:
            start = (at + 7) // 8
            if (bits >> 3) & ((1 << 8 * start - at) - 1):
                raise PayloadError("deflate stream: padding that is not zero")
            size = int.from_bytes(data[start : start + 2], "little")
            blocks.append(Block(STORED, size))
            at = 8 * (start + 4 + size)
            continue
        if kind == FIXED:
            header, trees = (0, 0), huffman.fixed_lengths()
        elif kind == DYNAMIC:
            header, trees = read_header(bits >> 3)
        else:
            raise PayloadError("deflate stream: block type 3")
        at += header[1]
        at, block_lengths, block_distances = _tokens(data, at, *trees)
        blocks.append(Block(kind, len(block_lengths), header))
        lengths.append(block_lengths)
        distances.append(block_distances)
    if (at + 7) // 8 != len(data) or (at & 7 and data[-1] >> (at & 7)):
        raise PayloadError("deflate stream: bytes behind its end, or padding that is not zero")
    return Stream(tuple(blocks), np.concatenate(lengths), np.concatenate(distances))


def read_header(bits: int) -> tuple[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Header of a dynamic block -> ((bits, their number), code lengths of literals and distances)."""
    literals, distances, count = 257 + (bits & 31), 1 + (bits >> 5 & 31), 4 + (bits >> 10 & 15)
    meta, at = np.zeros(huffman.CODE_LENGTHS, np.int64), 14
    for k in range(count):
        meta[huffman.META_ORDER[k]] = bits >> at & 7
        at += 3
    table = _lookup(meta, huffman.MAX_META_BITS)
    lengths: list[int] = []
    while len(lengths) < literals + distances:
        entry = int(table[bits >> at & 127])
        if not entry:
            raise PayloadError("deflate stream: bad code lengths")
        symbol = entry >> 4
        at += entry & 15
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16 and lengths:
            lengths += [lengths[-1]] * (3 + (bits >> at & 3))
            at += 2
        elif symbol == 17:
            lengths += [0] * (3 + (bits >> at & 7))
            at += 3
        elif symbol == 18:
            lengths += [0] * (11 + (bits >> at & 127))
            at += 7
        else:
            raise PayloadError("deflate stream: bad code lengths")
    if len(lengths) != literals + distances or literals > huffman.LITERALS or distances > huffman.DISTANCES:
        raise PayloadError("deflate stream: bad code lengths")
    return (bits & ((1 << at) - 1), at), (np.array(lengths[:literals]), np.array(lengths[literals:]))


def _lookup(lengths: NDArray[np.int64], max_bits: int = huffman.MAX_BITS) -> NDArray[np.int32]:
    """Next `max_bits` bits -> symbol << 4 | bits of its code; 0: no code."""
    table, codes = np.zeros(1 << max_bits, np.int32), huffman.codes(lengths)
    for symbol in np.flatnonzero(lengths):
        bits = int(lengths[symbol])
        table[int(codes[symbol]) :: 1 << bits] = symbol << 4 | bits
    return table


def _tokens(data: bytes, at: int, literals: NDArray[np.int64], distances: NDArray[np.int64]) -> tuple[int, Lengths, Lengths]:
    """Tokens of one block that starts at bit `at` -> (bit behind its end, lengths, distances)."""
    literal, distance = _lookup(literals), _lookup(distances)
    length_base, length_extra = huffman.length_table()
    distance_base, distance_extra = huffman.distance_table()
    symbol = literal >> 4
    is_match = symbol > huffman.END_OF_BLOCK
    extra = np.where(is_match, length_extra[np.clip(symbol - 257, 0, 28)], 0)
    literal_bits = np.where(literal > 0, (literal & 15) + extra, _BAD)  # of the whole literal or length
    literal_bits[symbol == huffman.END_OF_BLOCK] = _END
    distance_bits = np.where(distance > 0, (distance & 15) + distance_extra[np.minimum(distance >> 4, 29)], _BAD)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    window = _FIRST_WINDOW
    while True:
        first = at >> 3
        piece = data[first : first + window + 8]
        count = max(0, min(window, len(data) - first))
        words: NDArray[np.uint64] = np.ndarray((count,), "<u8", piece + bytes(8), 0, (1,))
        bits = (words[:, None] >> np.arange(8, dtype=np.uint64)).ravel()  # the 57 or more bits from each bit on
        low = (bits & np.uint64(0x7FFF)).astype(np.int32)
        jump = literal_bits[low]
        matches = np.flatnonzero(is_match[low])
        behind = (bits[matches] >> jump[matches].astype(np.uint64)) & np.uint64(0x7FFF)
        jump[matches] += distance_bits[behind.astype(np.int32)]
        jump += np.arange(len(jump))
        starts, p, end = [], at - 8 * first, 8 * count
        hops = jump.tolist()
        while p < end:
            starts.append(p)
            p = hops[p]
        if not starts or p >= _BAD:
            raise PayloadError("deflate stream: broken code or early end")
        where = np.array(starts)
        entry, here = literal[low[where]], bits[where]
        if p >= _END:
            entry, here = entry[:-1], here[:-1]
        lengths, dists = np.ones(len(entry), np.int64), np.zeros(len(entry), np.int64)
        matches = np.flatnonzero(entry >> 4 > huffman.END_OF_BLOCK)
        index = (entry[matches] >> 4) - 257
        if len(index) and index.max() > 28:
            raise PayloadError("deflate stream: length code 286 or 287")
        here = here[matches] >> (entry[matches] & 15).astype(np.uint64)
        lengths[matches] = length_base[index] + (here & ((1 << length_extra[index]) - 1).astype(np.uint64)).astype(np.int64)
        here >>= length_extra[index].astype(np.uint64)
        entry = distance[(here & np.uint64(0x7FFF)).astype(np.int32)]
        here >>= (entry & 15).astype(np.uint64)
        index = entry >> 4
        dists[matches] = distance_base[index] + (here & ((1 << distance_extra[index]) - 1).astype(np.uint64)).astype(np.int64)
        found.append((lengths, dists))
        if p >= _END:
            at = 8 * first + starts[-1] + int(literals[huffman.END_OF_BLOCK])
            break
        at = 8 * first + p
        window = min(2 * window, _LAST_WINDOW)
    joined = [np.concatenate(part).astype(np.uint16) for part in zip(*found, strict=True)]
    return at, joined[0], joined[1]


def kind_at(data: bytes, at: int) -> int:
    """Type of the block that starts at bit `at`."""
    return int.from_bytes(data[at >> 3 : (at >> 3) + 2], "little") >> (at & 7) >> 1 & 3


class Writer:
    """Builds a stream block by block; inverse of `parse`. Lowest bits come first. `bits` have been written so far."""

    def __init__(self) -> None:
        self.bits = 0
        self._pieces: list[bytes] = []
        self._carry, self._carry_bits = 0, 0  # of the last byte, not yet full

    def block(self, block: Block, data: NDArray[np.uint8], lengths: Lengths, distances: Lengths, *, final: bool) -> None:
        """Append one block; `data` are the bytes that it stands for."""
        self.append(int(final) | block.kind << 1, 3)
        if block.kind == STORED:
            self.append(0, -self._carry_bits % 8)
            self._pieces.append(len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data.tobytes())
            self.bits += 32 + 8 * len(data)
            return
        trees = huffman.fixed_lengths()
        if block.kind == DYNAMIC:
            trees = read_header(block.header[0])[1]
            self.append(*block.header)
        values, bits = _coded(data, lengths, distances, *trees)
        self.pack(values, bits)
        self.append(int(huffman.codes(trees[0])[huffman.END_OF_BLOCK]), int(trees[0][huffman.END_OF_BLOCK]))

    def finish(self) -> bytes:
        """The stream."""
        self.append(0, -self._carry_bits % 8)
        return b"".join(self._pieces)

    def append(self, value: int, count: int) -> None:
        """Append this many bits of a number."""
        self.bits += count
        self._carry |= value << self._carry_bits
        self._carry_bits += count
        self._pieces.append((self._carry & ((1 << self._carry_bits // 8 * 8) - 1)).to_bytes(self._carry_bits // 8, "little"))
        self._carry >>= self._carry_bits // 8 * 8
        self._carry_bits %= 8

    def pack(self, values: NDArray[np.uint64], bits: NDArray[np.int64]) -> None:
        """Append values of at most 48 bits each."""
        if not len(values):
            return
        ends = np.cumsum(bits) + self._carry_bits
        self.bits += int(ends[-1]) - self._carry_bits
        starts = ends - bits
        word, shift = starts >> 6, (starts & 63).astype(np.uint64)
        out = np.zeros(int(ends[-1] >> 6) + 2, np.uint64)
        first = np.flatnonzero(np.diff(word, prepend=-1))  # values do not overlap: their sum in a word is their union
        out[word[first]] = np.add.reduceat(values << shift, first)
        over = np.flatnonzero(ends > (word + 1) << 6)  # one at most in each word
        out[word[over] + 1] |= values[over] >> (np.uint64(64) - shift[over])
        out[0] |= np.uint64(self._carry)
        joined = out.astype("<u8").tobytes()
        whole = int(ends[-1]) // 8
        self._pieces.append(joined[:whole])
        self._carry_bits = int(ends[-1]) % 8
        self._carry = joined[whole] if self._carry_bits else 0


def _coded(
    data: NDArray[np.uint8], lengths: Lengths, distances: Lengths, literals: NDArray[np.int64], dists: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Tokens -> (values, number of bits)."""
    symbols, distance_symbols = symbols_of(data, lengths, distances)
    values, bits = huffman.codes(literals)[symbols], literals[symbols]
    matches = np.flatnonzero(distances)
    length_base, length_extra = huffman.length_table()
    distance_base, distance_extra = huffman.distance_table()
    index = symbols[matches] - 257
    parts = (
        ((lengths[matches] - length_base[index]).astype(np.uint64), length_extra[index]),
        (huffman.codes(dists)[distance_symbols], dists[distance_symbols]),
        ((distances[matches] - distance_base[distance_symbols]).astype(np.uint64), distance_extra[distance_symbols]),
    )
    for value, count in parts:
        values[matches] |= value << bits[matches].astype(np.uint64)
        bits[matches] += count
    return values, bits


def symbols_of(data: NDArray[np.uint8], lengths: Lengths, distances: Lengths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens -> literal and length symbols of all, distance symbols of the matches."""
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    length_symbol, distance_symbol = huffman.symbol_tables()
    symbols = np.where(distances > 0, length_symbol[lengths], data[starts]) if len(lengths) else np.empty(0, np.int64)
    return symbols, distance_symbol[distances[distances > 0]]


def zlib_header(data: NDArray[np.uint8], lengths: Lengths, distances: Lengths) -> tuple[int, int]:
    """The header that zlib would give a dynamic block of these tokens."""
    symbols, distance_symbols = symbols_of(data, lengths, distances)
    literals = np.bincount(symbols, minlength=huffman.LITERALS)
    literals[huffman.END_OF_BLOCK] = 1
    return huffman.zlib_header(literals.tolist(), np.bincount(distance_symbols, minlength=huffman.DISTANCES).tolist())
