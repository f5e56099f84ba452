"""The walk through the coefficients of a JPEG with networks in bytes: what photoarc/models/coefficients.py is for those in floats.

    canvas of a plane   (channels, rows + 4, columns + 4) uint8, 128 is 0: what all groups see first, then log and size of coefficients 1..
    groups see          the canvas up to their first coefficient, on black fields to their last; of Cr also Cb's of their own; steps
    tiles               of 32 x 32 blocks, all of one shape, some at a time; those with nothing from a group on are left out, by `active`

The order of channels is not that of training: `channels` says where each comes from. All of it is exact integers.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from photoarc.models.coefficient_groups import Grid
from photoarc.models.coefficients import (
    BOARD,
    CHROMA_STARTS,
    COEFFICIENTS,
    FRACTIONS,
    HALF_SHIFTS,
    LINEAR_BEFORE,
    LINEAR_MAX,
    LOG_MAX,
    LUMA_STARTS,
    NEIGHBOURS,
    OFFSET_MAX,
    PHASES,
    SHIFTS,
    TOP,
    _moved,
    _woven,
)

TILE, BATCH, HALO, ZERO = 32, 4, 2, 128
SCALE_CENTRE = 32  # 2 octaves in 1/16: byte_layers.CENTRE
Run = Callable[[str, dict[str, np.ndarray]], list[np.ndarray]]
Fields = tuple[
    slice, tuple[int, int, int], np.ndarray
]  # coefficients; first row, first column and step of blocks; which of these are coded


def channels(start: int, end: int, near: int, *, black: bool, beside: bool) -> list[int]:
    """For each channel that a group's network sees here, in order: its number in training (Component.forward)."""
    n, known = end - start, start - 1
    lower = near + 2 * known
    after = lower + n + 1
    pairs = lambda first, count: [first + half * count + k for k in range(count) for half in (0, 1)]
    own = pairs(after + 2 * n * beside, n) if black else []
    return [*range(near), *pairs(near, known), *own, *(pairs(after, n) if beside else []), *range(lower, after)]


