"""What the model of JPEG coefficients and its codec hand to each other: components, and groups of coefficients that are coded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int16]
Integers = npt.NDArray[np.int32]
Where = tuple[slice, slice, slice]  # in a plane's coefficients


@dataclass(frozen=True, slots=True)
class Grid:
    """One component: its rows and columns of blocks, its quantisation steps (64,) in zigzag order."""

    rows: int
    columns: int
    quantiser: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Group:
    """Coefficients that are coded together, `places` in their plane.

    For all of them, one place after the other, each (coefficient, row, column): number of the table from 1, offset, and whether the
    table is mirrored.
    """

    plane: int
    places: tuple[Where, ...]
    index: npt.NDArray[np.uint16]
    offset: Integers
    mirrored: npt.NDArray[np.bool_]

    def gather(self, planes: Sequence[Values]) -> Integers:
        """Its coefficients in known planes, in its order."""
        return np.concatenate([planes[self.plane][where].ravel() for where in self.places]).astype(np.int32)

    def symbols(self, values: Integers) -> Integers:
        """What is coded for its coefficients."""
        symbols = values - self.offset
        np.negative(symbols, out=symbols, where=self.mirrored)
        return symbols

    def values(self, symbols: Integers) -> Integers:
        """Coefficients of symbols, in its order."""
        values = np.where(self.mirrored, -symbols, symbols)
        values += self.offset
        return values


def shape(where: Where) -> tuple[int, ...]:
    """Coefficients, rows and columns of a place."""
    return tuple(len(range(cut.start, cut.stop, cut.step or 1)) for cut in where)


class Exchange(Protocol):
    """What an encoder or a decoder does with each group on the way."""

    def top(self, plane: int, where: Where) -> Values:
        """The coarsest level of DC."""

    def group(self, group: Group) -> Integers:
        """Its coefficients, in its order."""
