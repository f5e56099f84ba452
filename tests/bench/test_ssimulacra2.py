"""SSIMULACRA 2 against the author's own program (github.com/cloudinary/ssimulacra2, version 2.1 built on 2026-12-01), on drawn pictures."""

import numpy as np
import pictures
import pytest

from bench import ssimulacra2

PHOTO = pictures.photo(320, 240)


def noisy(pixels):
    return np.clip(pixels + np.random.default_rng(3).integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)


def blocks(pixels):
    """Means of 8x8."""
    height, width, _ = pixels.shape
    means = pixels.astype(int).reshape(height // 8, 8, width // 8, 8, 3).mean((1, 3)).round()
    return means.repeat(8, 0).repeat(8, 1).astype(np.uint8)


# What the program says. It counts in float32, which shows where little differs: 0.2 above 88, on Kodak pictures as JPEG of quality 95.
SAID = {
    "4 bits": (PHOTO, PHOTO & 0xF0 | 8, 64.9514),
    "noise": (PHOTO, noisy(PHOTO), 77.6212),
    "blocks": (PHOTO, blocks(PHOTO), -12.3414),
    "odd sides, five scales": (PHOTO[:99, :101], PHOTO[:99, :101] & 0xF8, 78.9239),
}


@pytest.mark.parametrize(("original", "decoded", "said"), SAID.values(), ids=SAID)
def test_scores_are_the_programs(original, decoded, said):
    assert ssimulacra2.score(ssimulacra2.scales(original), decoded) == pytest.approx(said, abs=0.03)


def test_equal_pictures_have_100_and_other_sizes_none():
    assert ssimulacra2.score(ssimulacra2.scales(PHOTO), PHOTO) == pytest.approx(100, abs=1e-5)
    with pytest.raises(ValueError, match="cannot be compared"):
        ssimulacra2.score(ssimulacra2.scales(PHOTO), PHOTO[1:])


def test_the_blur_is_a_gaussian_of_its_sigma():
    taps, at = ssimulacra2._taps(), np.arange(-4, 5)
    assert taps.sum() == pytest.approx(1, abs=1e-9)
    assert (taps * at**2).sum() == pytest.approx(1.5**2, rel=1e-6)
