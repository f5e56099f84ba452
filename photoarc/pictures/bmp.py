"""24-bit BMP files <-> pixels.

Source: Microsoft, "Bitmap Storage" (BITMAPFILEHEADER, BITMAPINFOHEADER and its V4, V5 extensions). Whatever is refused raises
`PayloadError` with the reason in a few words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.kinds import BMP_START

_NO_PROFILE = (b"BGRs", b" niW")  # colour space tags of V4/V5 headers, as stored: sRGB, system default


@dataclass(frozen=True, slots=True)
class Bmp:
    """A BMP file's header; `resolution` is its two 32-bit fields (pixels a metre) as stored, `long_header` one of V4 or V5."""

    width_px: int
    height_px: int
    top_down: bool
    offset: int
    resolution: bytes
    long_header: bool


def split(data: bytes) -> Bmp:
    """Read the header. Raises PayloadError with the reason if the file is broken or of a kind that is kept bit-exact."""
    header, bits, method = (int.from_bytes(data[at : at + n], "little") for at, n in ((14, 4), (28, 2), (30, 4)))
    if len(data) < 54 or data[:2] != BMP_START or header not in (40, 108, 124):
        raise PayloadError("BMP of an old or unknown kind")
    if bits != 24 or method != 0:
        raise PayloadError("graphics: palette" if bits <= 8 else "BMP that is not plain 24-bit")
    if header > 40 and data[70:74] not in _NO_PROFILE:
        raise PayloadError("BMP with its own colour space")
    offset, width = int.from_bytes(data[10:14], "little"), int.from_bytes(data[18:22], "little", signed=True)
    height = int.from_bytes(data[22:26], "little", signed=True)
    if width < 1 or height == 0:
        raise PayloadError("broken BMP: size")
    end = offset + _stride(width) * abs(height)
    if offset < 14 + header or end != len(data):
        raise PayloadError("truncated BMP" if end > len(data) else "data after the end of the picture")
    return Bmp(width, abs(height), height < 0, offset, data[38:46], header > 40)


def decode(data: bytes, bmp: Bmp) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of a file that `split` took."""
    stored = np.frombuffer(data, np.uint8, offset=bmp.offset).reshape(bmp.height_px, -1)[:, : 3 * bmp.width_px]
    rows = stored if bmp.top_down else stored[::-1]
    return np.ascontiguousarray(rows.reshape(bmp.height_px, bmp.width_px, 3)[:, :, ::-1])


def encode(pixels: NDArray[np.uint8], resolution: bytes) -> bytes:
    """Pixels (H, W, 1 or 3) -> BMP file, bottom row first."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, _stride(width)), np.uint8)
    rows[:, : 3 * width].reshape(height, width, 3)[:] = pixels[::-1, :, ::-1]
    size = rows.size
    head = BMP_START + (54 + size).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    head += width.to_bytes(4, "little") + height.to_bytes(4, "little") + bytes([1, 0, 24, 0]) + bytes(4) + size.to_bytes(4, "little")
    return b"".join((head, resolution, bytes(8), rows.data))


def _stride(width: int) -> int:
    """Bytes a row: three a pixel, padded to a multiple of four."""
    return (3 * width + 3) // 4 * 4
