"""Pictures as Pillow images, with what was stored beside their pixels, for `Archive.image`.

No setting of Pillow is changed for that, as other threads of the caller's would see it. Its limit of 179 megapixels stands in Image.open,
which is not used: the plugins' own classes are called, after a limit of ours (image.MAX_PIXELS). Text that is longer than its limits is
taken out of a PNG before Pillow sees it, and put back into `info`.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from photoarc.errors import LimitExceeded, PayloadError
from photoarc.pictures import heif, libjxl, png, tiff
from photoarc.pictures.conversion import SOURCES
from photoarc.pictures.image import MAX_PIXELS, Photograph, outward, write
from photoarc.pictures.kinds import PictureKind, kind_of
from photoarc.pictures.writers import to_pillow

# What is tried, in this order. No others of Pillow's: who has strangers' files has their decoders' faults.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
_ORIENTATION = 0x0112


def of_photograph(photo: Photograph) -> Image.Image:
    """A decoded photograph (L, LA, RGB or RGBA) with the `info` of the file that would be unpacked: exif, icc_profile, dpi, xmp, text.

    That is asked of Pillow itself: one pixel is written with all the metadata and opened again. Raises PayloadError.
    """
    picture = to_pillow(outward(photo, SOURCES[photo.source_format]), photo.alpha)
    alpha = None if photo.alpha is None else np.ascontiguousarray(photo.alpha[:1, :1])
    corner = replace(photo, pixels=np.ascontiguousarray(photo.pixels[:1, :1]), alpha=alpha)
    picture.info.update(open_picture(write(corner, quick=True)).info)
    return picture


def open_picture(data: bytes) -> Image.Image:
    """Any picture file as a loaded Pillow image. Raises PayloadError if it cannot be read, LimitExceeded above MAX_PIXELS."""
    try:
        if heif.kind(data[:12]) == "heic":
            return _loaded(_heic(data))
        return _jpeg_xl(data) if kind_of(data[:12]) is PictureKind.JXL else _by_pillow(data)
    except (LimitExceeded, PayloadError, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on hostile files
        raise PayloadError(f"not a picture that Pillow can read: {error}") from error


def _loaded(picture: Image.Image) -> Image.Image:
    with picture:
        _check_size(*picture.size)
        picture.load()
        return picture


def _check_size(width_px: int, height_px: int) -> None:
    if width_px * height_px > MAX_PIXELS:
        raise LimitExceeded(f"{width_px} x {height_px} pixels, above the limit of {MAX_PIXELS:,}")


def _by_pillow(data: bytes) -> Image.Image:
    if data[:8] != png.SIGNATURE:
        return _loaded(_plugin(data))
    try:
        return _loaded(PngImagePlugin.PngImageFile(io.BytesIO(data)))
    except ValueError:  # text or a colour profile above its limits
        bare, info = png.without_text(data)
    picture = _loaded(PngImagePlugin.PngImageFile(io.BytesIO(bare)))
    picture.info.update(info)
    return picture


def _plugin(data: bytes) -> Image.Image:
    """The file, opened by the first plugin that takes it."""
    Image.init()  # fills a table of Pillow's, once
    refusal: Exception = ValueError("of no known format")
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or (accept is not None and accept(data[:16]) is not True):
            continue
        try:
            return factory(io.BytesIO(data), "")
        except Exception as error:  # a plugin may raise anything, and another one take the file
            refusal = error
    raise PayloadError(f"not a picture that Pillow can read: {refusal}")


def _heic(data: bytes) -> Image.Image:
    """As libheif turns it; its EXIF then says that it is upright."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise PayloadError("HEIC is opened by the package pillow-heif, which is not installed: pip install pillow-heif") from None
    picture: Image.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return picture


def _jpeg_xl(data: bytes) -> Image.Image:
    """As libjxl turns it; its EXIF must not say so again, and more than 8 bits a sample are rounded to 8."""
    told = libjxl.told(data)
    _check_size(told.width, told.height)
    pixels = _eight_bits(libjxl.decode(data))
    picture = Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    exif = (told.exif or b"")[4:]
    if exif:
        picture.info["exif"] = b"Exif\0\0" + exif
        if _turns(exif):
            held = picture.getexif()
            held[_ORIENTATION] = 1
            picture.info["exif"] = held.tobytes()
    picture.info.update({key: value for key, value in (("icc_profile", told.icc), ("xmp", told.xmp)) if value})
    return picture


def _turns(exif: bytes) -> bool:
    try:
        return tiff.orientation(exif) != 1
    except PayloadError:
        return False


def _eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples, np.uint8)
    highest = 1.0 if np.issubdtype(samples.dtype, np.floating) else float(np.iinfo(samples.dtype).max)
    scaled: NDArray[Any] = np.rint(np.clip(samples.astype(np.float32) / highest, 0, 1) * 255)
    return scaled.astype(np.uint8)
