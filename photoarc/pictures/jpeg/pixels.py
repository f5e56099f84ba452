"""Pixels of a JPEG by libjpeg-turbo, through pyjpegxl, or through Pillow where that package is missing.

Their pixels are equal on all 147 sound JPEGs tried. pyjpegxl decodes straight into an array (Pillow's own image costs 4 bytes a pixel more)
and reports the damage that libjpeg papers over; before Pillow's turn our own reader of the scans looks for it.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from photoarc.errors import PayloadError
from photoarc.pictures.parsed import Parsed


def decode_into(file: Parsed, pixels: NDArray[np.uint8]) -> None:
    """Fill (H, W, 1 or 3), grey or RGB, without a look at metadata. Raises PayloadError if the JPEG is broken or has other sides."""
    data = file.jpeg.picture
    try:
        import pyjpegxl
    except ImportError:
        try:
            if file.scan.cut:
                raise PayloadError("its data end before the picture")
        except PayloadError as error:
            raise PayloadError(f"broken JPEG, or one that only pyjpegxl can check: {error}") from error
        pixels[...] = _by_pillow(data).reshape(pixels.shape)
        return
    try:
        pyjpegxl.jpeg_decode_into(data, pixels)
    except RuntimeError as error:
        raise PayloadError(f"broken JPEG: {str(error).rpartition('TurboJPEG error: ')[2][:80]}") from error


def _by_pillow(data: bytes) -> NDArray[np.uint8]:
    try:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as picture:
            return np.asarray(picture)
    except (OSError, SyntaxError) as error:
        raise PayloadError(f"broken JPEG: {str(error)[:80]}") from error
