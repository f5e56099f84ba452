"""SSIMULACRA 2.1 (Sneyers 2023): how well a picture is kept, as people judged it; 100 for equal ones, 90 where it shows.

Six scales, each half of the one before in linear light; in each, for the components X, Y and B-Y of XYB, the 1-norm and the 4-norm of
three maps: SSIM without its luminance denominator, edges that came in, edges that went. The weights of all that are the published ones
(reference/ssimulacra2.tsv). `tests/bench/test_ssimulacra2.py` holds scores of the author's own program.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.codecs import Pixels

Floats = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "reference" / "ssimulacra2.tsv"
SCALES, MIN_SIDE_PX = 6, 8  # smaller scales are left out
C2 = 0.0009
# XYB (libjxl, opsin_params.h): what the three cones take of linear R, G, B; a bias; cube roots.
ABSORBANCE = np.array(
    [
        (0.30, 0.622, 0.078),
        (0.23, 0.692, 0.078),
        (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
    ]
)
BIAS = 0.0037930732552754493
SIGMA = 1.5


@cache
def _taps() -> Floats:
    """Libjxl's Gaussian of sigma 1.5: three cosines over a half-width of 5 (Charalampidis 2016, equations 33 to 57), 9 taps."""
    radius = round(3.2795 * SIGMA + 0.2546)
    orders = np.array([1, 3, 5])
    omega = orders * np.pi / (2 * radius)
    sign = np.array([1, -1, 1])
    p = sign / np.tan(omega / 2)
    r = sign * p * p / np.sin(omega)
    rho = np.exp(-(SIGMA**2) / 2 * omega**2) / radius
    cross = np.cross(p, r)  # (35, 51, 13)
    zeta = cross[:2] / cross[2]
    system = np.stack([p, r, [*zeta, 1]])
    beta = np.linalg.solve(system, [1, radius**2 - SIGMA**2, zeta @ rho[:2] + rho[2]])
    taps: Floats = beta @ np.cos(np.outer(omega, np.arange(1 - radius, radius)))
    return taps


def _blur(planes: Floats) -> Floats:
    """(n, H, W) with the Gaussian, zeros beyond the edges."""
    taps, reach = _taps(), len(_taps()) // 2
    for axis in (1, 2):
        wide = np.pad(planes, [(reach, reach) if a == axis else (0, 0) for a in range(3)])
        length = planes.shape[axis]
        planes = sum(tap * wide.take(range(k, k + length), axis) for k, tap in enumerate(taps))  # type: ignore[assignment]
    return planes


def _linear(pixels: Pixels) -> Floats:
    """SRGB (H, W, 3) -> linear light (3, H, W), 0 .. 1."""
    values = np.arange(256) / 255
    table = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.ascontiguousarray(table[pixels].transpose(2, 0, 1))


def _xyb(linear: Floats) -> Floats:
    """X, Y, B-Y, each moved into 0 .. 1."""
    long, medium, short = np.cbrt(np.maximum(np.tensordot(ABSORBANCE, linear, 1) + BIAS, 0)) - np.cbrt(BIAS)
    y = (long + medium) / 2
    return np.stack([14 * (long - medium) / 2 + 0.42, y + 0.01, short - y + 0.55])


def _halve(planes: Floats) -> Floats:
    """Means of 2x2; an odd last row or column is repeated."""
    planes = np.pad(planes, ((0, 0), (0, planes.shape[1] % 2), (0, planes.shape[2] % 2)), mode="edge")
    out: Floats = (planes[:, ::2, ::2] + planes[:, 1::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, 1::2]) / 4
    return out


def _norms(maps: Floats) -> Floats:
    """(n, H, W) -> (n, 2): the 1-norm and the 4-norm, of means."""
    squared = maps * maps
    return np.stack([maps.mean((1, 2)), (squared * squared).mean((1, 2)) ** 0.25], 1)


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale of a picture: XYB, its local means, and those of its squares, each (3, H, W)."""

    xyb: Floats
    mean: Floats
    square: Floats


def scales(pixels: Pixels) -> list[Scale]:
    """What of a picture (H, W, 3) in sRGB is compared; of an original it is the same for all that is compared with it."""
    linear, found = _linear(pixels), list[Scale]()
    while len(found) < SCALES and min(linear.shape[1:]) >= MIN_SIDE_PX:
        linear = _halve(linear) if found else linear
        xyb = _xyb(linear)
        found.append(Scale(xyb, _blur(xyb), _blur(xyb * xyb)))
    return found


def _apart(a: Scale, b: Scale) -> Floats:
    """(components, norms, maps) of one scale."""
    variances = a.square - a.mean**2 + b.square - b.mean**2
    covariance = _blur(a.xyb * b.xyb) - a.mean * b.mean
    error = np.maximum(1 - (1 - (a.mean - b.mean) ** 2) * (2 * covariance + C2) / (variances + C2), 0)
    edges = (1 + np.abs(b.xyb - b.mean)) / (1 + np.abs(a.xyb - a.mean)) - 1
    return np.stack([_norms(error), _norms(np.maximum(edges, 0)), _norms(np.maximum(-edges, 0))], 2)


@cache
def _weights() -> Floats:
    """(components, scales, norms, maps), flat."""
    with WEIGHTS.open(newline="") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        values = [[float(row[name]) for name in ("ssim", "ringing", "blurring")] for row in rows]
    return np.array(values).ravel()


def score(original: Sequence[Scale], decoded: Pixels) -> float:
    """Of a decoded picture (H, W, 3) in sRGB, 100 for equal ones, without a lower end. Raises ValueError for another size."""
    of_decoded = scales(decoded)
    if [scale.xyb.shape for scale in original] != [scale.xyb.shape for scale in of_decoded]:
        raise ValueError(f"a picture of {decoded.shape} and an original of another size cannot be compared")
    norms = np.stack([_apart(a, b) for a, b in zip(original, of_decoded, strict=True)], 1).ravel()
    total = 0.9562382616834844 * float(norms @ _weights()[: len(norms)])  # with fewer scales as the author's program pairs them
    total = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
    return 100 - 10 * total**0.6276336467831387 if total > 0 else 100.0
