"""Coefficients -> the bits of a scan of a progressive JPEG (ITU-T T.81 G.1.2).

    blocks -> non-zeros of AC, once per component -> events (codes with their bits) and correction bits -> intervals

A correction bit comes behind the next event, so places in the scan follow from sums. Where the standard leaves a choice, there are two
habits: libjpeg's, whose runs of ends of bands are as long as they can be, and another (`apart`; Apple's, by the looks of the files that
have it), which has a code of its own for a block that has anything in the band, and runs of empty ones. Runs that are cut are few, and
found one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import sequential_bits, tables
from photoarc.pictures.jpeg.progressive import ScanHeader, in_scan_order

_MAX_RUN = 0x7FFF  # ends of bands in one code
_MAX_CORRECTIONS = 937  # a run of them ends with the block that brings more: libjpeg's MAX_CORR_BITS - DCTSIZE2 + 1
_CHUNK = 1 << 17  # non-zeros at a time, at least a block's
_STRIP_COEFFICIENTS = 1 << 18
_ZRL = 0xF0

Intervals = tuple[list[bytes], list[int]]


@dataclass(frozen=True, slots=True)
class NonZeros:
    """AC of one component that is not zero, in the order of scans: 64 x block + zigzag index, and the coefficient."""

    place: NDArray[np.int32]
    value: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Items:
    """Part of what a scan codes: non-zeros by block and k, as `value` without the bits below Al; `new`: not known before."""

    block: NDArray[np.int64]
    k: NDArray[np.int64]
    value: NDArray[np.int16]
    new: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Events:
    """Codes with the bits that belong to them, by the item that comes next."""

    before: NDArray[np.int64]
    block: NDArray[np.int64]
    piece: NDArray[np.int64]
    length: NDArray[np.int64]


def _non_zeros(plane: NDArray[np.int16], rows: int, columns: int) -> NonZeros:
    """Those of the first rows and columns of a (64, rows, columns) plane."""
    places, values = [], []
    step = max(1, _STRIP_COEFFICIENTS // (64 * columns))
    for low in range(0, rows, step):
        high = min(low + step, rows)
        strip = np.moveaxis(plane[:, low:high, :columns], 0, -1).copy()
        strip[..., 0] = 0
        flat = strip.ravel()
        found = np.flatnonzero(flat != 0)
        values.append(flat[found])
        places.append((found + low * columns * 64).astype(np.int32))
    return NonZeros(np.concatenate(places), np.concatenate(values))


def encode(scan: ScanHeader, planes: Sequence[NDArray[np.int16]], known: dict[int, NonZeros], *, apart: bool) -> Intervals:
    """Intervals without stuffing, and how many bits are free (0) at the end of each. `known`: by component, filled here."""
    if not scan.first:
        return _encode_dc(scan, planes)
    component = scan.components[0]
    if component not in known:
        known[component] = _non_zeros(planes[component], scan.mcu_rows, scan.mcu_columns)
    return _encode_ac(scan, known[component], apart=apart)


def _encode_dc(scan: ScanHeader, planes: Sequence[NDArray[np.int16]]) -> Intervals:
    ordered = [in_scan_order(scan, planes[c][0], n) >> scan.low for n, c in enumerate(scan.components)]
    if scan.high:
        bits = (np.concatenate(ordered, axis=1) & 1).astype(np.uint8)
        cuts = range(0, scan.mcus, scan.interval)
        parts = [bits[low : low + scan.interval] for low in cuts]
        return [np.packbits(part).tobytes() for part in parts], [-part.size % 8 for part in parts]
    symbols = [
        sequential_bits.categories(sequential_bits.predict(part.ravel(), scan.interval * part.shape[1])).reshape(part.shape)
        for part in ordered
    ]
    codes = [tables.codes(table).take(part & 31) for table, part in zip(scan.dc, symbols, strict=True)]
    code, category = np.concatenate(codes, axis=1).ravel(), np.concatenate(symbols, axis=1).ravel()
    size = category & 31
    cuts_at = np.arange(scan.interval, scan.mcus, scan.interval) * scan.mcu_blocks
    out = sequential_bits.Intervals()
    out.add(*_lay(_coded(code, size, category >> 5), (code >> 16) + size, cuts_at, out))
    return out.finish()


def _encode_ac(scan: ScanHeader, coefficients: NonZeros, *, apart: bool) -> Intervals:
    codes = tables.codes(scan.ac[0])
    out = sequential_bits.Intervals()
    for first, end, items in _chunks(scan, coefficients):
        cuts = np.arange(-(-max(first, 1) // scan.interval) * scan.interval, end, scan.interval)
        parts = [_ends(scan, items, first, end, codes, apart=apart), *_codes(scan, items, codes)]
        order = np.argsort(np.concatenate([3 * part.before + n for n, part in enumerate(parts)]), kind="stable")
        before, block, piece, length = (
            np.concatenate([getattr(part, name) for part in parts]).take(order) for name in ("before", "block", "piece", "length")
        )
        cuts = np.searchsorted(block, cuts)
        if not scan.high:
            out.add(*_lay(piece, length, cuts, out))
            continue
        # Correction bits: behind the event that comes next.
        corrected = np.flatnonzero(~items.new)
        event = np.cumsum(np.bincount(before, minlength=len(items.new) + 1)).take(corrected)
        counts = np.bincount(event, minlength=len(before))
        behind = length.take(event) + np.arange(len(corrected)) - (np.cumsum(counts) - counts).take(event)
        bits = (items.value.take(corrected) & 1).astype(np.uint8)
        out.add(*_lay(piece, length, cuts, out, counts, (event, behind, bits)))
    return out.finish()


def _lay(
    piece: NDArray[np.int64],
    length: NDArray[np.int64],
    cuts: NDArray[np.int64],
    out: sequential_bits.Intervals,
    more: NDArray[np.int64] | int = 0,
    corrections: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]] | None = None,
) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64], int]:
    """Pieces, each with room for `more` bits behind it -> what `Intervals.add` takes. Corrections: piece, bits from its start, bit."""
    start, begins, pads, total = sequential_bits.lay(length + more, cuts, out.rest_bits)
    words = sequential_bits.words(total, out.rest)
    sequential_bits.pack(words, start, piece, length)
    data = words.astype(">u8").view(np.uint8)
    if corrections is not None:
        event, behind, bits = corrections
        flags = np.zeros(8 * len(data), np.uint8)
        flags[start.take(event) + behind] = bits
        data |= np.packbits(flags)
    return data.tobytes(), begins, pads, total


def _coded(code: NDArray[np.int64], size: NDArray[np.int64], extra: NDArray[np.int64]) -> NDArray[np.int64]:
    if not code.all():
        raise PayloadError("coefficient without a Huffman code")
    out: NDArray[np.int64] = (code & 0xFFFF) << size | extra
    return out


def _chunks(scan: ScanHeader, coefficients: NonZeros) -> Iterator[tuple[int, int, _Items]]:
    """(first block, end, items) of parts of a scan; all but the first begin with a block with something new, where runs end."""
    k = coefficients.place & 63
    chosen = (k >= scan.first) & (k <= scan.last)
    if scan.low:
        chosen &= np.abs(coefficients.value) >> scan.low != 0
    index = np.flatnonzero(chosen)
    place, value = coefficients.place.take(index), coefficients.value.take(index)
    value = np.where(value < 0, -(-value >> scan.low), value >> scan.low).astype(np.int16) if scan.low else value
    new = np.abs(value) == 1 if scan.high else np.ones(len(value), np.bool_)
    low = first = 0
    while first < scan.mcus:
        later = new[low + _CHUNK :]
        at = low + _CHUNK + int(later.argmax()) if later.any() else len(new)
        end = int(place[at]) >> 6 if at < len(new) else scan.mcus
        high = int(np.searchsorted(place, end << 6)) if at < len(new) else at
        part = place[low:high].astype(np.int64)
        yield first, end, _Items(part >> 6, part & 63, value[low:high], new[low:high])
        low, first = high, end


def _codes(scan: ScanHeader, items: _Items, codes: NDArray[np.int64]) -> tuple[_Events, _Events]:
    """Runs of 16 zeros, and new coefficients."""
    # Zeros since the last new coefficient, of which parts of the block it is that begin with the block and behind each of those.
    other = np.ones(len(items.block), np.bool_)
    other[1:] = items.block[1:] != items.block[:-1]
    opens = other.copy()
    opens[1:] |= items.new[:-1]
    begins = np.flatnonzero(opens)
    from_ = np.where(other[begins], scan.first - begins, items.k[begins - 1] - begins + 1)
    lengths = np.diff(begins, append=len(opens))
    zeros = items.k - np.arange(len(opens)) - np.repeat(from_, lengths)
    news = np.flatnonzero(items.new)
    category = sequential_bits.categories(items.value[news])
    size = category & 31
    code = codes.take((zeros[news] & 15) << 4 | size, mode="clip")
    coded = _Events(news, items.block[news], _coded(code, size, category >> 5), (code >> 16) + size)
    # Runs come before any non-zero that has 16 zeros before it, if something new follows in the block.
    far = np.flatnonzero(zeros > 15)
    part = np.cumsum(opens)[far] - 1
    leads = items.new[(begins + lengths - 1)[part]]
    far, part = far[leads], part[leads]
    times = (zeros[far] >> 4) - np.where(begins[part] == far, 0, zeros[far - 1] >> 4)
    at = np.repeat(far, times)
    zrl = codes[_ZRL : _ZRL + 1]
    return _Events(at, items.block[at], _coded(zrl[: len(at)], zrl * 0, zrl * 0).repeat(len(at)), (zrl >> 16).repeat(len(at))), coded


def _ends(scan: ScanHeader, items: _Items, first: int, end: int, codes: NDArray[np.int64], *, apart: bool) -> _Events:
    """Ends of bands: a run begins with or behind a block that breaks it, or with an interval, and ends where the next begins."""
    ahead = np.concatenate([[0], np.cumsum(np.bincount(items.block - first, minlength=end - first))])  # items before a block
    breakers = np.arange(len(items.block)) if apart else np.flatnonzero(items.new)
    blocks = items.block[breakers]
    last = np.flatnonzero(np.diff(blocks, append=end))
    breaks, behind = blocks[last], breakers[last] + 1
    opens = (items.k[behind - 1] != scan.last) | ~items.new[behind - 1]
    own = breaks[opens & apart] + 1
    opens &= not apart
    starts = np.arange(first + -first % scan.interval, end, scan.interval)
    at = np.searchsorted(breaks, starts)
    lone = starts[np.append(breaks, end)[at] != starts]  # intervals that begin with a block that breaks nothing
    at = np.searchsorted(breaks, lone)
    breaks, opens = np.insert(breaks, at, lone), np.insert(opens, at, True)
    behind = np.insert(behind, at, ahead[lone - first])
    run_ends = np.append(breaks[1:], end)
    runs = run_ends - breaks - 1 + opens
    item_ends = ahead[run_ends - first]
    long = (runs > _MAX_RUN) | (item_ends - behind > _MAX_CORRECTIONS)
    plain = (runs > 0) & ~long
    rows = np.stack([run_ends - runs, run_ends, behind, item_ends], axis=1)[long].tolist()
    cut = np.array([piece for row in rows for piece in _cut(items.block, *row)], np.int64).reshape(-1, 2)
    closes = np.concatenate([run_ends[plain], cut[:, 0], own])
    counts = np.concatenate([runs[plain], cut[:, 1], np.ones(len(own), np.int64)])
    if len(cut) or apart:
        order = np.argsort(closes, kind="stable")
        closes, counts = closes[order], counts[order]
    size = np.frexp(counts)[1].astype(np.int64) - 1
    code = codes.take(size << 4, mode="clip")
    return _Events(ahead[closes - first], closes - 1, _coded(code, size, counts - (1 << size)), (code >> 16) + size)


def _cut(block: NDArray[np.int64], begin: int, end: int, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The ends of blocks from `begin` to `end`, with corrections from `low` to `high`, as (end, length) of runs that can be coded."""
    while begin < end:
        close = min(begin + _MAX_RUN, end)
        if low + _MAX_CORRECTIONS < high:
            close = min(close, int(block[low + _MAX_CORRECTIONS]) + 1)
        yield close, close - begin
        begin, low = close, int(np.searchsorted(block, close))
