"""Floors under what is lost: what the networks would make another picture of is kept bit-exact; photographs never meet them."""

import math

import numpy as np
import pictures
import pytest

from photoarc.codecs.photo.fidelity import Fidelity
from photoarc.errors import TooFar
from photoarc.options import CodingOptions, Mode, Tuning
from photoarc.pictures.drawings import graphics
from photoarc.pipeline import decode_payload, encode_file

PHOTO = pictures.photo(256, 192)
NOISE = np.random.default_rng(0).integers(0, 256, (192, 256, 3), np.uint8)
PATCHED = PHOTO.copy()
PATCHED[70:98, 90:118] = NOISE[70:98, 90:118]
Y, X = np.mgrid[0:192, 0:256]
CHECKS = np.where(((X + Y) % 2 == 1)[:, :, None], np.uint8(255) - PHOTO // 8, PHOTO // 8)


@pytest.mark.parametrize("quality", [0.0, 75.0, 100.0])
@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LZMA])
@pytest.mark.parametrize("tuning", Tuning)
def test_what_is_no_photograph_for_the_networks(tuning, mode, quality, monkeypatch):
    monkeypatch.setattr(graphics, "check", lambda *_, **__: None)  # it knows noise and test charts by sight
    options = CodingOptions(mode, quality, tuning=tuning, min_gain_percent=0)
    for data in (pictures.png(NOISE), pictures.png(CHECKS)):
        kept = encode_file(data, options)
        assert kept.photo is None
        assert kept.note.startswith("too far from the original: ")
        assert decode_payload("x", kept.codec_id, kept.payload, kept.size_bytes, kept.digest) == data


@pytest.mark.parametrize("make", [pictures.png, lambda pixels: pictures.jpeg(pixels, quality=98, subsampling=0)])
def test_one_part_of_it(make):
    kept = encode_file(make(PATCHED), CodingOptions(min_gain_percent=0))
    assert kept.photo is None
    assert kept.note.endswith(" dB in a part of it")


@pytest.mark.parametrize("tuning", Tuning)
@pytest.mark.parametrize("quality", [0.0, 50.0, 100.0])
def test_photographs_stay_above(tuning, quality):
    for pixels in (PHOTO, np.ascontiguousarray(PHOTO[:, :, :1]), pictures.photo(200, 150, 3, noise=6)):
        assert encode_file(pictures.png(pixels), CodingOptions(quality=quality, tuning=tuning)).photo is not None


@pytest.mark.parametrize("shape", [(192, 256, 3), (150, 200, 1), (64, 65, 3)])
def test_figures(shape):
    pixels = pictures.photo(shape[1], shape[0])[:, :, : shape[2]]
    decoded = np.clip(pixels.astype(int) + np.random.default_rng(1).integers(-9, 10, shape), 0, 255).astype(np.uint8)
    decoded[64:128, 0:64] = 255 - decoded[64:128, 0:64]
    found = Fidelity(pixels)
    for top in range(0, shape[0], 128):
        found.add(top, decoded[top : top + 128])
    squares = (pixels.astype(float) - decoded) ** 2
    assert found.psnr_db == pytest.approx(10 * math.log10(255**2 / squares.mean()))
    cells = [squares[y : y + 64, x : x + 64].sum() for y in range(0, shape[0], 64) for x in range(0, shape[1], 64)]
    assert found.worst_db == pytest.approx(10 * math.log10(255**2 * 64 * 64 * shape[2] / max(cells)))
    exact = Fidelity(pixels)
    exact.add(0, pixels)
    assert exact.psnr_db == exact.worst_db == math.inf
    exact.check(100)


def test_the_floor_rises_with_the_quality():
    pixels = np.full((64, 64, 3), 128, np.uint8)
    for db, highest in ((17, 10), (24, 45), (27, 60), (28.1, 100)):
        found = Fidelity(pixels)
        found.add(0, np.full_like(pixels, 128 + round(255 / 10 ** (db / 20))))
        found.check(highest - 1)
        if highest < 100:
            with pytest.raises(TooFar):
                found.check(highest + 4)
