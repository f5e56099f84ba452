"""Blocks of a plane in tiles of one shape (docs/format-jpeg.md section 10.5).

    planes   (n, rows, columns), rows and columns in blocks
    fields   (4, tiles, n, high / 2, wide / 2): white and black fields of each tile, in the order of FIELDS
    canvas   (n, ...): planes as large as all tiles together, and a margin around them
    windows  (down, across, n, high + 2 margins, wide + 2 margins): each tile of a canvas with its surroundings

Tiles may reach beyond the plane: there is nothing to code, and what networks see is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.models.coefficient_groups import FIELDS

TILE = 32  # a tile has at most so many rows and columns

Numbers = npt.NDArray[np.intp]


class Tiles:
    """How a plane of rows x columns blocks is cut."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        (self.down, self.high), (self.across, self.wide) = _cut(rows), _cut(columns)
        self.count = self.down * self.across
        inside = self.fields(np.ones((1, rows, columns), np.bool_))
        self._partial = np.logical_not(inside.all((0, 2, 3, 4)))  # tiles that reach beyond the plane
        self._inside = inside

    def fields(self, planes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Planes -> fields, 0 beyond the planes."""
        n, high, wide = len(planes), self.high // 2, self.wide // 2
        more = self.down * self.high - self.rows, self.across * self.wide - self.columns
        whole = np.pad(planes, ((0, 0), (0, more[0]), (0, more[1]))) if any(more) else planes
        whole = whole.reshape(n, self.down, high, 2, self.across, wide, 2)
        out = np.empty((len(FIELDS), self.down, self.across, n, high, wide), planes.dtype)
        for field, (i, j) in zip(out, FIELDS, strict=True):
            field[...] = whole[:, :, :, i, :, :, j].transpose(1, 3, 0, 2, 4)
        return out.reshape(len(FIELDS), self.count, n, high, wide)

    def planes(self, fields: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Inverse of fields."""
        n, high, wide = fields.shape[2:]
        whole = np.empty((n, self.down, high, 2, self.across, wide, 2), fields.dtype)
        for field, (i, j) in zip(fields, FIELDS, strict=True):
            whole[:, :, :, i, :, :, j] = field.reshape(self.down, self.across, n, high, wide).transpose(2, 0, 3, 1, 4)
        return whole.reshape(n, self.down * self.high, self.across * self.wide)[:, : self.rows, : self.columns]

    def canvas(self, n: int, margin: int, zero: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
        """One of zeros."""
        return np.full((n, self.down * self.high + 2 * margin, self.across * self.wide + 2 * margin), zero, dtype)

    def around(self, planes: npt.NDArray[Any], margin: int, zero: int) -> npt.NDArray[Any]:
        """Windows of planes that are no larger than all tiles."""
        n, rows, columns = planes.shape
        canvas = self.canvas(n, margin, zero, planes.dtype.type)
        canvas[:, margin : margin + rows, margin : margin + columns] = planes
        return self.windows(canvas, margin)

    def windows(self, canvas: npt.NDArray[Any], margin: int) -> npt.NDArray[Any]:
        """Those of a canvas, not copied."""
        shape = self.high + 2 * margin, self.wide + 2 * margin
        everywhere = np.lib.stride_tricks.sliding_window_view(canvas, shape, (1, 2))
        return everywhere[:, :: self.high, :: self.wide].transpose(1, 2, 0, 3, 4)

    def draw(self, canvas: npt.NDArray[Any], margin: int, tiles: Numbers, black: int, values: npt.NDArray[Any]) -> None:
        """Put white or black fields (2, some tiles, n, ...) into a canvas."""
        n, high, wide = values.shape[2:]
        inside = canvas[:, margin : canvas.shape[1] - margin, margin : canvas.shape[2] - margin]
        parts = inside.reshape(n, self.down, high, 2, self.across, wide, 2)  # a view: only axes are split
        for some, (i, j) in zip(values, FIELDS[2 * black : 2 * black + 2], strict=True):
            target = parts[:, :, :, i, :, :, j].transpose(1, 3, 0, 2, 4)
            if len(tiles) == self.count:
                target[...] = some.reshape(target.shape)
            else:
                target[tiles // self.across, tiles % self.across] = some

    def blank(self, tiles: Numbers, black: int, *arrays: npt.NDArray[Any]) -> None:
        """Zero what is beyond the plane in white or black fields (2, some tiles, n, ...)."""
        some = np.flatnonzero(self._partial[tiles])
        if some.size:
            inside = self._inside[2 * black : 2 * black + 2, tiles[some]]
            for array in arrays:
                array[:, some] *= inside


def _cut(blocks: int) -> tuple[int, int]:
    """Tiles along a side and how many blocks each has: an even number, as few tiles and as small ones as may be."""
    count = -(-blocks // TILE)
    return count, 2 * -(-blocks // (2 * count))
