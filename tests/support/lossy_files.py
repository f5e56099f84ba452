"""Lossy pictures that are no JPEG, with EXIF, XMP and a profile: AVIF, HEIC, WebP, JPEG XL."""

import io

import pictures
import pytest
from PIL import Image

PHOTO = pictures.photo(256, 192)
_made = Image.Exif()
_made[0x010E] = "photoarc test"  # no orientation: Pillow would take it out of the EXIF of an AVIF
EXIF, XMP, ICC = _made.tobytes().removeprefix(b"Exif\0\0"), pictures.XMP, pictures.icc()


def save(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def avif(pixels=PHOTO, **options):
    return save(pixels, "AVIF", **{"quality": 95, "speed": 10, "exif": EXIF, "xmp": XMP, "icc_profile": ICC, **options})


def heic(pixels=PHOTO, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    made = pillow_heif.from_pillow(Image.fromarray(pixels))
    made.save(file, **{"quality": 90, "exif": EXIF, "xmp": XMP, "icc_profile": ICC, **options})
    return file.getvalue()


def lossy_webp(pixels=PHOTO, **options):
    return pictures.webp(pixels, **{"lossless": False, "quality": 95, "method": 0, "exif": EXIF, "xmp": XMP, "icc_profile": ICC, **options})


def jpeg_xl(pixels=PHOTO, exif=EXIF, xmp=XMP, **options):
    pyjpegxl = pytest.importorskip("pyjpegxl")
    coded = bytes(pyjpegxl.encode_from_numpy(pixels, **options))
    if coded[:2] == b"\xff\x0a":
        coded = JXL_START + box(b"jxlc", coded)
    exif_box = box(b"Exif", bytes(4) + exif) if exif else b""
    return coded + exif_box + (box(b"xml ", xmp) if xmp else b"")


def box(name, body):
    return (8 + len(body)).to_bytes(4, "big") + name + body


JXL_START = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
MAKERS = {"avif": avif, "heic": heic, "webp": lossy_webp, "jxl": jpeg_xl}
