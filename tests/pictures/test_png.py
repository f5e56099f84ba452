"""PNG chunks: apart, back together, and everything that must be refused; and our encoder against Pillow's decoder."""

import io
import zlib

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.errors import PayloadError
from photoarc.pictures import png
from photoarc.pictures.metadata import AFTER, BEFORE, Item

PHOTO = pictures.photo(90, 70)
ALPHA = np.random.default_rng(5).integers(0, 256, PHOTO.shape[:2], dtype=np.uint8)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("strip_bytes", [1, 5000, 1 << 20])
def test_encode_is_read_back_by_pillow(colours, with_alpha, strip_bytes, monkeypatch):
    monkeypatch.setattr(png, "_STRIP_BYTES", strip_bytes)
    pixels, alpha = PHOTO[:, :, :colours], ALPHA if with_alpha else None
    with Image.open(io.BytesIO(png.encode(pixels, alpha))) as picture:
        assert picture.mode == {1: "L", 3: "RGB"}[colours] + ("A" if with_alpha else "")
        planes = np.asarray(picture).reshape(*PHOTO.shape[:2], -1)
    assert (planes[:, :, :colours] == pixels).all()
    assert not with_alpha or (planes[:, :, colours] == ALPHA).all()


def test_chunks_keep_their_bytes_order_and_side():
    before = [(b"gAMA", b"\0\0\xb1\x8f"), (b"iCCP", b"x\0\0" + zlib.compress(pictures.icc())), (b"tEXt", b"Comment\0hello")]
    after = [(b"eXIf", pictures.exif(6)), (b"prVt", b"private, safe to copy"), (b"tIME", b"\x07\xea\1\2\3\4\5")]
    parts = png.split(pictures.png(PHOTO, before, after))
    assert parts.metadata == tuple(Item(*c, BEFORE) for c in before) + tuple(Item(*c, AFTER) for c in after)
    again = png.split(png.encode(PHOTO, None, parts.metadata))
    assert again.metadata == parts.metadata
    assert (again.width_px, again.height_px, again.channels) == (90, 70, 3)


def test_chunks_about_the_old_picture_data_are_dropped():
    data = pictures.png(PHOTO, before=[(b"iDOT", bytes(28)), (b"PLTE", bytes(9)), (b"sPLT", b"p\0\10")])
    assert png.split(data).metadata == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pictures.png(PHOTO, before=[(b"acTL", bytes(8))]), "animation"),
        (pictures.png(PHOTO, before=[(b"tRNS", bytes(6))]), "a transparent colour"),
        (pictures.png(PHOTO, before=[(b"caBX", b"content credentials")]), "belongs to the exact picture data"),
        (pictures.png(PHOTO, before=[(b"CgBI", bytes(4))]), "unknown critical chunk"),
        (pictures.png(PHOTO, tail=b"\0"), "data after the end"),
        (pictures.png(PHOTO.astype(np.uint16)[:, :, 0] * 256), "^16 bits a channel"),
        (pictures.png(PHOTO[:, :, 0] > 128), "^1 bit a channel"),
        (pictures.png(PHOTO)[:-1], "truncated"),
        (pictures.png(PHOTO)[:-12], "truncated"),
        (pictures.png(PHOTO)[:40] + b"\0" + pictures.png(PHOTO)[41:], "checksum"),
        (png.SIGNATURE + pictures.chunk(b"IEND", b""), "no header"),
    ],
)
def test_refused_with_the_reason(data, reason):
    with pytest.raises(PayloadError, match=reason):
        png.split(data)


@pytest.mark.parametrize("key", [b"IDAT", b"te t", b"\0\0\0\0"])
def test_encode_writes_ancillary_chunks_only(key):
    with pytest.raises(PayloadError, match="damaged"):
        png.encode(PHOTO, None, [Item(key, b"")])


def test_palette_is_graphics():
    file = io.BytesIO()
    pictures.image(PHOTO).quantize(16).save(file, "PNG")
    with pytest.raises(PayloadError, match="graphics: palette"):
        png.split(file.getvalue())


def test_every_prefix_is_refused():
    data = pictures.png(PHOTO[:8, :8])
    for end in range(len(data)):
        with pytest.raises(PayloadError):
            png.split(data[:end])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_filters_are_chosen_by_row(channels):
    """Every row comes back, and rows like the one above, flat ones and slopes each take their filter; strips meet without a seam."""
    height, width = 700, 500
    rows = np.arange(height)[:, None, None] * np.ones((height, width, channels), int)
    kinds = np.stack([rows * 0 + 200, rows.repeat(1, 2), np.random.default_rng(0).integers(0, 256, (1, width, channels)) + 0 * rows])
    pixels = kinds[np.arange(height) // 50 % 3, np.arange(height)].astype(np.uint8)
    pixels[::7] = pictures.photo(width, 100)[:, :, :1]
    colours, alpha = (pixels[:, :, :-1], pixels[:, :, -1]) if channels in (2, 4) else (pixels, None)
    data = png.encode(np.ascontiguousarray(colours), alpha)
    with Image.open(io.BytesIO(data)) as picture:
        assert (np.asarray(picture).reshape(pixels.shape) == pixels).all()
    packed = b"".join(data[at + 4 : at + 4 + size] for at, size in idat(data))
    used = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)[:, 0]
    assert {1, 2} <= set(used.tolist()) <= {0, 1, 2, 3}


def test_filters_make_photographs_smaller():
    pixels = np.full((400, 300, 3), 255, np.uint8)
    pixels[50:, :250] = pictures.photo(250, 350)
    assert len(png.encode(pixels, None)) < 0.96 * len(png.encode(pixels, None, filters=(1,)))


def idat(data):
    """Place of the type and size of each IDAT chunk."""
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            yield at + 4, size
        at += 12 + size
