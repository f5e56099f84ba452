"""Uncompressed pictures in files: where the samples lie, as a rectangle of bytes. Knows TIFF, BMP and PNM.

    file = head | height rows of (width x channels samples, padding) | tail

Sources: Adobe, TIFF 6.0 (sections 2, 8); Microsoft, "Bitmap Storage"; Netpbm, "ppm" and "pgm". Whatever is refused raises
`PayloadError` with the reason in a few words. Only the first picture of a TIFF file is looked for; others are part of the tail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from photoarc.errors import PayloadError

STARTS = (b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")
_PNM = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
_PNM_HEAD_BYTES = 4096
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _CHANNELS, _COUNTS, _PLANAR, _FORMAT = 256, 257, 258, 259, 273, 277, 279, 284, 339
_TYPE_BYTES = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG
_MAX_VALUES = 1 << 20
_LEAST_SHARE = 0.5  # of the file: the first picture of a camera's raw file is a thumbnail

Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Raster:
    """Samples of `sample_bytes` (1, 2) from `offset` on; `row_bytes` from one row's start to the next one's."""

    offset: int
    width_px: int
    height_px: int
    channels: int
    sample_bytes: int
    row_bytes: int
    big_endian: bool
    blue_first: bool

    @property
    def used_bytes(self) -> int:
        """Of a row, without padding."""
        return self.width_px * self.channels * self.sample_bytes

    @property
    def size_bytes(self) -> int:
        """Of all rows."""
        return self.row_bytes * self.height_px


def find(data: bytes) -> Raster:
    """Where the samples lie. Raises PayloadError for other files and for samples that are not plain."""
    if data[:2] == b"BM":
        raster = _bmp(data)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        raster = _tiff(data, "little" if data[:1] == b"I" else "big")
    elif data[:2] in (b"P5", b"P6"):
        raster = _pnm(data)
    else:
        raise PayloadError("no uncompressed picture")
    if not (raster.width_px and raster.height_px) or raster.offset + raster.size_bytes > len(data):
        raise PayloadError("the picture is cut off")
    if raster.size_bytes < _LEAST_SHARE * len(data):
        raise PayloadError("the first picture is a small part of the file")
    return raster


def _number(data: bytes, at: int, size: int, order: Order) -> int:
    return int.from_bytes(data[at : at + size], order)


def _bmp(data: bytes) -> Raster:
    offset, header, width, height, method = (_number(data, at, 4, "little") for at in (10, 14, 18, 22, 30))
    bits = _number(data, 28, 2, "little")
    if len(data) < 54 or header < 40 or bits not in (24, 32) or method not in (0, 3) or width >= 1 << 31:
        raise PayloadError("BMP of an old or unknown kind, or with a palette")
    channels = bits // 8
    return Raster(offset, width, min(height, (1 << 32) - height), channels, 1, (channels * width + 3) // 4 * 4, False, True)


def _pnm(data: bytes) -> Raster:
    head = _PNM.match(data[:_PNM_HEAD_BYTES])
    if head is None:
        raise PayloadError("broken PNM")
    kind, width, height, maximum = map(int, head.groups())
    channels, sample_bytes = (3 if kind == 6 else 1), (1 if maximum < 256 else 2)
    return Raster(head.end(), width, height, channels, sample_bytes, width * channels * sample_bytes, True, False)


def _tiff(data: bytes, order: Order) -> Raster:
    """The first picture, if its strips lie one behind the other."""
    tags = _first_directory(data, order)

    def first(tag: int, default: int) -> int:
        return tags.get(tag, [default])[0]

    bits, channels = set(tags.get(_BITS, [1])), first(_CHANNELS, 1)
    if first(_COMPRESSION, 1) != 1 or first(_PLANAR, 1) != 1 or bits not in ({8}, {16}) or not 1 <= channels <= 4:
        raise PayloadError("TIFF that is compressed, planar, or not of 8 or 16 bits")
    if first(_FORMAT, 1) != 1:
        raise PayloadError("TIFF of signed or float samples")
    offsets, counts = tags.get(_OFFSETS, []), tags.get(_COUNTS, [])
    if not offsets or len(offsets) != len(counts) or any(a + n != b for a, n, b in zip(offsets, counts, offsets[1:], strict=False)):
        raise PayloadError("TIFF whose strips are scattered")
    width, height, sample_bytes = first(_WIDTH, 0), first(_HEIGHT, 0), bits.pop() // 8
    row_bytes = width * channels * sample_bytes
    if sum(counts) != row_bytes * height:
        raise PayloadError("TIFF whose strips do not add up")
    return Raster(offsets[0], width, height, channels, sample_bytes, row_bytes, order == "big", False)


def _first_directory(data: bytes, order: Order) -> dict[int, list[int]]:
    """Values of the tags of whole numbers; what lies beyond the end of the file reads as 0."""
    at = _number(data, 4, 4, order)
    tags: dict[int, list[int]] = {}
    for entry in range(at + 2, at + 2 + 12 * _number(data, at, 2, order), 12):
        size, count = _TYPE_BYTES.get(_number(data, entry + 2, 2, order), 0), _number(data, entry + 4, 4, order)
        if size and 0 < count <= _MAX_VALUES:
            values = entry + 8 if size * count <= 4 else _number(data, entry + 8, 4, order)
            tags[_number(data, entry, 2, order)] = [_number(data, values + k * size, size, order) for k in range(count)]
    return tags