class Exchange(Protocol):
    """What an encoder or a decoder does on the way."""

    def top(self, plane: int, step: int) -> np.ndarray:
        """The coarsest level of DC, every `step`th block."""

    def active(self, plane: int) -> np.ndarray:
        """Of each tile: how many groups of AC have something, or come before one that has."""

    def group(self, plane: int, fields: Sequence[Fields], index: np.ndarray, offset: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        """Coefficients of the fields, one after the other, each (coefficient, place)."""


@dataclass(frozen=True)
class Arrays:
    """tables.npz of the model, looked up by value."""

    logs: np.ndarray  # (2 LOG_MAX + 1,) uint8
    sizes: np.ndarray
    log_quantiser: np.ndarray
    sixteenths: np.ndarray  # log2 of a quantisation step
    spread: np.ndarray

    def pair(self, d: np.ndarray) -> np.ndarray:
        """(n, ...) dequantised -> (2 n, ...) log and size of each, as bytes."""
        at = np.clip(d, -LOG_MAX, LOG_MAX) + LOG_MAX
        return np.stack([self.logs[at], self.sizes[at]], 1).reshape(-1, *d.shape[1:])

    def log(self, d: np.ndarray) -> np.ndarray:
        return self.logs[np.clip(d, -LOG_MAX, LOG_MAX) + LOG_MAX]

    def size(self, d: np.ndarray) -> np.ndarray:
        return self.sizes[np.clip(d, -LOG_MAX, LOG_MAX) + LOG_MAX]


def arrays(npz: dict[str, np.ndarray]) -> Arrays:
    """From tables.npz."""
    size = np.searchsorted(npz["log_limits"], np.abs(np.arange(-LOG_MAX, LOG_MAX + 1)), side="right")
    sign = np.sign(np.arange(-LOG_MAX, LOG_MAX + 1))
    byte = lambda v: (v + ZERO).astype(np.uint8)
    sixteenths = (npz["scale_quantiser"].astype(int) + 2) >> 2
    return Arrays(byte(size * sign), byte(size), npz["log_quantiser"].astype(int), sixteenths, npz["spread"].astype(np.int32))


class Walk:
    """Runs networks (`run`: name and inputs -> outputs) over planes."""

    def __init__(self, run: Run, tables: Arrays):
        self.run_net, self.arrays, self.rows = run, tables, len(tables.spread)

    def __call__(self, grids: Sequence[Grid], exchange: Exchange) -> list[np.ndarray]:
        luma = _Plane(self, 0, grids[0], exchange)
        planes = [luma]
        luma.walk("luma", LUMA_STARTS)
        if len(grids) > 1:
            energies = luma.energies(grids[1].rows, grids[1].columns)
            planes += [_Plane(self, k, grid, exchange) for k, grid in enumerate(grids) if k]
            planes[1].walk("cb", CHROMA_STARTS, energies)
            planes[2].walk("cr", CHROMA_STARTS, energies, planes[1])
        return [plane.values[:, : plane.grid.rows, : plane.grid.columns] for plane in planes]

    def run(
        self, name: str, slabs: Sequence[np.ndarray], linear: np.ndarray | None, places: int, n: int, active: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bytes (places, 2 n, rows / 2, columns / 2) and linear means (places, n, ...) of active tiles; slabs have margins."""
        rows, columns = (side - 2 * HALO for side in slabs[0].shape[1:])
        high, wide = min(TILE, rows), min(TILE, columns)
        out = np.zeros((places, 2 * n, rows // 2, columns // 2), np.uint8)
        means = np.zeros((places, n, rows // 2, columns // 2), np.int32)
        total, margin = sum(map(len, slabs)), 0 if linear is None else linear.shape[1] - rows
        cells = np.argwhere(active) * TILE
        for first in range(0, len(cells), BATCH):
            some = [(y, x, min(y, rows - high), min(x, columns - wide)) for y, x in cells[first : first + BATCH].tolist()]
            features = np.empty((len(some), total, high + 2 * HALO, wide + 2 * HALO), np.uint8)
            for k, (_, _, top, left) in enumerate(some):
                at = 0
                for slab in slabs:
                    features[k, at : at + len(slab)] = slab[:, top : top + high + 2 * HALO, left : left + wide + 2 * HALO]
                    at += len(slab)
            fed = {"features": features}
            if linear is not None:
                fed["linear"] = np.stack([linear[:, t : t + high + margin, u : u + wide + margin] for _, _, t, u in some])
            found = self.run_net(name, fed)
            for target, values in zip((out, means), found, strict=False):
                parts = values.reshape(places, len(some), *values.shape[1:])
                for k, (y, x, top, left) in enumerate(some):
                    part = parts[:, k, :, (y - top) // 2 :, (x - left) // 2 :]
                    target[:, :, y // 2 : (top + high) // 2, x // 2 : (left + wide) // 2] = part
        return out, means

    def locate(
        self, out: np.ndarray, means: np.ndarray | None, quantiser: np.ndarray, estimate: np.ndarray | int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(2 n, places) bytes -> table, offset, mirrored, each (n, places)."""
        n, q = len(quantiser), quantiser.astype(np.int32)[:, None]
        about = (80 + 2 + SCALE_CENTRE - ZERO - self.arrays.sixteenths[quantiser]).astype(np.int16)[:, None]
        row = np.clip((out[:n] + about) >> 2, 0, self.rows - 1)
        shift = np.clip(out[n:].astype(np.int16) - ZERO, -HALF_SHIFTS, HALF_SHIFTS)
        mean = self.arrays.spread.ravel().take(row.astype(np.int32) * SHIFTS + (shift + HALF_SHIFTS))
        if means is not None:
            mean = mean + (means + 256 * np.asarray(estimate, np.int32)) // (8 * q)
        offset = np.clip((mean + 16) >> 5, -OFFSET_MAX, OFFSET_MAX)
        fraction = (np.clip(mean - 32 * offset, -16, 16) + 1) >> 1
        return (row * FRACTIONS + np.abs(fraction) + 1).astype(np.uint16), offset, fraction < 0


class _Plane:
    """What is known of one component. Its sides are even; blocks beyond the component's stay zero, but for DC."""

    def __init__(self, walk: Walk, number: int, grid: Grid, exchange: Exchange):
        self.at, self.number, self.grid, self.exchange = walk, number, grid, exchange
        self.sides = grid.rows + grid.rows % 2, grid.columns + grid.columns % 2
        self.values = np.zeros((COEFFICIENTS, *self.sides), np.int16)
        self.canvas, self.near = np.empty(0, np.uint8), 0
        logs = walk.arrays.log_quantiser[grid.quantiser]
        self.logs, self.log_mean = logs, int(logs[1:6].sum()) // 5

    def walk(self, name: str, starts: Sequence[int], energies: np.ndarray | None = None, beside: "_Plane | None" = None) -> None:
        side = [] if energies is None else [self._even(energies)]
        dc = self._dc(name, [*side, *(beside.surroundings() if beside else [])])
        self.values[0] = dc // int(self.grid.quantiser[0])
        slopes, near = self._slopes(dc)
        self._draw([near, *side])
        last = max(end for start, end in itertools.pairwise(starts) if start < LINEAR_BEFORE)
        linear = np.zeros((len(slopes) + last - 1, *(n + 2 for n in self.sides)), np.int16)
        linear[: len(slopes), 1:-1, 1:-1] = slopes
        active = self.exchange.active(self.number)
        for group, (start, end) in enumerate(itertools.pairwise(starts)):
            steps = self._steps(slice(start, end))
            for black, places in enumerate(BOARD):
                slabs = [self.canvas[: self._channel(end if black else start)]]
                if beside:
                    slabs.append(beside.canvas[beside._channel(start) : beside._channel(end)])
                known = linear[: len(slopes) + (end if black else start) - 1] if start < LINEAR_BEFORE else None
                self._group(f"{name}_{group}_{black}", [*slabs, steps], known, slice(start, end), places, active > group)
                if start < LINEAR_BEFORE:
                    q = self.grid.quantiser[start:end].astype(np.int32)[:, None, None]
                    d = np.clip(self.values[start:end] * q, -LINEAR_MAX, LINEAR_MAX)
                    linear[len(slopes) + start - 1 : len(slopes) + end - 1, 1:-1, 1:-1] = d

    def _channel(self, coefficient: int) -> int:
        """Where a coefficient's log is in the canvas."""
        return self.near + 2 * (coefficient - 1)

    def _draw(self, near: Sequence[np.ndarray]) -> None:
        self.near = sum(map(len, near))
        rows, columns = self.sides
        self.canvas = np.full((self._channel(COEFFICIENTS), rows + 2 * HALO, columns + 2 * HALO), ZERO, np.uint8)
        np.concatenate(near, out=self.canvas[: self.near, HALO:-HALO, HALO:-HALO])

    def _steps(self, which: slice) -> np.ndarray:
        """Logarithms of steps with the margins of a canvas."""
        logs = np.append(self.logs[which], self.log_mean)[:, None, None] + ZERO
        return self._with_margin(np.broadcast_to(logs, (len(logs), *self.sides)))

    def _with_margin(self, plane: np.ndarray) -> np.ndarray:
        return np.pad(plane.astype(np.uint8), ((0, 0), (HALO, HALO), (HALO, HALO)), constant_values=ZERO)

    def energies(self, rows: int, columns: int) -> np.ndarray:
        across, down = self.grid.columns // columns, self.grid.rows // rows
        sizes = self.canvas[self.near + 1 :: 2, HALO : HALO + rows * down, HALO : HALO + columns * across]
        found = []
        for start, end in itertools.pairwise(LUMA_STARTS):
            sums = sizes[start - 1 : end - 1].sum(0, dtype=np.int32) - ZERO * (end - start)
            found.append(sums.reshape(rows, down, columns, across).sum((1, 3)) // (down * across * (end - start)))
        return (np.stack(found) + ZERO).astype(np.uint8)

    def surroundings(self) -> list[np.ndarray]:
        """What the DC of a plane beside this one sees of it."""
        dc = self.values[0].astype(np.int32) * int(self.grid.quantiser[0])
        moved = _moved(dc)
        moves = np.stack([moved(y, x) - dc for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0))])
        own = self.canvas[self.near : self.near + 8, HALO:-HALO, HALO:-HALO]
        return [self.at.arrays.log(moves), self.at.arrays.size(moves), own[::2], own[1::2]]

    def _even(self, plane: np.ndarray) -> np.ndarray:
        rows, columns = self.sides
        return np.pad(plane, ((0, 0), (0, rows - plane.shape[1]), (0, columns - plane.shape[2])), constant_values=ZERO)

    def _slopes(self, dc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = _moved(dc)
        left, right, up, down = at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
        cross = at(1, 1) + at(-1, -1) - at(-1, 1) - at(1, -1)
        slopes = np.stack([right - left, down - up, left + right - 2 * dc, up + down - 2 * dc, cross])
        moves, log, size = np.stack([left - dc, right - dc, up - dc, down - dc]), self.at.arrays.log, self.at.arrays.size
        near = np.concatenate([log(moves), size(moves), log(slopes[:4]), size(slopes[:4])])
        return np.clip(slopes, -LINEAR_MAX, LINEAR_MAX).astype(np.int16), near

    def _group(
        self, name: str, slabs: list[np.ndarray], linear: np.ndarray | None, which: slice, places: Sequence[Any], active: np.ndarray
    ) -> None:
        """AC coefficients `which` on the fields `places` of active tiles."""
        if not active.any():
            return
        steps = self.grid.quantiser[which]
        out, means = self.at.run(name, slabs, linear, len(places), len(steps), active)
        whole = active.repeat(TILE, 0).repeat(TILE, 1)[: self.grid.rows, : self.grid.columns]
        located, fields = [], []
        for k, (i, j) in enumerate(places):
            mask = whole[i::2, j::2]
            h, w = mask.shape
            lines = None if linear is None else _pick(means[k, :, :h, :w], mask)
            found = self.at.locate(_pick(out[k, :, :h, :w], mask), lines, steps, 0)
            located.append([part.ravel() for part in found])
            fields.append((which, (i, j, 2), mask))
        values, at = self.exchange.group(self.number, fields, *(np.concatenate(t) for t in zip(*located, strict=True))), 0
        for _, (i, j, _), mask in fields:
            some = values[at : at + len(steps) * mask.sum()].reshape(len(steps), -1)
            at += some.size
            _put(self.values[which, i : self.grid.rows : 2, j : self.grid.columns : 2], mask, some)
            pairs = self.at.arrays.pair(some * steps.astype(np.int32)[:, None])
            drawn = self.canvas[self._channel(which.start) : self._channel(which.stop), HALO:-HALO, HALO:-HALO]
            _put(drawn[:, i : self.grid.rows : 2, j : self.grid.columns : 2], mask, pairs)

    def _dc(self, name: str, side: list[np.ndarray]) -> np.ndarray:
        step = 1
        while max(-(-self.grid.rows // step), -(-self.grid.columns // step)) > TOP:
            step *= 2
        known = self.exchange.top(self.number, step).astype(np.int32) * int(self.grid.quantiser[0])
        while step > 1:
            step //= 2
            known = self._finer(f"{name}_dc_{int(step > 1)}", known, step, side if step == 1 else [])
        rows, columns = self.sides
        return np.pad(known, ((0, rows - known.shape[0]), (0, columns - known.shape[1])), mode="edge")

    def _finer(self, network: str, coarse: np.ndarray, step: int, side: list[np.ndarray]) -> np.ndarray:
        """A level of dequantised DC from every second of its rows and columns."""
        rows, columns = -(-self.grid.rows // step), -(-self.grid.columns // step)
        quantiser, log = self.grid.quantiser[:1], self.at.arrays.log
        above = _moved(coarse)
        right, down, diagonal = (above(y, x) for y, x in ((0, 1), (1, 0), (1, 1)))
        half, quarter = (lambda t: (t + 1) >> 1), (lambda t: (t + 2) >> 2)
        parts = {
            (0, 0): coarse,
            (0, 1): half(coarse + right),
            (1, 0): half(coarse + down),
            (1, 1): quarter(coarse + right + down + diagonal),
        }
        for phase, place in enumerate(PHASES):
            i, j = place
            h, w = (rows - i + 1) // 2, (columns - j + 1) // 2
            if not h or not w:
                continue
            full = _woven(parts)
            at = _moved(full)
            around = np.stack([at(y, x) - full for y, x in NEIGHBOURS])
            steps = np.broadcast_to(np.array([self.logs[0], self.log_mean])[:, None, None] + ZERO, (2, *full.shape))
            seen = np.concatenate([log(around), self.at.arrays.size(around), steps.astype(np.uint8), log(full)[None], *side])
            linear = np.pad(np.clip(full, -LINEAR_MAX, LINEAR_MAX).astype(np.int16), HALO, mode="edge")[None]
            tiles = np.ones([-(-n // TILE) for n in full.shape], bool)
            out, means = self.at.run(f"{network}_{phase}", [self._with_margin(seen)], linear, 1, 1, tiles)
            estimate = parts[place][:h, :w]
            located = self.at.locate(
                out[0, :, :h, :w].reshape(2, -1), means[0, :, :h, :w].reshape(1, -1), quantiser, estimate.reshape(1, -1)
            )
            field = slice(0, 1), (i * step, j * step, 2 * step), np.ones((h, w), bool)
            values = self.exchange.group(self.number, [field], *(part.ravel() for part in located)).reshape(h, w)
            parts[place] = parts[place].copy()
            parts[place][:h, :w] = values * int(quantiser[0])
            if place == (1, 1):  # better estimates of the other two
                known = _moved(parts[place])
                parts[0, 1] = quarter(coarse + right + known(0, 0) + known(-1, 0))
                parts[1, 0] = quarter(coarse + down + known(0, 0) + known(0, -1))
        return _woven(parts)[:rows, :columns]


def _pick(t: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(n, rows, columns) -> (n, places): those of the mask."""
    return t.reshape(len(t), -1) if mask.all() else t[:, mask]


def _put(target: np.ndarray, mask: np.ndarray, some: np.ndarray) -> None:
    """The inverse of _pick."""
    if mask.all():
        target[...] = some.reshape(target.shape)
    else:
        target[:, mask] = some


def active(plane: np.ndarray, starts: Sequence[int]) -> np.ndarray:
    """Of each tile of coefficients (64, rows, columns): how many groups have something, or come before one that has."""
    last = np.zeros(plane.shape[1:], np.uint8)
    for group, (start, end) in enumerate(itertools.pairwise(starts)):
        last[plane[start:end].any(0)] = group + 1
    rows, columns = (-(-n // TILE) * TILE for n in last.shape)
    tiles = np.zeros((rows, columns), np.uint8)
    tiles[: last.shape[0], : last.shape[1]] = last
    return tiles.reshape(rows // TILE, TILE, columns // TILE, TILE).max((1, 3))
