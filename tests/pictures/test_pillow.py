"""archive.image(): a Pillow image with everything that the file would tell; no file of a picture is too large or too wordy for it."""

import io
import sys
import zlib

import numpy as np
import pictures
import pytest
from PIL import Image, ImageOps, PngImagePlugin

import photoarc
from photoarc.errors import DecodeFailed, PayloadError
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Mode, PackOptions
from photoarc.pictures import pillow

PHOTO = pictures.photo(256, 192)
EXIF, XMP, ICC = pictures.exif(6), pictures.XMP, pictures.icc()
JPEG = pictures.jpeg(PHOTO, quality=97, exif=b"Exif\0\0" + EXIF, xmp=XMP, icc_profile=ICC, dpi=(240, 240), comment=b"by me")
ITXT = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
CHUNKS = [(b"iCCP", b"p\0\0" + zlib.compress(ICC)), (b"eXIf", EXIF), (b"iTXt", ITXT), (b"pHYs", b"\0\0\x24\xe7\0\0\x24\xe7\1")]


def options(mode, quality):
    return CodingOptions(mode) if mode is Mode.LOSSLESS else CodingOptions(mode, quality, min_gain_percent=0)


def open_one(folder, name, data, options):
    (folder / name).write_bytes(data)
    pack([folder / name], folder / "out.pha", PackOptions(options, workers=0, force=True))
    with photoarc.open(folder / "out.pha") as archive:
        return archive.info(name), archive.image(name)


SOURCES = {
    "jpg": lambda: JPEG,
    "png": lambda: pictures.png(PHOTO, before=[*CHUNKS, (b"tEXt", b"Author\0me")]),
    "webp": lambda: pictures.webp(PHOTO, exif=EXIF, xmp=XMP, icc_profile=ICC),
    "bmp": lambda: pictures.bmp(PHOTO, dpi=(240, 240)),
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", SOURCES)
def test_what_stands_beside_the_pixels(kind, mode, tmp_path):
    data = SOURCES[kind]()
    member, picture = open_one(tmp_path, f"x.{kind}", data, options(mode, 60))
    assert member.lossy is (mode is not Mode.LOSSLESS)
    with Image.open(io.BytesIO(data)) as source:
        source.load()
        for key in ("exif", "icc_profile", "xmp", "dpi", "comment", "Author"):
            assert picture.info.get(key) == source.info.get(key), key
    assert picture.size == (256, 192)
    if kind == "bmp":
        assert ImageOps.exif_transpose(picture).size == (256, 192)
        return
    assert picture.getexif()[0x0112] == 6
    assert ImageOps.exif_transpose(picture).size == (192, 256)
    assert picture.info["icc_profile"] == ICC
    assert picture.info["xmp"] == XMP


def test_transparency(tmp_path):
    pixels = np.dstack((PHOTO, pictures.photo(256, 192, 9)[:, :, 0]))
    member, picture = open_one(tmp_path, "x.png", pictures.png(pixels, before=CHUNKS), CodingOptions(quality=60))
    assert member.lossy
    assert (picture.mode, picture.getexif()[0x0112]) == ("RGBA", 6)
    assert (np.asarray(picture)[:, :, 3] == pixels[:, :, 3]).all()


@pytest.mark.parametrize("make", [pictures.png, pictures.jpeg])
def test_pillows_limit_of_pixels_does_not_count(make, monkeypatch):
    data = make(PHOTO)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert pillow.open_picture(data).size == (256, 192)
    assert Image.MAX_IMAGE_PIXELS == 1000  # nor is it changed


LONG = b"workflow " * 400_000
WORDS = {
    "zTXt": (b"zTXt", b"prompt\0\0" + zlib.compress(LONG), "prompt", LONG.decode()),
    "iTXt": (b"iTXt", b"prompt\0\1\0en\0\0" + zlib.compress(LONG), "prompt", LONG.decode()),
    "XMP": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LONG), "xmp", LONG),
    "profile": (b"iCCP", b"p\0\0" + zlib.compress(LONG), "icc_profile", LONG),
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LOSSLESS])
def test_long_text(name, where, mode, tmp_path):
    kind, body, key, text = WORDS[name]
    if name == "profile" and where == "after":
        return
    data = pictures.png(PHOTO, **{where: [(kind, body), (b"tEXt", b"Author\0me"), (b"pHYs", CHUNKS[-1][1])]})
    _, picture = open_one(tmp_path, "x.png", data, options(mode, 60))
    assert picture.info[key] == text
    assert picture.info["Author"] == "me"
    assert PngImagePlugin.MAX_TEXT_CHUNK == 1 << 20


