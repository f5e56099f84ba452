"""Codec 6, `lepton`: a JPEG file as Lepton, which comes back byte for byte (Horn et al. 2017, NSDI; docs/format.md section 7.8).

The payload is a file of Microsoft's Lepton, a few per cent smaller than JPEG XL and read by fewer programs: it is tried at high effort
only, and needs the extra `lepton` to pack and to unpack. It takes some files that JPEG XL refuses (truncated ones), and refuses others.
"""

from __future__ import annotations

import re
import zlib
from functools import cache
from importlib import metadata
from struct import Struct, error
from types import ModuleType
from typing import cast

from photoarc.errors import NotDecoded, PayloadCorrupt, PayloadError
from photoarc.options import EFFORT
from photoarc.pictures.jpeg import segments
from photoarc.pictures.parsed import Parsed, parsed

_LEAST_SAVING = 0.01
_OLDEST = (0, 5, 8)  # 0.5.5 wrote files that no other version reads, and decoding them back by itself did not show it
_HEAD = Struct("<2sBB16sII")  # signature, version, mode, threads and writer, bytes of the JPEG, bytes of the packed JPEG header
_SIGNATURE = b"\xcf\x84"


def available() -> bool:
    """Whether the extra is installed."""
    try:
        _library()
    except PayloadError:
        return False
    return True


def _library() -> ModuleType:
    try:
        import lepton_jpeg_python
    except ImportError as missing:
        raise PayloadError("Lepton is not installed here; pip install lepton-jpeg-python", NotDecoded) from missing
    return cast(ModuleType, lepton_jpeg_python)


@cache
def _version() -> tuple[int, ...]:
    """Of the package, whatever the file of dependencies asked for when it was installed."""
    return tuple(int(number) for number in re.findall(r"\d+", metadata.version("lepton-jpeg-python"))[:3])


def encode(data: bytes | Parsed, effort: int = EFFORT) -> bytes:
    """JPEG file -> payload, decoded back and compared. Raises PayloadError if that fails or saves less than 1 %."""
    file = parsed(data)
    payload = transcode(file)
    if decode(payload, len(file.data)) != file.data:
        raise PayloadError("Lepton does not restore this JPEG")  # no end marker, say: it adds one
    return payload


def transcode(data: bytes | Parsed) -> bytes:
    """The same for callers who compare by themselves."""
    file = parsed(data)
    library = _library()
    if _version() < _OLDEST:
        raise PayloadError(f"this Lepton is older than {'.'.join(map(str, _OLDEST))}, which is not trusted to write")
    file.check_claims()
    try:
        payload = bytes(library.compress_bytes(file.data))
    except Exception as refusal:
        raise PayloadError(f"Lepton refuses this JPEG: {_first_line(refusal)}") from refusal
    if len(payload) > len(file.data) * (1 - _LEAST_SAVING):
        raise PayloadError("Lepton does not make this JPEG smaller")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> JPEG file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    library = _library()
    _check_claim(payload, size_bytes)
    try:
        data = bytes(library.decompress_bytes(payload))
    except Exception as refusal:
        raise PayloadError(f"Lepton: {_first_line(refusal)}", PayloadCorrupt) from refusal
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data


def _check_claim(payload: bytes, size_bytes: int) -> None:
    """Lepton allocates by the size that the packed JPEG header claims: look at it first. Raises PayloadError."""
    try:
        signature, _, _, _, jpeg_bytes, header_bytes = _HEAD.unpack_from(payload)
        header = zlib.decompressobj().decompress(payload[_HEAD.size : _HEAD.size + header_bytes], size_bytes + (1 << 16))
    except (error, zlib.error) as broken:
        raise PayloadError(f"the head of the Lepton file is damaged: {broken}", PayloadCorrupt) from broken
    if signature != _SIGNATURE or jpeg_bytes != size_bytes:
        raise PayloadError(f"the payload is not that of a file of {size_bytes} bytes", PayloadCorrupt)
    pixels = segments.claimed_pixels(header)
    if not segments.plausible(pixels, size_bytes):
        raise PayloadError(f"the payload claims {pixels:,} pixels for a file of {size_bytes} bytes", PayloadCorrupt)


def _first_line(refusal: Exception) -> str:
    return str(refusal).split("\n", 1)[0]
