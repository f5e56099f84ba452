"""Samples (H, W, C) of 8 or 16 bits as lossless JPEG XL files, and back: what `png`, `raster` and `tiff` share.

One file, or slabs: some rows each, a file behind its length (docs/format.md section 7.9). Slabs bound the memory that libjxl takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Any, cast

import numpy as np
import pyjpegxl
from numpy.typing import NDArray

from photoarc.errors import PayloadCorrupt, PayloadError

FAST, USUAL, SLOW = pyjpegxl.EncoderSpeed.Thunder, pyjpegxl.EncoderSpeed.Squirrel, pyjpegxl.EncoderSpeed.Tortoise
SLAB_PX = 1 << 22
LEAST_PX = 64  # a side; below, JPEG XL's own head costs what it saves
LEAST_SAVING = 0.02
_LENGTH = Struct("<I")
_SPEEDS = (FAST,) * 3 + (USUAL,) * 4 + (SLOW,) * 3  # by effort

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


def slab_rows(width_px: int) -> int:
    """Rows of a slab."""
    return max(1, SLAB_PX // width_px)


def encode_slabs(slabs: Iterable[Samples], effort: int) -> bytes:
    """Slabs (H, W, C), contiguous -> the end of a payload. Raises PayloadError."""
    pieces = []
    for slab in slabs:
        coded = encode(slab, _SPEEDS[effort])
        pieces += [_LENGTH.pack(len(coded)), coded]
    return b"".join(pieces)


def decode_slabs(payload: bytes, at: int, shape: tuple[int, int, int], sample_bytes: int, rows: int) -> Iterator[tuple[int, Samples]]:
    """First row and samples of each slab from byte `at` of the payload on. Raises PayloadError, struct.error."""
    height, width, channels = shape
    top = 0
    while at < len(payload):
        (size,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size + size
        if at > len(payload):
            raise PayloadError("the payload is cut off", PayloadCorrupt)
        count = min(rows, height - top)
        yield top, decode(payload[at - size : at], (count, width, channels), sample_bytes)
        top += count
    if top != height:
        raise PayloadError(f"slabs of {top} rows, expected {height}", PayloadCorrupt)
