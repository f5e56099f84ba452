"""Architecture "coefficients": probability tables for the quantised DCT coefficients of a JPEG (docs/format.md section 10).

    luma      DC, coarse to fine: each level halves the distance of the known ones, in three phases
              AC, by diagonals of the 8x8 block: each first on the white fields of the board of blocks, then on the black ones
    Cb        the same, beside the energies of luma;   Cr the same, beside luma's energies and Cb

    what is known -network-> (scale, shift, linear mean) of each coefficient -> (table, offset, mirrored)     exact integers, all of it
    symbol = coefficient - offset, its sign changed where mirrored

Every network sees small integers: dequantised coefficients on a signed logarithmic scale, and, for the mean, as they are. No coefficient
is coded before all that its table depends on is known, so that encoder and decoder walk through a picture alike: `walk` does it for both.

Coefficients of a plane are (64, rows, columns) int16 in zigzag order, rows and columns in blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table, split
from photoarc.errors import ModelCorrupt
from photoarc.models.coefficient_groups import Exchange, Grid, Group, Integers, Values
from photoarc.models.manifest import ModelEntry
from photoarc.models.session import Network

COEFFICIENTS = 64
LUMA_STARTS = (1, 3, 6, 10, 15, 21, 28, 36, 49, 64)  # of the groups of AC coefficients in zigzag order: diagonals 1 .. 7, 8 to 9, 10 to 14
CHROMA_STARTS = (1, 3, 6, 15, 36, 64)
LINEAR_BEFORE = 21  # groups that start before this coefficient have a linear mean
PHASES = ((1, 1), (0, 1), (1, 0))  # of a level of DC: the place in each 2x2 that is coded; (0, 0) is the level above
BOARD = (((0, 0), (1, 1)), ((0, 1), (1, 0)))  # white and black fields
TOP = 2  # the coarsest level of DC has at most so many rows and columns, and is stored
SHIFTS, HALF_SHIFTS = 63, 31  # shifts of the mean that a network tells, in eighths of the scale
FRACTIONS = 9  # sixteenths of a quantisation step between offset and mean, 0 .. 8; the others are their mirror images
OFFSET_MAX = 2047
LOG_MAX, LINEAR_MAX = 4095, 2047  # larger dequantised values count as these
QUANTISER_MAX = 255
HALO = 2  # blocks beyond a tile that its tables depend on
_TILE = 64  # blocks a side that a network sees at once; what it works on stays in the cache
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1), (-2, 0), (2, 0), (0, -2), (0, 2))

Logs = npt.NDArray[np.int8]


class Coefficients:
    """The networks and tables of one model; networks are loaded on first use."""

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry
        self._networks: dict[str, Network] = {}
        with np.load(entry.file("tables.npz"), allow_pickle=False) as arrays:
            try:
                self.tables: list[Table] = split(arrays["lengths"], arrays["frequencies"])
                self._logs = np.searchsorted(arrays["log_limits"], np.arange(LOG_MAX + 1), side="right").astype(np.int8)
                self._log_quantiser = arrays["log_quantiser"].astype(np.int32)
                self._scale_quantiser = arrays["scale_quantiser"].astype(np.float32)
                self._spread = arrays["spread"].astype(np.int32)
            except (KeyError, ValueError) as error:
                raise ModelCorrupt(entry.id, f"tables.npz: {error}") from error
        if len(self.tables) * SHIFTS != self._spread.size * FRACTIONS:
            raise ModelCorrupt(entry.id, f"tables.npz: {len(self.tables)} tables, {self._spread.size} shifts")

    def walk(self, grids: Sequence[Grid], exchange: Exchange) -> list[Values]:
        """All coefficients of one or three components, each from `exchange` when its turn has come."""
        luma = _Plane(self, 0, grids[0])
        planes = [luma]
        luma.walk("luma", LUMA_STARTS, exchange)
        if len(grids) > 1:
            energies = luma.energies(grids[1].rows, grids[1].columns)
            planes += [_Plane(self, number, grid) for number, grid in enumerate(grids) if number]
            planes[1].walk("cb", CHROMA_STARTS, exchange, energies)
            planes[2].walk("cr", CHROMA_STARTS, exchange, energies, planes[1])
        return [plane.values[:, : plane.grid.rows, : plane.grid.columns] for plane in planes]

    def logarithm(self, dequantised: npt.NDArray[Any]) -> Logs:
        """Signed logarithms of integers."""
        size: Logs = self._logs[np.minimum(np.abs(dequantised), LOG_MAX)]
        return np.where(dequantised < 0, -size, size)

    def log_quantiser(self, quantiser: npt.NDArray[np.uint16]) -> npt.NDArray[np.int32]:
        """Logarithms of quantisation steps, in the unit of `logarithm`."""
        logs: npt.NDArray[np.int32] = self._log_quantiser[quantiser]
        return logs

    def shifted(self, index: npt.NDArray[Any], shift: int) -> npt.NDArray[np.uint16]:
        """Tables whose scale is `shift` rows larger, as far as there are any."""
        row, fraction = np.divmod(index.astype(np.int32) - 1, FRACTIONS)
        there: npt.NDArray[np.uint16] = np.clip(row + shift, 0, len(self.tables) // FRACTIONS - 1).astype(np.uint16)
        return there * FRACTIONS + fraction.astype(np.uint16) + 1

    def run(
        self,
        name: str,
        features: Sequence[Logs],
        linear: npt.NDArray[np.int16] | None,
        quantiser: npt.NDArray[np.uint16],
        sides: tuple[int, int],
    ) -> Integers:
        """A network, in tiles: (places, outputs, rows / 2, columns / 2).

        Features (c, rows, columns) or (c, 1, 1); `linear` (c, rows + m, columns + m) may have a margin of its own.
        """
        if name not in self._networks:
            self._networks[name] = Network(self.entry.file(f"{name}.onnx"), self.entry.id, arena=True)
        shift = -self._scale_quantiser[quantiser][None, :, None, None]
        rows, columns = sides
        channels = sum(map(len, features))
        margin = 0 if linear is None else linear.shape[1] - rows
        bands = []
        for top in range(0, rows, _TILE):
            parts = []
            for left in range(0, columns, _TILE):
                y, x = max(0, top - HALO), max(0, left - HALO)
                high, wide = min(rows, top + _TILE + HALO) - y, min(columns, left + _TILE + HALO) - x
                tile, at = np.empty((1, channels, high, wide), np.int8), 0
                for feature in features:
                    cut = feature if feature.shape[1:] == (1, 1) else feature[:, y : y + high, x : x + wide]
                    tile[0, at : at + len(feature)] = cut
                    at += len(feature)
                inputs: dict[str, npt.NDArray[Any]] = {"features": tile, "shift": shift}
                if linear is not None:
                    inputs["linear"] = linear[None, :, y : y + high + margin, x : x + wide + margin]
                out = self._networks[name](**inputs)
                down, right = (top - y) // 2, (left - x) // 2
                parts.append(out[:, :, down : down + _TILE // 2, right : right + _TILE // 2].astype(np.int32))
            bands.append(np.concatenate(parts, 3))
        return np.concatenate(bands, 2)

    def locate(self, out: Integers, quantiser: npt.NDArray[np.uint16], estimate: Integers | int, linear: bool) -> tuple[Any, Any, Any]:
        """Outputs (n scales, n shifts, n linear means; rows, columns) -> index of the table, offset, mirrored.

        `estimate` of the mean is dequantised.
        """
        n = len(quantiser)
        steps = quantiser.astype(np.int32)[:, None, None]
        mean = self._spread.ravel()[out[:n] * SHIFTS + out[n : 2 * n] + HALF_SHIFTS]
        if linear:
            mean = mean + (out[2 * n :] + 256 * np.asarray(estimate, np.int32)) // (8 * steps)
        offset = np.clip((mean + 16) >> 5, -OFFSET_MAX, OFFSET_MAX)
        fraction = (np.clip(mean - 32 * offset, -16, 16) + 1) >> 1
        return (out[:n] * FRACTIONS + np.abs(fraction) + 1).astype(np.uint16), offset, fraction < 0


class _Plane:
    """What is known of one component. Its sides are even; blocks beyond the component's stay zero, but for DC."""

    def __init__(self, model: Coefficients, number: int, grid: Grid) -> None:
        self.model, self.number, self.grid = model, number, grid
        rows, columns = grid.rows + grid.rows % 2, grid.columns + grid.columns % 2
        self.values: Values = np.zeros((COEFFICIENTS, rows, columns), np.int16)
        self.logs: Logs = np.zeros((COEFFICIENTS, rows, columns), np.int8)
        self.sizes: Logs = np.zeros((COEFFICIENTS, rows, columns), np.int8)  # their magnitudes
        self.linear: npt.NDArray[np.int16] = np.empty((0, rows, columns), np.int16)
        self._log_steps = model.log_quantiser(grid.quantiser)
        self._log_mean = int(self._log_steps[1:6].sum()) // 5

    def walk(
        self, name: str, starts: Sequence[int], exchange: Exchange, energies: Logs | None = None, beside: _Plane | None = None
    ) -> None:
        """Fill the plane: `energies` of luma (n, rows, columns), `beside` is a known plane of the same grid."""
        side = [] if energies is None else [self._even(energies)]
        dc = self._dc(name, exchange, [*side, *(beside.surroundings() if beside else [])])
        self.values[0] = dc // int(self.grid.quantiser[0])
        last = max(end for start, end in itertools.pairwise(starts) if start < LINEAR_BEFORE)
        self.linear = np.zeros((last, *dc.shape), np.int16)
        slopes, near = self._slopes(dc)
        near = np.concatenate([near, *side])
        for group, (start, end) in enumerate(itertools.pairwise(starts)):
            for phase, places in enumerate(BOARD):
                features = [near, self.logs[1:start], self.sizes[1:start], self._steps(slice(start, end))]
                if beside:
                    features += [beside.logs[start:end], beside.sizes[start:end]]
                if phase:
                    features += [self.logs[start:end], self.sizes[start:end]]
                linear = None
                if start < LINEAR_BEFORE:
                    linear = np.concatenate([slopes, self.linear[1 : end if phase else start]])
                self._code_group(f"{name}_{group}_{phase}", features, linear, slice(start, end), places, exchange)

    def energies(self, rows: int, columns: int) -> Logs:
        """Mean magnitude of the logarithms of each group of luma, over the blocks that meet one of rows x columns blocks of chroma."""
        across, down = self.grid.columns // columns, self.grid.rows // rows
        found = []
        for start, end in itertools.pairwise(LUMA_STARTS):
            sums = self.sizes[start:end, : rows * down, : columns * across].sum(0, dtype=np.int32)
            found.append(sums.reshape(rows, down, columns, across).sum((1, 3)) // (down * across * (end - start)))
        return np.stack(found).astype(np.int8)

    def surroundings(self) -> list[Logs]:
        """What the DC of a plane beside this one sees of it."""
        dc = self._dequantised_dc()
        moved = _moved(dc)
        steps = self.model.logarithm(np.stack([moved(y, x) - dc for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0))]))
        return [steps, np.abs(steps), self.logs[1:5], self.sizes[1:5]]

    def _steps(self, which: slice) -> Logs:
        """Logarithms of the quantisation steps of coefficients and of the first five AC ones, (n + 1, 1, 1)."""
        return np.append(self._log_steps[which], self._log_mean).astype(np.int8)[:, None, None]

    def _even(self, plane: Logs) -> Logs:
        _, rows, columns = self.values.shape
        return np.pad(plane, ((0, 0), (0, rows - plane.shape[1]), (0, columns - plane.shape[2])))

    def _dequantised_dc(self) -> Integers:
        dc: Integers = self.values[0].astype(np.int32) * int(self.grid.quantiser[0])
        return dc

    def _slopes(self, dc: Integers) -> tuple[npt.NDArray[np.int16], Logs]:
        """First and second differences of DC as they are, and what all networks for AC see of DC."""
        at = _moved(dc)
        left, right, up, down = at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
        twice = 2 * dc
        cross = at(1, 1) + at(-1, -1) - at(-1, 1) - at(1, -1)
        slopes = np.stack([right - left, down - up, left + right - twice, up + down - twice, cross])
        steps = self.model.logarithm(np.stack([left - dc, right - dc, up - dc, down - dc]))
        bends = self.model.logarithm(slopes[:4])
        near = np.concatenate([steps, np.abs(steps), bends, np.abs(bends)])
        return np.clip(slopes, -LINEAR_MAX, LINEAR_MAX).astype(np.int16), near

    def _code_group(
        self,
        network: str,
        features: Sequence[Logs],
        linear: npt.NDArray[np.int16] | None,
        which: slice,
        places: Sequence[tuple[int, int]],
        exchange: Exchange,
    ) -> None:
        """AC coefficients `which` on the fields `places`."""
        steps = self.grid.quantiser[which]
        out = self.model.run(network, features, linear, steps, self.values.shape[1:])
        located, wheres = [], []
        for k, (i, j) in enumerate(places):
            rows, columns = (self.grid.rows - i + 1) // 2, (self.grid.columns - j + 1) // 2
            located.append([part.ravel() for part in self.model.locate(out[k, :, :rows, :columns], steps, 0, linear is not None)])
            wheres.append((which, slice(i, self.grid.rows, 2), slice(j, self.grid.columns, 2)))
        group = Group(self.number, tuple(wheres), *(np.concatenate(parts) for parts in zip(*located, strict=True)))
        values, at = exchange.group(group), 0
        for where in wheres:
            target = self.values[where]
            target[...] = values[at : at + target.size].reshape(target.shape)
            dequantised = target * steps.astype(np.int32)[:, None, None]
            self.logs[where] = self.model.logarithm(dequantised)
            self.sizes[where] = np.abs(self.logs[where])
            if linear is not None:
                self.linear[where] = np.clip(dequantised, -LINEAR_MAX, LINEAR_MAX)
            at += target.size

    def _dc(self, name: str, exchange: Exchange, side: list[Logs]) -> Integers:
        """Dequantised DC (rows, columns of `values`), from the coarsest level to the finest."""
        step = 1
        while max(-(-self.grid.rows // step), -(-self.grid.columns // step)) > TOP:
            step *= 2
        first = slice(0, 1)
        known = exchange.top(self.number, (first, slice(0, self.grid.rows, step), slice(0, self.grid.columns, step)))[0].astype(np.int32)
        known *= int(self.grid.quantiser[0])
        while step > 1:
            step //= 2
            known = self._finer(f"{name}_dc_{int(step > 1)}", known, step, exchange, side if step == 1 else [])
        rows, columns = self.values.shape[1:]
        return np.pad(known, ((0, rows - known.shape[0]), (0, columns - known.shape[1])), mode="edge")

    def _finer(self, network: str, coarse: Integers, step: int, exchange: Exchange, side: list[Logs]) -> Integers:
        """DC of every `step`-th row and column from those of every second of them."""
        rows, columns = -(-self.grid.rows // step), -(-self.grid.columns // step)
        quantiser = self.grid.quantiser[:1]
        right, down, diagonal = (_moved(coarse)(y, x) for y, x in ((0, 1), (1, 0), (1, 1)))
        parts = {
            (0, 0): coarse,
            (0, 1): (coarse + right + 1) >> 1,
            (1, 0): (coarse + down + 1) >> 1,
            (1, 1): (coarse + right + down + diagonal + 2) >> 2,
        }
        for phase, place in enumerate(PHASES):
            i, j = place
            here = (rows - i + 1) // 2, (columns - j + 1) // 2
            if not all(here):
                continue
            full = _woven(parts)
            at = _moved(full)
            around = self.model.logarithm(np.stack([at(y, x) - full for y, x in NEIGHBOURS]))
            features = [around, np.abs(around), self._steps(slice(0, 1)), self.model.logarithm(full)[None], *side]
            linear = np.pad(np.clip(full, -LINEAR_MAX, LINEAR_MAX).astype(np.int16), HALO, mode="edge")
            out = self.model.run(f"{network}_{phase}", features, linear[None], quantiser, full.shape)[0, :, : here[0], : here[1]]
            estimate = parts[place][: here[0], : here[1]]
            where = slice(0, 1), slice(i * step, self.grid.rows, 2 * step), slice(j * step, self.grid.columns, 2 * step)
            located = [part.ravel() for part in self.model.locate(out, quantiser, estimate, linear=True)]
            values = exchange.group(Group(self.number, (where,), *located)).reshape(here)
            parts[place] = parts[place].copy()
            parts[place][: here[0], : here[1]] = values * int(quantiser[0])
            if place == (1, 1):  # better estimates of the other two
                known = parts[place]
                parts[0, 1] = (coarse + right + known + _moved(known)(-1, 0) + 2) >> 2
                parts[1, 0] = (coarse + down + known + _moved(known)(0, -1) + 2) >> 2
        return _woven(parts)[:rows, :columns]


def _woven(parts: dict[tuple[int, int], Integers]) -> Integers:
    """The four places of every 2x2 together."""
    rows, columns = parts[0, 0].shape
    full = np.empty((2 * rows, 2 * columns), np.int32)
    for (y, x), part in parts.items():
        full[y::2, x::2] = part
    return full


def _moved(t: Integers) -> Callable[[int, int], Integers]:
    """T at (y + dy, x + dx), edges repeated."""
    wide, (rows, columns) = np.pad(t, HALO, mode="edge"), t.shape
    return lambda dy, dx: wide[HALO + dy : HALO + dy + rows, HALO + dx : HALO + dx + columns]
