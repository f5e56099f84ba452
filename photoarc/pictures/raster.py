"""Uncompressed pictures in files: where the samples lie, as a rectangle of bytes. Knows TIFF, BMP and PNM.

    file = head | height rows of (width x channels samples, padding) | tail

Sources: Adobe, TIFF 6.0 (sections 2, 8); Microsoft, "Bitmap Storage"; Netpbm, "ppm" and "pgm". Whatever is refused raises
`PayloadError` with the reason in a few words. Only the first picture of a TIFF file is looked for; others are part of the tail.
"""

from __future__ import annotations

from dataclasses import dataclass

from photoarc.errors import PayloadError
from photoarc.pictures import tiff
from photoarc.pictures.kinds import BMP_START, PNM_HEAD, PNM_STARTS, TIFF_STARTS

_PNM_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
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
    if data.startswith(BMP_START):
        raster = _bmp(data)
    elif data.startswith(TIFF_STARTS):
        raster = _tiff(data, "little" if data[:1] == b"I" else "big")
    elif data.startswith(PNM_STARTS):
        raster = _pnm(data)
    else:
        raise PayloadError("no uncompressed picture")
    if not (raster.width_px and raster.height_px) or raster.offset + raster.size_bytes > len(data):
        raise PayloadError("the picture is cut off")
    if raster.size_bytes < tiff.LEAST_SHARE * len(data):
        raise PayloadError("the first picture is a small part of the file")
    return raster


def _bmp(data: bytes) -> Raster:
    offset, header, width, height, method = (tiff.number(data, at, 4, "little") for at in (10, 14, 18, 22, 30))
    bits = tiff.number(data, 28, 2, "little")
    if len(data) < 54 or header < 40 or bits not in (24, 32) or method not in (0, 3) or width >= 1 << 31:
        raise PayloadError("BMP of an old or unknown kind, or with a palette")
    channels = bits // 8
    return Raster(
        offset=offset,
        width_px=width,
        height_px=min(height, (1 << 32) - height),
        channels=channels,
        sample_bytes=1,
        row_bytes=(channels * width + 3) // 4 * 4,
        big_endian=False,
        blue_first=True,
    )


def _pnm(data: bytes) -> Raster:
    head = PNM_HEAD.match(data[:_PNM_HEAD_BYTES])
    if head is None:
        raise PayloadError("broken PNM")
    kind, width, height, maximum = map(int, head.groups())
    channels, sample_bytes = (3 if kind == 6 else 1), (1 if maximum < 256 else 2)
    return Raster(
        offset=head.end(),
        width_px=width,
        height_px=height,
        channels=channels,
        sample_bytes=sample_bytes,
        row_bytes=width * channels * sample_bytes,
        big_endian=True,
        blue_first=False,
    )


def _tiff(data: bytes, order: tiff.Order) -> Raster:
    """The first picture, if its strips lie one behind the other."""
    tags = tiff.first_directory(data, order)
    channels, sample_bytes = tiff.plain_samples(tags)
    if tiff.first(tags, tiff.COMPRESSION, 1) != 1 or tiff.first(tags, tiff.PLANAR, 1) != 1:
        raise PayloadError("TIFF that is compressed or planar")
    offsets, counts = tags.get(tiff.OFFSETS, []), tags.get(tiff.COUNTS, [])
    if not offsets or len(offsets) != len(counts) or any(a + n != b for a, n, b in zip(offsets, counts, offsets[1:], strict=False)):
        raise PayloadError("TIFF whose strips are scattered")
    width, height = tiff.first(tags, tiff.WIDTH, 0), tiff.first(tags, tiff.HEIGHT, 0)
    row_bytes = width * channels * sample_bytes
    if sum(counts) != row_bytes * height:
        raise PayloadError("TIFF whose strips do not add up")
    return Raster(
        offset=offsets[0],
        width_px=width,
        height_px=height,
        channels=channels,
        sample_bytes=sample_bytes,
        row_bytes=row_bytes,
        big_endian=order == "big",
        blue_first=False,
    )
