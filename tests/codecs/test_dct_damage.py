"""Damaged payloads of codec dct: an error with a name, or a file of the right length, whose digest the caller compares.

Coefficients have a checksum of their own, heads do not. Never a hang, and never more memory than the picture takes.
"""

import tracemalloc

import numpy as np
import pictures
import pytest
from damage import check_a_changed_byte
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.codecs import dct
from photoarc.errors import ModelError, PayloadCorrupt, PayloadError

THUMBNAIL = pictures.jpeg(pictures.photo(96, 64, seed=5), quality=70)
HEAD = b"Exif\0\0" + pictures.exif(1) + THUMBNAIL
DATA = pictures.jpeg(pictures.photo(160, 120, seed=2), segments=[(0xE1, HEAD)])
TILES = pictures.jpeg(np.pad(pictures.photo(200, 200, seed=4), ((0, 80), (0, 120), (0, 0))), quality=60)
PROGRESSIVE = pictures.jpeg(pictures.photo(120, 90), progressive=True)
FIELDS_AT = dct._HEADER.size  # of the picture
PLAIN_AT = FIELDS_AT + 1
MEMORY_BYTES = 64 << 20


def decode(payload, size_bytes):
    """A number of another model is an error, too."""
    try:
        return dct.decode(payload, size_bytes)
    except ModelError as error:
        raise PayloadError(str(error)) from error


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data):
    check_a_changed_byte(decode, dct.encode(DATA), len(DATA), data, head_bytes=80)


def test_every_truncation_is_an_error():
    payload = dct.encode(DATA)
    for end in (*range(90), *range(90, len(payload), 37)):
        with pytest.raises(PayloadError):
            dct.decode(payload[:end], len(DATA))


def mutated(payload, rng):
    """Some bits or bytes are others, a piece is cut out, doubled, moved or of nothing; half of the time near the beginning."""
    bad = bytearray(payload)
    top = len(bad) if rng.random() < 0.5 else 90
    for _ in range(rng.integers(1, 4)):
        at, other = sorted(rng.integers(0, min(top, len(bad)), 2).tolist())
        length = int(rng.integers(1, 20))
        piece = bad[at : at + length]
        kind = rng.integers(6)
        if kind == 0:
            bad[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            bad[at : at + length] = rng.integers(0, 256, len(piece), np.uint8).tobytes()
        elif kind == 2:
            del bad[at : at + length]
        elif kind == 3:
            bad[other:other] = piece
        elif kind == 4:
            bad[at : at + length], bad[other : other + length] = bad[other : other + length], piece
        else:
            bad[at : at + length] = bytes([rng.choice([0, 255])]) * len(piece)
    return bytes(bad)


def check(data, seeds):
    payload = dct.encode(data)
    assert dct.decode(payload, len(data)) == data  # networks are loaded
    tracemalloc.start()
    try:
        for seed in seeds:
            try:
                found = decode(mutated(payload, np.random.default_rng(seed)), len(data))
            except PayloadError:
                continue
            assert len(found) == len(data), seed
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [DATA, TILES, PROGRESSIVE], ids=["thumbnail", "tiles", "progressive"])
def test_mutations_are_errors_or_harmless(data):
    check(data, range(40))


@pytest.mark.slow
@pytest.mark.parametrize("data", [DATA, TILES, PROGRESSIVE], ids=["thumbnail", "tiles", "progressive"])
def test_thousands_of_mutations_are_errors_or_harmless(data):
    check(data, range(40, 1040))


def plain_of(data):
    """A payload, where its tops and active groups are, and how many bytes they take."""
    payload = dct.encode(data)
    _, size, _, _, packed, _, _ = dct._PICTURE.unpack_from(payload, FIELDS_AT)
    return bytearray(payload), FIELDS_AT + dct._PICTURE.size + packed, size


def test_active_groups_that_are_not_the_pictures():
    payload, start, size = plain_of(TILES)
    tops, tiles = 2 * 2 * 2, 4  # of luma: 35 x 40 blocks
    at = start + tops
    assert size > tops + tiles // 2
    active = [payload[at + k // 2] >> 4 * (k % 2) & 15 for k in range(tiles)]
    assert 0 < max(active) <= 9
    assert len(set(active)) > 1
    for wrong in (10, 15):
        bad = bytearray(payload)
        bad[at] = bad[at] & 0xF0 | wrong
        with pytest.raises(PayloadError, match="more active groups") as caught:
            dct.decode(bytes(bad), len(TILES))
        assert caught.value.kind is PayloadCorrupt
    for other in set(range(10)) - {active[0]}:
        bad = bytearray(payload)
        bad[at] = bad[at] & 0xF0 | other
        with pytest.raises(PayloadError):
            dct.decode(bytes(bad), len(TILES))


@pytest.mark.parametrize(("change", "message"), [(-1, "not all there"), (1, "more outside the stream")])
def test_too_little_or_too_much_outside_of_the_stream(change, message):
    payload, start, size = plain_of(DATA)
    payload[start + min(size, size + change) : start + size] = bytes(max(change, 0))
    payload[PLAIN_AT : PLAIN_AT + 2] = (size + change).to_bytes(2, "little")
    with pytest.raises(PayloadError, match=message):
        dct.decode(bytes(payload), len(DATA))


def test_half_a_byte_that_is_of_no_tile():
    payload, start, _ = plain_of(DATA)
    tops = 2 * 1 * 2  # of luma: 16 x 20 blocks, one tile
    payload[start + tops] |= 0x10
    with pytest.raises(PayloadError, match="of no tile"):
        dct.decode(bytes(payload), len(DATA))
