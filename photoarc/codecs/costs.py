"""What an item will cost, known before it is opened for real: memory of the process that codes it, and seconds of a core.

    pack     size of the file, what its header says of its picture (photoarc.pictures.size), what was asked for
    unpack   what the index says: codec, sizes, pixels

Measured with one process for each picture (VmHWM of Linux, CPU time of a core of 2.6 GHz; a photograph scaled to 1, 4, 12, 24 and 48
megapixels with noise laid over it; the figures stand beside the rates). Memory is meant to be no less than what is needed, seconds to be
right in the middle: progress and schedules live on them, nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass

from photoarc import codecs
from photoarc.options import NETWORKS
from photoarc.pictures.size import PictureSize

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one item: peak memory of a process that has it, all of the process counted, and seconds of one core.

    `kept_bytes` of it are there before in a process that has had such an item: modules, networks.
    """

    memory_bytes: int
    seconds: float
    kept_bytes: int = 60 * MIB


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
# MiB, measured and foreseen, of JPEG files of 1, 4, 12, 24, 48 MP: 282 487 542 578 647, 322 532 596 690 1217 (with the question to JPEG XL)
_LOSSY_SMALL, _LOSSY = _Rate(250, 75, 6, 0.2, 0.36), _Rate(500, 8, 6, 0.2, 0.36)
# Of 1, 4, 12 MP at effort 7: 496 939 945, 517 962 1061
_SEARCH_SMALL, _SEARCH = _Rate(360, 155, 6, 0.4, 2.9), _Rate(950, 8, 6, 0.4, 2.9)
_SEARCH_FACTOR = {7: 1.0, 8: 2.75, 9: 7.5}  # seconds (photoarc.pipeline)
_NETWORKS_KEEP = 400 * MIB  # a process held 424 after a photograph, and 537 at the peak of the next
_JPEGXL = _Rate(60, 22, 2, 0.1, 0.05)  # 1, 4, 12, 24, 48, 100 MP: 71 136 296 514 963 1944, 81 145 316 571 1080 2182
# dct at effort 5, 1, 4, 12, 24 MP of 4:2:0: 91 156 320 542, 12 MP progressive 401, of 4:4:4 434, both 474; foreseen 181 262 486 751.
# CPU seconds 0.7 2.1 5.4 11.4 of 0.2 0.7 2.0 3.7 MB, 12 MP in 0.4 MB 2.7, flat 1.4.
# 48, 108 MP on a quiet machine: 1121 2434, 11.8 26.6 s of 7.4 and 16.8 MB; foreseen 1261 2536. More is for JPEG XL.
_NETWORKS_JPEG, _NETWORKS_JPEG_LARGE = _Rate(150, 29, 2, 0.2, 0.13, 1.9), _Rate(240, 22, 2, 0.2, 0.13, 1.9)
_LARGE_JPEG_PIXELS, MAX_NETWORKS_PIXELS = 12_500_000, 133_333_333  # of 4:2:0: 200 million coefficients (photoarc.pictures.jpeg.scans)
_RETRACED = _Rate(150, 75, 2, 0.2, 1.9)  # PNG, 1, 4, 12 MP: 217 413 1035, 225 449 1044
_RETRACED_SLOWLY = _Rate(150, 75, 2, 0.2, 5.2)
_STRIPS = _Rate(80, 48, 2, 0.2, 1.9)  # TIFF by LZW, Deflate, 1, 4 MP: 97 233, 132 294
_PLAIN = _Rate(185, 4, 2, 0.2, 1.05)  # samples in slabs (BMP, PNM, TIFF), 4, 12, 24 MP: 218 234 372, 223 299 414
_PLAIN_QUICKLY = _Rate(185, 4, 2, 0.1, 0.1)
MAX_RETRACED_BYTES = 64 << 20  # of the rows of a PNG: those of larger ones are refused (photoarc.codecs.png.MAX_RAW_BYTES)
_STORED = _Rate(40, 0, 3, 0.01, 0, 0.005)
_LZMA_BYTES = 16 * MIB  # of its dictionary; the encoder takes 11.5 times as much

