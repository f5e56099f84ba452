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

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import huffman, sequential_bits
from photoarc.pictures.jpeg.huffman import HuffmanTable

_SLACK_BYTES = 8
_MAX_POINT_TRANSFORM = 13  # T.81 B.2.3
# What `_entries` says of a window besides its bits: 0 to 15 zeros and a coefficient, 16 zeros, no code, or 17 + n: end of bands.
_ZEROS, _ENDS, _NO_CODE = 16, 17, 63


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


def in_scan_order(scan: ScanHeader, values: NDArray[np.int16], n: int) -> NDArray[np.int16]:
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


def _entries(table: HuffmanTable) -> NDArray[np.int64]:
    """(65536,) by 16-bit window: bits of code and what belongs to it (5) | what it says (6) << 5 | bits of the code << 11."""
    lengths = huffman.code_lengths(table)
    symbols = np.frombuffer(table.symbols, np.uint8).astype(np.int64)
    size, run = symbols & 15, symbols >> 4
    says = np.where(size, run, np.where(run == 15, _ZEROS, _ENDS + run))
    says[size > 1] = _NO_CODE
    bits = lengths + np.where(says >= _ENDS, run, size)
    out = np.full(1 << 16, 1 | _NO_CODE << 5)
    filled = np.repeat(np.where(says == _NO_CODE, 1, bits) | says << 5 | lengths << 11, 1 << (16 - lengths))
    out[: len(filled)] = filled
    return out


def _more(window_of: memoryview, position: int, bits: int) -> int:
    """Length of a run of ends of bands, of `bits` bits behind its first (T.81 G.1.2.2)."""
    low: int = window_of[position >> 3] >> (32 - bits - (position & 7)) & ((1 << bits) - 1)
    return low + (1 << bits)


def _refine_ac(scan: ScanHeader, data: bytes, starts: list[int], blocks: Sequence[NDArray[np.int16]]) -> None:
    """New coefficients of one component, and a bit more of those in the band that are not zero yet. Places as in _decode_ac."""
    part, width, words = blocks[scan.components[0]][_window(scan)], scan.last + 1 - scan.first, huffman.words(data)
    band = part.ravel()
    is_known = band != 0
    known, zeros = np.flatnonzero(is_known), np.flatnonzero(~is_known).astype(np.int32)
    counts = is_known.reshape(scan.mcus, width).sum(axis=1, dtype=np.int64)
    before = np.append(0, np.cumsum(counts))  # by block: number of known coefficients before it
    by_bit = _entries_by_bit(words, _entries(scan.ac[0]))
    ends = [min(n * scan.interval, scan.mcus) * width for n in range(1, len(starts) + 1)]
    found, closed = _walk_refinement(by_bit, words.data, starts, ends, zeros.data, before.data, width)
    at, closed_by = np.array(found, np.int64), np.array(closed, np.int64)
    entry = by_bit.take(at)
    says = entry >> 5 & 63
    # What each symbol ends with, as its number among the zeros; behind an end of bands they go on with its block's first.
    ends_band = says >= _ENDS
    valued = ~ends_band
    steps = np.where(ends_band, 0, np.where(says == _ZEROS, 15, says) + 1).astype(np.int64)
    rank = np.cumsum(steps)
    jumps = closed_by * width - before.take(closed_by) - rank[ends_band]
    rank += np.repeat(np.append(0, jumps), np.diff(np.flatnonzero(ends_band), prepend=0, append=len(at)))
    place = zeros.take(rank[valued] - 1).astype(np.int64)
    _check_runs(place, valued, closed_by, width)
    known_after = np.empty(len(at), np.int64)
    known_after[ends_band], known_after[valued] = before.take(closed_by), place - rank[valued] + 1
    # Correction bits come behind the symbol that passes their coefficients.
    counts = np.diff(known_after, prepend=0)
    bits_at = np.repeat(at + (entry & 31) - (known_after - counts), counts) + np.arange(len(known))
    bits = (words.take(bits_at >> 3, mode="clip") >> (31 - (bits_at & 7)) & 1).astype(np.int16) << scan.low
    values = band[known]
    band[known] = values + np.where(values < 0, -bits, bits)
    new = says[valued] < _ZEROS
    signs = huffman.signed(words, at[valued][new] + (entry[valued][new] >> 11), np.ones(int(new.sum()), np.int64))
    band[place[new]] = _narrow(signs << scan.low)
    part[:] = band.reshape(part.shape)


def _entries_by_bit(words: NDArray[np.uint32], entries: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The symbol that begins at each bit."""
    out = np.empty((len(words), 8), np.uint16)
    narrow = entries.astype(np.uint16)
    for bit in range(8):
        out[:, bit] = narrow.take(words >> np.uint32(16 - bit) & np.uint32(0xFFFF))
    return out.ravel()


def _walk_refinement(
    entry: NDArray[np.uint16],
    window_of: memoryview,
    starts: list[int],
    ends: list[int],
    zero_at: memoryview,
    before: memoryview,
    width: int,
) -> tuple[list[int], list[int]]:
    """Bits at which symbols begin, and the blocks that ends of bands lead to. One symbol after the other: all else is left for later."""
    says = entry >> 5 & 63
    skip_at, bits_at = np.where(says == _ZEROS, 15, says).astype(np.uint8).tobytes(), (entry & 31).astype(np.uint8).tobytes()
    symbol_at = entry.data
    found: list[int] = []
    closed: list[int] = []
    note = found.append
    place, known, rank = -1, 0, 0  # the last place that is done, how many known coefficients and how many zeros are
    for start, end in zip(starts, ends, strict=True):
        position, last = start, end - 1
        while place < last:
            skip = skip_at[position]
            note(position)
            if skip < _ZEROS:
                rank += skip
                place = zero_at[rank]
                position += bits_at[position] - known
                known = place - rank
                position += known
                rank += 1
            elif skip == _NO_CODE:
                raise PayloadError("broken JPEG: no such Huffman code")
            else:
                block = (place + 1) // width + _more(window_of, position + (symbol_at[position] >> 11), skip - _ENDS)
                place = block * width - 1
                if place > last:
                    raise PayloadError("broken JPEG: end of bands beyond the scan")
                closed.append(block)
                position += bits_at[position] + before[block] - known
                known = before[block]
                rank = place + 1 - known
        if place > last:
            raise PayloadError("broken JPEG: run beyond its block")
    return found, closed


def _check_runs(place: NDArray[np.int64], valued: NDArray[np.bool_], blocks: NDArray[np.int64], width: int) -> None:
    """Raises PayloadError if a run goes beyond the block that it begins in."""
    begun = np.empty(len(valued), np.int64)
    begun[valued], begun[~valued] = place + 1, blocks * width
    if (np.append(0, begun[:-1])[valued] // width != place // width).any():
        raise PayloadError("broken JPEG: run beyond its block")
