"""How large the picture in a file is, as its header says: a few reads, nothing is decoded and nothing is believed.

Sources: ITU-T T.81 annex B (start of frame), W3C PNG section 11.2.1, RFC 9649 and RFC 6386 section 9.1, Microsoft "Bitmap Storage",
TIFF 6.0 section 2, Netpbm "ppm", ISO/IEC 23008-12 (`ispe`), ISO/IEC 18181-1 section D.2 (SizeHeader).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from photoarc.pictures.kinds import JXL_CODESTREAM, PNM_HEAD, PictureKind, box_brand, kind_of

_HEAD_BYTES = 1 << 14
_MAX_SEGMENTS = 1000
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # T.81 table B.1: starts of frame
_PROGRESSIVE = (0xC2, 0xCA)
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TIFF_BYTES = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG
# Pictures of so few pixels are never photographs (photoarc.pictures.image), and their headers are most of what can be won. Bytes in a group
# of 150, and alone without the 160 that a record of its own takes more: JPEG of 32 x 32 pixels 170, 326 (99 ms of a core each), of 96 x 96
# 527, 460 (117 ms), BMP of 32 x 32 1861, 2106, PNG of 32 x 32 1743, 1743, of 64 x 64 6786, 6394, icons of 48 x 48 983, 968.
_TINY_PIXELS, _TINY_JPEG_PIXELS, _TINY_JPEG_BYTES = 64 * 64, (1 << 14) - 1, 4096
MAX_TINY_BYTES = 17 << 10  # above, there is more in such a file than its pixels: previews, which have codecs of their own
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


@dataclass(frozen=True, slots=True)
class PictureSize:
    """What a header claims. `kind` is "jpeg", "png", "webp", "bmp", "tiff", "pnm", "heif" or "jxl"; `pixel_bytes` as decoded.

    `again` says that pixels are coded in several passes or without loss behind a dear code: a progressive JPEG, a compressed TIFF.
    """

    kind: str
    width_px: int
    height_px: int
    pixel_bytes: int
    again: bool = False

    @property
    def pixels(self) -> int:
        """Of the whole picture."""
        return self.width_px * self.height_px


def picture_size(file: BinaryIO) -> PictureSize | None:
    """Size of the picture in a file that is open for reading at any offset; None if it has no header that is known. Raises OSError."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    try:
        kind = kind_of(head)
        if kind is PictureKind.JPEG:
            return _jpeg(file)
        if kind is PictureKind.PNG:
            depth = 2 if head[24] == 16 else 1
            return PictureSize("png", _big(head, 16), _big(head, 20), _PNG_CHANNELS.get(head[25], 4) * depth)
        if kind is PictureKind.WEBP:
            return _webp(head)
        if kind is PictureKind.BMP and len(head) >= 30:
            bits = _little(head, 28, 2)
            return PictureSize("bmp", _little(head, 18, 4), abs(_little(head, 22, 4, signed=True)), max(bits // 8, 1))
        if kind is PictureKind.TIFF:
            return _tiff(file, "little" if head[:1] == b"I" else "big")
        if box_brand(head):
            return _heif(head)
        if kind is PictureKind.JXL:
            return _jxl(head)
        if found := PNM_HEAD.match(head):
            number, width, height, most = (int(digits) for digits in found.groups())
            return PictureSize("pnm", width, height, (3 if number == 6 else 1) * (1 + (most > 255)))
    except (IndexError, ValueError):
        pass
    return None


def is_tiny(picture: PictureSize | None, size_bytes: int) -> bool:
    """Whether a file of this size is a picture that is coded best with others of its kind, as far as its header can say."""
    if picture is None or size_bytes > MAX_TINY_BYTES:
        return False
    little = picture.kind == "jpeg" and size_bytes <= _TINY_JPEG_BYTES and picture.pixels <= _TINY_JPEG_PIXELS
    return little or picture.pixels <= _TINY_PIXELS


def _big(data: bytes, at: int, count: int = 4) -> int:
    if at + count > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + count], "big")


def _little(data: bytes, at: int, count: int, *, signed: bool = False) -> int:
    if at + count > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + count], "little", signed=signed)


def _jpeg(file: BinaryIO) -> PictureSize | None:
    """From segment to segment, as metadata before the frame may have any length."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        file.seek(at)
        segment = file.read(10)
        if len(segment) < 10:
            return None
        if segment[0] != 0xFF or segment[1] == 0xFF:  # garbage, which decoders pass over, or a fill byte
            at += 1
            continue
        if segment[1] in _FRAMES:
            return PictureSize("jpeg", _big(segment, 7, 2), _big(segment, 5, 2), 1 if segment[9] == 1 else 3, segment[1] in _PROGRESSIVE)
        if 0xD0 <= segment[1] <= 0xD9 or segment[1] <= 1:
            at += 2
            continue
        at += 2 + _big(segment, 2, 2)
    return None


def _webp(head: bytes) -> PictureSize | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return PictureSize("webp", _little(head, 24, 3) + 1, _little(head, 27, 3) + 1, 4)
    if kind == b"VP8L":
        bits = _little(head, 21, 4)
        return PictureSize("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4)
    return PictureSize("webp", _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF, 3) if kind == b"VP8 " else None


def _tiff(file: BinaryIO, order: str) -> PictureSize | None:
    """The first directory, wherever it lies; only values that stand in it."""

    def number(data: bytes) -> int:
        return int.from_bytes(data, "little" if order == "little" else "big")

    file.seek(4)
    file.seek(number(file.read(4)))
    tags = {}
    for _ in range(min(number(file.read(2)), _MAX_SEGMENTS)):
        entry = file.read(12)
        size = _TIFF_BYTES.get(number(entry[2:4]))
        if len(entry) == 12 and size:
            tags[number(entry[:2])] = number(entry[8 : 8 + size]) if number(entry[4:8]) * size <= 4 else 0
    if 256 not in tags or 257 not in tags:
        return None
    channels, bits = tags.get(277, 1), tags.get(258, 8) or 8
    return PictureSize("tiff", tags[256], tags[257], channels * (2 if bits > 8 else 1), tags.get(259, 1) != 1)


def _heif(head: bytes) -> PictureSize | None:
    """The largest that any picture in the file claims: the whole, above its tiles and thumbnails."""
    sizes, at = [], head.find(b"ispe")
    while at >= 0:
        sizes.append((_big(head, at + 8), _big(head, at + 12)))
        at = head.find(b"ispe", at + 4)
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return PictureSize("heif", width, height, 3) if sizes else None


def _jxl(head: bytes) -> PictureSize | None:
    at = 0 if head.startswith(JXL_CODESTREAM) else head.find(JXL_CODESTREAM, 12)
    if at < 0:
        return None
    bits, taken = int.from_bytes(head[at + 2 : at + 20], "little"), 0

    def take(count: int) -> int:
        nonlocal taken
        taken += count
        return bits >> taken - count & (1 << count) - 1

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height, ratio = side(), take(3)
    width = side() if ratio == 0 else height * _RATIOS[ratio][0] // _RATIOS[ratio][1]
    return PictureSize("jxl", width, height, 3)
