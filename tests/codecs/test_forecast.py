"""A forecast of a photograph's size, and what is given up because of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pictures
import pytest

from photoarc import codecs
from photoarc.codecs import latents, learned
from photoarc.codecs.photo import encoder, forecast
from photoarc.member import SourceFormat
from photoarc.options import CodingOptions, Mode
from photoarc.pictures.image import Photograph
from photoarc.pipeline import encode_file

SIDES = 1600, 1200  # three windows a strip


def foreseen(monkeypatch, coder, pixels, quality):
    """Bytes of the payload, of what of it was foreseen for all rows, and for the lower half."""
    found = []

    def keep(height, width, code):
        found.append(forecast.forecast(height, width, code))
        return found[-1]

    monkeypatch.setattr(encoder, "forecast", keep)
    payload, _ = coder.encode(Photograph(pixels, None, SourceFormat.JPEG, b"", b""), quality, too_large=lambda size_bytes: False)
    return len(payload), found[0].rest_bytes(0), found[0].rest_bytes(len(pixels) // 2)


@pytest.mark.parametrize(
    ("width", "height", "count"), [(1600, 1200, 4), (6000, 4000, 11), (300, 20000, 4), (20000, 300, 4), (12000, 9000, 51)]
)
def test_windows_are_spread_over_the_picture_and_lie_inside(width, height, count):
    strips = list(forecast._windows(height, width))
    rows, columns = zip(*(corner for strip in strips for corner in strip), strict=True)
    assert len(strips) == count
    assert len({*zip(rows, columns, strict=True)}) == len(rows) >= 12
    assert all(place % 64 == 0 for place in rows + columns)
    for places, side in ((rows, height), (columns, width)):
        assert min(places) <= side / 4
        assert 3 / 4 * side - 64 <= max(places) <= side - 64
    for i, strip in enumerate(strips):
        assert all(i * height / count - 128 < row < (i + 1) * height / count for row, _ in strip)


@pytest.mark.parametrize(("width", "height"), [(768, 512), (1200, 1024), (9000, 200), (40, 9000), (1, 1)])
def test_small_pictures_have_none(width, height):
    found = forecast.forecast(height, width, lambda windows: pytest.fail("coded"))
    assert (found.strips, found.rest_bytes(0)) == ((), 0)


def test_forecast_by_hand():
    """2560 x 2560: 400 places a strip, 12 windows; 30 bytes a window, of which 10 are its borders'; 0.8845 is counted on."""
    sizes = iter([360, 720, 360, 0])
    found = forecast.forecast(2560, 2560, lambda windows: next(sizes) if len(windows) == 12 else pytest.fail(str(windows)))
    assert [round(size) for size in found.strips] == [8000, 20000, 8000, 0]
    assert [found.rest_bytes(top) for top in (0, 320, 640, 1280, 1920, 2560, 2600)] == [31843, 28304, 24766, 7076, 0, 0, 0]


def test_what_is_done_tells_of_the_rest_where_windows_are_many():
    many = forecast.Forecast(400, (1000.0, 1000.0, 1000.0, 1000.0), windows=1600)
    assert [many.rest_bytes(200, done) for done in (0, 1000, 2000, 3000)] == [1960, 1960, 1960, 2871]  # (3000 + 150) / (2000 + 150)
    assert many.rest_bytes(100, 1500) < 2940 * 1.5
    assert dataclasses.replace(many, windows=64).rest_bytes(200, 3000) == 1800
    assert dataclasses.replace(many, strips=(0.0, 0.0)).rest_bytes(200, 3000) == 0


@pytest.mark.parametrize("coder", [learned, latents])
def test_forecast_counts_on_a_little_less_than_it_comes_to(monkeypatch, coder):
    pixels = pictures.photo(*SIDES)
    size_bytes, least_bytes, half_bytes = foreseen(monkeypatch, coder, pixels, 75)
    assert 0.6 * size_bytes < least_bytes < size_bytes
    assert 0.3 * least_bytes < half_bytes < 0.7 * least_bytes


def test_forecast_knows_where_the_detail_is(monkeypatch):
    pixels = pictures.photo(*SIDES)
    pixels[: len(pixels) // 2] = np.rint(pixels[: len(pixels) // 2].mean((0, 1)))
    size_bytes, least_bytes, half_bytes = foreseen(monkeypatch, learned, pixels, 75)
    assert 0.6 * size_bytes < least_bytes < size_bytes
    assert half_bytes > 0.9 * least_bytes


@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LZMA])
def test_a_coarse_jpeg_is_given_up_before_its_first_band(monkeypatch, mode):
    data = pictures.jpeg(pictures.photo(*SIDES, noise=20.0), quality=30)
    monkeypatch.setattr(encoder, "analyze", lambda *_: pytest.fail("analysed a band"))
    encoded = encode_file(data, CodingOptions(mode=mode, quality=100))
    assert encoded.codec_id == codecs.DCT
    assert encoded.note == "not 10% smaller than bit-exact"


def test_a_fine_jpeg_is_coded_as_without_a_forecast(monkeypatch):
    data = pictures.jpeg(pictures.photo(*SIDES), quality=95)
    encoded = encode_file(data, CodingOptions())
    assert encoded.codec_id == codecs.LEARNED
    monkeypatch.setattr(encoder, "forecast", lambda height, *_: forecast.Forecast(height))
    assert encode_file(data, CodingOptions()) == encoded


def test_nothing_is_foreseen_of_lossless_sources(monkeypatch):
    monkeypatch.setattr(encoder, "forecast", lambda *_: pytest.fail("foreseen"))
    assert encode_file(pictures.png(pictures.photo(*SIDES)), CodingOptions()).codec_id == codecs.LEARNED
