"""Codec 16, `fast`: hyper-latents and residual symbols with integer tables and ANS (docs/format.md section 8).

The decoder reads all integers of a band before it runs the first float network: nothing that picks a table is a float.
"""

from __future__ import annotations

from photoarc import options
from photoarc.codecs.photo import payload as photograph
from photoarc.codecs.photo.coder import of_architecture
from photoarc.codecs.photo.encoder import TooLarge, never
from photoarc.codecs.photo.payload import Nearness, anything
from photoarc.member import PhotoInfo
from photoarc.options import Tuning
from photoarc.pictures.image import Photograph, write


def encode(
    photo: Photograph,
    quality: float,
    tuning: Tuning = options.TUNING,
    too_large: TooLarge = never,
    effort: int = options.EFFORT,
    near: Nearness = anything,
) -> tuple[bytes, PhotoInfo]:
    """Photograph -> payload; quality 0..100 moves between the trained levels. The others: see photograph.encode."""
    return photograph.encode(photo, quality, tuning, of_architecture, too_large, effort, near)


def decode_photo(payload: bytes) -> Photograph:
    """Payload -> photograph."""
    return photograph.decode(payload, of_architecture)


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file in the source's format or in `as_format`."""
    return write(decode_photo(payload), as_format)
