"""What the model of JPEG coefficients and its codec hand to each other: components, and groups of coefficients that are coded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

COEFFICIENTS = 64
LUMA_STARTS = (1, 3, 6, 10, 15, 21, 28, 36, 49, 64)  # of the groups of AC coefficients in zigzag order: diagonals 1 .. 7, 8 to 9, 10 to 14
CHROMA_STARTS = (1, 3, 6, 15, 36, 64)
BOARD = (((0, 0), (1, 1)), ((0, 1), (1, 0)))  # white and black fields
FIELDS = (*BOARD[0], *BOARD[1])
PHASES = ((1, 1), (0, 1), (1, 0))  # of a level of DC: the place in each 2x2 that is coded; (0, 0) is the level above
QUANTISER_MAX = 255

Values = npt.NDArray[np.int16]
Bytes = npt.NDArray[np.uint8]
Index = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Grid:
    """One component: its rows and columns of blocks, its quantisation steps (64,) in zigzag order."""

    rows: int
    columns: int
    quantiser: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Group:
    """Coefficients `first`, `first` + 1, ... that are coded together, all arrays (fields, tiles, coefficients, rows, columns).

    Of each: the index that tells its table (CoefficientTables.tables_of), or 0 for those that are no blocks of the component; what its
    symbol is counted from; the symbol's sign.
    """

    plane: int
    first: int
    index: Index
    offset: Values
    sign: Values

    def symbols(self, values: Values) -> Values:
        """What is coded for its coefficients."""
        symbols = values - self.offset
        symbols *= self.sign
        return symbols

    def values(self, symbols: Values) -> Values:
        """Inverse of symbols; both within +-20000 or so."""
        values = symbols * self.sign
        values += self.offset
        return values


class Exchange(Protocol):
    """What an encoder or a decoder does on the way. `known` is what an encoder codes, of the shape that is asked for; None for decoders."""

    def top(self, shape: tuple[int, ...], known: Values | None) -> Values:
        """The coarsest level of DC, (rows, columns)."""

    def active(self, tiles: int, starts: Sequence[int], known: Bytes | None) -> Bytes:
        """Of each tile of a plane: how many groups of AC, which begin at `starts`, have something or come before one that has."""

    def group(self, group: Group, known: Values | None) -> Values:
        """Coefficients of a group, of its shape."""
