"""How much wider or narrower the coefficients of one JPEG are than the model of coefficients thinks (docs/format.md section 7.11).

A shift for each coefficient of each plane, in rows of tables: quarters of an octave of the scale. Photographs that were enlarged, sharpened
or shrunk by their camera differ from what the networks have seen by a factor a coefficient; it takes some dozen bytes to say so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from photoarc.entropy.stack import PRECISION
from photoarc.models.coefficient_groups import Group, Values, shape
from photoarc.models.coefficients import COEFFICIENTS, Coefficients

SHIFT_MAX = 8
_LEAST_GAIN_BITS = 16  # of a coefficient, for a shift of its own
_FINE, _BINS_AN_OCTAVE, _SEEN_MAX = 16, 4, 1023  # symbols from _FINE on are counted in bins
_ESCAPE_BITS = 16
_WINDOW_BITS = -15

Shifts = npt.NDArray[np.int8]  # (planes, 64)


def choose(groups: Sequence[tuple[Group, Values]], planes: int, model: Coefficients) -> Shifts:
    """Of each coefficient of each plane the shift that makes its symbols cheapest, if all that pays."""
    costs, bins = _costs(model), _bins()
    seen = np.zeros((planes, COEFFICIENTS, costs.shape[1]), np.float32)
    for group, symbols in groups:
        cells = (group.index.astype(np.int32) - 1) * (bins.max() + 1) + bins[np.clip(symbols, -_SEEN_MAX, _SEEN_MAX) + _SEEN_MAX]
        for k, part in _by_coefficient(group):
            seen[group.plane, k] += np.bincount(cells[part], minlength=costs.shape[1])
    total = seen @ costs.T
    gain = total[..., SHIFT_MAX] - total.min(2)
    shifts: Shifts = np.where(gain > _LEAST_GAIN_BITS, total.argmin(2) - SHIFT_MAX, 0).astype(np.int8)
    pays = gain[shifts != 0].sum() > 8 * len(pack(shifts))
    return shifts if pays else np.zeros_like(shifts)


def apply(group: Group, shifts: Shifts, model: Coefficients) -> npt.NDArray[np.uint16]:
    """Tables of a group with the scales of each coefficient shifted."""
    if not shifts[group.plane].any():
        return group.index
    index = group.index.copy()
    for k, part in _by_coefficient(group):
        if shift := int(shifts[group.plane, k]):
            index[part] = model.shifted(index[part], shift)
    return index


def pack(shifts: Shifts) -> bytes:
    """At most 255 bytes; none where there is no shift."""
    if not shifts.any():
        return b""
    deflate = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
    return deflate.compress(shifts.tobytes()) + deflate.flush()


def unpack(packed: bytes, planes: int) -> Shifts:
    """Inverse of pack. Raises ValueError for what pack does not write."""
    shifts: Shifts = np.zeros((planes, COEFFICIENTS), np.int8)
    if not packed:
        return shifts
    inflate = zlib.decompressobj(_WINDOW_BITS)
    try:
        found = inflate.decompress(packed, shifts.size + 1)
    except zlib.error as broken:
        raise ValueError(f"the shifts are damaged: {broken}") from broken
    if len(found) != shifts.size:
        raise ValueError("the shifts are damaged")
    shifts = np.frombuffer(found, np.int8).reshape(shifts.shape)
    if np.abs(shifts.astype(np.int32)).max() > SHIFT_MAX:
        raise ValueError("the shifts are damaged")
    return shifts


def _by_coefficient(group: Group) -> Iterator[tuple[int, slice]]:
    """Each coefficient of a group, and where it stands in it, place by place."""
    at = 0
    for where in group.places:
        _, rows, columns = shape(where)
        for k in range(where[0].start, where[0].stop):
            yield k, slice(at, at + rows * columns)
            at += rows * columns


@cache
def _bins() -> npt.NDArray[np.int32]:
    """Bin of each symbol -_SEEN_MAX .. _SEEN_MAX."""
    size = np.arange(_SEEN_MAX + 1)
    coarse = _FINE + np.floor(_BINS_AN_OCTAVE * np.log2(np.maximum(size, 1) / _FINE))
    half = np.where(size < _FINE, size, coarse).astype(np.int32)
    bins: npt.NDArray[np.int32] = half[-1] + np.concatenate([-half[:0:-1], half])
    return bins


@cache
def _costs(model: Coefficients) -> npt.NDArray[np.float32]:
    """(shifts, tables x bins) bits of a symbol, means over each bin."""
    bins = _bins()
    counts = np.bincount(bins)
    own = np.empty((len(model.tables), len(counts)))
    for table, row in zip(model.tables, own, strict=True):
        bits = PRECISION - np.log2(table.frequencies.astype(np.float64))
        all_bits = np.full(len(bins), bits[-1] + _ESCAPE_BITS)
        reach = min(table.reach, _SEEN_MAX)
        all_bits[_SEEN_MAX - reach : _SEEN_MAX + reach + 1] = bits[table.reach - reach : table.reach + reach + 1]
        row[:] = np.bincount(bins, all_bits) / counts
    index = np.arange(1, len(model.tables) + 1)
    shifted = [own[model.shifted(index, shift) - 1] for shift in range(-SHIFT_MAX, SHIFT_MAX + 1)]
    return np.stack(shifted).reshape(len(shifted), -1).astype(np.float32)
