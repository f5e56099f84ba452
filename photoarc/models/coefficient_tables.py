"""Tables of the model of JPEG coefficients (docs/format-jpeg.md 10.1, 10.2, 10.4): logarithms, and the place of a coefficient's symbol.

Bytes stand for signed numbers, 0 is ZERO. Everything is exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table, split
from photoarc.errors import ModelCorrupt
from photoarc.models.coefficient_groups import QUANTISER_MAX, Bytes, Index, Values
from photoarc.models.manifest import ModelEntry

ZERO = 128  # the byte that is 0
LOG_MAX = 4095  # larger dequantised values count as this
SHIFTS, HALF_SHIFTS = 63, 31  # shifts of the mean that a network tells, in eighths of the scale
FRACTIONS = 9  # sixteenths of a quantisation step between offset and mean, 0 .. 8; the others are their mirror images
OFFSET_MAX = 2047
_SCALES_AT_ZERO = 114  # sixteenths of an octave from scale 0 of the tables to the byte 0: 5 octaves and 2, and half a scale to round
_SPREAD_MAX = 32_000  # 16 bits hold it and its neighbours

Integers = npt.NDArray[np.int32]


class CoefficientTables:
    """tables.npz of a model. Raises ModelCorrupt where it is not what it should be."""

    def __init__(self, entry: ModelEntry) -> None:
        with np.load(entry.file("tables.npz"), allow_pickle=False) as arrays:
            try:
                self.tables: list[Table] = split(arrays["lengths"], arrays["frequencies"])
                self._logs = _logarithms(arrays["log_limits"])
                self._log_quantiser = arrays["log_quantiser"].astype(np.int32)
                self._scale_quantiser = arrays["scale_quantiser"].astype(np.int16)
                spread = arrays["spread"].astype(np.int32)
                self._table_of = arrays["table_of"].astype(np.int32)
            except (KeyError, ValueError) as error:
                raise ModelCorrupt(entry.id, f"tables.npz: {error}") from error
        self.scales = len(spread)
        lengths = len(self._log_quantiser), len(self._scale_quantiser)
        if len(self._table_of) != FRACTIONS * self.scales or spread.shape[1:] != (SHIFTS,) or lengths != (QUANTISER_MAX + 1,) * 2:
            raise ModelCorrupt(entry.id, f"tables.npz: {len(self._table_of)} places, shifts {spread.shape}, steps {lengths}")
        if not np.array_equal(np.unique(self._table_of), np.arange(len(self.tables))):
            raise ModelCorrupt(entry.id, f"tables.npz: {len(self.tables)} tables, not all of them used")
        if max(-int(spread.min()), int(spread.max())) > _SPREAD_MAX:
            raise ModelCorrupt(entry.id, "tables.npz: shifts beyond 16 bits")
        self._spread = spread.ravel().astype(np.int16)
        kind = np.uint8 if len(self.tables) < 256 else np.uint16  # bytes are sorted in half the time
        self._numbers: npt.NDArray[np.unsignedinteger] = np.append(0, self._table_of + 1).astype(kind)

    def logarithm(self, dequantised: npt.NDArray[Any]) -> Bytes:
        """Signed logarithms of integers."""
        logs: Bytes = self._logs.take(np.clip(dequantised, -LOG_MAX, LOG_MAX) + LOG_MAX)
        return logs

    def log_products(self, values: Values, quantiser: npt.NDArray[np.uint16]) -> Bytes:
        """Signed logarithms of coefficients (..., n, rows, columns) times their steps (n,)."""
        steps = quantiser.astype(np.int16)[:, None, None]
        reach = LOG_MAX // steps + np.int16(1)  # beyond it the logarithm stays; the product fits in 16 bits
        dequantised = np.clip(values, -reach, reach)
        dequantised *= steps
        np.clip(dequantised, -LOG_MAX, LOG_MAX, out=dequantised)
        dequantised += np.int16(LOG_MAX)
        return self._logs.take(dequantised)

    def log_steps(self, quantiser: npt.NDArray[np.uint16], which: slice) -> Bytes:
        """What networks see of steps (64,): logarithms of some, and their mean over the first five of AC, (n + 1,)."""
        logs = self._log_quantiser[quantiser]
        return (np.append(logs[which], logs[1:6].sum() // 5) + ZERO).astype(np.uint8)

    def locate(
        self, out: Bytes, quantiser: npt.NDArray[np.uint16], means: npt.NDArray[Any] | None = None, estimate: Integers | int = 0
    ) -> tuple[Index, Values, Values]:
        """Bytes of a network (..., 2 n, rows, columns) for steps (n,) -> index, offset, sign, each (..., n, rows, columns).

        The index is FRACTIONS times the scale and the fraction, and 1; `tables_of` tells its table.

        `means`: linear means in 1/256, of the same shape; `estimate` of the mean is dequantised.
        """
        n = len(quantiser)
        about = _SCALES_AT_ZERO - ZERO - self._scale_quantiser[quantiser][:, None, None]
        row = out[..., :n, :, :] + about
        row >>= 2
        np.clip(row, 0, self.scales - 1, out=row)
        shift = np.clip(out[..., n:, :, :], ZERO - HALF_SHIFTS, ZERO + HALF_SHIFTS)
        mean = self._spread.take(row * np.int16(SHIFTS) + shift - np.int16(ZERO - HALF_SHIFTS))
        if means is not None:
            mean = mean + _quantised(means, quantiser, estimate)
            np.clip(mean, -32 * OFFSET_MAX - 16, 32 * OFFSET_MAX + 16, out=mean)
        offset = (mean + mean.dtype.type(16)) >> 5
        np.clip(offset, -OFFSET_MAX, OFFSET_MAX, out=offset)
        fraction = (mean - (offset << 5)).astype(np.int16)
        fraction += 1
        fraction >>= 1
        row *= FRACTIONS
        row += np.abs(fraction)
        row += 1
        fraction >>= 15
        fraction |= 1  # the sign
        return row.astype(np.uint16), offset.astype(np.int16, copy=False), fraction

    def tables_of(self, index: Index, shifts: Sequence[int]) -> npt.NDArray[np.unsignedinteger]:
        """Numbers from 1 of the tables of indices (..., n, rows, columns) whose scales are `shifts` (n,) rows larger; 0 stays."""
        found: npt.NDArray[np.unsignedinteger]
        if not any(shifts):
            found = self._numbers.take(index)
            return found
        row, fraction = np.divmod(np.arange(len(self._table_of)), FRACTIONS)
        place = np.clip(row + np.array(shifts)[:, None], 0, self.scales - 1) * FRACTIONS + fraction + 1
        numbers = np.concatenate([np.zeros((len(shifts), 1), self._numbers.dtype), self._numbers[place]], 1)
        first = numbers.shape[1] * np.arange(len(shifts), dtype=np.int32)[:, None, None]
        found = numbers.ravel().take(index + first)
        return found


def size_of(logs: Bytes) -> Bytes:
    """Magnitudes of signed bytes."""
    return np.maximum(logs, np.negative(logs))


def _logarithms(limits: npt.NDArray[Any]) -> Bytes:
    """Those of -LOG_MAX .. LOG_MAX."""
    sizes = np.searchsorted(limits, np.arange(LOG_MAX + 1), side="right")
    if sizes[0] or sizes[-1] >= ZERO:
        raise ValueError(f"logarithms from {sizes[0]} to {sizes[-1]}")
    return (ZERO + np.concatenate([-sizes[:0:-1], sizes])).astype(np.uint8)


def _quantised(means: npt.NDArray[Any], quantiser: npt.NDArray[np.uint16], estimate: Integers | int) -> Integers:
    """Linear means in 1/32 of a step."""
    found: Integers = means.astype(np.int32)
    found += 256 * np.asarray(estimate, np.int32)
    for k, step in enumerate(quantiser.tolist()):  # one at a time: division by a scalar is quick
        found[..., k, :, :] //= np.int32(8 * step)
    return found
