"""PSNR, SSIM and MS-SSIM of (H, W, 3) uint8 pictures, as the papers on learned image compression define them.

    PSNR      10 log10(255^2 / MSE), MSE over all pixels and the three channels R, G, B of one picture
    SSIM      Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13: 11-tap Gaussian of sigma 1.5, K1 0.01, K2 0.03, only where the window fits
    MS-SSIM   Wang, Simoncelli, Bovik 2003, eq. 7: five scales, 2x2 averages between them, their five exponents

SSIM and MS-SSIM are computed for each of R, G, B and averaged, as pytorch-msssim does and therefore the published curves. A table over
a set of pictures is the mean of the pictures' values. In decibels: -10 log10(1 - MS-SSIM).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Planes = npt.NDArray[np.float32]  # (3, H, W), centred on 0

TAPS, SIGMA = 11, 1.5
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
CENTRE = 127.5  # squares of centred values leave float32 enough digits: 5e-8 from float64 at MS-SSIM 0.96 to 0.998
MIN_SIDE_PX = (TAPS - 1) * 2 ** (len(EXPONENTS) - 1) + 1  # 161: smaller pictures have no fifth scale


@dataclass(frozen=True, slots=True)
class _Scale:
    """One scale of the original: planes, their local means and variances."""

    planes: Planes
    mean: Planes
    variance: Planes


@dataclass(frozen=True, slots=True)
class Reference:
    """What is computed once for an original: one _Scale a scale, fewer than five for small pictures."""

    pixels: Pixels
    scales: tuple[_Scale, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """Metrics of one decoded picture; `ms_ssim` is nan below 161 pixels a side, `ssim` below 11."""

    psnr_db: float
    ssim: float
    ms_ssim: float


def _window() -> npt.NDArray[np.float32]:
    offsets = np.arange(TAPS) - TAPS // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    window: npt.NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return window


_WINDOW = _window()


def _blur(x: Planes) -> Planes:
    """Gaussian window where it fits: (3, H, W) -> (3, H - 10, W - 10)."""
    rows, columns, last = x.shape[1], x.shape[2], TAPS - 1
    y: Planes = _WINDOW[TAPS // 2] * x[:, TAPS // 2 : rows - TAPS // 2]
    for k in range(TAPS // 2):
        y += _WINDOW[k] * (x[:, k : rows - last + k] + x[:, last - k : rows - k])
    z: Planes = _WINDOW[TAPS // 2] * y[:, :, TAPS // 2 : columns - TAPS // 2]
    for k in range(TAPS // 2):
        z += _WINDOW[k] * (y[:, :, k : columns - last + k] + y[:, :, last - k : columns - k])
    return z


def _halve(x: Planes) -> Planes:
    """Averages of 2x2; an odd last row or column is repeated."""
    x = np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)), mode="edge")
    out: Planes = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) * np.float32(0.25)
    return out


def _planes(pixels: Pixels) -> Planes:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) - np.float32(CENTRE)


def reference(pixels: Pixels) -> Reference:
    """Prepare an original (H, W, 3) for `compare`: half of the work of every comparison with it."""
    scales: list[_Scale] = []
    planes = _planes(pixels)
    while len(scales) < len(EXPONENTS) and min(planes.shape[1:]) >= TAPS:
        mean = _blur(planes)
        scales.append(_Scale(planes, mean, _blur(planes * planes) - mean * mean))
        planes = _halve(planes)
    return Reference(pixels, tuple(scales))


def compare(original: Reference, pixels: Pixels) -> Quality:
    """Metrics of a decoded picture (H, W, 3) against its original. Raises ValueError for another size."""
    if pixels.shape != original.pixels.shape:
        raise ValueError(f"pictures of {original.pixels.shape} and {pixels.shape} cannot be compared")
    ssim, product = math.nan, np.ones(3)
    planes = _planes(pixels)
    for level, scale in enumerate(original.scales):
        if level:
            planes = _halve(planes)
        luminance, structure = _similarity(scale, planes)
        whole = (luminance * structure).mean((1, 2), dtype=np.float64)
        if level == 0:
            ssim = float(whole.mean())
        last = level == len(EXPONENTS) - 1
        # a negative mean (an inverted picture) has no real power: pytorch-msssim sets it to 0, and so do we
        factor = whole if last else structure.mean((1, 2), dtype=np.float64)
        product *= np.maximum(factor, 0) ** EXPONENTS[level]
    complete = len(original.scales) == len(EXPONENTS)
    return Quality(psnr(original.pixels, pixels), ssim, float(product.mean()) if complete else math.nan)


def _similarity(scale: _Scale, planes: Planes) -> tuple[Planes, Planes]:
    """Luminance term and contrast-structure term at every position (2004, eq. 6 and eq. 9 with 10)."""
    mean = _blur(planes)
    variance = _blur(planes * planes) - mean * mean
    covariance = _blur(scale.planes * planes) - scale.mean * mean
    a, b = scale.mean + np.float32(CENTRE), mean + np.float32(CENTRE)
    c1, c2 = np.float32(C1), np.float32(C2)
    luminance = (2 * a * b + c1) / (a * a + b * b + c1)
    structure = (2 * covariance + c2) / (scale.variance + variance + c2)
    return luminance.astype(np.float32, copy=False), structure.astype(np.float32, copy=False)


def psnr(a: Pixels, b: Pixels) -> float:
    """PSNR in dB over all pixels and channels; infinite for equal pictures."""
    difference = a.astype(np.int32) - b
    squared = int(np.einsum("ijk,ijk->", difference, difference, dtype=np.int64))
    return 10 * math.log10(255**2 * a.size / squared) if squared else math.inf


def decibels(similarity: float) -> float:
    """SSIM or MS-SSIM in dB; infinite for 1."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf
