"""Codec raster: uncompressed TIFF, BMP and PNM files byte for byte, or refused."""

import io
import struct

import numpy as np
import pictures
import pytest
from damage import check_a_changed_byte
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoarc import codecs, pipeline
from photoarc.codecs import raster, samples
from photoarc.errors import PayloadError
from photoarc.options import CodingOptions, Mode
from photoarc.pictures import raster as geometry

PHOTO = pictures.photo(130, 90, seed=4)
DEEP = (PHOTO.astype(np.uint16) << 8) + np.random.default_rng(1).integers(0, 32, PHOTO.shape, dtype=np.uint16)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(samples, order="<", strips=1, *, before=b"", tail=b""):
    """TIFF file, written by hand: byte order, several strips, anything between header and samples and behind them."""
    height, width, channels = samples.shape
    rows = -(-height // strips)
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    row_bytes = len(data) // height
    counts = [min(rows, height - k * rows) * row_bytes for k in range(strips)]
    at = 8 + len(before)
    offsets = [at + sum(counts[:k]) for k in range(strips)]
    lists = at + len(data) + len(tail)
    short, long = lambda tag, *v: (tag, 3, "H", v), lambda tag, *v: (tag, 4, "I", v)
    tags = [
        long(256, width), long(257, height), short(258, *[8 * samples.dtype.itemsize] * channels), short(259, 1), short(262, 2),
        long(273, *offsets), short(277, channels), long(278, rows), long(279, *counts), short(284, 1),
    ]  # fmt: skip
    extra, entries = b"", b""
    for tag, kind, letter, values in tags:
        body = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(body) > 4:
            extra, body = extra + body, struct.pack(order + "I", lists + len(extra))
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    directory = lists + len(extra)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory)
    return head + before + data + tail + extra + struct.pack(order + "H", len(tags)) + entries + bytes(4)


RGB = Image.fromarray(PHOTO)
FILES = {
    "tiff": saved(RGB, "TIFF"),
    "tiff of grey": saved(RGB.convert("L"), "TIFF"),
    "tiff with alpha": saved(RGB.convert("RGBA"), "TIFF"),
    "tiff of cmyk": saved(RGB.convert("CMYK"), "TIFF"),
    "tiff, 16 bits, little-endian": tiff(DEEP, "<"),
    "tiff, 16 bits, big-endian, strips": tiff(DEEP, ">", strips=7),
    "tiff with much around the samples": tiff(PHOTO, ">", strips=3, before=b"before" * 50, tail=b"behind" * 70),
    "bmp": saved(RGB, "BMP"),
    "bmp with padding": saved(RGB.crop((0, 0, 127, 80)), "BMP"),
    "bmp of 32 bits": saved(RGB.convert("RGBA"), "BMP"),
    "bmp with noise in its padding": None,
    "ppm": saved(RGB, "PPM"),
    "pgm with a comment": b"P5 # by hand\n130 90\n# deep\n65535\n" + DEEP[:, :, 0].astype(">u2").tobytes() + b"more",
}
_padded = bytearray(FILES["bmp with padding"])
for _row in range(80):
    _padded[54 + 384 * _row + 381 : 54 + 384 * (_row + 1)] = bytes([_row, 7, 255])
FILES["bmp with noise in its padding"] = bytes(_padded)

REFUSED = {
    "empty": b"",
    "deflated tiff": saved(RGB, "TIFF", compression="tiff_adobe_deflate"),
    "palette": saved(RGB.quantize(64), "BMP"),
    "tiny": saved(RGB.crop((0, 0, 40, 90)), "BMP"),
    "cut tiff": tiff(PHOTO)[:20_000],
    "cut bmp": FILES["bmp"][:-1],
    "noise": b"P6 130 90 255\n" + np.random.default_rng(2).integers(0, 256, 130 * 90 * 3, dtype=np.uint8).tobytes(),
    "a thumbnail in a raw file": tiff(PHOTO, tail=bytes(60_000)),
    "a picture of no rows": b"P6 130 0 255\n" + bytes(400),
    "offsets beyond the end": tiff(PHOTO).replace(struct.pack("<I", 130), struct.pack("<I", 2**31), 1),
}


@pytest.mark.parametrize("effort", [0, 5])
@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_file_comes_back(data, effort):
    payload = raster.encode(data, effort)
    assert len(payload) < 0.8 * len(data)
    assert raster.decode(payload, len(data)) == data


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refused(data):
    with pytest.raises(PayloadError):
        raster.encode(data)
    assert pipeline.encode_file(data, CodingOptions(Mode.LOSSLESS)).codec_id in (codecs.STORE, codecs.LZMA, codecs.TIFF)


def test_samples_lie_where_they_are_said_to():
    data = FILES["tiff, 16 bits, big-endian, strips"]
    found = geometry.find(data)
    assert (found.width_px, found.height_px, found.channels, found.sample_bytes, found.big_endian) == (130, 90, 3, 2, True)
    assert np.array_equal(np.frombuffer(data, ">u2", DEEP.size, found.offset).reshape(DEEP.shape), DEEP)


def test_slabs(monkeypatch):
    data = FILES["bmp with noise in its padding"]
    monkeypatch.setattr(samples, "SLAB_PX", 127 * 13)
    payload = raster.encode(data)
    monkeypatch.undo()
    assert raster.decode(payload, len(data)) == data


def test_the_pipeline_takes_it_in_every_mode():
    for mode in Mode:
        encoded = pipeline.encode_file(FILES["tiff"], CodingOptions(mode))
        assert encoded.codec_id == codecs.RASTER
        assert pipeline.decode_payload("a.tif", codecs.RASTER, encoded.payload, encoded.size_bytes, encoded.digest) == FILES["tiff"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data):
    good = FILES["bmp with padding"]
    check_a_changed_byte(raster.decode, raster.encode(good, 0), len(good), data, 60)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_odd_headers_are_taken_or_refused(data):
    file = bytearray(data.draw(st.sampled_from([FILES["tiff with alpha"], FILES["bmp"], FILES["ppm"]])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 60) | st.integers(len(file) - 200, len(file) - 1))
        file[at] = data.draw(st.integers(0, 255))
    encoded = pipeline.encode_file(bytes(file), CodingOptions(Mode.LOSSLESS, effort=0))
    assert pipeline.decode_payload("a", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest) == bytes(file)
