"""What an error is worth where eyes look: SSIM's structure term of small errors, at the scales that it says."""

import numpy as np
import pictures
import pytest

from photoarc.codecs.photo import structure
from photoarc.models.hyperprior import blocks, weight_blocks


def weights(pixels, strength, counted=None):
    return structure.weigh(pixels, strength, np.ones(pixels.shape[:2], np.float32) if counted is None else counted)


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def test_without_strength_it_is_the_squared_error():
    pixels = pictures.photo(64, 48)
    off = noise(pixels.shape)
    found = weights(pixels, 0)
    assert found.means == ()
    assert found.error(off) == pytest.approx(float((off.astype(float) ** 2).sum()))


def direct(pixels, off, strength):
    """The sums of the module's docstring, window by window."""
    total = float((off.astype(float) ** 2).sum())
    for j, exponent in enumerate(structure.SHARES):
        side = 2**j
        x, d = (t.astype(float).reshape(len(t) // side, side, -1, side, 3).mean((1, 3)) for t in (pixels, off))
        rows, columns = len(x) // 4, x.shape[1] // 4
        for row in range(rows):
            for column in range(columns):
                each = []
                for top in (row - 1, row):
                    for left in (column - 1, column):
                        # Beyond the picture a window repeats the cells at its edge.
                        cells = [
                            x[4 * r : 4 * r + 4, 4 * c : 4 * c + 4]
                            for r in np.clip((top, top + 1), 0, rows - 1)
                            for c in np.clip((left, left + 1), 0, columns - 1)
                        ]
                        each.append(1 / (2 * np.stack(cells).var((0, 1, 2)) + structure.C2))
                error = (d[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] ** 2).sum((0, 1))
                total += strength * exponent * 4**j * float((error * np.mean(each, 0)).sum())
    return total


def test_error_is_the_sum_over_windows():
    pixels = pictures.photo(64, 48, 3)
    off = noise(pixels.shape)
    assert weights(pixels, 900).error(off) == pytest.approx(direct(pixels, off, 900), rel=1e-4)


def test_it_is_the_structure_term_of_ssim_for_small_errors_without_mean():
    """Of one window of 8x8 pixels, far from edges: 1 - cs = var(error) / (2 var + C2), to first order."""
    x = np.random.default_rng(1).normal(128, 20, (8, 8))
    d = np.random.default_rng(2).normal(0, 0.5, (8, 8))
    d -= d.mean()
    y = x + d
    term = 1 - (2 * ((x - x.mean()) * (y - y.mean())).mean() + structure.C2) / (x.var() + y.var() + structure.C2)
    assert (d**2).mean() / (2 * x.var() + structure.C2) == pytest.approx(term, rel=0.1)


def test_errors_hide_in_texture():
    flat = np.full((32, 32, 3), 120, np.uint8)
    busy = np.clip(flat + noise(flat.shape) * 15, 0, 255).astype(np.uint8)
    off = noise(flat.shape, 5)
    assert weights(busy, 900).error(off) < 0.5 * weights(flat, 900).error(off)


def test_what_is_not_counted_weighs_nothing():
    pixels = pictures.photo(64, 64)
    counted = np.zeros((64, 64), np.float32)
    counted[16:49, :37] = 1
    found = weights(pixels, 900, counted)
    off = noise(pixels.shape)
    off[16:49, :37] = 0
    assert weights(pixels, 900).error(off) > 1000
    # A mean over pixels of which some count and some do not is left out.
    assert found.error(off) == 0


def test_blocks_have_the_same_sum():
    """What the graph multiplies is what `error` sums, margin and all."""
    pixels = pictures.photo(64, 32)
    found, off = weights(pixels, 900), noise(pixels.shape)
    counted, means = weight_blocks(found.pixels, found.means, 4).values()
    framed = np.pad(off, ((4, 4), (4, 4), (0, 0)))
    halves, quarters = (structure._means(framed, side) for side in (2, 4))
    seen = np.concatenate([blocks(halves, 4), blocks(quarters, 2)], 1)
    assert counted.shape == (1, 192, 5, 9)
    assert means.shape == (1, 60, 5, 9)
    total = float((counted * blocks(framed) ** 2).sum()) + float((means * seen**2).sum())
    assert total == pytest.approx(found.error(off), rel=1e-5)
