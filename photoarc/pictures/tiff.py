"""TIFF files (EXIF is one): their first directory, and where the strips or tiles of its picture lie if compressed without loss.

Sources: Adobe, TIFF 6.0 (sections 2, 8, 13 to 15); Adobe Photoshop TIFF Technical Notes (Deflate). Whatever is refused raises
`PayloadError` with the reason in a few words. Only the first picture of a file is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from photoarc.errors import PayloadError
from photoarc.pictures.kinds import TIFF_STARTS

WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, OFFSETS, CHANNELS, STRIP_ROWS, COUNTS = 256, 257, 258, 259, 266, 273, 277, 278, 279
ORIENTATION, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, FORMAT = 274, 284, 317, 322, 323, 324, 325, 339
LZW, DEFLATE = 5, 8
_METHODS = {5: LZW, 8: DEFLATE, 32946: DEFLATE}
_TYPE_BYTES = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG
_LISTS = frozenset((OFFSETS, COUNTS, TILE_OFFSETS, TILE_COUNTS))
_VALUES = frozenset((WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, CHANNELS, STRIP_ROWS))
_VALUES |= {ORIENTATION, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, FORMAT}
_MOST = dict.fromkeys(_LISTS, 1 << 20) | dict.fromkeys(_VALUES, 16)  # of a tag: 65,535 hostile ones of a million values take hours
LEAST_SHARE = 0.5  # of the file: the first picture of a camera's raw file is a thumbnail

Order = Literal["little", "big"]
Tags = dict[int, list[int]]
Box = tuple[slice, slice, slice]  # rows, columns, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How samples are cut into strips. A tile is a strip, too, here; a picture in tiles is as large as all of them.

    `apart`: each channel has strips of its own, those of the first come first. `differences`: each sample less the one on its left.
    """

    width_px: int
    height_px: int
    channels: int
    sample_bytes: int
    strip_width_px: int
    strip_height_px: int
    big_endian: bool
    differences: bool
    apart: bool

    @property
    def size_bytes(self) -> int:
        """Of all samples."""
        return self.width_px * self.height_px * self.channels * self.sample_bytes

    @property
    def strips(self) -> int:
        """Their number."""
        return -(-self.height_px // self.strip_height_px) * -(-self.width_px // self.strip_width_px) * (self.channels if self.apart else 1)

    def boxes(self) -> Iterator[Box]:
        """The samples of each strip, in the order of the tags."""
        for first in range(self.channels if self.apart else 1):
            channels = slice(first, first + 1) if self.apart else slice(self.channels)
            for top in range(0, self.height_px, self.strip_height_px):
                for left in range(0, self.width_px, self.strip_width_px):
                    yield slice(top, min(top + self.strip_height_px, self.height_px)), slice(left, left + self.strip_width_px), channels


def find_compressed(data: bytes) -> tuple[int, Layout, list[tuple[int, int]]]:
    """Method, layout, offset and bytes of each strip, as the file has it: none of that need lie in the file."""
    if data[:4] not in TIFF_STARTS:
        raise PayloadError("no TIFF")
    order: Order = "little" if data[:1] == b"I" else "big"
    tags = first_directory(data, order)
    channels, sample_bytes = plain_samples(tags)
    method, planar, predictor = (first(tags, tag, 1) for tag in (COMPRESSION, PLANAR, PREDICTOR))
    if method not in _METHODS or planar not in (1, 2) or predictor not in (1, 2) or first(tags, FILL_ORDER, 1) != 1:
        raise PayloadError("TIFF of another compression, or an odd one")
    width, height = first(tags, WIDTH, 0), first(tags, HEIGHT, 0)
    strip_width, strip_height = width, min(first(tags, STRIP_ROWS, height), height)
    offsets, counts = tags.get(OFFSETS, []), tags.get(COUNTS, [])
    if TILE_WIDTH in tags:
        strip_width, strip_height = first(tags, TILE_WIDTH, 0), first(tags, TILE_HEIGHT, 0)
        offsets, counts = tags.get(TILE_OFFSETS, []), tags.get(TILE_COUNTS, [])
    if not width or not height or not strip_width or not strip_height:
        raise PayloadError("TIFF of no pixels")
    if TILE_WIDTH in tags:
        width, height = -(-width // strip_width) * strip_width, -(-height // strip_height) * strip_height
    apart = planar == 2 and channels > 1
    layout = Layout(
        width_px=width,
        height_px=height,
        channels=channels,
        sample_bytes=sample_bytes,
        strip_width_px=strip_width,
        strip_height_px=strip_height,
        big_endian=order == "big",
        differences=predictor == 2,
        apart=apart,
    )
    if len(offsets) != layout.strips or len(counts) != layout.strips:
        raise PayloadError("TIFF with another number of strips")
    if sum(counts) < LEAST_SHARE * len(data):
        raise PayloadError("the first picture is a small part of the file")
    return _METHODS[method], layout, list(zip(offsets, counts, strict=True))


def orientation(exif: bytes) -> int:
    """How the picture is to be turned, 1 (not at all) if it is not given. Raises PayloadError if the first directory is cut off."""
    order: Order = "little" if exif[:1] == b"I" else "big"
    at = number(exif, 4, 4, order)
    if exif[:4] not in TIFF_STARTS or at + 2 > len(exif) or at + 2 + 12 * number(exif, at, 2, order) > len(exif):
        raise PayloadError("broken EXIF")
    return first(first_directory(exif, order), ORIENTATION, 1)


def plain_samples(tags: Tags) -> tuple[int, int]:
    """Channels, bytes a sample. Raises PayloadError if they are not of 8 or 16 bits."""
    bits, channels = set(tags.get(BITS, [1])), first(tags, CHANNELS, 1)
    if bits not in ({8}, {16}) or not 1 <= channels <= 4 or any(kind != 1 for kind in tags.get(FORMAT, [1])):
        raise PayloadError("TIFF of other samples than whole numbers of 8 or 16 bits")
    return channels, bits.pop() // 8


def first(tags: Tags, tag: int, default: int) -> int:
    """First value of a tag."""
    return tags.get(tag, [default])[0]


def number(data: bytes, at: int, size: int, order: Order) -> int:
    """A whole number; what lies beyond the end of the file reads as 0."""
    return int.from_bytes(data[at : at + size], order)


def first_directory(data: bytes, order: Order) -> Tags:
    """Values of the tags that are known here; of one that comes twice, the first."""
    at = number(data, 4, 4, order)
    tags: Tags = {}
    for entry in range(at + 2, at + 2 + 12 * number(data, at, 2, order), 12):
        tag, count = number(data, entry, 2, order), number(data, entry + 4, 4, order)
        size = _TYPE_BYTES.get(number(data, entry + 2, 2, order), 0)
        if size and tag not in tags and 0 < count <= min(_MOST.get(tag, 0), len(data) // size):
            values = entry + 8 if size * count <= 4 else number(data, entry + 8, 4, order)
            tags[tag] = [number(data, values + k * size, size, order) for k in range(count)]
    return tags
