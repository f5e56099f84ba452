"""A lattice in the error is measured, whatever noise lies over it; noise alone is none."""

import math

import numpy as np
import pytest

from bench import lattice

CALM = np.clip(90 + np.add.outer(np.arange(512), np.arange(768)) / 20, 0, 255)[..., None].repeat(3, 2).round().astype(np.uint8)


def decoded(rms, period, noise=1.5):
    rng = np.random.default_rng(8)
    dots = np.zeros((period, period))
    dots[3, 5] = 1
    dots -= dots.mean()
    dots *= rms / np.sqrt((dots**2).mean()) if rms else 0
    error = np.tile(dots, (512 // period, 768 // period)) + rng.normal(0, noise, (512, 768))
    return np.clip(np.round(CALM + error[..., None]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("period", lattice.PERIODS_PX)
def test_a_lattice_is_measured_under_noise(period):
    found = lattice.measure(lattice.calm_errors(CALM, decoded(0.2, period)))
    assert found.tiles == 96
    by_period = dict(zip(lattice.PERIODS_PX, found.rms, strict=True))
    assert by_period[period] == pytest.approx(0.2, abs=0.03)
    assert all(rms < 0.12 for other, rms in by_period.items() if other < period)  # a finer grid sees what of it repeats there


def test_noise_alone_is_no_lattice():
    assert max(lattice.measure(lattice.calm_errors(CALM, decoded(0, 16))).rms) < 0.04


def test_what_is_not_calm_is_left_out():
    busy = CALM.copy()
    busy[:64, ::2] ^= 16
    assert lattice.measure(lattice.calm_errors(busy, busy)).tiles == 96 - 12
    none = lattice.measure(lattice.calm_errors(busy[:64], busy[:64]))
    assert none.tiles == 0
    assert math.isnan(none.rms[0])
