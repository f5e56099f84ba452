"""AC of one component (docs/format-jpeg.md sections 10.7, 10.8), group by group, each first on white and then on black fields.

What networks see of a tile lies in one array, (tiles, channels, high + 4, wide + 4) bytes, in the order in which it becomes known, so that
each network gets the beginning of it:

    DC's surroundings, energies, (log, size) of coefficient 1, of coefficient 2, ... | (log, size) of Cb's coefficients, if any | steps

What stands behind the bar is of one group and is written over when its coefficients are known. Linear means see another such array.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.models.coefficient_dc import HALO, LINEAR_MAX, Levels, Networks, moved
from photoarc.models.coefficient_groups import COEFFICIENTS, FIELDS, Bytes, Exchange, Grid, Group, Values
from photoarc.models.coefficient_tables import ZERO, CoefficientTables, Integers, size_of
from photoarc.models.coefficient_tiles import Numbers, Tiles

LINEAR_BEFORE = 21  # groups that start before this coefficient have a linear mean
_BATCH = 4  # tiles that a network sees at once: 6 % quicker than one by one, 8 are no better
_SLOPES = 5  # channels of linear means before those of coefficients


class Plane:
    """What is known of one component; `known` all of it (64, rows, columns), where that is to be coded."""

    def __init__(self, number: int, grid: Grid, tables: CoefficientTables, networks: Networks, known: Values | None) -> None:
        self.number, self.grid, self._tables, self._networks, self._known = number, grid, tables, networks, known
        self._tiles = Tiles(grid.rows, grid.columns)
        fields = len(FIELDS), self._tiles.count, COEFFICIENTS, self._tiles.high // 2, self._tiles.wide // 2
        self._values: Values = np.zeros(fields, np.int16) if known is None else self._tiles.fields(known)
        self._dc: Integers = np.empty((0, 0), np.int32)
        self._near = self._drawn = 0  # channels before those of coefficients, and before those that no tile has
        self._seen: Bytes = np.empty(0, np.uint8)
        self._inside: Bytes = np.empty(0, np.uint8)  # 1 in the plane and the row and column that make it even
        self._linear: Values = np.empty(0, np.int16)

    def walk(
        self, name: str, starts: Sequence[int], exchange: Exchange, energies: Bytes | None = None, beside: Plane | None = None
    ) -> None:
        """Fill the plane: `energies` of luma (n, rows, columns), `beside` is a known plane of the same grid."""
        side = [] if energies is None else [self._padded(energies)]
        known = None if self._known is None else self._known[0]
        levels = Levels(name, self.number, self.grid, self._tables, self._networks, known)
        self._dc = levels.walk(exchange, [*side, *(beside.surroundings() if beside else [])])
        active = exchange.active(self._tiles.count, starts, None if known is None else self._occupied(starts))
        self._begin(starts[: int(active.max()) + 1], side, beside is not None)
        for group, (start, end) in enumerate(itertools.pairwise(starts)):
            tiles = np.flatnonzero(active > group)
            if tiles.size:
                self._group(f"{name}_{group}", slice(start, end), tiles, exchange, beside)

    def coefficients(self) -> Values:
        """All of the plane, (64, rows, columns)."""
        planes: Values = self._tiles.planes(self._values)
        planes[0] = self._dc[: self.grid.rows, : self.grid.columns] // int(self.grid.quantiser[0])
        return planes

    def energies(self, starts: Sequence[int], rows: int, columns: int) -> Bytes:
        """Mean magnitude of each group's logarithms over the blocks that meet one of rows x columns blocks of chroma."""
        down, across = self.grid.rows // rows, self.grid.columns // columns
        found = []
        for start, end in itertools.pairwise(starts):
            sizes = self._logs(slice(start, end))[:, 1::2, HALO:-HALO, HALO:-HALO]
            sums = sizes.sum(1, dtype=np.int32) - ZERO * (end - start)
            parts = sums.reshape(self._tiles.down, self._tiles.across, self._tiles.high, self._tiles.wide).transpose(0, 2, 1, 3)
            whole = parts.reshape(self._tiles.down * self._tiles.high, -1)[: rows * down, : columns * across]
            found.append(whole.reshape(rows, down, columns, across).sum((1, 3)) // (down * across * (end - start)))
        return (np.stack(found) + ZERO).astype(np.uint8)

    def surroundings(self) -> list[Bytes]:
        """What the DC of a plane beside this one sees of it."""
        at = moved(self._dc)
        moves = self._tables.logarithm(np.stack([at(y, x) - self._dc for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0))]))
        first = self._padded(self._tables.log_products(self._tiles.planes(self._values[:, :, 1:5]), self.grid.quantiser[1:5]))
        return [moves, size_of(moves), first, size_of(first)]

    def _occupied(self, starts: Sequence[int]) -> Bytes:
        """How many groups of each tile have something, or come before one that has."""
        last = np.zeros(self._tiles.count, np.uint8)
        for group, (start, end) in enumerate(itertools.pairwise(starts)):
            last[self._values[:, :, start:end].any((0, 2, 3, 4))] = group + 1
        return last

    def _padded(self, planes: Bytes) -> Bytes:
        """With even sides."""
        return np.pad(planes, ((0, 0), (0, self.grid.rows % 2), (0, self.grid.columns % 2)), constant_values=ZERO)

    def _channel(self, coefficient: int) -> int:
        """Where its logarithm is."""
        return self._near + 2 * (coefficient - 1)

    def _logs(self, which: slice) -> Bytes:
        """Logarithms and magnitudes of coefficients in all windows; zeros where no tile had any of their group."""
        channels = self._seen[:, self._channel(which.start) : min(self._channel(which.stop), self._drawn)]
        if channels.shape[1]:
            return channels
        return np.broadcast_to(np.uint8(ZERO), (len(self._seen), 2 * (which.stop - which.start), *self._seen.shape[2:]))

    def _begin(self, starts: Sequence[int], side: Sequence[Bytes], beside: bool) -> None:
        """Room for what networks see, and what is known of DC."""
        slopes, near = self._slopes()
        near = np.concatenate([near, *side])
        self._near = len(near)
        self._drawn = self._channel(starts[-1])
        extras = max((e - s + 1 + 2 * beside * (e - s) for s, e in itertools.pairwise(starts)), default=0)
        margins = self._tiles.high + 2 * HALO, self._tiles.wide + 2 * HALO
        self._seen = np.full((self._tiles.count, self._drawn + extras, *margins), ZERO, np.uint8)
        self._all(self._seen)[:, :, : self._near] = self._tiles.around(near, HALO, ZERO)
        last = max((end for start, end in itertools.pairwise(starts) if start < LINEAR_BEFORE), default=1)
        self._linear = np.zeros((self._tiles.count, _SLOPES + last - 1, self._tiles.high + 2, self._tiles.wide + 2), np.int16)
        self._all(self._linear)[:, :, :_SLOPES] = self._tiles.around(slopes, 1, 0)
        self._inside = np.empty((self._tiles.count, 1, *margins), np.uint8)
        self._all(self._inside)[...] = self._tiles.around(np.ones((1, *self._dc.shape), np.uint8), HALO, 0)

    def _all(self, of_tiles: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Windows (tiles, ...) as (down, across, ...)."""
        return of_tiles.reshape(self._tiles.down, self._tiles.across, *of_tiles.shape[1:])

    def _slopes(self) -> tuple[Values, Bytes]:
        """First and second differences of DC as they are, and what all networks for AC see of DC."""
        dc, at = self._dc, moved(self._dc)
        left, right, up, down = at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
        cross = at(1, 1) + at(-1, -1) - at(-1, 1) - at(1, -1)
        slopes = np.stack([right - left, down - up, left + right - 2 * dc, up + down - 2 * dc, cross])
        moves = self._tables.logarithm(np.stack([left - dc, right - dc, up - dc, down - dc]))
        bends = self._tables.logarithm(slopes[:4])
        near = np.concatenate([moves, size_of(moves), bends, size_of(bends)])
        return np.clip(slopes, -LINEAR_MAX, LINEAR_MAX).astype(np.int16), near

    def _group(self, name: str, which: slice, tiles: Numbers, exchange: Exchange, beside: Plane | None) -> None:
        """Coefficients `which` of some tiles, all fields."""
        n, steps = which.stop - which.start, self.grid.quantiser[which]
        logs = self._tiles.canvas(n, HALO, ZERO, np.uint8)
        exact = self._tiles.canvas(n, 1, 0, np.int16) if which.start < LINEAR_BEFORE else None
        for black in range(2):
            values = self._code(f"{name}_{black}", which, black, tiles, exchange, beside)
            self._tiles.draw(logs, HALO, tiles, black, self._tables.log_products(values, steps))
            seen = self._all(self._seen[:, self._channel(which.start) : self._channel(which.stop)])
            windows = self._tiles.windows(logs, HALO)
            seen[:, :, ::2], seen[:, :, 1::2] = windows, size_of(windows)
            if exact is not None:
                dequantised = np.clip(values * steps.astype(np.int32)[:, None, None], -LINEAR_MAX, LINEAR_MAX)
                self._tiles.draw(exact, 1, tiles, black, dequantised.astype(np.int16))
                known = self._all(self._linear[:, _SLOPES + which.start - 1 : _SLOPES + which.stop - 1])
                known[...] = self._tiles.windows(exact, 1)

    def _code(self, name: str, which: slice, black: int, tiles: Numbers, exchange: Exchange, beside: Plane | None) -> Values:
        """Coefficients of white or black fields of some tiles, (2, tiles, n, high / 2, wide / 2)."""
        known_to = which.stop if black else which.start
        channels = self._extras(self._channel(known_to), which, beside)
        linear = _SLOPES + known_to - 1 if which.start < LINEAR_BEFORE else None
        out, means = self._run(name, tiles, channels, linear, which.stop - which.start)
        index, offset, sign = self._tables.locate(out, self.grid.quantiser[which], means)
        self._tiles.blank(tiles, black, index, offset)
        every = np.s_[:] if len(tiles) == self._tiles.count else tiles
        place = np.s_[2 * black : 2 * black + 2, every, which]
        values = exchange.group(Group(self.number, which.start, index, offset, sign), None if self._known is None else self._values[place])
        if self._known is None:
            self._values[place] = values
        return values

    def _extras(self, at: int, which: slice, beside: Plane | None) -> int:
        """Put behind channel `at` what only this group sees; returns where that ends."""
        if beside:
            logs = beside._logs(which)
            self._seen[:, at : at + logs.shape[1]] = logs
            at += logs.shape[1]
        steps = self._tables.log_steps(self.grid.quantiser, which)
        target = self._seen[:, at : at + len(steps)]
        np.multiply(self._inside, (steps - np.uint8(ZERO))[:, None, None], out=target)
        target += np.uint8(ZERO)
        return at + len(steps)

    def _run(self, name: str, tiles: Numbers, channels: int, linear: int | None, n: int) -> tuple[Bytes, npt.NDArray[np.float32] | None]:
        """Bytes (2, tiles, 2 n, high / 2, wide / 2) and linear means (2, tiles, n, ...)."""
        fields = self._tiles.high // 2, self._tiles.wide // 2
        out = np.empty((2, len(tiles), 2 * n, *fields), np.uint8)
        means = None if linear is None else np.empty((2, len(tiles), n, *fields), np.float32)
        for first in range(0, len(tiles), _BATCH):
            some = tiles[first : first + _BATCH]
            inputs: dict[str, npt.NDArray[Any]] = {"features": self._of(self._seen, some, channels)}
            if linear is not None:
                inputs["linear"] = self._of(self._linear, some, linear)
            for target, found in zip((out, means), self._networks(name, **inputs), strict=False):
                if target is not None:
                    target[:, first : first + len(some)] = found.reshape(2, len(some), *found.shape[1:])
        return out, means

    @staticmethod
    def _of(all_tiles: npt.NDArray[Any], some: Numbers, channels: int) -> npt.NDArray[Any]:
        """The first channels of some tiles; of a single one without a copy."""
        return all_tiles[some[0] : some[0] + 1, :channels] if len(some) == 1 else all_tiles[some, :channels]
