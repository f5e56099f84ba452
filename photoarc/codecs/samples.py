"""Samples (H, W, C) of 8 or 16 bits as a lossless JPEG XL file, and back: what `png`, `raster` and `tiff` share."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyjpegxl
from numpy.typing import NDArray

from photoarc.errors import PayloadCorrupt, PayloadError

FAST, USUAL, SLOW = pyjpegxl.EncoderSpeed.Thunder, pyjpegxl.EncoderSpeed.Squirrel, pyjpegxl.EncoderSpeed.Tortoise

Samples = NDArray[np.unsignedinteger[Any]]


def kind(sample_bytes: int, *, big_endian: bool) -> np.dtype[np.unsignedinteger[Any]]:
    """Samples as they lie in a file."""
    return np.dtype(f"{'>' if big_endian else '<'}u{sample_bytes}")


def encode(samples: Samples, speed: pyjpegxl.EncoderSpeed) -> bytes:
    """Samples, contiguous -> JPEG XL file. Raises PayloadError if libjxl refuses them."""
    pyjpegxl.set_num_threads(1)
    try:
        return bytes(pyjpegxl.encode_from_numpy(samples, lossless=True, speed=speed))
    except Exception as refusal:
        raise PayloadError(f"JPEG XL refuses these pixels: {refusal}") from refusal


def decode(coded: bytes, shape: tuple[int, int, int], sample_bytes: int) -> Samples:
    """JPEG XL file -> samples of this shape, compared with what the file claims before anything is decoded.

    Raises PayloadError (PayloadCorrupt).
    """
    other = PayloadError("the pixels are those of another picture", PayloadCorrupt)
    pyjpegxl.set_num_threads(1)
    try:
        found = pyjpegxl.probe(coded)
        if (found.height, found.width) != shape[:2]:
            raise other
        samples = cast(Samples, pyjpegxl.decode_to_numpy(coded)[1])
    except PayloadError:
        raise
    except Exception as refusal:
        raise PayloadError(f"JPEG XL: {refusal}", PayloadCorrupt) from refusal
    if samples.shape != shape or samples.dtype != np.dtype(f"u{sample_bytes}"):
        raise other
    return samples
