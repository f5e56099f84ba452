"""What a file is, by its first bytes or its ending."""

from __future__ import annotations

from photoarc.pictures import raster

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"  # here, for `list` is to load no NumPy
NO_PHOTOGRAPH = "not a photograph format"  # why a file that is no JPEG, PNG, WebP or BMP is kept bit-exact

# Not for groups unless tiny: what the learned codec or slow ones may take is spread over the workers file by file.
PICTURE_ENDINGS = (b".jpg", b".jpeg", b".jpe", b".jfif", b".png", b".webp", b".bmp", b".heic", b".heif", b".avif", b".jxl")

_PICTURE_STARTS = (b"\xff\xd8\xff", PNG_SIGNATURE, *raster.STARTS)


def starts_like_picture(head: bytes) -> bool:
    """Whether the first 12 bytes are those of a JPEG, PNG, WebP, BMP, TIFF or PNM file."""
    return head.startswith(_PICTURE_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
