"""Scans of a progressive JPEG: what may be in one, and entropy-coded data to coefficients (ITU-T T.81 annex G).

    intervals (bytes without stuffing) -> serial: where symbols are, by bit -> with NumPy: values -> blocks (rows, columns, 64)

Each scan adds bits to a band of coefficients, so blocks are kept while scans go by. Only finding the symbols is serial. In a
scan that refines AC, the correction bits between two symbols, even of many blocks, are one run of bits for one run of
coefficients: the loop passes over them as a whole. `jpeg_progressive_bits` is the way back.

Nothing here says that the data are sound: whoever decodes encodes again and compares (`jpeg_scan.read`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import huffman, sequential_bits, tables
from photoarc.pictures.jpeg.tables import HuffmanTable

T = TypeVar("T", bound=np.generic)
_SLACK_BYTES = 8
_MAX_POINT_TRANSFORM = 13  # T.81 B.2.3
# What a symbol of AC that is refined says: 0 to 15 zeros and a coefficient, 16 zeros, no code, or 17 + n: end of bands.
_ZEROS, _ENDS, _NO_CODE = 16, 17, 63
_MOST_SYMBOLS = 255  # that are looked at; no table for refinement has more than 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanHeader:
    """One SOS segment with what was in force there.

    `components`: by their place in the frame, `sampling`: (horizontal, vertical) blocks of each in an MCU. `first`, `last`: band
    of zigzag indices; `high`, `low`: bit positions Ah, Al. `dc`, `ac`: tables, one per component where the scan uses them.
    `restart_interval`: in MCUs, 0 = none. `end`: of the header, in the head of the file.
    """

    components: tuple[int, ...]
    sampling: tuple[tuple[int, int], ...]
    mcu_rows: int
    mcu_columns: int
    first: int
    last: int
    high: int
    low: int
    dc: tuple[HuffmanTable, ...]
    ac: tuple[HuffmanTable, ...]
    restart_interval: int
    end: int

    @property
    def mcus(self) -> int:
        """Number of MCUs in the scan."""
        return self.mcu_rows * self.mcu_columns

    @property
    def mcu_blocks(self) -> int:
        """Blocks of all components in an MCU."""
        return sum(h * v for h, v in self.sampling)

    @property
    def interval(self) -> int:
        """MCUs that are coded without a restart."""
        return self.restart_interval or self.mcus


def check_script(scans: Sequence[ScanHeader], components: int) -> None:
    """Raises PayloadError unless each bit of each coefficient comes at most once and in order (T.81 G.1.1.1).

    So no coefficient is in more than 14 scans, which bounds the work.
    """
    low: list[list[int | None]] = [[None] * 64 for _ in range(components)]
    for scan in scans:
        band = range(scan.first, scan.last + 1)
        sound = scan.first <= scan.last <= 63 and scan.low <= _MAX_POINT_TRANSFORM and scan.high in (0, scan.low + 1)
        sound &= scan.last == 0 if scan.first == 0 else len(scan.components) == 1
        for component in scan.components:
            known = low[component]
            sound = sound and (scan.first == 0 or known[0] is not None)
            if not sound or any(known[k] != (scan.high or None) for k in band):
                raise PayloadError("broken JPEG: order of progressive scans")
            for k in band:
                known[k] = scan.low


def in_scan_order(scan: ScanHeader, values: NDArray[T], n: int) -> NDArray[T]:
    """(MCUs, blocks of an MCU) view or copy of component n's (rows, columns) values: T.81 A.2."""
    h, v = scan.sampling[n]
    part = values[: scan.mcu_rows * v, : scan.mcu_columns * h].reshape(scan.mcu_rows, v, scan.mcu_columns, h)
    return np.moveaxis(part, 1, 2).reshape(scan.mcus, h * v)


def decode(scan: ScanHeader, intervals: Sequence[bytes], blocks: Sequence[NDArray[np.int16]]) -> None:
    """Add a scan to the coefficients: (rows, columns, 64) per component of the frame."""
    if not scan.high:
        (_decode_ac if scan.first else _decode_dc)(scan, intervals, blocks)
        return
    data = b"".join([*intervals, bytes(_SLACK_BYTES)])
    sizes = np.array([len(interval) for interval in intervals], np.int64)
    starts = (8 * (np.cumsum(sizes) - sizes)).tolist()
    try:
        (_refine_ac if scan.first else _refine_dc)(scan, data, starts, blocks)
    except IndexError as error:
        raise PayloadError("broken JPEG: a scan ends too early") from error


def _decode_dc(scan: ScanHeader, intervals: Sequence[bytes], blocks: Sequence[NDArray[np.int16]]) -> None:
    counts = [h * v for h, v in scan.sampling]
    machine = huffman.dc_machine([table for table, count in zip(scan.dc, counts, strict=True) for _ in range(count)])
    differences = np.zeros(scan.mcus * scan.mcu_blocks, np.int64)
    for number, _, value in huffman.decode(machine, intervals, scan.interval * scan.mcu_blocks):
        inside = slice(np.searchsorted(number, len(differences)))  # the last interval may be shorter, and has padding
        differences[number[inside]] = value[inside]
    by_mcu, done = differences.reshape(scan.mcus, scan.mcu_blocks), 0
    for n, (component, count) in enumerate(zip(scan.components, counts, strict=True)):
        part = by_mcu[:, done : done + count].ravel()
        done += count
        values = sequential_bits.undo_prediction(part, scan.interval * count).astype(np.int64)
        _put(scan, n, _narrow(values << scan.low), blocks[component])


