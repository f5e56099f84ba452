"""Samples (H, W, C) of 8 or 16 bits as lossless JPEG XL files, and back: what `png`, `raster` and `tiff` share.

One file, or slabs: some rows each, a file behind its length (docs/format.md section 7.9). Slabs bound the memory that libjxl takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from photoarc.container import lengths
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.pictures import jxl, libjxl
from photoarc.pictures.libjxl import FAST, SLOW, USUAL, Samples

SLAB_PX = 1 << 22
LEAST_PX = 64  # a side; below, JPEG XL's own head costs what it saves
LEAST_SAVING = 0.02
_EFFORTS = (FAST,) * 3 + (USUAL,) * 4 + (SLOW,) * 3  # libjxl's, by ours


def kind(sample_bytes: int, *, big_endian: bool) -> np.dtype[np.unsignedinteger[Any]]:
    """Samples as they lie in a file."""
    return np.dtype(f"{'>' if big_endian else '<'}u{sample_bytes}")


def encode(samples: Samples, jxl_effort: int) -> bytes:
    """Samples, contiguous -> JPEG XL file. Raises PayloadError if libjxl refuses them."""
    try:
        return libjxl.encode(samples, jxl_effort)
    except Exception as refusal:
        raise PayloadError(f"JPEG XL refuses these pixels: {refusal}") from refusal


def decode(coded: bytes, shape: tuple[int, int, int], sample_bytes: int) -> Samples:
    """JPEG XL file -> samples of this shape, compared with what the file claims before anything is decoded.

    Raises PayloadError (PayloadCorrupt).
    """
    try:
        claimed = jxl.size_px(coded)
        samples = libjxl.decode(coded) if claimed == (shape[1], shape[0]) else None
    except Exception as refusal:
        raise PayloadError(f"JPEG XL: {refusal}", PayloadCorrupt) from refusal
    if samples is None or samples.shape != shape or samples.dtype != np.dtype(f"u{sample_bytes}"):
        raise PayloadError("the pixels are those of another picture", PayloadCorrupt)
    return samples


def slab_rows(width_px: int) -> int:
    """Rows of a slab."""
    return max(1, SLAB_PX // width_px)


def encode_slabs(slabs: Iterable[Samples], effort: int) -> bytes:
    """Slabs (H, W, C), contiguous -> the end of a payload. Raises PayloadError."""
    return lengths.join(encode(slab, _EFFORTS[effort]) for slab in slabs)


def decode_slabs(payload: bytes, at: int, shape: tuple[int, int, int], sample_bytes: int, rows: int) -> Iterator[tuple[int, Samples]]:
    """First row and samples of each slab from byte `at` of the payload on. Raises PayloadError, ValueError."""
    height, width, channels = shape
    top = 0
    for coded in lengths.split(payload, at):
        count = min(rows, height - top)
        yield top, decode(coded, (count, width, channels), sample_bytes)
        top += count
    if top != height:
        raise PayloadError(f"slabs of {top} rows, expected {height}", PayloadCorrupt)
