"""Bjontegaard deltas (VCEG-M33, 2001) with piecewise cubic Hermite interpolation (Fritsch & Carlson 1980), over log rate.

A curve is (rates, qualities): rates > 0 in any unit, qualities in dB, in any order. Where a codec gets worse with more bits, the
worse points are left out: the interpolation needs quality to rise with rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

Floats = npt.NDArray[np.float64]
Curve = tuple[Sequence[float], Sequence[float]]

STEPS = 2000
LEAST_OVERLAP_DB = 0.5


@dataclass(frozen=True, slots=True)
class Delta:
    """`rate`: mean rate change in % at equal quality (negative: saves bits). `low_db`, `high_db`: the range it was taken over."""

    rate: float
    low_db: float
    high_db: float


def rising(curve: Curve) -> tuple[Floats, Floats]:
    """(log rates, qualities) in the order of rate, points that bring no better quality left out."""
    points = sorted(zip(*curve, strict=True))
    kept = points[:1]
    for rate, quality in points[1:]:
        if quality > kept[-1][1] + 1e-6:
            kept.append((rate, quality))
    rates, qualities = np.array(kept, float).T
    return np.log(rates), qualities


def bd_rate(anchor: Curve, test: Curve, low_db: float = -np.inf, high_db: float = np.inf) -> Delta | None:
    """Rate of `test` against `anchor`, averaged in log rate over the qualities both reach within low_db..high_db.

    None if less than 0.5 dB is common.
    """
    (anchor_rate, anchor_db), (test_rate, test_db) = rising(anchor), rising(test)
    low = max(anchor_db[0], test_db[0], low_db)
    high = min(anchor_db[-1], test_db[-1], high_db)
    if high - low < LEAST_OVERLAP_DB or min(len(anchor_db), len(test_db)) < 2:
        return None
    grid = np.linspace(low, high, STEPS + 1)
    difference = PchipInterpolator(test_db, test_rate)(grid) - PchipInterpolator(anchor_db, anchor_rate)(grid)
    return Delta(float(np.expm1(np.trapezoid(difference, grid) / (high - low)) * 100), float(low), float(high))


def bd_quality(anchor: Curve, test: Curve) -> float | None:
    """Mean quality difference in dB (BD-PSNR) of `test` over `anchor` at equal rate, over their common range of log rate."""
    (anchor_rate, anchor_db), (test_rate, test_db) = rising(anchor), rising(test)
    low, high = max(anchor_rate[0], test_rate[0]), min(anchor_rate[-1], test_rate[-1])
    if high - low < 0.05 or min(len(anchor_db), len(test_db)) < 2:
        return None
    grid = np.linspace(low, high, STEPS + 1)
    difference = PchipInterpolator(test_rate, test_db)(grid) - PchipInterpolator(anchor_rate, anchor_db)(grid)
    return float(np.trapezoid(difference, grid) / (high - low))
