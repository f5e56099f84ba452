"""Bands: a picture is coded in horizontal bands of full width, so that memory is bounded; pixels do not depend on where bands meet.

Networks see a band with a halo of its neighbours' rows, wide enough for their receptive field, and zeros or repeated edge pixels only where
the picture itself ends (docs/format.md section 7.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNIT_PX = 64  # bands are cut at multiples of this: a hyper-latent's side
# Pixels of a band, about. Measured on 12 MP: 1 MP spends a third more on halos, 4 MP as much on page faults and 1.4 times the memory.
BAND_PX = 2 << 20

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Band:
    """Rows top..bottom of the padded picture, in units of the stride they were made for."""

    top: int
    bottom: int


def padded(side: int) -> int:
    """A side in pixels, up to the next multiple of UNIT_PX."""
    return -(-side // UNIT_PX) * UNIT_PX


def band_rows(width: int) -> int:
    """Rows of pixels of a band: a multiple of UNIT_PX, at least two (one would be lower than the halo of its neighbours)."""
    return max(2, BAND_PX // (padded(width) * UNIT_PX)) * UNIT_PX


def bands(height: int, rows: int, stride: int) -> Iterator[Band]:
    """Bands of `rows` pixel rows over a picture, in rows of `stride` pixels."""
    for top in range(0, padded(height), rows):
        yield Band(top // stride, min(top + rows, padded(height)) // stride)


def cut(pixels: Pixels, top: int, bottom: int, margin: int) -> Pixels:
    """Rows top - margin..bottom + margin of the padded picture (H, W, C), with as much margin left and right -> (rows, columns, 3).

    What lies outside the picture repeats its edge; grey becomes three equal channels.
    """
    height, width, channels = pixels.shape
    low, high = max(top - margin, 0), min(bottom + margin, height)
    rows = pixels[low:high]
    above, below = low - (top - margin), (bottom + margin) - high
    out = np.pad(rows, ((above, below), (margin, padded(width) - width + margin), (0, 0)), mode="edge")
    return np.repeat(out, 3, axis=2) if channels == 1 else out