def _refine_dc(scan: ScanHeader, data: bytes, starts: list[int], blocks: Sequence[NDArray[np.int16]]) -> None:
    place = np.arange(scan.mcus * scan.mcu_blocks)
    reset = scan.interval * scan.mcu_blocks
    position = place % reset + np.repeat(starts, reset)[: len(place)]
    octets = np.frombuffer(data, np.uint8)
    bits = (octets.take(position >> 3, mode="clip") >> (7 - (position & 7)).astype(np.uint8) & 1).reshape(scan.mcus, scan.mcu_blocks)
    done = 0
    for n, (component, (h, v)) in enumerate(zip(scan.components, scan.sampling, strict=True)):
        known = in_scan_order(scan, blocks[component][:, :, 0], n)
        added = bits[:, done : done + h * v].astype(np.int16) << scan.low
        done += h * v
        _put(scan, n, known | added, blocks[component])


def _put(scan: ScanHeader, n: int, values: NDArray[np.int16], blocks: NDArray[np.int16]) -> None:
    """`in_scan_order` the other way round, for DC."""
    h, v = scan.sampling[n]
    ordered = np.moveaxis(values.reshape(scan.mcu_rows, scan.mcu_columns, v, h), 2, 1)
    blocks[: scan.mcu_rows * v, : scan.mcu_columns * h, 0] = ordered.reshape(scan.mcu_rows * v, scan.mcu_columns * h)


def _narrow(values: NDArray[np.int64]) -> NDArray[np.int16]:
    out: NDArray[np.int16] = values.astype(np.int16)
    if (out != values).any() or (out == -32768).any():
        raise PayloadError("broken JPEG: coefficient out of range")
    return out


def _window(scan: ScanHeader) -> tuple[slice, slice, slice]:
    """The blocks of an AC scan, and its band."""
    return slice(scan.mcu_rows), slice(scan.mcu_columns), slice(scan.first, scan.last + 1)


def _decode_ac(scan: ScanHeader, intervals: Sequence[bytes], blocks: Sequence[NDArray[np.int16]]) -> None:
    """AC of one component; a place is its number among all coefficients of the band, block after block."""
    width = scan.last + 1 - scan.first
    band = np.zeros((scan.mcus, width), np.int16)
    for number, index, value in huffman.decode(huffman.band_machine(scan.ac[0], width), intervals, scan.interval):
        inside = slice(np.searchsorted(number, scan.mcus))  # see _decode_dc
        if index[inside].max(initial=0) >= width:
            raise PayloadError("broken JPEG: run beyond its block")
        band[number[inside], index[inside]] = _narrow(value[inside] << scan.low)
    blocks[scan.components[0]][_window(scan)] = band.reshape(scan.mcu_rows, scan.mcu_columns, width)


def _more(window_of: memoryview, position: int, bits: int) -> int:
    """Length of a run of ends of bands, of `bits` bits that end here (T.81 G.1.2.2)."""
    position -= bits
    low: int = window_of[position >> 3] >> (32 - bits - (position & 7)) & ((1 << bits) - 1)
    return low + (1 << bits)


@dataclass(frozen=True, slots=True)
class _Symbols:
    """Symbols of a table for AC that is refined, by their number in it; the last one is for bits that begin no code.

    `says`: 0 to 15 zeros and a coefficient, _ZEROS, _NO_CODE, or _ENDS + n. `code_bits`, and `bits` with what belongs to the symbol.
    """

    says: NDArray[np.int64]
    code_bits: NDArray[np.int64]
    bits: NDArray[np.int64]


def _symbols(table: HuffmanTable) -> _Symbols:
    symbols = np.frombuffer(table.symbols, np.uint8)[:_MOST_SYMBOLS].astype(np.int64)
    lengths = tables.code_lengths(table)[:_MOST_SYMBOLS]
    size, run = symbols & 15, symbols >> 4
    says = np.where(size, run, np.where(run == 15, _ZEROS, _ENDS + run))
    says[size > 1] = _NO_CODE
    bits = lengths + np.where(says >= _ENDS, run, size)
    return _Symbols(np.append(says, _NO_CODE), np.append(lengths, 1), np.append(bits, 1))


def _symbol_by_bit(words: NDArray[np.uint32], table: HuffmanTable) -> NDArray[np.uint8]:
    """Number in the table of the symbol that begins at each bit."""
    lengths = tables.code_lengths(table)[:_MOST_SYMBOLS]
    by_window = np.full(1 << 16, len(lengths), np.uint8)
    filled = np.repeat(np.arange(len(lengths), dtype=np.uint8), 1 << (16 - lengths))
    by_window[: len(filled)] = filled
    out = np.empty((len(words), 8), np.uint8)
    for bit in range(8):
        out[:, bit] = by_window.take((words >> np.uint32(16 - bit)).astype(np.uint16))
    return out.ravel()


