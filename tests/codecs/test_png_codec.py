"""Codec png: PNG files come back byte for byte, whoever wrote them, or are refused."""

import io
import struct
import zlib

import numpy as np
import pictures
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from png_files import ALPHA, DEEP, DEEP_ALPHA, DRAWING, NUMBERS, PHOTO, TILES, filtered, png_around, png_file

from photoarc import codecs, options, pipeline
from photoarc.codecs import png
from photoarc.codecs.zlib_streams import recipe, retrace
from photoarc.codecs.zlib_streams import settings as zlib_settings
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.codecs.zlib_streams.tokens import Block
from photoarc.errors import PayloadError

FILES = {
    "rgb": png_file(PHOTO, 2),
    "level 9, memory 9, one chunk": png_file(PHOTO, 2, 9, 9, 1 << 20),
    "level 4, filtered": png_file(PHOTO, 2, 4, strategy=zlib.Z_FILTERED),
    "level 1": png_file(PHOTO, 2, 1),
    "level 2, memory 9": png_file(PHOTO, 2, 2, 9),
    "level 3, filtered": png_file(PHOTO, 2, 3, strategy=zlib.Z_FILTERED),
    "runs": png_file(PHOTO & 0xF0, 2, 1, strategy=zlib.Z_RLE),
    "Huffman codes only": png_file(PHOTO, 2, 1, strategy=zlib.Z_HUFFMAN_ONLY),
    "grey": png_file(PHOTO[:, :, :1], 0),
    "grey and alpha": png_file(PHOTO[:, :, :2], 4),
    "alpha": png_file(ALPHA, 6),
    "bytes behind the end": png_file(PHOTO, 2, tail=b"trailing bytes"),
    "small chunks": png_file(PHOTO, 2, idat=100),
    "one column": png_file(np.repeat(PHOTO, 8, axis=0)[:, :1], 2),
    "Pillow's": pictures.png(pictures.photo(300, 200), before=[(b"pHYs", bytes(9))], compress_level=6),
    "16 bits, rgb": png_file(DEEP, 2, depth=16),
    "16 bits, alpha": png_file(DEEP_ALPHA, 6, depth=16),
    "16 bits, grey": png_file(DEEP[:, :, :2], 0, depth=16),
    "16 bits, grey and alpha": png_file(DEEP[:, :, :4], 4, depth=16),
    "palette": png_file(NUMBERS, 3),
    "palette of 4 bits": png_file(NUMBERS[:, ::2] & 15 | NUMBERS[:, 1::2] << 4, 3, depth=4),
    "1 bit": png_file(np.packbits(np.repeat(np.repeat(PHOTO[:, :, :1] > 128, 2, axis=0), 2, axis=1), axis=1), 0, depth=1),
    "tiles": png_file(TILES, 3, 4),
    "drawing": png_file(DRAWING, 2),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_file_comes_back(data):
    payload = png.encode(data)
    assert len(payload) < len(data)
    assert png.decode(payload, len(data)) == data


def test_it_is_smaller_than_any_general_coder_makes_it():
    data = pictures.png(pictures.photo(400, 300), compress_level=6)
    assert len(png.encode(data)) < 0.9 * len(data)


def without_compression():
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG", compress_level=0)
    return file.getvalue()


GOOD = FILES["rgb"]
REFUSED = {
    "stored": without_compression(),
    "no such depth": GOOD[:24] + b"\4" + GOOD[25:],
    "nothing": b"",
    "signature": png.SIGNATURE,
    "cut": GOOD[: len(GOOD) // 2],
    "no data": GOOD[:33] + GOOD[-12:],
    "wrong checksum": GOOD.replace(b"IDAT", b"IDAT\1", 1),
    "too many rows": GOOD[:20] + struct.pack(">I", 5000) + GOOD[24:],
    "huge": GOOD[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + GOOD[24:],
    "interlaced": GOOD[:28] + b"\1" + GOOD[29:],
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refuses_what_it_is_not_for(data):
    with pytest.raises(PayloadError):
        png.encode(data)


def test_the_pipeline_takes_it():
    data = pictures.png(pictures.photo(300, 200), compress_level=6)
    encoded = pipeline.encode_file(data, options.CodingOptions(options.Mode.LOSSLESS))
    assert encoded.codec_id == codecs.PNG
    assert pipeline.decode_payload("a.png", codecs.PNG, encoded.payload, len(data), blake3(data).digest()) == data
    broken = pipeline.encode_file(REFUSED["cut"], options.CodingOptions(options.Mode.LOSSLESS))
    assert broken.codec_id in (codecs.LZMA, codecs.STORE)


SMALL = pictures.png(pictures.photo(64, 48), compress_level=6)
PAYLOAD = png.encode(SMALL)


DAMAGED = {
    name: (data, png.encode(data))
    for name, data in (("rgb", SMALL), *((k, FILES[k]) for k in ("tiles", "16 bits, grey", "level 1", "runs")))
}


@pytest.mark.parametrize(("data", "payload"), DAMAGED.values(), ids=DAMAGED)
@settings(deadline=None, max_examples=150)
@given(st.integers(0), st.integers(1, 255), st.booleans())
def test_damage_gives_a_payload_error_or_a_file_of_the_right_size(data, payload, at, mask, cut):
    at %= len(payload) if at % 2 else 60  # the head, too
    wrong = payload[:at] if cut else payload[:at] + bytes([payload[at] ^ mask]) + payload[at + 1 :]
    try:
        assert len(png.decode(wrong, len(data))) == len(data)  # what is wrong in it, the digest tells
    except PayloadError:
        return


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_damaged_description_is_refused(at, noise):
    """Behind the LZMA, where a flip in the payload hardly reaches."""
    head = png._HEAD.unpack_from(PAYLOAD)
    end = png._HEAD.size + head[12]
    plain = bytearray(png.lzma2.decompress(PAYLOAD[png._HEAD.size : end], head[11]))
    at %= len(plain)
    plain[at : at + len(noise)] = noise
    packed = png.lzma2.compress(bytes(plain))
    payload = png._HEAD.pack(*head[:11], len(plain), len(packed)) + packed + PAYLOAD[end:]
    try:
        assert len(png.decode(payload, len(SMALL))) == len(SMALL)
    except PayloadError:
        return


@pytest.mark.parametrize(
    "asked", [(9, 8, 0), (6, 9, 1), (3, 8, 0), (2, 9, 0), (1, 8, 0), (1, 8, zlib.Z_HUFFMAN_ONLY), (1, 8, zlib.Z_RLE)], ids=str
)
def test_zlib_is_asked_first_and_can_be_done_without(asked, monkeypatch):
    level, memory, strategy = asked
    data = png_file(pictures.photo(90, 70, noise=0) & 0xF0, 2, level, memory, strategy=strategy)
    payload = png.encode(data)
    assert png._HEAD.unpack_from(payload)[5:8] == asked
    with monkeypatch.context() as patch:
        patch.setattr(retrace, "replay", None)  # would fail if it were called
        assert png.decode(payload, len(data)) == data
    with monkeypatch.context() as patch:
        patch.setattr(zlib_settings, "deflated", lambda *_: b"of another zlib")
        assert png.decode(payload, len(data)) == data


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_who_wrote_it_does_not_matter_for_the_size(level, strategy):
    assert len(png.encode(png_file(PHOTO, 2, level, strategy=strategy))) < len(png.encode(GOOD)) + 100


@pytest.mark.parametrize("how", [Parameters(6, four=True, greedy=True), Parameters(7, four=True), Parameters(9, far=True)], ids=str)
def test_what_another_zlib_writes_has_no_exceptions(how):
    """Streams as zlib-ng makes them at levels 6, 7 and 9, and zlib before 1.2 at level 9; none of them is at hand here."""
    pixels = pictures.photo(160, 120, noise=0.5)
    raw = np.frombuffer(filtered(pixels), np.uint8)
    tokens = retrace.replay(raw, how)
    body = recipe._deflated(raw, (Block(2, len(tokens[0])),), *tokens)
    stream = bytes([0x78, 0x9C if how.level == 6 else 0xDA]) + body + zlib.adler32(raw.data).to_bytes(4, "big")
    assert zlib.decompress(stream) == raw.tobytes()
    found = recipe.find(raw, stream)
    assert not len(found.exceptions.positions)
    assert (found.parameters.four, found.parameters.greedy, found.parameters.far) == (how.four, how.greedy, how.far)
    data = png_around(stream, pixels, 2)
    payload = png.encode(data)
    assert png._HEAD.unpack_from(payload)[5:8] == zlib_settings.UNKNOWN
    assert png.decode(payload, len(data)) == data


def test_settings_of_zlib_are_found():
    raw = np.frombuffer(pictures.photo(120, 90).tobytes(), np.uint8)
    for asked in ((6, 8, 0), (9, 9, 1), (1, 8, zlib.Z_RLE), (1, 8, zlib.Z_HUFFMAN_ONLY), (1, 8, 0)):
        packer = zlib.compressobj(asked[0], zlib.DEFLATED, 15, *asked[1:])
        stream = packer.compress(raw.tobytes()) + packer.flush()
        found = zlib_settings.find(raw, stream[2:-4], stream[1] >> 6, len(stream))
        assert stream[2:-4] == zlib_settings.deflated(raw, *found)
    assert zlib_settings.find(raw, stream[2:-5] + b"x", stream[1] >> 6, len(stream)) == zlib_settings.UNKNOWN
    assert zlib_settings.deflated(raw, *zlib_settings.UNKNOWN) == b""
