"""How much wider or narrower the coefficients of one JPEG are than the model of coefficients thinks (docs/format.md section 7.11).

A shift for each coefficient of each plane, in rows of tables: quarters of an octave of the scale. Photographs that were enlarged, sharpened
or shrunk by their camera differ from what the networks have seen by a factor a coefficient; it takes some dozen bytes to say so.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from photoarc.entropy.stack import PRECISION
from photoarc.models.coefficient_groups import COEFFICIENTS, Group, Index, Values
from photoarc.models.coefficient_tables import FRACTIONS, CoefficientTables

SHIFT_MAX = 8
_LEAST_GAIN_BITS = 16  # of a coefficient, for a shift of its own
_FINE, _BINS_AN_OCTAVE, _SEEN_MAX = 8, 2, 1023  # symbols from _FINE on are counted in bins
_ESCAPE_BITS = 16
_WINDOW_BITS = -15
_TILES = 16  # of a group, whose symbols are asked

Shifts = npt.NDArray[np.int8]  # (planes, 64)


@dataclass(frozen=True, slots=True)
class Coded:
    """Symbols of coefficients `first`, `first` + 1, ... and their tables, as a Group has them."""

    plane: int
    first: int
    index: Index
    symbols: Values


def choose(groups: Sequence[Coded], planes: int, model: CoefficientTables) -> Shifts:
    """Of each coefficient of each plane the shift that makes its symbols cheapest, if all that pays; of many tiles some are asked."""
    costs, bins = _costs(model), _bins()
    total = np.zeros((planes, COEFFICIENTS, len(costs)))
    for group in groups:
        every = -(-group.index.shape[1] // _TILES)
        index = group.index[:, ::every].astype(np.int32)
        found = bins.take(np.clip(group.symbols[:, ::every], -_SEEN_MAX, _SEEN_MAX) + _SEEN_MAX)
        for k in range(index.shape[2]):
            there = index[:, :, k].ravel()
            first = max(int(there.min()), 1)
            cells = (there - first) * (bins[-1] + 1) + found[:, :, k].ravel()
            counts = np.bincount(cells if first == there.min() else cells[there > 0]).astype(np.float32)
            start = (first - 1) * (bins[-1] + 1)
            total[group.plane, group.first + k] += every * (costs[:, start : start + len(counts)] @ counts)
    gain = total[..., SHIFT_MAX] - total.min(2)
    shifts: Shifts = np.where(gain > _LEAST_GAIN_BITS, total.argmin(2) - SHIFT_MAX, 0).astype(np.int8)
    pays = gain[shifts != 0].sum() > 8 * len(pack(shifts))
    return shifts if pays else np.zeros_like(shifts)


def apply(group: Group | Coded, shifts: Shifts, model: CoefficientTables) -> npt.NDArray[np.unsignedinteger]:
    """Tables of a group with the scales of each coefficient shifted."""
    own = shifts[group.plane, group.first : group.first + group.index.shape[2]]
    return model.tables_of(group.index, own.tolist())


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


@cache
def _bins() -> npt.NDArray[np.int32]:
    """Bin of each symbol -_SEEN_MAX .. _SEEN_MAX."""
    size = np.arange(_SEEN_MAX + 1)
    coarse = _FINE + np.floor(_BINS_AN_OCTAVE * np.log2(np.maximum(size, 1) / _FINE))
    half = np.where(size < _FINE, size, coarse).astype(np.int32)
    bins: npt.NDArray[np.int32] = half[-1] + np.concatenate([-half[:0:-1], half])
    return bins


@cache
def _costs(model: CoefficientTables) -> npt.NDArray[np.float32]:
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
    places = np.arange(1, FRACTIONS * model.scales + 1, dtype=np.uint16)[:, None, None]
    shifted = [own[model.tables_of(places, [shift]).ravel() - 1] for shift in range(-SHIFT_MAX, SHIFT_MAX + 1)]
    return np.stack(shifted).reshape(len(shifted), -1).astype(np.float32)
