"""Codec 2, `jpegxl`: a JPEG file as JPEG XL with reconstruction data (ISO/IEC 18181-2 annex A); it comes back byte for byte.

The payload is an ordinary .jxl file: any JPEG XL viewer shows it. About one JPEG in a hundred in the wild is refused (no end
marker, CMYK, truncated, arithmetic coding); the caller then takes another codec.
"""

from __future__ import annotations

from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.options import EFFORT
from photoarc.pictures import jxl, libjxl
from photoarc.pictures.jpeg import segments
from photoarc.pictures.parsed import Parsed, parsed

_LEAST_SAVING = 0.01


def encode(data: bytes | Parsed, effort: int = EFFORT) -> bytes:
    """JPEG file -> payload, decoded back and compared. Raises PayloadError if that fails or saves less than 1 %."""
    file = parsed(data)
    payload = transcode(file)
    if decode(payload, len(file.data)) != file.data:
        raise PayloadError("JPEG XL does not restore this JPEG")
    return payload


def transcode(data: bytes | Parsed) -> bytes:
    """The same for callers who compare by themselves."""
    file = parsed(data)
    file.check_claims()
    try:
        payload = libjxl.from_jpeg(file.data)
    except Exception as error:
        raise PayloadError(f"JPEG XL refuses this JPEG: {error}") from error
    if len(payload) > len(file.data) * (1 - _LEAST_SAVING):
        raise PayloadError("JPEG XL does not make this JPEG smaller")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> JPEG file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    try:
        width_px, height_px = jxl.size_px(payload)
        if not segments.plausible(width_px * height_px, size_bytes):
            size = f"{width_px} x {height_px} pixels"
            raise PayloadError(f"the payload claims {size} for a file of {size_bytes} bytes", PayloadCorrupt)
        data = libjxl.to_jpeg(payload)
    except PayloadError:
        raise
    except Exception as error:
        raise PayloadError(f"JPEG XL: {error}") from error
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data
