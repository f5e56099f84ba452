"""What an item will cost, known before it is opened for real: memory of the process that codes it, and seconds of a core.

    pack     size of the file, what its header says of its picture (photoarc.pictures.size), what was asked for
    unpack   what the index says: codec, sizes, pixels

Measured with one process for each picture (VmHWM of Linux, CPU time of a core of 2.6 GHz; a photograph scaled to 1, 4, 12, 24 and 48
megapixels with noise laid over it; docs/design.md has the table). Memory is meant to be no less than what is needed, seconds to be right in
the middle: progress and schedules live on them, nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass

from photoarc import codecs
from photoarc.pictures.size import PictureSize

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one item: peak memory of a process that has it, all of the process counted, and seconds of one core."""

    memory_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Rate:
    """Fixed part, and what a pixel (of `pixel_bytes` 3; in proportion if not) and a byte of the file add."""

    fixed_mib: float
    bytes_a_pixel: float
    bytes_a_byte: float
    fixed_s: float
    s_a_megapixel: float
    s_a_megabyte: float = 0.0

    def cost(self, pixels: float, size_bytes: int) -> Cost:
        memory = self.fixed_mib * MIB + self.bytes_a_pixel * pixels + self.bytes_a_byte * size_bytes
        return Cost(int(memory), self.fixed_s + (self.s_a_megapixel * pixels + self.s_a_megabyte * size_bytes) / 1e6)


# Bands bound what networks take; up to some 4 megapixels the one band grows with the picture.
_LOSSY_SMALL, _LOSSY = _Rate(230, 75, 2, 0.2, 0.36), _Rate(470, 8, 2, 0.2, 0.36)
_SEARCH_FACTOR = {7: 8, 8: 22, 9: 60}  # seconds at these efforts (photoarc.pipeline)
_JPEGXL = _Rate(50, 22, 2, 0.1, 0.04)
_SLOW_JPEG = _Rate(250, 40, 2, 0.5, 1.2)  # JPEG XL, then dct: efforts 7 to 9
_RETRACED = _Rate(150, 75, 2, 0.2, 1.9)  # PNG, TIFF by Deflate
_PLAIN = _Rate(150, 12, 2, 0.2, 1.05)  # samples in bands: BMP, PNM, TIFF
_GENERAL = _Rate(200, 0, 3, 0.02, 0, 0.35)
_STORED = _Rate(40, 0, 3, 0.01, 0, 0.005)

_SYNTHESIS = 0.65  # of the time that coding takes, decoding does
_UNPACK = {
    codecs.STORE: _STORED,
    codecs.SOLID: _Rate(60, 0, 3, 0.01, 0, 0.02),
    codecs.LZMA: _Rate(60, 0, 3, 0.01, 0, 0.02),
    codecs.JPEGXL: _Rate(45, 4, 2, 0.1, 0.02),
    codecs.COMPOSITE: _Rate(45, 4, 3, 0.1, 0.02),
    codecs.LEPTON: _Rate(80, 4, 3, 0.1, 0.05),
    codecs.DCT: _Rate(250, 40, 2, 0.5, 1.2),
    codecs.PNG: _Rate(50, 65, 2, 0.1, 0.5),
    codecs.TIFF: _Rate(50, 65, 2, 0.1, 0.5),
    codecs.RASTER: _Rate(70, 4, 2, 0.1, 0.2),
}
_BYTES_A_PIXEL = {
    codecs.JPEGXL: 0.2,
    codecs.COMPOSITE: 0.2,
    codecs.LEPTON: 0.2,
    codecs.DCT: 0.2,
    codecs.PNG: 1.5,
    codecs.TIFF: 1.5,
    codecs.RASTER: 3,
}
_PHOTOGRAPHS = ("jpeg", "png", "webp", "bmp")
_RECODED = ("heif", "jxl")

# Time that may be spent for what can be won: a PNG screenshot of 200 kB and 2 megapixels takes 4 s and may have 8; a flat one of 16 kB and
# 4 megapixels, of which LZMA leaves 222 bytes, may have 0.5 s and would take 8 (and 0.6 GB).
_ANYWAY_S, _S_A_MEGABYTE = 0.5, 40.0


def worth(seconds: float, bytes_to_win: int) -> bool:
    """Whether so many seconds may be spent for so many bytes at most."""
    return seconds <= _ANYWAY_S + _S_A_MEGABYTE * bytes_to_win / 1e6


def to_pack(size_bytes: int, picture: PictureSize | None, *, lossy: bool, effort: int, recode: bool = False) -> Cost:
    """Of coding a file of this size; `lossy`: photographs are coded lossily (modes fast and lzma)."""
    if picture is None:
        return _GENERAL.cost(0, size_bytes)
    pixels = _believed(size_bytes, picture) * picture.pixel_bytes / 3
    exact = _exact_rate(picture, effort).cost(pixels, size_bytes)
    if not lossy or picture.kind not in (*_PHOTOGRAPHS, *(_RECODED if recode else ())):
        return exact
    seen = _networks(pixels, size_bytes)
    # whether a JPEG file gains enough is known once it has been coded bit-exact, beside its pixels
    asked = exact if picture.kind == "jpeg" else Cost(0, 0)
    return Cost(max(seen.memory_bytes, asked.memory_bytes + int(3 * pixels)), seen.seconds * _SEARCH_FACTOR.get(effort, 1) + asked.seconds)


def _networks(pixels: float, size_bytes: int) -> Cost:
    return min(_LOSSY_SMALL.cost(pixels, size_bytes), _LOSSY.cost(pixels, size_bytes), key=lambda cost: cost.memory_bytes)


def _exact_rate(picture: PictureSize, effort: int) -> _Rate:
    if picture.kind == "jpeg":
        return _SLOW_JPEG if effort >= 7 else _JPEGXL
    if picture.kind == "png" or (picture.kind == "tiff" and picture.again):
        return _RETRACED if effort >= 3 else _GENERAL
    return _PLAIN if picture.kind in ("bmp", "pnm", "tiff") else _GENERAL


def _believed(size_bytes: int, picture: PictureSize) -> int:
    """Pixels that a file of this size can hold: decoders refuse more (photoarc.pictures.jpeg, photoarc.codecs.png)."""
    return min(picture.pixels, (1 << 16) + 1040 * size_bytes)


def to_unpack(codec_id: int, size_bytes: int, payload_bytes: int, pixels: int = 0) -> Cost:
    """Of decoding a member; `pixels` are known of lossy photographs, of others they are guessed from the size of the file."""
    if codec_id in (codecs.LEARNED, codecs.LATENTS):
        seen = _networks(pixels, size_bytes + payload_bytes)
        return Cost(seen.memory_bytes, seen.seconds * _SYNTHESIS)
    rate = _UNPACK.get(codec_id, _STORED)
    pixels = pixels or int(size_bytes / _BYTES_A_PIXEL.get(codec_id, 1))
    return rate.cost(pixels, size_bytes + payload_bytes)