_SYNTHESIS = 0.65  # of the time that coding takes, decoding does
_SHOWN = _Rate(500, 10, 2, 0.2, 0.36)  # decoded and written: 227 478 733 604 of 1, 12, 24, 48 MP
_UNPACK = {
    codecs.STORE: _STORED,
    codecs.SOLID: _Rate(60, 0, 3, 0.01, 0, 0.02),
    codecs.LZMA: _Rate(60, 0, 3, 0.01, 0, 0.02),
    codecs.BLOCKS: _Rate(90, 0, 0, 0.01, 0, 0.01),
    codecs.JPEGXL: _Rate(45, 5, 2, 0.1, 0.02),
    codecs.COMPOSITE: _Rate(45, 5, 3, 0.1, 0.02),
    codecs.LEPTON: _Rate(80, 5, 3, 0.1, 0.05),
    codecs.DCT: _Rate(150, 20, 2, 0.2, 0.26),  # 1, 4, 12, 24 MP: 81 121 224 356, 12 MP of 4:4:4 346; CPU seconds 0.4 1.2 2.7 5.2
    codecs.PNG: _Rate(50, 65, 2, 0.1, 0.5),
    codecs.TIFF: _Rate(50, 14, 2, 0.1, 0.65),
    codecs.RASTER: _Rate(70, 4, 2, 0.1, 0.2),
}
# Two pictures, twice each, beside what networks leave: 13.4 and 14.8 bytes a pixel of 12 MP as JPEG and PNG
_COMPARED = _Rate(100, 15, 3, 0, 0)
_BYTES_A_PIXEL = {
    codecs.JPEGXL: 0.2,
    codecs.COMPOSITE: 0.3,  # with a film, which has none
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
        return general(size_bytes)
    pixels = _believed(size_bytes, picture) * picture.pixel_bytes / 3
    rate = _exact_rate(picture, effort)
    exact = rate.cost(pixels, size_bytes) if rate is not None else general(size_bytes)
    if not lossy or picture.kind not in (*_PHOTOGRAPHS, *(_RECODED if recode else ())):
        return exact
    search = effort in _SEARCH_FACTOR
    seen = _least(pixels, size_bytes, *((_SEARCH_SMALL, _SEARCH) if search else (_LOSSY_SMALL, _LOSSY)))
    # whether a JPEG file gains enough is known once it has been coded bit-exact, beside its pixels; others may turn out to be drawings
    asked_s = exact.seconds if picture.kind == "jpeg" else 0
    memory = max(seen.memory_bytes, exact.memory_bytes + int(3 * pixels))
    return Cost(memory, seen.seconds * _SEARCH_FACTOR.get(effort, 1) + asked_s, min(_NETWORKS_KEEP, memory))


def general(size_bytes: int) -> Cost:
    """Of LZMA of anything."""
    return Cost(40 * MIB + int(11.5 * min(size_bytes, _LZMA_BYTES)) + 3 * size_bytes, 0.02 + 0.35e-6 * size_bytes)


def _least(pixels: float, size_bytes: int, *rates: _Rate) -> Cost:
    return min((rate.cost(pixels, size_bytes) for rate in rates), key=lambda cost: cost.memory_bytes)


def _exact_rate(picture: PictureSize, effort: int) -> _Rate | None:
    """None: no more than LZMA."""
    if picture.kind == "jpeg":
        if effort < NETWORKS or picture.pixels > MAX_NETWORKS_PIXELS:
            return _JPEGXL
        return _NETWORKS_JPEG if picture.pixels <= _LARGE_JPEG_PIXELS else _NETWORKS_JPEG_LARGE
    if picture.kind in ("bmp", "pnm") or (picture.kind == "tiff" and not picture.again):
        return _PLAIN if effort >= 3 else _PLAIN_QUICKLY
    if effort < 3 or picture.kind not in ("png", "tiff") or _is_refused(picture):
        return None
    return _STRIPS if picture.kind == "tiff" else _RETRACED if effort < 7 else _RETRACED_SLOWLY


def _is_refused(picture: PictureSize) -> bool:
    """Whether a PNG is larger than its codec takes, for sure: numbers of a palette may have 1 bit."""
    least_bytes = picture.pixels // 8 if picture.pixel_bytes == 1 else picture.pixels * picture.pixel_bytes
    return picture.kind == "png" and least_bytes > MAX_RETRACED_BYTES


def _believed(size_bytes: int, picture: PictureSize) -> int:
    """Pixels that a file of this size can hold: decoders refuse more (photoarc.pictures.jpeg.segments, photoarc.codecs.png)."""
    return min(picture.pixels, (1 << 16) + 1040 * size_bytes)


def to_unpack(codec_id: int, size_bytes: int, payload_bytes: int, pixels: int = 0) -> Cost:
    """Of decoding a member; `pixels` are known of lossy photographs, of others they are guessed from the size of the file."""
    if codec_id in (codecs.LEARNED, codecs.LATENTS):
        seen = _least(pixels, size_bytes + payload_bytes, _LOSSY_SMALL, _SHOWN)
        return Cost(seen.memory_bytes, seen.seconds * _SYNTHESIS, min(_NETWORKS_KEEP, seen.memory_bytes))
    rate = _UNPACK.get(codec_id, _STORED)
    pixels = pixels or int(size_bytes / _BYTES_A_PIXEL.get(codec_id, 1))
    return rate.cost(pixels, size_bytes + payload_bytes)


def to_compare(decoding: Cost, size_bytes: int, pixels: int) -> Cost:
    """Of decoding a photograph and comparing it with a file of this size: both as pixels, if their bytes differ."""
    memory = max(decoding.memory_bytes + 2 * size_bytes, _COMPARED.cost(pixels, size_bytes).memory_bytes)
    return Cost(memory, decoding.seconds, decoding.kept_bytes)
