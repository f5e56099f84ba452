"""Photographs in another format: grey stays grey, and what has no place there is said."""

import io
import struct

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc import pack, unpack
from photoarc.codecs import learned
from photoarc.pictures import conversion
from photoarc.pictures.image import photograph, write
from photoarc.pictures.metadata import Item

PHOTO = pictures.photo(256, 192)
GREY = np.repeat(PHOTO[:, :, :1], 3, axis=2)
GREY_PROFILE = b"\0" * 16 + b"GRAY" + b"\0" * 108 + bytes(4)
CHRM_P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
CHRM_SRGB = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
GAMMA = (45455).to_bytes(4, "big")


def lossless_webp(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", **{"lossless": True, **options})
    return out.getvalue()


def jpeg(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def modes(data, recode=False):
    """Modes of the file that comes back, and of it as PNG, JPEG, WebP, by way of the codec; no channel may differ from another."""
    payload, _ = learned.encode(photograph(data, recode=recode), 75)
    found = []
    for as_format in (None, "png", "jpeg", "webp"):
        picture = Image.open(io.BytesIO(learned.decode(payload, len(data), as_format)))
        found.append(picture.mode)
        pixels = np.asarray(picture.convert("RGB"), np.int16)
        assert np.abs(pixels - pixels[:, :, :1]).max() == 0
    return found


def test_grey_in_three_channels_stays_grey():
    assert modes(pictures.png(GREY)) == ["RGB", "RGB", "L", "RGB"]
    assert modes(pictures.bmp(GREY)) == ["RGB", "L", "L", "RGB"]
    assert modes(jpeg(GREY)) == ["L", "L", "L", "RGB"]
    assert modes(lossless_webp(GREY)) == ["RGB", "L", "L", "RGB"]
    assert photograph(pictures.png(PHOTO)).pixels.shape[2] == 3


def test_grey_of_a_lossy_webp_may_be_a_step_apart():
    out = io.BytesIO()
    Image.fromarray(GREY).save(out, "WEBP", quality=90)
    assert photograph(out.getvalue(), recode=True).pixels.shape[2] == 1


def test_grey_with_a_profile_of_rgb_has_three_channels_beside_it():
    profile = pictures.icc()
    assert modes(jpeg(GREY, icc_profile=profile)) == ["RGB", "RGB", "RGB", "RGB"]
    photo = photograph(lossless_webp(GREY, icc_profile=profile))
    for as_format in ("png", "jpeg"):
        with Image.open(io.BytesIO(write(photo, as_format))) as picture:
            assert (picture.mode, picture.info["icc_profile"]) == ("RGB", profile)


def test_a_source_without_loss_is_one_although_it_is_grey():
    assert not photograph(pictures.png(GREY)).was_lossy
    assert photograph(jpeg(GREY)).was_lossy


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ([(b"gAMA", GAMMA), (b"cHRM", CHRM_SRGB)], False),
        ([(b"gAMA", (45000).to_bytes(4, "big"))], False),
        ([(b"gAMA", (55555).to_bytes(4, "big"))], True),
        ([(b"gAMA", GAMMA), (b"cHRM", CHRM_P3)], True),
        ([(b"gAMA", GAMMA), (b"cHRM", CHRM_P3), (b"sRGB", b"\0")], False),
        ([(b"gAMA", GAMMA), (b"cHRM", CHRM_P3), (b"iCCP", b"x")], False),
        ([(b"cICP", b"\x0c\r\0\1")], True),
        ([(b"cICP", b"\1\r\0\1"), (b"cHRM", CHRM_P3)], False),
        ([(b"cICP", b"\x0c\r\0\1"), (b"iCCP", b"x")], True),
        ([], False),
    ],
)
def test_colours_of_png(chunks, said):
    items = [Item(key, body) for key, body in chunks]
    assert (conversion.COLOURS in conversion.left_behind(items, "png", "jpeg", grey=False)) is said
    assert conversion.left_behind(items, "png", "png", grey=False) == ()


def test_what_else_has_no_place():
    png = [
        Item(b"tEXt", b"a\0b"),
        Item(b"pHYs", bytes(9)),
        Item(b"eXIf", b"x"),
        Item(b"iTXt", b"XML:com.adobe.xmp\0"),
        Item(b"tIME", bytes(7)),
    ]
    assert conversion.left_behind(png, "png", "webp", grey=False) == (conversion.TEXTS, conversion.RESOLUTION, conversion.OTHERS)
    jpeg = [
        Item(b"COM ", b"x"),
        Item(b"APPD", b"x"),
        Item(b"APP1", b"Exif\0\0x"),
        Item(b"APP7", b"x"),
        Item(b"APP2", b"ICC_PROFILE\0\1\1x"),
    ]
    assert conversion.left_behind(jpeg, "jpeg", "png", grey=False) == (conversion.COMMENTS, conversion.IPTC, conversion.MAKERS)
    assert conversion.left_behind([Item(b"BMP ", bytes(8))], "bmp", "png", grey=False) == (conversion.RESOLUTION,)
    assert conversion.left_behind([Item(b"ICCP", GREY_PROFILE)], "webp", "png", grey=True) == ()


def test_a_profile_of_grey_has_no_place_in_webp():
    items = [Item(b"APP2", b"ICC_PROFILE\0\1\1" + GREY_PROFILE)]
    assert conversion.left_behind(items, "jpeg", "webp", grey=True) == (conversion.GREY,)
    assert conversion.converted(items, "jpeg", "webp", grey=True) == []
    assert conversion.converted(items, "jpeg", "png", grey=True)[0].key == b"iCCP"


def test_unpack_says_once_what_it_leaves_behind(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(
            pictures.png(PHOTO, [(b"cICP", b"\x0c\r\0\1"), (b"tEXt", b"Title\0x")][: 2 - (name == "b.png")])
        )
    pack(tmp_path / "in", tmp_path / "out.pha", workers=0)
    assert unpack(tmp_path / "out.pha", tmp_path / "as it was", workers=0).remarks == ()
    done = unpack(tmp_path / "out.pha", tmp_path / "out", as_format="jpeg", workers=0)
    assert done.remarks == (
        "colours of PNG (cICP, gAMA, cHRM) of 2 photographs, first in/a.png: jpeg has no place for that; the archive keeps it",
        "texts of PNG of 1 photograph, first in/a.png: jpeg has no place for that; the archive keeps it",
    )
