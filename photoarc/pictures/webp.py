"""WebP files as RIFF chunks: metadata apart from the picture.

Source: RFC 9649 sections 2.3-2.7. Only still, lossless (VP8L) pictures are taken; whatever else raises `PayloadError` with the
reason in a few words. (Writing needs nothing here: Pillow puts EXIF, XMP and ICC beside a picture that it codes.)
"""

from __future__ import annotations

from dataclasses import dataclass

from photoarc.errors import PayloadError
from photoarc.pictures.metadata import Item

_METADATA = (b"ICCP", b"EXIF", b"XMP ")


@dataclass(frozen=True, slots=True)
class WebP:
    """A lossless WebP file taken apart; `picture` is a WebP file of nothing but the VP8L chunk."""

    width_px: int
    height_px: int
    metadata: tuple[Item, ...]
    picture: bytes


def split(data: bytes) -> WebP:
    """Take a WebP file apart. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    size = 8 + int.from_bytes(data[4:8], "little")
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise PayloadError("broken WebP: no RIFF header")
    if size != len(data):
        raise PayloadError("truncated WebP" if size > len(data) else "data after the end of the picture")
    at, metadata, coded = 12, [], b""
    while at < len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            raise PayloadError("truncated WebP")
        body = data[at + 8 : at + 8 + length]
        if kind == b"VP8L":
            if coded:
                raise PayloadError("broken WebP: two pictures")
            coded = body
        elif kind in _METADATA:
            metadata.append(Item(kind, body))
        elif kind in (b"ANIM", b"ANMF"):
            raise PayloadError("animation")
        elif kind == b"VP8 ":
            raise PayloadError("lossy WebP")
        elif kind != b"VP8X":
            raise PayloadError("WebP with unknown chunks")
        at += 8 + length + (length & 1)
    if len(coded) < 5 or coded[0] != 0x2F:
        raise PayloadError("broken WebP: no picture in it")
    bits = int.from_bytes(coded[1:5], "little")  # width - 1: 14 bits, height - 1: 14 bits, alpha used, version
    padding = b"\0" * (len(coded) & 1)
    riff = b"RIFF" + (12 + len(coded) + len(padding)).to_bytes(4, "little") + b"WEBPVP8L" + len(coded).to_bytes(4, "little")
    return WebP((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, tuple(metadata), riff + coded + padding)
