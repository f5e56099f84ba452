"""Steps of adaptive quantisation: cells, their bytes, the field between them."""

import numpy as np
import pytest

from photoarc.codecs.photo import cells


def grain(height: int, width: int, strength: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.clip(rng.normal(128, strength, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8), (64, 64), (65, 71), (129, 640), (200, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_cell_for_each_64_pixels(size, channels):
    found = cells.cells(grain(*size, 20)[:, :, :channels])
    assert found.shape == (-(-size[0] // 64), -(-size[1] // 64))


def test_an_even_picture_has_even_steps():
    assert not cells.cells(np.full((200, 300, 3), 90, np.uint8)).any()


def test_busy_cells_are_coarser():
    pixels = grain(128, 192, 2)
    pixels[:, 128:] = grain(128, 64, 60)
    found = cells.cells(pixels)
    blocks = (pixels @ np.array([0.299, 0.587, 0.114])).reshape(16, 8, 24, 8).var(axis=(1, 3))
    contrast = np.log2(2 * blocks + (0.03 * 255) ** 2).reshape(2, 8, 3, 8).mean(axis=(1, 3))
    assert found == pytest.approx(cells.STEPS_PER_OCTAVE * cells.STRENGTH * (contrast - contrast.mean()), abs=0.51)
    assert (found[:, 2] > 0).all()
    assert (found[:, :2] < 0).all()


def test_bytes_come_back():
    found = np.random.default_rng(2).integers(-128, 128, (9, 13)).astype(np.int8)
    assert np.array_equal(cells.from_differences(cells.differences(found), found.shape), found)


def test_steps_are_linear_between_middles_of_cells():
    found = np.array([[0, 1], [0, 1]], np.int8) * cells.STEPS_PER_OCTAVE
    step = cells.steps(found, 16)
    assert step.shape == (8, 8)
    assert np.array_equal(step, np.broadcast_to(step[0], step.shape))
    at = [0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1]  # the first middle lies between columns 1 and 2
    assert np.log2(step[0]) == pytest.approx(at, abs=1e-6)
