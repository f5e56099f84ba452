"""LZW streams: data and recipe, and the very stream again, or refused."""

import numpy as np
import pictures
import pytest
from lzw_encoder import lzw_stream

from photoarc.codecs import lzw
from photoarc.errors import PayloadError

PHOTO = pictures.photo(130, 90, seed=4)
NOISE = np.random.default_rng(2).integers(0, 256, PHOTO.shape, dtype=np.uint8)

LZW_DATA = {
    "one byte": b"a",
    "zeros": bytes(100_000),
    "a full table and more": NOISE.tobytes()[:20_000],
    "the table is full at the end": NOISE.tobytes()[:3837],
    "photograph": PHOTO.tobytes(),
    "text": b"the quick brown fox " * 3000,
}


@pytest.mark.parametrize("full", [4093, 4094, 4095])
@pytest.mark.parametrize("data", LZW_DATA.values(), ids=LZW_DATA)
def test_lzw(data, full):
    stream = lzw_stream(data, full=full)
    found, recipe = lzw.find(stream, len(data))
    assert found == data
    assert lzw.follow(recipe, data) == stream


def test_lzw_of_every_length():
    """Wherever the last code falls, also where codes become wider or the table is full."""
    data = NOISE.tobytes()
    for size in (*range(1, 20), *range(250, 260), *range(505, 520), *range(1017, 1030), *range(2040, 2056), *range(3830, 3845)):
        stream = lzw_stream(data[:size])
        found, recipe = lzw.find(stream, size)
        assert found == data[:size]
        assert not recipe.end[1] or size > 3800
        assert lzw.follow(recipe, data[:size]) == stream


@pytest.mark.parametrize("broken", [b"", b"\x80", b"\x80\0", b"\x80\0\0\0", b"\0\1\2\3\4", b"\x80\x3f\xff\xff\xff", b"\x80\x40\x40"])
def test_lzw_refuses(broken):
    with pytest.raises(PayloadError):
        lzw.find(broken, 10)


def test_lzw_of_a_lazy_encoder_is_refused():
    """Literals only: it could be decoded, but the longest strings are others."""
    text = f"{256:09b}" + "".join(f"{0:09b}" for _ in range(100)) + f"{257:09b}"
    text += "0" * (-len(text) % 8)
    with pytest.raises(PayloadError):
        lzw.find(int(text, 2).to_bytes(len(text) // 8, "big"), 100)