def _refine_ac(scan: ScanHeader, data: bytes, starts: list[int], blocks: Sequence[NDArray[np.int16]]) -> None:
    """New coefficients of one component, and a bit more of those in the band that are not zero yet. Places as in _decode_ac."""
    part, width, words = blocks[scan.components[0]][_window(scan)], scan.last + 1 - scan.first, huffman.words(data)
    band = part.ravel()
    is_known = band != 0
    known, zeros = np.flatnonzero(is_known), np.flatnonzero(~is_known)
    before = np.append(0, np.cumsum(is_known.reshape(scan.mcus, width).sum(axis=1)))  # by block: number of known coefficients before it
    by_bit, symbols = _symbol_by_bit(words, scan.ac[0]), _symbols(scan.ac[0])
    ends = [min(n * scan.interval, scan.mcus) for n in range(1, len(starts) + 1)]
    begins, stops, closed = _walk_refinement(by_bit.tobytes(), symbols, words.data, starts, ends, zeros, before.data, width)
    at = np.flatnonzero(np.frombuffer(begins, np.bool_))
    symbol = by_bit.take(at)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, len(words)))[_between(at, symbols.bits.take(symbol), starts, stops, len(begins))]
    if len(bits) != len(known):
        raise PayloadError("broken JPEG: correction bits")
    values, added = band[known], bits.astype(np.int16) << scan.low
    band[known] = values + np.where(values < 0, -added, added)
    # What each symbol ends with, as its number among the zeros; behind an end of bands they go on with its block's first.
    says = symbols.says.take(symbol)
    ends_band = says >= _ENDS
    rank = np.cumsum(np.where(ends_band, 0, np.where(says == _ZEROS, 15, says) + 1))
    closed_by = np.array(closed, np.int64)
    jumps = closed_by * width - before.take(closed_by) - rank[ends_band]
    rank += np.repeat(np.append(0, jumps), np.diff(np.flatnonzero(ends_band), prepend=0, append=len(at)))
    new = np.flatnonzero(says < _ZEROS)
    signs = huffman.signed(words, at.take(new) + symbols.code_bits.take(symbol.take(new)), np.ones(len(new), np.int64))
    band[zeros.take(rank.take(new) - 1)] = _narrow(signs << scan.low)
    part[:] = band.reshape(part.shape)


def _between(at: NDArray[np.int64], lengths: NDArray[np.int64], starts: list[int], stops: list[int], bits: int) -> NDArray[np.bool_]:
    """Of each bit, whether it is neither one of a symbol's nor padding behind an interval: correction bits, in the order of the band."""
    depth = np.zeros(bits + 1, np.int8)
    depth[at] += 1
    depth[at + lengths] -= 1
    depth[stops] += 1
    depth[[*starts[1:], bits]] -= 1
    outside: NDArray[np.bool_] = np.cumsum(depth[:-1], dtype=np.int8) == 0
    return outside


def _walk_refinement(
    symbol_at: bytes,
    symbols: _Symbols,
    window_of: memoryview,
    starts: list[int],
    ends: list[int],
    zeros: NDArray[np.int64],
    before: memoryview,
    width: int,
) -> tuple[bytearray, list[int], list[int]]:
    """Where symbols begin, by bit; where intervals end; the blocks that ends of bands lead to.

    One symbol after the other, so what need not be done here is not: known coefficients are passed as a whole, for each zero knows how
    many lie before it. A symbol's place in the data is the sum of the symbols' bits, `spent`, and of those many.
    """
    zero_at, known_before = zeros.data, (zeros - np.arange(len(zeros))).astype(np.int32).data
    skip_of, bits_of = np.where(symbols.says == _ZEROS, 15, symbols.says).tolist(), symbols.bits.tolist()
    begins, stops, closed = bytearray(len(symbol_at)), [], []
    block = known = rank = 0  # the block that an end of bands led to, the number of known coefficients that are done, and of zeros
    for start, end in zip(starts, ends, strict=True):
        opened, last = rank, end * width - before[end]
        # An interval ends with its last zero, or with an end of bands if something known follows.
        last += not last or zero_at[last - 1] != end * width - 1
        position, spent = start, start - known
        while rank < last:
            symbol = symbol_at[position]
            skip = skip_of[symbol]
            begins[position] = 1
            spent += bits_of[symbol]
            if skip < _ZEROS:
                rank += skip
                position = spent + known_before[rank]
                rank += 1
            elif skip == _NO_CODE:
                raise PayloadError("broken JPEG: no such Huffman code")
            else:
                ends_at = position + bits_of[symbol]
                block = (block if rank == opened else (zero_at[rank - 1] + 1) // width) + _more(window_of, ends_at, skip - _ENDS)
                if block > end:
                    raise PayloadError("broken JPEG: end of bands beyond the scan")
                closed.append(block)
                known = before[block]
                position = spent + known
                opened = rank = block * width - known
                if block == end:
                    break
        else:
            block, known = end, before[end]
        stops.append(position)
    return begins, stops, closed
