"""What a file is, by its first bytes or its ending: nobody else asks that, parsers apart, which check what they were given."""

from __future__ import annotations

import re
from enum import StrEnum

JPEG_SOI, JPEG_START = b"\xff\xd8", b"\xff\xd8\xff"  # the first marker; with how each next one begins
PNG_SIGNATURE, BMP_START, RIFF_START, WEBP_FORM = b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b"WEBP"
TIFF_STARTS, PNM_STARTS = (b"II*\0", b"MM\0*"), (b"P5", b"P6")
JXL_CODESTREAM, JXL_CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
# Netpbm, "ppm" and "pgm": 5 or 6, width, height, the largest sample.
PNM_HEAD = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
NO_PHOTOGRAPH = "not a photograph format"  # why a file that is no JPEG, PNG, WebP or BMP is kept bit-exact

# Not for groups unless tiny: what the learned codec or slow ones may take is spread over the workers file by file.
PICTURE_ENDINGS = (b".jpg", b".jpeg", b".jpe", b".jfif", b".png", b".webp", b".bmp", b".heic", b".heif", b".avif", b".jxl")


class PictureKind(StrEnum):
    """Formats of pictures, as people call them."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    BMP = "BMP"
    TIFF = "TIFF"
    PNM = "PNM"
    HEIC = "HEIC"
    AVIF = "AVIF"
    JXL = "JPEG XL"
    GIF = "GIF"


_STARTS = (
    (JPEG_START, PictureKind.JPEG),
    (PNG_SIGNATURE, PictureKind.PNG),
    (BMP_START, PictureKind.BMP),
    *((start, PictureKind.TIFF) for start in TIFF_STARTS),
    *((start, PictureKind.PNM) for start in PNM_STARTS),
    (JXL_CODESTREAM, PictureKind.JXL),
    (JXL_CONTAINER, PictureKind.JXL),
    (b"GIF8", PictureKind.GIF),
)
_BRANDS = {b"heic": PictureKind.HEIC, b"heix": PictureKind.HEIC, b"mif1": PictureKind.HEIC, b"avif": PictureKind.AVIF}
_WORTH_CODING = frozenset((PictureKind.JPEG, PictureKind.PNG, PictureKind.WEBP, PictureKind.BMP, PictureKind.TIFF, PictureKind.PNM))


def kind_of(head: bytes) -> PictureKind | None:
    """Of the first 12 bytes of a file, or of all; None if they are those of no picture that is known."""
    if riff_form(head) == WEBP_FORM:
        return PictureKind.WEBP
    if brand := box_brand(head):
        return _BRANDS.get(brand)
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def box_brand(head: bytes) -> bytes:
    """Major brand of a file of boxes (HEIF, MP4; ISO/IEC 14496-12 section 4.3), empty for any other."""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def riff_form(head: bytes) -> bytes:
    """Form of a RIFF file (WebP, AVI, WAV), empty for any other."""
    return head[8:12] if head[:4] == RIFF_START else b""


def starts_like_picture(head: bytes) -> bool:
    """Whether the first 12 bytes are those of a JPEG, PNG, WebP, BMP, TIFF or PNM file."""
    return kind_of(head) in _WORTH_CODING
