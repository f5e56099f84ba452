"""Shifts of scales: chosen where they pay, packed, and refused where damaged."""

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc import models
from photoarc.codecs import dct, scale_shifts
from photoarc.codecs.scale_shifts import Coded
from photoarc.models import manifest

ROW = 14  # of a scale whose neighbours have other tables
MODEL = models.load_coefficients(manifest.JPEG_CODED_WITH)


def enlarged(times):
    pixels = Image.fromarray(pictures.photo(64, 48, noise=6)).resize((64 * times, 48 * times), Image.Resampling.BICUBIC)
    return pictures.jpeg(np.asarray(pixels), quality=95)


def group(row, *symbols):
    """Coefficients 3 and 4 of luma, all by the tables of one row, in two tiles of one field; the last place is none of the plane."""
    both = np.stack([(*some, 0) for some in symbols]).astype(np.int16).reshape(2, 2, -1, 1).swapaxes(0, 1)[None]
    index = np.full(both.shape, 9 * row + 1, np.uint16)
    index[:, 1, :, -1] = 0
    return Coded(0, 3, index, both)


def table_of(row):
    """Number of the table of a scale, from 1."""
    return MODEL.tables_of(np.full((1, 1, 1), 9 * row + 1, np.uint16), [0]).item()


def symbols_of(row, n, rng):
    """Drawn with the very probabilities of a table."""
    table = MODEL.tables[table_of(row) - 1]
    p = table.frequencies[:-1] / table.frequencies[:-1].sum()
    return rng.choice(np.arange(-table.reach, table.reach + 1), n, p=p).astype(np.int16)


@pytest.mark.parametrize("shift", [-5, -1, 0, 2, 7])
def test_the_shift_of_wrong_scales_is_found(shift):
    rng = np.random.default_rng(1)
    coded = group(ROW, symbols_of(ROW + shift, 3999, rng), symbols_of(ROW, 3999, rng))
    shifts = scale_shifts.choose([coded], 3, MODEL)
    assert shifts[0, 3] == shift
    assert shifts[0, 4] == 0
    assert not shifts[1:].any()
    index = scale_shifts.apply(coded, shifts, MODEL)
    assert set(index[:, :, 0].flat) == {table_of(ROW + shift), 0}
    assert set(index[:, :, 1].flat) == {table_of(ROW), 0}
    assert np.array_equal(index == 0, coded.index == 0)


def test_a_few_symbols_are_not_worth_a_shift():
    coded = group(ROW, symbols_of(ROW + 2, 3, np.random.default_rng(1)), np.zeros(3))
    assert not scale_shifts.choose([coded], 1, MODEL).any()


def test_tables_end_somewhere():
    rows = MODEL.scales
    shifts = np.zeros((1, 64), np.int8)
    shifts[0, 3:5] = -8, 8
    assert set(scale_shifts.apply(group(2, *np.zeros((2, 5))), shifts, MODEL)[:, 0, 0].flat) == {table_of(0)}
    assert set(scale_shifts.apply(group(rows - 3, *np.zeros((2, 5))), shifts, MODEL)[:, 0, 1].flat) == {table_of(rows - 1)}


def test_of_many_tiles_some_are_asked():
    rng, tiles = np.random.default_rng(1), 40
    symbols = np.stack([symbols_of(ROW + 2, 400, rng) for _ in range(tiles)]).reshape(1, tiles, 1, 400, 1)
    symbols[:, 1::3] = 0  # those that are not
    coded = Coded(0, 7, np.full(symbols.shape, 9 * ROW + 1, np.uint16), symbols)
    assert scale_shifts.choose([coded], 1, MODEL)[0, 7] == 2


def test_packed_and_back():
    shifts = np.random.default_rng(0).integers(-8, 9, (3, 64)).astype(np.int8)
    packed = scale_shifts.pack(shifts)
    assert len(packed) <= 255
    assert np.array_equal(scale_shifts.unpack(packed, 3), shifts)
    assert scale_shifts.pack(np.zeros((3, 64), np.int8)) == b""
    assert not scale_shifts.unpack(b"", 1).any()


@pytest.mark.parametrize("planes", [1, 3])
def test_damaged_ones_are_refused(planes):
    packed = scale_shifts.pack(np.full((2, 64), 3, np.int8))
    for bad in (packed, packed[:-2], b"\xff" * 9, scale_shifts.pack(np.full((planes, 64), 9, np.int8))):
        with pytest.raises(ValueError, match="damaged"):
            scale_shifts.unpack(bad, planes)


def test_pictures_that_were_enlarged_get_them(monkeypatch):
    data = enlarged(5)
    with_shifts = dct.encode(data)
    monkeypatch.setattr(scale_shifts, "choose", lambda _groups, planes, _model: np.zeros((planes, 64), np.int8))
    without = dct.encode(data)
    assert len(with_shifts) < len(without)
    assert dct.decode(with_shifts, len(data)) == dct.decode(without, len(data)) == data
