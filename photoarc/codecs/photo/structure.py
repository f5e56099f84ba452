"""What an error is worth where eyes look: what the search minimises for models that were not trained by the squared error alone.

    squared error + strength * sum over scales j of SHARES[j] * 4^j * squared error of means over 2^j x 2^j pixels / (2 variance + C2)

SSIM's structure term 1 - (2 cov(x, y) + C2) / (var x + var y + C2) is the variance of the error over var x + var y + C2 (Wang et al. 2004,
https://doi.org/10.1109/TIP.2003.819861, with both variances its mean over the windows of MS-SSIM's scales, Wang et al. 2003,
https://doi.org/10.1109/ACSSC.2003.1292216). Here both are those of the original, over 8x8 windows every fourth position, and the mean of
the error counts, too: then it is a squared error with weights that stand still, and its slope costs next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photoarc.codecs.photo.bands import Pixels
from photoarc.models.session import FloatArray

SHARES = (0.15, 0.2856, 0.3001)  # MS-SSIM's exponents of its three finest scales; of the finest, 0.0448, more: LPIPS looks there
C2 = (0.03 * 255) ** 2
CELL_PX = 4  # two by two of them are a window


def _means(x: FloatArray, side: int) -> FloatArray:
    """Means of (H, W, 3) over side x side pixels, which divide it."""
    if side == 1:
        return x
    # One addition an axis and pixel: several times as fast as a mean over two of five axes.
    rows = sum((x[k::side] for k in range(1, side)), x[::side])
    found: FloatArray = sum((rows[:, k::side] for k in range(1, side)), rows[:, ::side])
    return found / np.float32(side * side)


def _hidden(x: FloatArray) -> FloatArray:
    """1 / (2 variance + C2) of (H, W, 3) in the mean over the windows around each cell (H / CELL_PX, W / CELL_PX, 3)."""
    cells = [np.pad(_means(t, CELL_PX), ((1, 1), (1, 1), (0, 0)), mode="edge") for t in (x, x * x)]
    mean, square = (_four(t) for t in cells)
    variance = np.maximum(square - mean * mean, np.float32(0))
    return _four(np.float32(1) / (np.float32(2) * variance + np.float32(C2)))


def _four(x: FloatArray) -> FloatArray:
    """Means of each two by two neighbours."""
    return np.float32(0.25) * (x[:-1, :-1] + x[:-1, 1:] + x[1:, :-1] + x[1:, 1:])


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the squared errors of pixels (H, W, 3), and of their means over 2x2 (H / 2, W / 2, 3) and 4x4 (H / 4, W / 4, 3) if they count."""

    pixels: FloatArray
    means: tuple[FloatArray, ...]

    def error(self, difference: FloatArray) -> float:
        """The distortion of pixels that are off by so much (H, W, 3)."""
        parts = [(self.pixels, difference)]
        parts += [(w, _means(difference, 2**j)) for j, w in enumerate(self.means, 1)]
        return sum(float(np.einsum("ijk,ijk,ijk->", w, d, d, dtype=np.float64)) for w, d in parts)


def weigh(pixels: Pixels, strength: float, counted: FloatArray) -> Weights:
    """Weights in a picture (H, W, 3), H and W multiples of 16, of whose pixels those count that have a 1 in `counted` (H, W), not a 0.

    `strength`: what a mean structure term of 1 - SSIM is worth in mean squared error; with 0 it is the squared error.
    """
    each = np.repeat(counted[:, :, None], 3, axis=2)
    if not strength:
        return Weights(each, ())
    x, found = pixels.astype(np.float32), []
    for j, share in enumerate(SHARES):
        side = 2**j
        whole = counted[::side, ::side] * counted[side - 1 :: side, side - 1 :: side]
        hidden = np.float32(strength * share * 4**j) * _hidden(_means(x, side))
        found.append(hidden.repeat(CELL_PX, 0).repeat(CELL_PX, 1) * whole[:, :, None])
    return Weights(each + found[0], tuple(found[1:]))
