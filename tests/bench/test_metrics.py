"""PSNR, SSIM and MS-SSIM against the papers' formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pictures import photo

from photoarc.folderbench import metrics


def slow_ms_ssim(a, b):
    """The two papers' formulas in float64, window as an explicit 11x11 sum."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x):
        return np.einsum("hwij,ij->hw", np.lib.stride_tricks.sliding_window_view(x, (11, 11)), window)

    def halve(x):
        return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4

    values = []
    for channel in range(3):
        x, y, value = a[:, :, channel].astype(float), b[:, :, channel].astype(float), 1.0
        for level, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            mx, my = blur(x), blur(y)
            vx, vy, cv = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
            value_map = (2 * cv + 58.5225) / (vx + vy + 58.5225)
            if level == 4:
                value_map = value_map * (2 * mx * my + 6.5025) / (mx * mx + my * my + 6.5025)
            value *= value_map.mean() ** exponent
            if level < 4:
                x, y = halve(x), halve(y)
        values.append(value)
    return np.mean(values)


def test_identical_pictures():
    p = photo(208, 192, 3)
    quality = metrics.compare(metrics.reference(p), p)
    assert quality.psnr_db == math.inf
    assert quality.ssim == pytest.approx(1, abs=1e-6)
    assert quality.ms_ssim == pytest.approx(1, abs=1e-6)


def test_psnr_of_a_known_error():
    p = np.full((64, 64, 3), 100, np.uint8)
    assert metrics.psnr(p, p + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5))
    q = p.copy()
    q[..., 1] += 3  # only green: the error is shared by three channels
    assert metrics.psnr(p, q) == pytest.approx(10 * math.log10(255**2 / 3))


def test_ms_ssim_agrees_with_the_formulas_of_the_papers():
    p = photo(208, 192, 3)
    rng = np.random.default_rng(0)
    for sigma in (3, 25):
        q = np.clip(p + rng.normal(0, sigma, p.shape), 0, 255).astype(np.uint8)
        assert metrics.compare(metrics.reference(p), q).ms_ssim == pytest.approx(slow_ms_ssim(p, q), abs=2e-6)


def test_more_noise_is_worse_and_a_shift_costs_structure():
    p = photo(208, 192, 3)
    original = metrics.reference(p)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, p.shape)
    noisy = [metrics.compare(original, np.clip(p + s * noise, 0, 255).astype(np.uint8)) for s in (2, 8, 32)]
    for metric in ("psnr_db", "ssim", "ms_ssim"):
        values = [getattr(q, metric) for q in noisy]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]
    shifted = metrics.compare(original, np.roll(p, 2, axis=1))
    brighter = metrics.compare(original, np.clip(p.astype(int) + 6, 0, 255).astype(np.uint8))
    assert shifted.ms_ssim < brighter.ms_ssim  # SSIM forgives brightness, PSNR does not


def test_small_pictures_have_no_ms_ssim():
    for side, has_ssim, has_ms in ((8, False, False), (11, True, False), (160, True, False), (161, True, True)):
        p = photo(side + 7, side, 3)
        quality = metrics.compare(metrics.reference(p), p)
        assert math.isnan(quality.ssim) != has_ssim
        assert math.isnan(quality.ms_ssim) != has_ms
    with pytest.raises(ValueError, match="cannot be compared"):
        metrics.compare(metrics.reference(p), p[1:])


def test_decibels():
    assert metrics.decibels(0.99) == pytest.approx(20)
    assert metrics.decibels(1.0) == math.inf
