"""How far what a decoder will make of a photograph is from it, and the floor below which a photograph is not one for these codecs.

Networks know photographs. Of one-pixel checks, red letters on blue, normals they make something else, at any quality: 8.8, 19.4, 21.2 dB at
quality 75. The encoder sees it and refuses, over the whole picture or in one cell of it.
"""

from __future__ import annotations

import math

import numpy as np

from photoarc.codecs.photo.bands import Pixels
from photoarc.errors import TooFar

CELL_PX = 64
# Lowest PSNR over RGB, in dB, of 24 Kodak and 8 CLIC pictures (and of 310 photographs for training, qualities 0, 10, 25, 75, 100),
# the lower one of both tunings:
#     quality            0             10      25            50     75            90     100
#     whole picture      22.4 (17.3)   (18.9)  25.6 (21.6)   30.0   35.0 (31.6)   36.9   37.6 (33.5)
#     worst 64x64 cell   17.7 (15.7)   (17.1)  21.5 (19.5)   25.9   29.6 (26.9)   30.7   31.2 (27.6)
# The floors lie 5 dB below Kodak's and CLIC's, at least 1.5 below the hardest of all. They rise with the quality: who asks for 0 gets it.
_WHOLE_DB, _CELL_DB = (15.0, 0.2, 28.0), (13.0, 0.16, 24.0)  # at quality 0, for each step of quality, at most


class Fidelity:
    """Compares a picture (H, W, C) with its reconstruction, strip by strip from the top; strips begin at multiples of CELL_PX rows."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self._squared = self._worst = 0

    def add(self, top: int, decoded: Pixels) -> None:
        """Rows from `top` on as they are decoded."""
        for row in range(0, len(decoded), CELL_PX):
            there = decoded[row : row + CELL_PX]
            difference = self._pixels[top + row : top + row + len(there)].astype(np.int16) - there
            columns = np.einsum("ijk,ijk->j", difference, difference, dtype=np.int64, casting="unsafe")
            cells = np.add.reduceat(columns, np.arange(0, len(columns), CELL_PX))
            self._squared += int(cells.sum())
            self._worst = max(self._worst, int(cells.max()))

    @property
    def psnr_db(self) -> float:
        """Over the whole picture; infinite if nothing differs."""
        return _psnr_db(self._squared, self._pixels.size)

    @property
    def worst_db(self) -> float:
        """Of the worst cell. Those that the right and lower edge cut count as if the rest of them were exact."""
        return _psnr_db(self._worst, CELL_PX**2 * self._pixels.shape[2])

    def check(self, quality: float) -> None:
        """Raises TooFar if that is no photograph any more."""
        if self.psnr_db < _floor_db(quality, *_WHOLE_DB):
            raise TooFar(f"too far from the original: {self.psnr_db:.1f} dB")
        if self.worst_db < _floor_db(quality, *_CELL_DB):
            raise TooFar(f"too far from the original: {self.worst_db:.1f} dB in a part of it")


def _floor_db(quality: float, at_zero_db: float, for_each_db: float, most_db: float) -> float:
    return min(most_db, at_zero_db + for_each_db * quality)


def _psnr_db(squared: int, samples: int) -> float:
    return 10 * math.log10(255**2 * samples / squared) if squared else math.inf
