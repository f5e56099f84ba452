"""Architecture "coefficients": probability tables for the quantised DCT coefficients of a JPEG (docs/format-jpeg.md section 10).

    luma      DC, coarse to fine: each level halves the distance of the known ones, in three phases              coefficient_dc.py
              AC, by diagonals of the 8x8 block: each first on the white fields of the board, then on the black  coefficient_plane.py
    Cb        the same, beside the energies of luma;   Cr the same, beside luma's energies and Cb

    what is known -network-> (scale, shift, linear mean) of each coefficient -> (table, offset, sign)     exact integers, all of it
    symbol = sign (coefficient - offset)

Every network sees small integers: dequantised coefficients on a signed logarithmic scale, and, for the mean, as they are. No coefficient
is coded before all that its table depends on is known, so that encoder and decoder walk through a picture alike: `walk` does it for both.

Coefficients of a plane are (64, rows, columns) int16 in zigzag order, rows and columns in blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from photoarc.models.coefficient_groups import CHROMA_STARTS, LUMA_STARTS, Exchange, Grid, Values
from photoarc.models.coefficient_plane import Plane
from photoarc.models.coefficient_tables import CoefficientTables
from photoarc.models.manifest import ModelEntry
from photoarc.models.session import Network


class Coefficients(CoefficientTables):
    """The networks and tables of one model; networks are loaded on first use."""

    def __init__(self, entry: ModelEntry) -> None:
        super().__init__(entry)
        self.entry = entry
        self._networks: dict[str, Network] = {}

    def walk(
        self, grids: Sequence[Grid], exchange: Exchange, known: Sequence[Values] | None = None, *, apart: bool = False
    ) -> list[Values]:
        """All coefficients of all components, each group from `exchange` when its turn has come.

        `known`: the coefficients that are to be coded, which `exchange` then gets with each group. `apart`: each component like luma, as is
        a fourth one (black) anyway; else the second and the third beside the first.
        """
        planes = [Plane(number, grid, self, self.run, None if known is None else known[number]) for number, grid in enumerate(grids)]
        luma, *chroma = planes
        luma.walk("luma", LUMA_STARTS, exchange)
        beside, alone = ([], chroma) if apart else (chroma[:2], chroma[2:])
        if beside:
            energies = luma.energies(LUMA_STARTS, grids[1].rows, grids[1].columns)
            cb, cr = beside
            cb.walk("cb", CHROMA_STARTS, exchange, energies)
            cr.walk("cr", CHROMA_STARTS, exchange, energies, cb)
        for plane in alone:
            plane.walk("luma", LUMA_STARTS, exchange)
        return [plane.coefficients() for plane in planes]

    def run(self, name: str, **inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """All outputs of a network."""
        if name not in self._networks:
            self._networks[name] = Network(self.entry.file(f"{name}.onnx"), self.entry.id, arena=True)
        return self._networks[name].outputs(**inputs)
