"""Rows of a PNG as they are deflated, each behind its filter type, and the bytes that they stand for (W3C PNG section 9).

A filter takes each byte of a pixel by itself, from the same byte of its neighbours. So it does not matter here what the bytes are:
(H, W, B) uint8 are H rows of W pixels of B bytes, be they colours, halves of 16-bit samples, or eight pixels of one bit.
"""

from __future__ import annotations

import zlib
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.png import CHANNELS, SIGNATURE, chunk

_HEADER = Struct(">IIBBBBB")
_COLOUR_TYPES = {channels: kind for kind, channels in CHANNELS.items()}

Bytes = NDArray[np.uint8]


def filtered(pixels: Bytes, filters: Bytes) -> Bytes:
    """(H, W, B) bytes of pixels, (H,) filter types -> (H, 1 + W B) rows. Raises PayloadError."""
    height, width, step = pixels.shape
    flat = pixels.reshape(height, width * step)
    out = np.empty((height, 1 + flat.shape[1]), np.uint8)
    out[:, 0] = filters
    for kind in np.unique(filters):
        rows = np.flatnonzero(filters == kind)
        here = flat[rows]
        up = np.where(rows[:, None] > 0, flat[rows - 1], 0).astype(np.int16)
        left, corner = np.zeros_like(up), np.zeros_like(up)
        left[:, step:], corner[:, step:] = here[:, :-step], up[:, :-step]
        if kind > 4:
            raise PayloadError("broken PNG: filter type")
        guess = (np.int16(0), left, up, (left + up) >> 1, _paeth(left, up, corner) if kind == 4 else up)[kind]
        out[rows, 1:] = (here - guess).astype(np.uint8)
    return out


def _paeth(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    a, b, c = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))


def unfiltered(rows: Bytes, step: int) -> Bytes:
    """(H, 1 + W B) rows -> (H, W, B) bytes of pixels, B = `step`, by Pillow, which has eight-bit pixels of up to four bytes.

    Raises PayloadError.
    """
    from photoarc.pictures.pillow import open_picture

    height, pixels = len(rows), rows[:, 1:].reshape(len(rows), -1, step)
    at_once = step if step in _COLOUR_TYPES else step // 2
    parts = []
    for first in range(0, step, at_once):
        part = np.hstack([rows[:, :1], pixels[:, :, first : first + at_once].reshape(height, -1)])
        header = _HEADER.pack(pixels.shape[1], height, 8, _COLOUR_TYPES[at_once], 0, 0, 0)
        chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(part.tobytes(), 0)), chunk(b"IEND", b"")
        parts.append(np.asarray(open_picture(b"".join((SIGNATURE, *chunks)))).reshape(height, -1, at_once))
    return np.concatenate(parts, axis=2)
