"""Scans of a sequential JPEG, one of all components or several: entropy-coded data to coefficients, and back (ITU-T T.81 annexes A, F)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import huffman, sequential_bits, tables
from photoarc.pictures.jpeg.progressive import ScanHeader, in_scan_order
from photoarc.pictures.jpeg.progressive_bits import Intervals

_STRIP_COEFFICIENTS = 1 << 18  # at a time in `encode`: its arrays stay in the cache


def check_script(scans: Sequence[ScanHeader], components: int) -> None:
    """Raises PayloadError unless each component is in one scan, with all its coefficients."""
    if any((scan.first, scan.last, scan.high, scan.low) != (0, 63, 0, 0) for scan in scans):
        raise PayloadError("broken JPEG: a sequential scan of some coefficients")
    if sorted(component for scan in scans for component in scan.components) != list(range(components)):
        raise PayloadError("broken JPEG: components of the scans")


def decode(
    scans: Sequence[ScanHeader], coded: Sequence[Sequence[bytes]], shapes: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.int16], ...]:
    """Intervals of each scan, without markers and stuffing, -> (64, rows, columns) per component; `shapes`: rows and columns."""
    sizes = [rows * columns for rows, columns in shapes]
    starts = (np.cumsum([0, *sizes]) * 64).tolist()
    flat = np.zeros(starts[-1], np.int16)
    for scan, intervals in zip(scans, coded, strict=True):
        # Of each block in the order of the scan: where its DC is, and how far it is from there to the next coefficient.
        places = [
            in_scan_order(scan, np.arange(starts[c], starts[c] + sizes[c]).reshape(shapes[c]), n) for n, c in enumerate(scan.components)
        ]
        _decode(scan, intervals, flat, places, [sizes[c] for c in scan.components])
    return tuple(flat[start : start + 64 * size].reshape(64, *shape) for start, size, shape in zip(starts, sizes, shapes, strict=False))


def _decode(
    scan: ScanHeader, intervals: Sequence[bytes], flat: NDArray[np.int16], places: Sequence[NDArray[np.int64]], strides: Sequence[int]
) -> None:
    place = np.concatenate(places, axis=1).ravel()
    counts = [part.shape[1] for part in places]
    stride = np.tile(np.repeat(strides, counts), scan.mcus)
    dc = [table for table, n in zip(scan.dc, counts, strict=True) for _ in range(n)]
    ac = [table for table, n in zip(scan.ac, counts, strict=True) for _ in range(n)]
    machine = huffman.machine(dc, ac)
    for number, k, value in huffman.decode(machine, intervals, scan.interval * scan.mcu_blocks):
        inside = slice(np.searchsorted(number, len(place)))  # the last interval may be shorter, and has padding
        block, index = number[inside], k[inside]
        if index.max(initial=0) > 63:
            raise PayloadError("broken JPEG: run beyond its block")
        flat[place[block] + index * stride[block]] = value[inside]
    for part in places:
        dcs = part.ravel()
        flat[dcs] = sequential_bits.undo_prediction(flat[dcs], scan.interval * part.shape[1])


def encode(scan: ScanHeader, planes: Sequence[NDArray[np.int16]]) -> Intervals:
    """(64, rows, columns) per component of the frame -> intervals of a scan without stuffing, and how many bits are free at their ends."""
    ordered = [_by_mcu(scan, planes[component], n) for n, component in enumerate(scan.components)]
    counts = [h * v for h, v in scan.sampling]
    differences = [
        sequential_bits.predict(part[0].ravel(), scan.interval * n).reshape(part.shape[1:]) for part, n in zip(ordered, counts, strict=True)
    ]
    codes = np.concatenate([tables.codes(table) for pair in zip(scan.dc, scan.ac, strict=True) for table in pair])
    dc_base = np.tile(np.repeat(512 * np.arange(len(counts)), counts), scan.mcu_columns)
    out = sequential_bits.Intervals()
    step = max(1, _STRIP_COEFFICIENTS // (64 * len(dc_base)))
    for low in range(0, scan.mcu_rows, step):
        rows = min(step, scan.mcu_rows - low)
        strip = np.empty((rows, scan.mcu_columns, scan.mcu_blocks, 64), np.int16)
        at = 0
        for part, difference, n in zip(ordered, differences, counts, strict=True):
            target = strip[:, :, at : at + n].reshape(rows, scan.mcu_columns, *part.shape[-2:], 64)
            target[...] = np.moveaxis(part[:, low : low + rows], 0, -1)
            target[..., 0] = difference[low : low + rows]
            at += n
        first = low * scan.mcu_columns
        cuts = np.arange(-(-max(first, 1) // scan.interval) * scan.interval, first + rows * scan.mcu_columns, scan.interval) - first
        bases = np.tile(dc_base, rows)
        out.add(*sequential_bits.encode(strip.reshape(-1, 64), codes, bases, cuts * scan.mcu_blocks, out.rest, out.rest_bits))
    return out.finish()


def _by_mcu(scan: ScanHeader, plane: NDArray[np.int16], n: int) -> NDArray[np.int16]:
    """(64, rows, columns) of the scan's component n as (64, MCU rows, MCU columns, rows of blocks in an MCU, columns): T.81 A.2.3."""
    h, v = scan.sampling[n]
    inside = plane[:, : scan.mcu_rows * v, : scan.mcu_columns * h]
    return np.moveaxis(inside.reshape(64, scan.mcu_rows, v, scan.mcu_columns, h), -3, -2)
