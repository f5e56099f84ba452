"""Codec 0, `store`: the bytes as they are; the fallback that always works."""

from __future__ import annotations

from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.options import EFFORT


def encode(data: bytes, effort: int = EFFORT) -> bytes:
    """File bytes -> payload."""
    return data


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file bytes. Raises PayloadError if the size is not the original's."""
    if len(payload) != size_bytes:
        raise PayloadError(f"{len(payload)} bytes are stored, the file had {size_bytes}; the archive is damaged here", PayloadCorrupt)
    return payload
