"""Codec composite: pictures with something behind them, or with metadata that JPEG XL refuses."""

import struct

import numpy as np
import pictures
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc import codecs, options, pipeline
from photoarc.codecs import composite, jpegxl
from photoarc.errors import ModelError, PayloadError

NOISE = np.random.default_rng(7).integers(0, 256, 40_000, dtype=np.uint8).tobytes()
FIRST = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE1, b"Exif\0\0" + pictures.exif(6))])
SECOND = pictures.jpeg(pictures.photo(120, 90, seed=3), segments=[(0xE1, pictures.XMP * 20)], progressive=True)
FILM = b"\0\0\0\x18ftypmp42" + NOISE
REFUSED = pictures.jpeg(pictures.photo(80, 80), progressive=True, restart_marker_rows=1)
BAD_PROFILE = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE2, b"ICC_PROFILE\0" + bytes([k, 3]) + NOISE[:5]) for k in (1, 3)])

FILES = {
    "film": FIRST + FILM,
    "second picture": FIRST + SECOND,
    "gap, second picture, film": FIRST + bytes(700) + SECOND + FILM,
    "second picture that JPEG XL refuses": FIRST + REFUSED,
    "first picture that JPEG XL refuses": REFUSED + FIRST,
    "cut second picture": FIRST + SECOND[:-50],
    "the film holds start markers": FIRST + b"\xff\xd8\xff\xe1" * 200 + FILM + SECOND,
    "profile in pieces that do not add up": BAD_PROFILE,
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_file_comes_back(data):
    payload = composite.encode(data)
    assert len(payload) < len(data)
    assert composite.decode(payload, len(data)) == data


def test_every_picture_is_coded():
    alone = len(jpegxl.encode(FIRST)) + len(jpegxl.encode(SECOND)) + len(FILM)
    assert len(composite.encode(FIRST + SECOND + FILM)) < alone + 80


def test_metadata_that_jpeg_xl_refuses_are_kept_beside_the_picture():
    with pytest.raises(PayloadError):
        jpegxl.encode(BAD_PROFILE)
    assert len(composite.encode(BAD_PROFILE)) < 0.95 * len(BAD_PROFILE)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", REFUSED + FILM, FIRST[:-400], NOISE], ids=len)
def test_refuses_what_holds_no_picture_for_jpeg_xl_below_the_efforts_of_networks(data):
    with pytest.raises(PayloadError):
        composite.encode(data, options.NETWORKS - 1)


@pytest.mark.parametrize(
    ("data", "effort", "codec_id"),
    [
        (FIRST, 4, codecs.JPEGXL),
        (FIRST, 5, codecs.DCT),
        (FIRST + bytes(20), 4, codecs.JPEGXL),
        (FIRST + bytes(20), 5, codecs.DCT),
        (FIRST + FILM, 4, codecs.COMPOSITE),
        (FIRST + FILM, 5, codecs.COMPOSITE),
        (BAD_PROFILE, 4, codecs.COMPOSITE),
        (BAD_PROFILE, 5, codecs.DCT),
    ],
)
def test_the_pipeline_takes_it_where_it_pays(data, effort, codec_id):
    encoded = pipeline.encode_file(data, options.CodingOptions(options.Mode.LOSSLESS, effort=effort))
    assert encoded.codec_id == codec_id
    assert pipeline.decode_payload("a.jpg", codec_id, encoded.payload, len(data), blake3(data).digest()) == data


def test_the_lossy_modes_keep_such_files_bit_exact():
    for data in (FIRST + SECOND, FIRST + FILM):
        encoded = pipeline.encode_file(data, options.CodingOptions())
        assert (encoded.codec_id, encoded.note) == (codecs.COMPOSITE, "data after the end of the picture")


def head(streams, runs, version=1):
    rows = [struct.pack("<BII", *row) for row in streams] + [struct.pack("<BI", *row) for row in runs]
    return struct.pack("<BBH", version, len(streams), len(runs)) + b"".join(rows)


DAMAGED = {
    "empty": b"",
    "version": head([(0, 4, 4)], [(0, 4)], version=2) + b"abcd",
    "no streams": head([], []),
    "run of a stream that is not there": head([(0, 4, 4)], [(1, 4)]) + b"abcd",
    "runs take less": head([(0, 4, 4)], [(0, 3)]) + b"abcd",
    "runs take more": head([(0, 4, 4)], [(0, 4), (0, 4)]) + b"abcd",
    "bytes behind": head([(0, 4, 4)], [(0, 4)]) + b"abcde",
    "bytes missing": head([(0, 4, 4)], [(0, 4)]) + b"abc",
    "codec in itself": head([(3, 4, 4)], [(0, 4)]) + b"abcd",
    "lossy codec": head([(16, 4, 4)], [(0, 4)]) + b"abcd",
    "gigabytes of zeros": head([(1, 0xFFFFFFFF, 4)], [(0, 0xFFFFFFFF)]) + b"\x18\x5d\0\0",
    "head longer than the payload": struct.pack("<BBH", 1, 255, 0xFFFF),
}


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED)
def test_refuses_damage(payload):
    for size in (4, 8, 0xFFFFFFFF):
        with pytest.raises(PayloadError):
            composite.decode(payload, size)


def test_any_order_of_streams_is_read():
    assert composite.decode(head([(0, 3, 3), (0, 2, 2)], [(1, 1), (0, 3), (1, 1)]) + b"bcdae", 5) == b"abcde"


PAYLOAD, SIZE = composite.encode(FIRST + SECOND + FILM[:600]), len(FIRST + SECOND) + 600


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255), st.booleans())
def test_damage_gives_a_payload_error_or_a_file_of_the_right_size(at, mask, cut):
    wrong = PAYLOAD[:at] if cut else PAYLOAD[:at] + bytes([PAYLOAD[at] ^ mask]) + PAYLOAD[at + 1 :]
    try:
        assert len(composite.decode(wrong, SIZE)) == SIZE  # what is wrong in it, the digest tells
    except (PayloadError, ModelError):  # the latter of a stream that names another model
        assert True
