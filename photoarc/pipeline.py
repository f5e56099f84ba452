"""One source file: decide, encode, decode back and compare, fall back; and the inverse.

photograph?  --yes-->  learned payload, clearly smaller than the file?  --yes-->  lossy
    |no                          |no: also smaller than bit-exact?      --yes-->  lossy (asked band by band, before each is synthesised)
    v                            v
bit-exact: jpegxl, composite (JPEG files), png (PNG files) -> lzma -> store, the first that is smaller and comes back byte for byte
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from blake3 import blake3

from photoarc import bitexact, codecs
from photoarc.errors import DecodeFailed, GivenUp, LimitExceeded, ModelError, PayloadCorrupt, PayloadError, UnsupportedCodec
from photoarc.records import PhotoInfo

if TYPE_CHECKING:
    from PIL.Image import Image

LARGE_FILE_BYTES = 64 << 20
# Below this share of the file, bit-exact coding cannot win (JPEG XL saves about a fifth of a JPEG): it is not even tried.
CLEARLY_SMALLER = 0.6


class Mode(StrEnum):
    """How photographs are coded."""

    FAST = "fast"
    LZMA = "lzma"
    LOSSLESS = "lossless"


@dataclass(frozen=True, slots=True)
class CodingOptions:
    """What the user asked for; quality runs from 0 to 100, 70 gives about 38 dB on the Kodak set.

    `strip_gps` concerns lossy photographs; a file that is kept bit-exact keeps everything. `effort` 0..9 concerns bit-exact files
    (photoarc.bitexact).
    """

    mode: Mode = Mode.FAST
    quality: float = 70.0
    strip_gps: bool = False
    effort: int = bitexact.DEFAULT_EFFORT


@dataclass(frozen=True, slots=True)
class Encoded:
    """One coded file; `digest` is the BLAKE3-256 of the original, `note` says why a file is kept bit-exact ("": a lossy photograph)."""

    codec_id: int
    payload: bytes
    size_bytes: int
    digest: bytes
    photo: PhotoInfo | None = None
    note: str = ""


def encode_file(name: str, data: bytes, options: CodingOptions) -> Encoded:
    """Code one file; odd input is stored, never refused.

    Raises ModelError if the learned codec itself is not usable (broken installation).
    """
    digest = blake3(data).digest()
    if options.mode is Mode.LOSSLESS:
        return _bit_exact(data, digest, options.effort, "bit-exact by choice")
    from photoarc.pictures import gps, metadata
    from photoarc.pictures.image import photograph

    photo = photograph(data)
    if isinstance(photo, str):
        return _bit_exact(data, digest, options.effort, photo)
    if options.strip_gps:
        photo = dataclasses.replace(photo, metadata=metadata.pack(gps.strip(metadata.unpack(photo.metadata))))
    if options.mode is Mode.LZMA:
        from photoarc.codecs import latents as lossy

        codec_id = codecs.LATENTS
    else:
        from photoarc.codecs import learned as lossy  # type: ignore[no-redef]

        codec_id = codecs.LEARNED

    @cache
    def exact() -> Encoded:
        return _bit_exact(data, digest, options.effort, "smaller bit-exact")

    def too_large(size_bytes: int) -> bool:
        if size_bytes < CLEARLY_SMALLER * len(data):
            return False
        if options.strip_gps and size_bytes < len(data):
            return False  # the source as it is would be smaller, but is not what was asked for
        return len(exact().payload) <= size_bytes

    try:
        payload, info = lossy.encode(photo, options.quality, too_large)
    except GivenUp:
        return exact()
    except (PayloadError, MemoryError) as error:
        return _bit_exact(data, digest, options.effort, f"could not be coded as a photograph: {error}")
    return Encoded(codec_id, payload, len(data), digest, info)


def _bit_exact(data: bytes, digest: bytes, effort: int, note: str) -> Encoded:
    codec_id, payload = bitexact.code(data, effort)
    return Encoded(codec_id, payload, len(data), digest, note=note)


def decode_payload(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes, as_format: str | None = None) -> bytes:
    """File bytes of a payload, checked against the digest if the codec is bit-exact; `as_format` concerns lossy photographs only.

    Raises PayloadCorrupt, UnsupportedCodec, DecodeFailed, SymbolMismatch.
    """
    codec = _codec(name, codec_id)
    try:
        data = codec.decode(payload, size_bytes, as_format)
    except PayloadError as error:
        raise error.kind(name, str(error)) from error
    except (ModelError, LimitExceeded) as error:
        raise DecodeFailed(name, str(error)) from error
    except MemoryError as error:
        raise DecodeFailed(name, "not enough memory to decode it; try -j 1") from error
    if not codecs.CODECS[codec_id].lossy and blake3(data).digest() != digest:
        raise PayloadCorrupt(name, "the decoded bytes differ from the packed file's BLAKE3 digest; the archive is damaged here")
    return data


def decode_image(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes) -> Image:
    """The picture of a payload as Pillow image, without a detour over a file format.

    Raises what decode_payload raises; DecodeFailed for a member that is no picture.
    """
    from photoarc.pictures.image import as_pil, open_pil

    _codec(name, codec_id)
    try:
        if codec_id == codecs.LEARNED:
            from photoarc.codecs import learned

            return as_pil(learned.decode_photo(payload))
        if codec_id == codecs.LATENTS:
            from photoarc.codecs import latents

            return as_pil(latents.decode_photo(payload))
        return open_pil(decode_payload(name, codec_id, payload, size_bytes, digest))
    except PayloadError as error:
        raise error.kind(name, str(error)) from error
    except (ModelError, LimitExceeded) as error:
        raise DecodeFailed(name, str(error)) from error


def _codec(name: str, codec_id: int) -> codecs.Codec:
    try:
        return codecs.get(codec_id)
    except KeyError:
        raise UnsupportedCodec(name, f"codec ID {codec_id} is unknown to this version; update photoarc") from None
