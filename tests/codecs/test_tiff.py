"""Codec tiff: TIFF files by Deflate or LZW byte for byte, or refused."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pictures
import pytest
from damage import check_a_changed_byte
from hypothesis import given, settings
from hypothesis import strategies as st
from lzw_encoder import lzw_stream
from PIL import Image

from photoarc import codecs, pipeline
from photoarc.codecs import samples, tiff
from photoarc.codecs.zlib_streams import retrace
from photoarc.codecs.zlib_streams import settings as zlib_settings
from photoarc.entropy import lzma2
from photoarc.errors import PayloadError
from photoarc.options import CodingOptions, Mode
from photoarc.pictures import tiff as geometry

PHOTO = pictures.photo(130, 90, seed=4)
DEEP = PHOTO.astype(np.uint16) * 251
RGB = Image.fromarray(PHOTO)
NOISE = np.random.default_rng(2).integers(0, 256, PHOTO.shape, dtype=np.uint8)


def saved(image, compression, predictor=1, rows=None):
    """By Pillow's libtiff; `rows` in each strip."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression=compression, tiffinfo={317: predictor} | ({278: rows} if rows else {}))
    return file.getvalue()


def deflated(data):
    return zlib.compress(data, 6)


def odd_deflated(data, level=6):
    """With a memory level that nobody asks the zlib of this machine for."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 5)
    return packer.compress(data) + packer.flush()


def of_two_writers(data):
    """One strip like this, one like that."""
    return odd_deflated(data, 1) if data[0] % 2 else odd_deflated(data, 9)


PACKERS = {8: deflated, 32946: deflated, 5: lzw_stream}


def tiff_file(
    samples, method, order="<", strip=(32, None), *, pack=None, differences=False, apart=False, between=b"", tail=b"", tiles=False
):
    """TIFF file, written by hand; `strip`: rows and columns; `between` lies in front of each strip."""
    height, width, channels = samples.shape
    rows, columns = strip[0], strip[1] or width
    if tiles:
        samples = np.pad(samples, ((0, -height % rows), (0, -width % columns), (0, 0)), "edge")
    planes = [samples[:, :, k : k + 1] for k in range(channels)] if apart else [samples]
    body, offsets, counts = b"", [], []
    for plane in planes:
        for top in range(0, plane.shape[0], rows):
            for left in range(0, plane.shape[1], columns):
                piece = plane[top : top + rows, left : left + columns]
                if differences:
                    piece = np.concatenate((piece[:, :1], piece[:, 1:] - piece[:, :-1]), axis=1)
                body += between
                offsets.append(8 + len(body))
                coded = (pack or PACKERS[method])(piece.astype(samples.dtype.newbyteorder(order)).tobytes())
                counts.append(len(coded))
                body += coded
    lists = 8 + len(body) + len(tail)
    short, long = lambda tag, *v: (tag, 3, "H", v), lambda tag, *v: (tag, 4, "I", v)
    where = [long(322, columns), long(323, rows), long(324, *offsets), long(325, *counts)] if tiles else []
    if not tiles:
        where = [long(273, *offsets), long(278, rows), long(279, *counts)]
    tags = [
        long(256, width), long(257, height), short(258, *[8 * samples.dtype.itemsize] * channels), short(259, method), short(262, 2),
        short(277, channels), short(284, 2 if apart else 1), short(317, 2 if differences else 1), *where,
    ]  # fmt: skip
    extra, entries = b"", b""
    for tag, kind, letter, values in sorted(tags):
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > 4:
            extra, packed = extra + packed, struct.pack(order + "I", lists + len(extra))
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    directory = lists + len(extra)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory)
    return head + body + tail + extra + struct.pack(order + "H", len(tags)) + entries + bytes(4)


FILES = {
    f"{compression}, predictor {predictor}, {rows or 'usual'} rows": saved(RGB, compression, predictor, rows)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")
    for predictor in (1, 2)
    for rows in (None, 7)
}
FILES |= {
    "lzw, one strip": saved(RGB, "tiff_lzw", 2, 90),
    "lzw, a strip a row": saved(RGB, "tiff_lzw", 1, 1),
    "lzw, grey": saved(RGB.convert("L"), "tiff_lzw", 2),
    "lzw, alpha": saved(RGB.convert("RGBA"), "tiff_lzw", 2, 20),
    "lzw, cmyk": saved(RGB.convert("CMYK"), "tiff_lzw"),
    "lzw, 16 bits, grey": saved(Image.fromarray(DEEP[:, :, 0]), "tiff_lzw", 2),
    "deflate, 16 bits, grey": saved(Image.fromarray(DEEP[:, :, 0]), "tiff_adobe_deflate", 2),
    "deflate, grey": saved(RGB.convert("L"), "tiff_adobe_deflate"),
    "deflate, alpha": saved(RGB.convert("RGBA"), "tiff_adobe_deflate", 2, 20),
    "by hand, lzw": tiff_file(PHOTO, 5),
    "by hand, lzw, 16 bits, big-endian, differences": tiff_file(DEEP, 5, ">", differences=True),
    "by hand, deflate, 16 bits, big-endian, differences": tiff_file(DEEP, 8, ">", differences=True),
    "by hand, deflate, 16 bits, big-endian": tiff_file(DEEP, 32946, ">"),
    "by hand, lzw, tiles": tiff_file(PHOTO, 5, strip=(48, 64), differences=True, tiles=True),
    "by hand, deflate, tiles, channels apart": tiff_file(PHOTO, 8, strip=(48, 64), tiles=True, apart=True),
    "by hand, lzw, channels apart, differences": tiff_file(PHOTO, 5, differences=True, apart=True),
    "by hand, lzw, a table that is full earlier": tiff_file(PHOTO, 5, pack=lambda data: lzw_stream(data, full=2000)),
    "by hand, lzw, a table that is full later": tiff_file(PHOTO, 5, pack=lambda data: lzw_stream(data, full=4095)),
    "by hand, lzw, no end, two Clear codes": tiff_file(PHOTO, 5, pack=lambda data: lzw_stream(data, end=False, first_clears=2)),
    "by hand, lzw, bytes in and behind strips": tiff_file(PHOTO, 5, pack=lambda raw: lzw_stream(raw) + b"a", between=b"?", tail=b"end"),
    "by hand, deflate, bytes in and behind strips": tiff_file(PHOTO, 8, pack=lambda data: deflated(data) + b"abc", between=b"??"),
    "by hand, deflate, an odd memory level": tiff_file(PHOTO, 8, strip=(45, None), pack=odd_deflated),
    "by hand, deflate, two writers": tiff_file(PHOTO, 8, strip=(10, None), pack=of_two_writers),
    "bytes behind the end": saved(RGB, "tiff_lzw") + b"trailing bytes" * 3,
}  # fmt: skip


def damaged(data, strip=1):
    """With one byte changed in the middle of a strip."""
    _, _, spans = geometry.find_compressed(data)
    offset, count = spans[strip]
    at = offset + count // 2
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


DAMAGED = {
    "lzw": damaged(saved(RGB, "tiff_lzw", 1, 9)),
    "deflate": damaged(saved(RGB, "tiff_adobe_deflate", 1, 9)),
    "deflate, sound, with a stored block": tiff_file(PHOTO, 8, pack=odd_deflated),
    "the first strip": damaged(saved(RGB, "tiff_lzw", 2, 9), 0),
    "the last strip": damaged(saved(RGB, "tiff_adobe_deflate", 2, 9), 9),
}
GOOD = saved(RGB, "tiff_lzw", rows=32)
DEFLATED = saved(RGB, "tiff_adobe_deflate", 1, 32)
REFUSED = {
    "empty": b"",
    "not compressed": saved(RGB, None),
    "packbits": saved(RGB, "packbits"),
    "jpeg": saved(RGB, "jpeg"),
    "one bit": saved(RGB.convert("1"), "tiff_lzw"),
    "tiny": saved(RGB.crop((0, 0, 40, 90)), "tiff_lzw"),
    "cut": GOOD[: len(GOOD) // 2],
    "noise": saved(Image.fromarray(NOISE), "tiff_adobe_deflate"),
    "float": tiff_file(PHOTO, 8).replace(struct.pack("<HHIH", 317, 3, 1, 1), struct.pack("<HHIH", 339, 3, 1, 3)),
    "no strip comes back": tiff_file(PHOTO, 5, strip=(4, None), pack=lambda data: b"\x80" + bytes(len(data) // 2)),
    "a thumbnail in a raw file": tiff_file(PHOTO, 5, tail=bytes(60_000)),
    "many pixels": GOOD.replace(struct.pack("<HHIH", 257, 3, 1, 90), struct.pack("<HHIH", 257, 3, 1, 65535)),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_file_comes_back(data):
    payload = tiff.encode(data)
    assert len(payload) < 0.9 * len(data)
    assert tiff.decode(payload, len(data)) == data
    assert all(tiff._open(payload, len(data))[2].made)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_odd_strip_goes_along(data):
    payload = tiff.encode(data)
    assert len(payload) < 0.9 * len(data)
    assert tiff.decode(payload, len(data)) == data
    assert tiff._open(payload, len(data))[2].made.count(False) == 1


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refused(data):
    with pytest.raises(PayloadError):
        tiff.encode(data)
    encoded = pipeline.encode_file(data, CodingOptions(Mode.LOSSLESS))
    assert encoded.codec_id in (codecs.STORE, codecs.LZMA, codecs.RASTER)
    assert pipeline.decode_payload("a", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest) == data


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_photographs_take_less_than_by_lzma(compression, predictor):
    data = saved(Image.fromarray(pictures.photo(400, 300)), compression, predictor)
    assert len(tiff.encode(data)) < 0.75 * len(lzma2.compress(data))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_graphics_take_less_than_by_lzma(compression):
    drawing = pictures.screenshot(400, 300)
    deep = drawing.astype(np.uint16) * 257
    for data in (saved(Image.fromarray(drawing), compression), tiff_file(deep, 5 if "lzw" in compression else 8, ">")):
        payload = tiff.encode(data)
        assert len(payload) < 0.8 * len(lzma2.compress(data))
        assert tiff.decode(payload, len(data)) == data


@pytest.mark.parametrize("other", [b"", b"what another zlib makes"])
def test_no_zlib_has_to_help(other, monkeypatch):
    payloads = {name: tiff.encode(data) for name, data in FILES.items() if "deflate" in name}
    monkeypatch.setattr(zlib_settings, "deflated", lambda *_: other)
    for name, payload in payloads.items():
        assert tiff.decode(payload, len(FILES[name])) == FILES[name]


WITHOUT_PILLOW = """
import sys
sys.modules["PIL"] = None
from photoarc.codecs import tiff
sys.stdout.buffer.write(tiff.decode(sys.stdin.buffer.read(), int(sys.argv[1])))
"""


def test_no_libtiff_has_to_help():
    payload = tiff.encode(GOOD)
    done = subprocess.run([sys.executable, "-c", WITHOUT_PILLOW, str(len(GOOD))], input=payload, capture_output=True, check=True)
    assert done.stdout == GOOD


def test_the_writer_is_guessed_once(monkeypatch):
    calls, guess = [], retrace.guess
    monkeypatch.setattr(retrace, "guess", lambda *args: calls.append(args) or guess(*args))
    tiff.encode(tiff_file(PHOTO, 8, strip=(30, None), pack=odd_deflated))
    assert len(calls) == 1


def test_slabs(monkeypatch):
    monkeypatch.setattr(samples, "SLAB_PX", 130 * 13)
    payload = tiff.encode(GOOD)
    monkeypatch.undo()
    assert tiff.decode(payload, len(GOOD)) == GOOD


def test_the_pipeline_takes_it_in_every_mode():
    for mode in Mode:
        encoded = pipeline.encode_file(GOOD, CodingOptions(mode))
        assert encoded.codec_id == codecs.TIFF
        assert pipeline.decode_payload("a.tif", codecs.TIFF, encoded.payload, encoded.size_bytes, encoded.digest) == GOOD


def test_samples_are_those_that_others_see():
    for data in (GOOD, FILES["lzw, alpha"], FILES["by hand, lzw, tiles"], FILES["by hand, deflate, tiles, channels apart"]):
        samples = tiff._open(tiff.encode(data), len(data))[4]
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(samples[: image.height, : image.width], np.asarray(image))


PAYLOADS = {data: tiff.encode(data) for data in (GOOD, DEFLATED)}


@pytest.mark.parametrize("at", [5, 9])
@pytest.mark.parametrize("data", PAYLOADS, ids=["lzw", "deflate"])
def test_what_is_claimed_is_refused_before_memory_is_taken(data, at, monkeypatch):
    monkeypatch.setattr(np, "empty", lambda *_: pytest.fail("memory was taken"))
    payload = bytearray(PAYLOADS[data])
    payload[at : at + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(PayloadError, match="claimed"):
        tiff.decode(bytes(payload), len(data))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data):
    good = data.draw(st.sampled_from([GOOD, DEFLATED]))
    check_a_changed_byte(tiff.decode, PAYLOADS[good], len(good), data, 60)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_odd_descriptions_are_errors(data):
    """Changed behind LZMA's checks."""
    good = data.draw(st.sampled_from([GOOD, DEFLATED]))
    payload = PAYLOADS[good]
    head = list(tiff._HEAD.unpack_from(payload))
    end = tiff._HEAD.size + head[-1]
    description = bytearray(lzma2.decompress(payload[tiff._HEAD.size : end], head[-2]))
    for _ in range(data.draw(st.integers(1, 3))):
        description[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    packed = lzma2.compress(bytes(description))
    head[-1] = len(packed)
    try:
        found = tiff.decode(tiff._HEAD.pack(*head) + packed + payload[end:], len(good))
    except PayloadError:
        return
    assert len(found) == len(good)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_odd_files_are_taken_or_refused(data):
    file = bytearray(data.draw(st.sampled_from([GOOD, DEFLATED])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 60) | st.integers(len(file) - 200, len(file) - 1))
        file[at] = data.draw(st.integers(0, 255))
    encoded = pipeline.encode_file(bytes(file), CodingOptions(Mode.LOSSLESS, effort=3))
    assert pipeline.decode_payload("a", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest) == bytes(file)
