"""The search for cheaper latents at efforts 7 to 9: what it may change, what it must not."""

import math
from dataclasses import replace

import numpy as np
import pictures
import pytest

from photoarc import models
from photoarc.codecs import latents, learned
from photoarc.codecs.photo import bands, descent, structure
from photoarc.codecs.photo.descent import Lengths
from photoarc.entropy.tables import Table
from photoarc.errors import GivenUp
from photoarc.member import SourceFormat
from photoarc.models.hyperprior import Hyperprior
from photoarc.options import Tuning
from photoarc.pictures.image import Photograph
from photoarc.progress import heard_by


def photo(width, height, seed=0):
    return Photograph(pictures.photo(width, height, seed), None, SourceFormat.PNG, b"", b"")


def cost(source, quality, effort, tuning=Tuning.PSNR):
    """Bits and weighted error of a photograph, as a decoder has it."""
    payload, info = learned.encode(source, quality, tuning, effort=effort)
    back = learned.decode_photo(payload).pixels.astype(float)
    assert 10 * math.log10(255**2 / np.mean((back - source.pixels) ** 2)) == pytest.approx(info.psnr_db, abs=1e-6)
    model = models.load_for(tuning)
    # Sides of a multiple of 16, so that the structure is seen as a search sees it.
    whole = np.pad(source.pixels, [(0, -s % 16) for s in source.pixels.shape[:2]] + [(0, 0)], mode="edge").repeat(3 // back.shape[2], 2)
    counted = np.zeros(whole.shape[:2], np.float32)
    counted[: source.pixels.shape[0], : source.pixels.shape[1]] = 1
    off = np.zeros(whole.shape, np.float32)
    off[: back.shape[0], : back.shape[1]] = back - source.pixels
    error = structure.weigh(whole, model.structure(quality / 12.5), counted).error(off)
    return 8 * len(payload) + model.error_weight(quality / 12.5) / 3 * error


@pytest.mark.parametrize("tuning", Tuning)
@pytest.mark.parametrize("quality", [25, 66, 100])
def test_effort_makes_it_cheaper(quality, tuning):
    costs = [cost(photo(192, 128), quality, effort, tuning) for effort in (6, 7, 8)]
    assert max(costs[1:]) < 0.99 * costs[0]


@pytest.mark.parametrize("tuning", Tuning)
def test_effort_changes_nothing_below_seven(tuning):
    source = photo(100, 70)
    assert len({learned.encode(source, 60, tuning, effort=effort)[0] for effort in range(7)}) == 1


def test_effort_concerns_no_other_codec():
    source = photo(100, 70)
    assert latents.encode(source, 60, Tuning.PSNR, effort=9)[0] == latents.encode(source, 60, Tuning.PSNR, effort=0)[0]


@pytest.mark.parametrize("tuning", Tuning)
def test_the_same_effort_gives_the_same_bytes(tuning):
    source = photo(130, 100)
    assert learned.encode(source, 60, tuning, effort=7)[0] == learned.encode(source, 60, tuning, effort=7)[0]


@pytest.mark.parametrize("tuning", Tuning)
def test_bands_of_a_tall_picture_are_searched_one_by_one(monkeypatch, tuning):
    """Windows above and below, odd sides, grey: still cheaper than without, at every band."""
    seen = []
    search = descent.Descent.__call__

    def watch(self, y, z):
        below = self.window.below
        seen.append((self.window.rows_above(), y.shape[2], 0 if below is None else below.shape[2]))
        return search(self, y, z)

    monkeypatch.setattr(bands, "BAND_PX", 128 * 128)
    monkeypatch.setattr(descent.Descent, "__call__", watch)
    source = photo(117, 301)
    assert cost(source, 75, 7, tuning) < 0.99 * cost(source, 75, 6, tuning)
    assert seen == [(0, 8, 4), (4, 8, 4), (4, 4, 0)]
    grey = replace(source, pixels=source.pixels[:, :, 1:2].copy())
    assert cost(grey, 75, 7, tuning) < 0.99 * cost(grey, 75, 6, tuning)


def test_parts_may_be_of_any_size(monkeypatch):
    source, found = photo(192, 128), set()
    for size in (1, 1000, 1 << 30):
        monkeypatch.setattr(descent, "PART_LATENTS", size)
        found.add(learned.encode(source, 66, Tuning.SSIM, effort=7)[0])
    assert len(found) == 1


@pytest.mark.parametrize(("effort", "told"), [(6, 1), (7, 1 + 5)])
def test_shares_are_told_as_bands_and_slopes_are_done(monkeypatch, effort, told):
    monkeypatch.setattr(bands, "BAND_PX", 128 * 128)
    shares = []
    with heard_by(shares.append):
        learned.encode(photo(100, 380), 60, Tuning.SSIM, effort=effort)
    assert len(shares) == 3 * told
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[told - 1] == pytest.approx(1 / 3)


def test_what_costs_more_is_not_taken(monkeypatch):
    """Latents are left alone where the search ends worse than it began."""
    wild = descent.Search(2, 1, 50.0, 1)
    monkeypatch.setattr(descent, "EFFORTS", (None,) * 9 + (wild,))
    source = photo(100, 70)
    assert learned.encode(source, 60, Tuning.PSNR, effort=9)[0] == learned.encode(source, 60, Tuning.PSNR, effort=0)[0]


def test_what_is_far_too_large_is_given_up_before_the_search(monkeypatch):
    """A JPEG that is kept bit-exact anyway does not cost minutes first."""
    monkeypatch.setattr(descent.Descent, "__call__", lambda *_: pytest.fail("searched"))
    source, asked = photo(100, 70), []
    size = len(learned.encode(source, 60, Tuning.PSNR)[0])

    def too_large(size_bytes):
        asked.append(size_bytes)
        return True

    with pytest.raises(GivenUp):
        learned.encode(source, 60, Tuning.PSNR, too_large, effort=9)
    assert len(asked) == 1
    assert 0.9 * size < asked[0] < 0.95 * size


@pytest.mark.parametrize("tuning", Tuning)
def test_slope_of_the_error_is_that_of_the_decoder(tuning):
    """A small step against the slope lowers the error of what is decoded, by what the slope says."""
    model = models.load_for(tuning)
    pixels = pictures.photo(64, 64)
    y = model.analyze(bands.cut(pixels, 0, 64, model.margin_px))
    framed = np.pad(pixels, ((4, 4), (4, 4), (0, 0)))
    strength = model.structure(4)
    assert (strength > 0) == (tuning is Tuning.SSIM)
    weights = structure.weigh(pixels, strength, np.ones(pixels.shape[:2], np.float32))
    slope = model.error_slope(framed, weights.pixels, weights.means)(y)

    def error(latents):
        return weights.error(model.synthesize(latents).astype(np.float32) - pixels)

    step = 0.02 * error(y) / float(np.sum(slope**2))
    assert error(y - step * slope) - error(y) == pytest.approx(-step * float(np.sum(slope**2)), rel=0.25)


def test_code_lengths_are_those_of_the_tables():
    half = Table(np.array([1 << 22, 1 << 23, 1 << 21, 1 << 21], np.uint32))  # -1, 0, 1, escape
    lengths = Lengths([half])
    index = np.array([1, 1, 1, 1, 0], np.uint8)
    assert lengths.total(np.array([-1, 0, 1, 2, 0]), index) == pytest.approx(2 + 1 + 3 + (3 + descent.ESCAPED_BITS) + 0)
    low = np.array([-5, -1, 0, 7], np.int32)
    assert lengths.rises(index[:4])(low).tolist() == [-1, -1, 2, 2]


@pytest.mark.parametrize("tuning", Tuning)
def test_what_is_as_good_is_a_quality(tuning):
    asked = np.linspace(0, 100, 201)
    for effort in (7, 8, 9):
        coded = [descent.as_good(quality, effort, tuning) for quality in asked]
        assert coded == sorted(coded)
        assert coded[0] >= 0
        assert coded[-1] < 97
    assert descent.as_good(33, 6, tuning) == 33


def test_models_say_what_they_have():
    assert all(models.load_for(tuning).for_search for tuning in Tuning)
    model = models.load_for(Tuning.PSNR)
    assert isinstance(model, Hyperprior)
    assert model.curvature(3.5).shape == (1, model.channels, 1, 1)
    assert model.error_weight(8) == pytest.approx(0.4)
    assert model.error_weight(0) == pytest.approx(0.001)
