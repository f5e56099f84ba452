"""One source file: decide, encode, decode back and compare, fall back; and the inverse."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blake3 import blake3

from photoarc import codecs
from photoarc.errors import PayloadCorrupt, PayloadError, UnsupportedCodec
from photoarc.records import PhotoInfo

if TYPE_CHECKING:
    from PIL.Image import Image

LARGE_FILE_BYTES = 64 << 20


class Mode(StrEnum):
    """How photographs are coded."""

    FAST = "fast"
    LZMA = "lzma"
    LOSSLESS = "lossless"


@dataclass(frozen=True, slots=True)
class CodingOptions:
    """What the user asked for."""

    mode: Mode = Mode.FAST
    quality: float = 70.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """One coded file."""

    codec_id: int
    payload: bytes
    size_bytes: int
    digest: bytes
    photo: PhotoInfo | None = None
    note: str = ""


def encode_file(name: str, data: bytes, options: CodingOptions) -> Encoded:
    """Code one file."""
    return Encoded(codecs.STORE, data, len(data), blake3(data).digest())


def decode_payload(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes, as_format: str | None = None) -> bytes:
    """Decode one payload."""
    try:
        codec = codecs.get(codec_id)
    except KeyError:
        raise UnsupportedCodec(name, f"codec ID {codec_id} is unknown to this version; update photoarc") from None
    try:
        data = codec.decode(payload, size_bytes, as_format)
    except PayloadError as error:
        raise error.kind(name, str(error)) from error
    if not codecs.CODECS[codec_id].lossy and blake3(data).digest() != digest:
        raise PayloadCorrupt(name, "the decoded bytes differ from the packed file's BLAKE3 digest; the archive is damaged here")
    return data


def decode_image(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes) -> Image:
    """Decode one payload as a picture."""
    raise NotImplementedError
