"""DC of one component, coarse to fine (docs/format-jpeg.md section 10.6): each level halves the distance of the known, in three phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photoarc.models.coefficient_groups import PHASES, Bytes, Exchange, Grid, Group, Values
from photoarc.models.coefficient_tables import ZERO, CoefficientTables, Integers, size_of

TOP = 2  # the coarsest level has at most so many rows and columns, and is stored
HALO = 2  # blocks around those that are coded, which their tables depend on
LINEAR_MAX = 2047  # larger dequantised values count as this
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1), (-2, 0), (2, 0), (0, -2), (0, 2))
_SIDE = 64  # blocks that a network sees at once; what it works on stays in the cache

Parts = dict[tuple[int, int], Integers]


class Networks(Protocol):
    """Runs a network by its name."""

    def __call__(self, name: str, **inputs: npt.NDArray[Any]) -> Sequence[npt.NDArray[Any]]:
        """Its outputs."""


class Levels:
    """DC of component `name`; `known` (rows, columns), quantised, where it is to be coded."""

    def __init__(self, name: str, number: int, grid: Grid, tables: CoefficientTables, networks: Networks, known: Values | None) -> None:
        self._name, self._number, self._grid = name, number, grid
        self._tables, self._networks, self._known = tables, networks, known
        self._step = int(grid.quantiser[0])

    def walk(self, exchange: Exchange, side: Sequence[Bytes]) -> Integers:
        """Dequantised DC (even rows, even columns), from the coarsest level to the finest, which sees `side` (n, rows, columns), too."""
        step = 1
        while max(self._shape(step)) > TOP:
            step *= 2
        level = exchange.top(self._shape(step), self._of_known(0, 0, step)).astype(np.int32) * self._step
        while step > 1:
            step //= 2
            level = self._finer(level, step, exchange, side if step == 1 else [])
        rows, columns = self._shape(1)
        return np.pad(level, ((0, rows % 2), (0, columns % 2)), mode="edge")

    def _shape(self, step: int) -> tuple[int, int]:
        return -(-self._grid.rows // step), -(-self._grid.columns // step)

    def _of_known(self, row: int, column: int, step: int) -> Values | None:
        return None if self._known is None else self._known[row::step, column::step]

    def _finer(self, coarse: Integers, step: int, exchange: Exchange, side: Sequence[Bytes]) -> Integers:
        """DC of every `step`-th row and column from those of every second of them."""
        rows, columns = self._shape(step)
        parts = _estimates(coarse)
        for phase, place in enumerate(PHASES):
            i, j = place
            here = (rows - i + 1) // 2, (columns - j + 1) // 2
            if not all(here):
                continue
            estimate = parts[place][: here[0], : here[1]]
            out, means = self._run(f"{self._name}_dc_{int(step > 1)}_{phase}", _woven(parts), side)
            here_in = np.s_[None, None, :, : here[0], : here[1]]
            index, offset, sign = self._tables.locate(out[here_in], self._grid.quantiser[:1], means[here_in], estimate)
            known = self._of_known(i * step, j * step, 2 * step)
            values = exchange.group(Group(self._number, 0, index, offset, sign), None if known is None else known.reshape(index.shape))
            parts[place] = parts[place].copy()
            parts[place][: here[0], : here[1]] = values.reshape(here).astype(np.int32) * self._step
            if place == (1, 1):
                _better(parts, coarse)
        return _woven(parts)[:rows, :columns]

    def _run(self, name: str, full: Integers, side: Sequence[Bytes]) -> tuple[Bytes, npt.NDArray[np.float32]]:
        """Bytes (2, rows / 2, columns / 2) and linear means (1, ...) of a phase of a level, piece by piece."""
        (rows, columns), count = full.shape, len(NEIGHBOURS)
        wide = padded(full)
        around = np.empty((count + 1, rows, columns), np.int32)
        for difference, (y, x) in zip(around, NEIGHBOURS, strict=False):
            np.subtract(wide[HALO + y : HALO + y + rows, HALO + x : HALO + x + columns], full, out=difference)
        around[count] = full
        logs = self._tables.logarithm(around)
        steps = self._tables.log_steps(self._grid.quantiser, slice(0, 1))[:, None, None]
        features = np.full((2 * count + 3 + sum(map(len, side)), rows + 2 * HALO, columns + 2 * HALO), ZERO, np.uint8)
        inside = features[:, HALO:-HALO, HALO:-HALO]
        inside[:count], inside[count : 2 * count] = logs[:count], size_of(logs[:count])
        inside[2 * count : 2 * count + 2], inside[2 * count + 2] = steps, logs[count]
        if side:
            np.concatenate(side, out=inside[2 * count + 3 :])
        linear = np.minimum(np.maximum(wide, -LINEAR_MAX), LINEAR_MAX).astype(np.int16)[None]
        out, means = np.empty((2, rows // 2, columns // 2), np.uint8), np.empty((1, rows // 2, columns // 2), np.float32)
        for top in range(0, rows, _SIDE):
            for left in range(0, columns, _SIDE):
                cut = np.s_[None, :, top : top + _SIDE + 2 * HALO, left : left + _SIDE + 2 * HALO]
                found = self._networks(name, features=features[cut], linear=linear[cut])
                here = np.s_[:, top // 2 : (top + _SIDE) // 2, left // 2 : (left + _SIDE) // 2]
                out[here], means[here] = (values[0] for values in found)
        return out, means


def padded(t: Integers) -> Integers:
    """With HALO more rows and columns on every side, edges repeated."""
    rows, columns = (np.arange(-HALO, n + HALO).clip(0, n - 1) for n in t.shape)
    wide: Integers = t[rows].take(columns, 1)
    return wide


def moved(t: Integers) -> Callable[[int, int], Integers]:
    """T at (y + dy, x + dx), edges repeated."""
    wide, (rows, columns) = padded(t), t.shape
    return lambda dy, dx: wide[HALO + dy : HALO + dy + rows, HALO + dx : HALO + dx + columns]


def _estimates(coarse: Integers) -> Parts:
    """The four places of every 2x2: what is known, and means of what is known."""
    at = moved(coarse)
    right, down, diagonal = at(0, 1), at(1, 0), at(1, 1)
    return {
        (0, 0): coarse,
        (0, 1): (coarse + right + 1) >> 1,
        (1, 0): (coarse + down + 1) >> 1,
        (1, 1): (coarse + right + down + diagonal + 2) >> 2,
    }


def _better(parts: Parts, coarse: Integers) -> None:
    """Estimates of the last two places from those in the middle, too."""
    known, at = moved(parts[1, 1]), moved(coarse)
    parts[0, 1] = (coarse + at(0, 1) + parts[1, 1] + known(-1, 0) + 2) >> 2
    parts[1, 0] = (coarse + at(1, 0) + parts[1, 1] + known(0, -1) + 2) >> 2


def _woven(parts: Parts) -> Integers:
    """The four places of every 2x2 together."""
    rows, columns = parts[0, 0].shape
    full = np.empty((2 * rows, 2 * columns), np.int32)
    for (y, x), part in parts.items():
        full[y::2, x::2] = part
    return full