def test_much_text_in_all(tmp_path):
    many = [(b"tEXt", b"k%d\0" % k + bytes([65 + k]) * 9_000_000) for k in range(8)]  # 72 MB, Pillow's limit is 64
    picture = pillow.open_picture(pictures.png(PHOTO, before=many))
    assert (picture.size, len(picture.info["k7"])) == ((256, 192), 9_000_000)


def test_text_bombs_are_left_out(monkeypatch):
    monkeypatch.setattr("photoarc.pictures.png.MAX_BYTES", 5_000_000)
    bombs = [(b"zTXt", b"k%d\0\0" % k + zlib.compress(bytes([65 + k]) * 3_000_000)) for k in range(5)]
    picture = pillow.open_picture(pictures.png(PHOTO, before=bombs))
    assert sum(len(text) for key, text in picture.info.items() if key[0] == "k") == 3_000_000
    broken = [(b"zTXt", b"k\0\0" + zlib.compress(LONG)), (b"zTXt", b"b\0\0rubbish"), (b"iTXt", b""), (b"tEXt", b"")]
    assert pillow.open_picture(pictures.png(PHOTO, before=broken)).info["k"] == LONG.decode()


def jpeg_xl(pixels, orientation=1, **options):
    pyjpegxl = pytest.importorskip("pyjpegxl")
    coded = bytes(pyjpegxl.encode_from_numpy(pixels, **options))
    if coded[:2] == b"\xff\x0a":
        coded = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl " + (8 + len(coded)).to_bytes(4, "big") + b"jxlc" + coded
    exif = bytes(4) + pictures.exif(orientation)
    return coded + (8 + len(exif)).to_bytes(4, "big") + b"Exif" + exif


@pytest.mark.parametrize("pixels", [PHOTO, PHOTO[:, :, 0].copy(), np.dstack((PHOTO, PHOTO[:, :, 0])), PHOTO.astype(np.uint16) * 257])
def test_jpeg_xl(pixels, tmp_path):
    """Turned by its decoder: what EXIF says must not turn it again."""
    _, picture = open_one(tmp_path, "x.jxl", jpeg_xl(pixels, 6, lossless=True), CodingOptions())
    eight = pixels if pixels.dtype == np.uint8 else PHOTO
    assert (np.asarray(picture) == eight).all()
    assert picture.getexif()[0x010E] == "photoarc test"
    assert ImageOps.exif_transpose(picture).size == (256, 192)


def test_heic(tmp_path, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(PHOTO)).save(file, quality=90, exif=pictures.exif(6), icc_profile=ICC)
    for recode in (False, True):
        member, picture = open_one(tmp_path, "x.heic", file.getvalue(), CodingOptions(quality=60, recode=recode, min_gain_percent=0))
        assert not member.lossy or recode
        assert picture.info["icc_profile"] == ICC
        assert ImageOps.exif_transpose(picture).size in ((256, 192), (192, 256))
    (tmp_path / "out.pha").unlink()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DecodeFailed, match="pip install pillow-heif"):
        open_one(tmp_path, "x.heic", file.getvalue(), CodingOptions())
    monkeypatch.setitem(sys.modules, "pyjpegxl", None)
    with pytest.raises(PayloadError, match="pip install pyjpegxl"):
        pillow.open_picture(jpeg_xl(PHOTO))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF", "PPM", "JPEG2000"])
def test_other_formats(kind):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, kind)
    assert pillow.open_picture(file.getvalue()).size == (256, 192)


def test_what_is_no_picture():
    for data in (b"", b"nothing", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", JPEG[:300], pictures.png(PHOTO)[:-90_000]):
        with pytest.raises(PayloadError):
            pillow.open_picture(data)
