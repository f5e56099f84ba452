"""WebP files as RIFF chunks: metadata apart from the picture.

Source: RFC 9649 sections 2.3-2.7. Only still pictures are taken, lossless ones (VP8L) or, if asked for, lossy ones (VP8) without alpha;
whatever else raises `PayloadError` with the reason in a few words. Metadata are put beside a coded picture as they were: Pillow would
take the prefix of EXIF away, and knows one chunk of each kind only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photoarc.errors import PayloadError
from photoarc.pictures.kinds import RIFF_START, WEBP_FORM, riff_form
from photoarc.pictures.metadata import Item

MAX_SIDE_PX = 16_383
_METADATA = (b"ICCP", b"EXIF", b"XMP ")
# Bits of the extended header (RFC 9649 section 2.7).
_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_ALPHA = 0x10


@dataclass(frozen=True, slots=True)
class WebP:
    """A WebP file taken apart; `picture` is a WebP file of nothing but the VP8L or VP8 chunk."""

    width_px: int
    height_px: int
    metadata: tuple[Item, ...]
    picture: bytes
    lossy: bool = False


def split(data: bytes, *, lossy_too: bool = False) -> WebP:
    """Take a WebP file apart. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    size = 8 + int.from_bytes(data[4:8], "little")
    if riff_form(data[:12]) != WEBP_FORM:
        raise PayloadError("broken WebP: no RIFF header")
    if size != len(data):
        raise PayloadError("truncated WebP" if size > len(data) else "data after the end of the picture")
    at, metadata, coded, coding = 12, [], b"", b""
    while at < len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            raise PayloadError("truncated WebP")
        body = data[at + 8 : at + 8 + length]
        if kind == b"VP8L" or (kind == b"VP8 " and lossy_too):
            if coded:
                raise PayloadError("broken WebP: two pictures")
            coded, coding = body, kind
        elif kind in _METADATA:
            metadata.append(Item(kind, body))
        elif kind in (b"ANIM", b"ANMF"):
            raise PayloadError("animation")
        elif kind in (b"VP8 ", b"ALPH"):
            raise PayloadError("lossy WebP" + " with transparency" * (kind == b"ALPH"))
        elif kind != b"VP8X":
            raise PayloadError("WebP with unknown chunks")
        at += 8 + length + (length & 1)
    padding = b"\0" * (len(coded) & 1)
    riff = RIFF_START + (12 + len(coded) + len(padding)).to_bytes(4, "little") + WEBP_FORM + coding + len(coded).to_bytes(4, "little")
    width, height = _size_vp8(coded) if coding == b"VP8 " else _size_vp8l(coded)
    return WebP(width, height, tuple(metadata), riff + coded + padding, coding == b"VP8 ")


def join(picture: bytes, items: Sequence[Item], width_px: int, height_px: int, *, alpha: bool) -> bytes:
    """Puts metadata beside a picture just written: profiles before it, the rest behind it, all in their order and byte for byte."""
    held = [item for item in items if item.key in _METADATA]
    if not held:
        return picture
    coded = [(kind, body) for kind, body in _chunks(picture) if kind != b"VP8X"]
    flags = _ALPHA * alpha
    for item in held:
        flags |= _FLAGS[item.key]
    head = bytes([flags, 0, 0, 0]) + (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    before = [(item.key, item.body) for item in held if item.key == b"ICCP"]
    after = [(item.key, item.body) for item in held if item.key != b"ICCP"]
    chunks = [(b"VP8X", head), *before, *coded, *after]
    body = b"".join(kind + len(body).to_bytes(4, "little") + body + bytes(len(body) & 1) for kind, body in chunks)
    return RIFF_START + (len(body) + 4).to_bytes(4, "little") + WEBP_FORM + body


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Chunks of a sound file."""
    at, found = 12, []
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : end]))
        at = end + (end - at & 1)
    return found


def _size_vp8l(coded: bytes) -> tuple[int, int]:
    if len(coded) < 5 or coded[0] != 0x2F:
        raise PayloadError("broken WebP: no picture in it")
    bits = int.from_bytes(coded[1:5], "little")  # width - 1: 14 bits, height - 1: 14 bits, alpha used, version
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _size_vp8(coded: bytes) -> tuple[int, int]:
    """RFC 6386 section 9.1: a key frame's tag, start code, then two bytes each, of which two bits scale."""
    if len(coded) < 10 or coded[0] & 1 or coded[3:6] != b"\x9d\x01\x2a":
        raise PayloadError("broken WebP: no picture in it")
    return int.from_bytes(coded[6:8], "little") & 0x3FFF, int.from_bytes(coded[8:10], "little") & 0x3FFF
