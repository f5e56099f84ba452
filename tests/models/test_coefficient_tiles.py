"""Tiles and tables of JPEG coefficients, against plain loops."""

import numpy as np
import pytest

from photoarc import models
from photoarc.models import manifest
from photoarc.models.coefficient_groups import FIELDS
from photoarc.models.coefficient_tables import ZERO, size_of
from photoarc.models.coefficient_tiles import TILE, Tiles

SIDES = [(1, 1), (2, 3), (31, 32), (33, 64), (65, 34), (97, 5)]
MODEL = models.load_coefficients(manifest.JPEG_CODED_WITH)


@pytest.mark.parametrize("rows", [*range(1, 140), 500, 1000, 4095])
def test_tiles_are_few_even_and_all_have_something(rows):
    tiles = Tiles(rows, 1)
    assert tiles.high % 2 == 0
    assert tiles.high <= TILE
    assert tiles.down == -(-rows // TILE)
    assert (tiles.down - 1) * tiles.high < rows <= tiles.down * tiles.high


@pytest.mark.parametrize(("rows", "columns"), SIDES)
def test_fields_are_every_second_block_of_each_tile(rows, columns):
    planes = np.random.default_rng(rows).integers(1, 999, (3, rows, columns)).astype(np.int16)
    tiles = Tiles(rows, columns)
    fields = tiles.fields(planes)
    for tile in range(tiles.count):
        top, left = tile // tiles.across * tiles.high, tile % tiles.across * tiles.wide
        for field, (i, j) in zip(fields, FIELDS, strict=True):
            wanted = planes[:, top + i : top + tiles.high : 2, left + j : left + tiles.wide : 2]
            assert np.array_equal(field[tile, :, : wanted.shape[1], : wanted.shape[2]], wanted)
            assert np.count_nonzero(field[tile]) == wanted.size
    assert np.array_equal(tiles.planes(fields), planes)


@pytest.mark.parametrize(("rows", "columns"), SIDES)
@pytest.mark.parametrize("black", [0, 1])
def test_what_is_drawn_is_seen_in_all_windows_that_it_lies_in(rows, columns, black):
    rng, tiles, margin = np.random.default_rng(rows), Tiles(rows, columns), 2
    whole = rng.integers(1, 99, (2, rows, columns)).astype(np.uint8)
    some = np.flatnonzero(rng.random(tiles.count) < 0.7)
    canvas = tiles.canvas(2, margin, 0, np.uint8)
    tiles.draw(canvas, margin, some, black, tiles.fields(whole)[2 * black : 2 * black + 2, some])
    wanted = np.zeros_like(canvas)
    for tile in some:
        top, left = tile // tiles.across * tiles.high, tile % tiles.across * tiles.wide
        for i, j in FIELDS[2 * black : 2 * black + 2]:
            cut = np.s_[:, top + i : min(top + tiles.high, rows) : 2, left + j : min(left + tiles.wide, columns) : 2]
            wanted[:, margin:-margin, margin:-margin][cut] = whole[cut]
    assert np.array_equal(canvas, wanted)
    windows = tiles.windows(canvas, margin)
    assert windows.shape == (tiles.down, tiles.across, 2, tiles.high + 2 * margin, tiles.wide + 2 * margin)
    for y in range(tiles.down):
        for x in range(tiles.across):
            top, left = y * tiles.high, x * tiles.wide
            assert np.array_equal(windows[y, x], wanted[:, top : top + tiles.high + 2 * margin, left : left + tiles.wide + 2 * margin])
    assert np.array_equal(tiles.around(whole, margin, 0)[0, 0, :, margin, margin], whole[:, 0, 0])


@pytest.mark.parametrize(("rows", "columns"), SIDES)
def test_what_is_beyond_the_plane_is_blanked(rows, columns):
    tiles = Tiles(rows, columns)
    some = np.arange(tiles.count)[::-1]
    there = tiles.fields(np.ones((1, rows, columns), np.int16))
    for black in range(2):
        array = np.full((2, tiles.count, 3, tiles.high // 2, tiles.wide // 2), 7, np.int16)
        tiles.blank(some, black, array)
        assert np.array_equal(array, np.broadcast_to(7 * there[2 * black : 2 * black + 2, some], array.shape))


def test_logarithms_of_products():
    steps = np.array([1, 2, 16, 255], np.uint16)
    values = np.concatenate([np.arange(-70, 71), [-16383, 16383, -4096, 4095, 2048, -2049]]).astype(np.int16)
    many = np.broadcast_to(values, (2, len(steps), 1, len(values)))
    assert np.array_equal(MODEL.log_products(many, steps), MODEL.logarithm(many.astype(np.int32) * steps[:, None, None]))
    logs = MODEL.logarithm(np.arange(-5000, 5001)).astype(int) - ZERO
    assert np.array_equal(logs, -logs[::-1])
    assert np.array_equal(size_of((logs + ZERO).astype(np.uint8)).astype(int) - ZERO, np.abs(logs))


def test_places_are_found_as_the_format_says():
    """Section 10.4, number by number."""
    rng, steps = np.random.default_rng(0), np.array([1, 3, 255], np.uint16)
    out = rng.integers(0, 256, (2, 6, 4, 5)).astype(np.uint8)
    means = rng.integers(-(1 << 23), 1 << 23, (2, 3, 4, 5)).astype(np.float32)
    with np.load(MODEL.entry.file("tables.npz")) as arrays:
        spread, quantiser = arrays["spread"].astype(int), arrays["scale_quantiser"].astype(int)
    for given, estimate in ((None, 0), (means, 0), (means, 1000)):
        index, offset, sign = MODEL.locate(out, steps, given, estimate)
        for b, k, y, x in np.ndindex(index.shape):
            scale = min(max((int(out[b, k, y, x]) - 128 + 114 - quantiser[steps[k]]) >> 2, 0), len(spread) - 1)
            mean = int(spread[scale, min(max(int(out[b, 3 + k, y, x]) - 128, -31), 31) + 31])
            if given is not None:
                mean += (int(given[b, k, y, x]) + 256 * estimate) // (8 * int(steps[k]))
            at = min(max((mean + 16) >> 5, -2047), 2047)
            fraction = (min(max(mean - 32 * at, -16), 16) + 1) >> 1
            assert (index[b, k, y, x], offset[b, k, y, x]) == (9 * scale + abs(fraction) + 1, at)
            assert sign[b, k, y, x] == (-1 if fraction < 0 else 1)


def test_tables_of_shifted_scales():
    with np.load(MODEL.entry.file("tables.npz")) as arrays:
        table_of = arrays["table_of"].astype(int)
    index = np.arange(1 + 9 * MODEL.scales, dtype=np.uint16).reshape(1, 1, -1).repeat(3, 0)
    for shifts in ((0, 0, 0), (0, 5, -8)):
        found = MODEL.tables_of(index, shifts)
        assert not found[:, 0, 0].any()
        for k, shift in enumerate(shifts):
            row, fraction = np.divmod(np.arange(9 * MODEL.scales), 9)
            assert np.array_equal(found[k, 0, 1:], 1 + table_of[9 * np.clip(row + shift, 0, MODEL.scales - 1) + fraction])
