"""JPEG XL files as boxes and the start of their codestream: whether a file is one still picture with nothing beside it but EXIF and XMP.

Source: ISO/IEC 18181-1 annexes B and D (codestream headers), 18181-2 (boxes). Pixels and metadata come from libjxl, which turns the
picture as the codestream says; EXIF's orientation means nothing in JPEG XL, so it must not say anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoarc.errors import PayloadError
from photoarc.pictures import libjxl, tiff
from photoarc.pictures.boxes import boxes
from photoarc.pictures.kinds import JXL_CODESTREAM
from photoarc.pictures.metadata import Common

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BOXES = (b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp", b"Exif", b"xml ")
_WHY = {
    b"jbrd": "a JPEG file that JPEG XL gives back exactly",
    b"brob": "compressed metadata",
    b"jhgm": "a gain map",
    b"jumb": "content credentials",
}
_HEAD_BYTES = 64
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width and height that have a number (18181-1, SizeHeader)


@dataclass(frozen=True, slots=True)
class Jxl:
    """What libjxl says of a file: size as it is shown, 1 or 3 channels of 8 bits."""

    width_px: int
    height_px: int
    channels: int
    metadata: Common


def split(data: bytes) -> Jxl:
    """Header and metadata. Raises PayloadError with the reason if the file is broken or of a kind that is kept bit-exact."""
    check(data)
    told = libjxl.told(data)
    if told.bits_per_sample != 8:
        raise PayloadError("not 8 bits a sample")
    if told.has_alpha or told.num_color_channels not in (1, 3):
        raise PayloadError("transparency or more colours")
    icc, exif, xmp = told.icc or b"", told.exif or b"", told.xmp or b""
    if icc[4:8] != b"jxl ":  # made by libjxl for a colour space that it names; it decodes into that one
        raise PayloadError("a colour profile of its own")
    if exif[:4] not in (b"", bytes(4)) or not (exif in data and xmp in data):
        raise PayloadError("metadata that the decoder changes")
    if exif and tiff.orientation(exif[4:]) != 1:
        raise PayloadError("an orientation in EXIF, which means nothing in JPEG XL")
    return Jxl(told.width, told.height, told.num_color_channels, Common(exif[4:], xmp, icc))


def decode(data: bytes, parts: Jxl) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) uint8, its own orientation applied."""
    import numpy as np

    pixels = libjxl.decode(data)
    if pixels.dtype != np.uint8 or pixels.shape != (parts.height_px, parts.width_px, parts.channels):
        raise PayloadError("pixels of another kind than its header says")
    return np.ascontiguousarray(pixels, np.uint8)


def size_px(data: bytes) -> tuple[int, int]:
    """Width and height as the codestream says, before anything is decoded. Raises PayloadError if there is none."""
    return _size(_bits(_head(data, known=False)))


def check(data: bytes) -> None:
    """Raises PayloadError with the reason if the file is broken or of a kind that is kept bit-exact."""
    bits = _bits(_head(data, known=True))
    _size(bits)
    if bits.take(1) or not bits.take(1):  # all defaults, or no extra fields
        return
    bits.take(3)  # orientation: the decoder applies it
    if bits.take(1):
        raise PayloadError("a picture with a size of its own for showing")
    if bits.take(1):
        raise PayloadError("a preview beside the picture")
    if bits.take(1):
        raise PayloadError("animation")


def _head(data: bytes, *, known: bool) -> bytes:
    """Where the codestream starts. `known`: raises PayloadError with the reason if there are boxes that are kept bit-exact."""
    if data[:2] == JXL_CODESTREAM:
        return data[:_HEAD_BYTES]
    head = b""
    for name, start, end in boxes(data, "JPEG XL"):
        if known and name not in _BOXES:
            raise PayloadError(_WHY.get(name, f"a box {name.decode('ascii', 'replace')}"))
        if name in (b"jxlc", b"jxlp") and not head:
            head = data[start + 4 * (name == b"jxlp") : min(end, start + 4 + _HEAD_BYTES)]
    return head


class _Bits:
    """Bits of a codestream, the lowest of each byte first. Raises PayloadError behind the end."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """An unsigned number."""
        self.left -= count
        if self.left < 0:
            raise PayloadError("truncated JPEG XL")
        found = self.value & ((1 << count) - 1)
        self.value >>= count
        return found


def _bits(head: bytes) -> _Bits:
    """Behind the signature."""
    if head[:2] != JXL_CODESTREAM:
        raise PayloadError("broken JPEG XL")
    return _Bits(head[2:])


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader: width, height."""
    small = bits.take(1)

    def side() -> int:
        return 8 + 8 * bits.take(5) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return side(), height
    wide, high = _RATIOS[ratio - 1]
    return height * wide // high, height
