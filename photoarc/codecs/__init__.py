"""Codecs turn the bytes of one file into a payload and back.

IDs are permanent numbers: never derived, never reused.

    ID   name      lossy   payload is made from
    0    store     no      any bytes, as they are
    1    lzma      no      any bytes, raw LZMA2
    2    jpegxl    no      JPEG files, JPEG XL reconstruction (ISO/IEC 18181-2 annex A): the file comes back byte for byte
    3    composite no      JPEG files as several streams: pictures by jpegxl, metadata and what follows the picture by lzma or store
    4    png       no      PNG files: pixels by lossless JPEG XL, and what makes the file's very bytes of them
    5    solid     no      small files of one kind together, one raw LZMA2 stream
    6    lepton    no      JPEG files, Lepton: smaller than jpegxl, needs the extra `lepton`
    7    raster    no      uncompressed TIFF, BMP and PNM files: samples by lossless JPEG XL, the rest beside them
    8    tiff      no      TIFF files by Deflate or LZW: samples by lossless JPEG XL, and what makes the file's very strips of them
    9    dct       no      JPEG files by their coefficients: learned probability tables and ANS
    10   blocks    no      large and sparse files: block by block raw LZMA2 or as they are, holes left out
    16   learned   yes     photographs; latents with scale tables and ANS (`fast`)
    17   latents   yes     photographs; latents serialised as integers, raw LZMA2 (`lzma`)

`decode` of a lossless codec returns the original bytes. `decode` of a lossy codec returns a file in the source's format, or in
the format named by `as_format`. Codecs raise `PayloadError`; they never see names or paths.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from photoarc.options import EFFORT

if TYPE_CHECKING:
    from photoarc.codecs.photo.payload import PhotoCodec
    from photoarc.pictures.parsed import Parsed

STORE, LZMA, JPEGXL, COMPOSITE, PNG, SOLID, LEPTON, RASTER, TIFF, DCT, BLOCKS, LEARNED, LATENTS = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17
STREAMED = (STORE, SOLID, BLOCKS)  # read piece by piece, by the archive itself: no worker is needed


class Codec(Protocol):
    """What every codec module offers (modules are the instances: codecs keep no state)."""

    def decode(self, payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
        """Payload -> file bytes. `size_bytes` is the original's size, `as_format` one of "png", "jpeg", "webp" (lossy codecs only)."""
        ...


class ExactCodec(Codec, Protocol):
    """What modules of codecs offer beside that whose payloads give a file's very bytes back, and that are asked file by file."""

    def encode(self, data: bytes | Parsed, effort: int = EFFORT) -> bytes:
        """File -> payload, decoded back and compared; those of JPEG files take one that was parsed before as well.

        Raises PayloadError for what it does not take, or does not make smaller.
        """
        ...


@dataclass(frozen=True, slots=True)
class CodecEntry:
    """A row of the table: what `list` shows without importing the codec."""

    name: str
    lossy: bool
    module: str


CODECS: dict[int, CodecEntry] = {
    STORE: CodecEntry("store", False, "photoarc.codecs.store"),
    LZMA: CodecEntry("lzma", False, "photoarc.codecs.general"),
    JPEGXL: CodecEntry("jpegxl", False, "photoarc.codecs.jpegxl"),
    COMPOSITE: CodecEntry("composite", False, "photoarc.codecs.composite"),
    PNG: CodecEntry("png", False, "photoarc.codecs.png"),
    SOLID: CodecEntry("solid", False, "photoarc.codecs.solid"),
    LEPTON: CodecEntry("lepton", False, "photoarc.codecs.lepton"),
    RASTER: CodecEntry("raster", False, "photoarc.codecs.raster"),
    TIFF: CodecEntry("tiff", False, "photoarc.codecs.tiff"),
    DCT: CodecEntry("dct", False, "photoarc.codecs.dct"),
    BLOCKS: CodecEntry("blocks", False, "photoarc.codecs.blocks"),
    LEARNED: CodecEntry("learned", True, "photoarc.codecs.learned"),
    LATENTS: CodecEntry("latents", True, "photoarc.codecs.latents"),
}


def get(codec_id: int) -> Codec:
    """Codec module of an ID, imported on first use so that listing never loads ONNX Runtime.

    Raises KeyError for an unknown ID.
    """
    module: ModuleType = importlib.import_module(CODECS[codec_id].module)
    return cast(Codec, module)


def get_exact(codec_id: int) -> ExactCodec:
    """The same for a bit-exact codec that is asked file by file (not `solid`, `blocks`, which several share or fill piece by piece)."""
    return cast(ExactCodec, get(codec_id))


def get_lossy(codec_id: int) -> PhotoCodec:
    """The same for a codec of lossy photographs."""
    codec: PhotoCodec = importlib.import_module(CODECS[codec_id].module).CODEC
    return codec


def codec_name(codec_id: int) -> str:
    """Name of a codec, its number if this version does not know it."""
    entry = CODECS.get(codec_id)
    return entry.name if entry else f"codec {codec_id}"
