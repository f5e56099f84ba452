"""Metadata of a photograph as a list of opaque items, its stored form, and what one format's items mean in another.

    key        from   body
    APP0..APPF JPEG   the segment after its length, verbatim
    "COM "     JPEG   the comment
    (chunk)    PNG    chunk data; place 1 = after the picture data
    (chunk)    WebP   "EXIF", "XMP ", "ICCP"

Stored form: nothing for no items; else one byte (0 plain, 1 deflate, 2 raw LZMA2 with `_FILTERS`), then for each item
place u8, key 4 bytes, body length u32 little-endian, body.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from photoarc.errors import PayloadError

MAX_BYTES = 256 << 20  # refused before memory is taken; one photograph's metadata is rarely above 1 MB
BEFORE, AFTER = 0, 1
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}]


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of metadata; `place` says on which side of the picture data it stands."""

    key: bytes
    body: bytes
    place: int = BEFORE


def pack(items: Sequence[Item]) -> bytes:
    """Items -> stored form, the smallest of the three."""
    if not items:
        return b""
    plain = b"".join(bytes([i.place]) + i.key + len(i.body).to_bytes(4, "little") + i.body for i in items)
    deflater = zlib.compressobj(9, wbits=-15)
    deflated = deflater.compress(plain) + deflater.flush()
    return min(b"\0" + plain, b"\1" + deflated, b"\2" + lzma.compress(plain, lzma.FORMAT_RAW, filters=_FILTERS), key=len)


def unpack(stored: bytes) -> list[Item]:
    """Stored form -> items. Raises PayloadError on anything that `pack` does not write."""
    if not stored:
        return []
    plain, at, items = _expand(stored[0], stored[1:]), 0, []
    while at < len(plain):
        end = at + 9 + int.from_bytes(plain[at + 5 : at + 9], "little")
        if at + 9 > len(plain) or end > len(plain) or plain[at] not in (BEFORE, AFTER):
            raise PayloadError("the photograph's metadata is damaged")
        items.append(Item(plain[at + 1 : at + 5], plain[at + 9 : end], plain[at]))
        at = end
    return items


def _expand(method: int, body: bytes) -> bytes:
    if method == 0:
        return body
    try:
        if method == 1:
            inflater = zlib.decompressobj(-15)
            plain, done, rest = inflater.decompress(body, MAX_BYTES), inflater.eof, inflater.unused_data
        elif method == 2:
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
            plain = unpacker.decompress(body, MAX_BYTES)
            done, rest = unpacker.eof, unpacker.unused_data
        else:
            raise PayloadError("the photograph's metadata is stored in an unknown way")
    except (zlib.error, lzma.LZMAError) as error:
        raise PayloadError("the photograph's metadata is damaged") from error
    if not done or rest:
        raise PayloadError("the photograph's metadata is damaged")
    return plain


@dataclass(frozen=True, slots=True)
class Common:
    """What every format can say: EXIF (TIFF bytes), XMP packet, ICC profile; b"" where there is none."""

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""


_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PART_BYTES = 65533 - len(_ICC) - 2


def from_jpeg(items: Sequence[Item]) -> Common:
    """EXIF, XMP and ICC of JPEG segments. Extended XMP has no place in other formats and is left out."""
    exif = next((i.body[6:] for i in items if i.key == b"APP1" and i.body[:6] == _EXIF), b"")
    xmp = next((i.body[len(_XMP) :] for i in items if i.key == b"APP1" and i.body.startswith(_XMP)), b"")
    parts = sorted((i.body[12], i.body[14:]) for i in items if i.key == b"APP2" and i.body.startswith(_ICC) and len(i.body) > 14)
    whole = [number for number, _ in parts] == list(range(1, len(parts) + 1))
    return Common(exif, xmp, b"".join(part for _, part in parts) if whole else b"")


def to_jpeg(common: Common) -> list[Item]:
    """JPEG segments; a profile is cut into parts. Raises PayloadError if EXIF or XMP exceed a segment."""
    items = [Item(b"APP1", prefix + body) for prefix, body in ((_EXIF, common.exif), (_XMP, common.xmp)) if body]
    if any(len(item.body) > 65533 for item in items):
        raise PayloadError("EXIF or XMP is too long for JPEG (65,533 bytes); choose another format")
    parts = [common.icc[at : at + _PART_BYTES] for at in range(0, len(common.icc), _PART_BYTES)]
    if len(parts) > 255:
        raise PayloadError("the colour profile is too long for JPEG; choose another format")
    return items + [Item(b"APP2", _ICC + bytes([number, len(parts)]) + part) for number, part in enumerate(parts, 1)]


def from_png(items: Sequence[Item]) -> Common:
    """EXIF, XMP and ICC of PNG chunks; a compressed chunk that does not inflate is left out."""
    exif = next((i.body for i in items if i.key == b"eXIf"), b"")
    xmp = icc = b""
    for item in items:
        _keyword, _, rest = item.body.partition(b"\0")
        if item.key == b"iCCP":
            icc = icc or _inflate(rest[1:])
        elif item.key == b"iTXt" and item.body.startswith(_PNG_XMP) and len(rest) >= 4:
            text = rest[2:].split(b"\0", 2)[2] if rest[2:].count(b"\0") >= 2 else b""
            xmp = xmp or (_inflate(text) if rest[0] else text)
    return Common(exif.removeprefix(_EXIF), xmp, icc)


def to_png(common: Common) -> list[Item]:
    """PNG chunks iCCP, eXIf and iTXt, all before the picture data."""
    items = [Item(b"iCCP", b"ICC profile\0\0" + zlib.compress(common.icc, 9))] if common.icc else []
    items += [Item(b"eXIf", common.exif)] if common.exif else []
    return items + ([Item(b"iTXt", _PNG_XMP + b"\0\0\0\0" + common.xmp)] if common.xmp else [])


def from_webp(items: Sequence[Item]) -> Common:
    """EXIF, XMP and ICC of WebP chunks: the first of each kind, as other readers do."""
    bodies = {item.key: item.body for item in reversed(items)}
    return Common(bodies.get(b"EXIF", b"").removeprefix(_EXIF), bodies.get(b"XMP ", b""), bodies.get(b"ICCP", b""))


def to_webp(common: Common) -> list[Item]:
    """WebP chunks."""
    return [Item(key, body) for key, body in ((b"ICCP", common.icc), (b"EXIF", common.exif), (b"XMP ", common.xmp)) if body]


def _inflate(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, MAX_BYTES)
    except zlib.error:
        return b""
