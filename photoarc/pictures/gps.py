"""Taking the place where it was taken out of a photograph's metadata: EXIF's GPS directory, GPS properties of XMP.

Source: EXIF 2.32 section 4.6 (TIFF directories, tag 0x8825), XMP part 2 section 2.8 (namespace exif). EXIF keeps its length and all its
offsets: the entry that points to the GPS directory goes, the directory and its values become zeros. What cannot be read with
certainty is dropped as a whole: a place that stays by mistake is worse than a date that is gone. Makers' notes stay as they are.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from photoarc.pictures.metadata import MAX_BYTES, Item

_GPS_IFD, _EXIF_IFD = 0x8825, 0x8769
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_EXIF, _XMP, _EXTENDED = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_PNG_XMP, _RAW_PROFILE = b"XML:com.adobe.xmp\0", re.compile(rb"Raw profile type (exif|app1|xmp)\0", re.IGNORECASE)
# A property is an attribute or an element, of any prefix: packets may rename the namespace.
_ATTRIBUTE = re.compile(rb"""\s+[\w.-]+:GPS\w*\s*=\s*("[^"]*"|'[^']*')""")
_ELEMENT = re.compile(rb"<([\w.-]+:GPS\w*)(\s[^>]*)?(/>|>.*?</\1\s*>)", re.DOTALL)


def strip(items: Sequence[Item]) -> list[Item]:
    """The same metadata without GPS; items that cannot be read with certainty are left out."""
    extended = b"".join(item.body for item in items if item.key == b"APP1" and item.body.startswith(_EXTENDED))
    kept = []
    for item in items:
        body: bytes | None = item.body
        if item.key == b"APP1" and item.body.startswith(_EXIF):
            body = _under(_EXIF, strip_exif(item.body[len(_EXIF) :]))
        elif item.key == b"APP1" and item.body.startswith(_XMP):
            body = _under(_XMP, strip_xmp(item.body[len(_XMP) :]))
        elif item.key == b"APP1" and item.body.startswith(_EXTENDED):
            body = None if b"GPS" in extended else body  # its MD5 stands in the packet: all of it or nothing
        elif item.key in (b"eXIf", b"EXIF"):
            prefix = _EXIF if item.body.startswith(_EXIF) else b""
            body = _under(prefix, strip_exif(item.body[len(prefix) :]))
        elif item.key == b"XMP ":
            body = strip_xmp(item.body)
        elif item.key == b"iTXt" and item.body.startswith(_PNG_XMP):
            body = _strip_png_xmp(item.body)
        elif item.key in (b"tEXt", b"zTXt", b"iTXt") and _RAW_PROFILE.match(item.body):
            body = None
        if body is not None:
            kept.append(replace(item, body=body))
    return kept


def _under(prefix: bytes, body: bytes | None) -> bytes | None:
    return None if body is None else prefix + body


def strip_exif(exif: bytes) -> bytes | None:
    """EXIF as TIFF bytes without GPS directories, of the same length; None if its directories cannot be followed."""
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return None
    tiff = _Tiff(exif)
    try:
        first = tiff.number(4, 4)
        inner, following = tiff.strip_directory(first), tiff.number(tiff.end_of_directory(first), 4)
        for at in inner:
            tiff.strip_directory(at)
    except IndexError:
        return None
    if following:
        with contextlib.suppress(IndexError):  # some writers leave rubbish where its offset belongs
            tiff.strip_directory(following)  # the thumbnail's
    return bytes(tiff.data)


class _Tiff:
    """TIFF bytes that are changed in place. What lies outside raises IndexError."""

    def __init__(self, exif: bytes) -> None:
        self.data = bytearray(exif)
        self.order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"

    def number(self, at: int, size: int) -> int:
        """Unsigned integer at an offset."""
        if at + size > len(self.data):
            raise IndexError(at)
        return int.from_bytes(self.data[at : at + size], self.order)

    def end_of_directory(self, at: int) -> int:
        """Offset behind the entries."""
        return at + 2 + 12 * self.number(at, 2)

    def strip_directory(self, at: int) -> list[int]:
        """Takes out GPS entries with what they point to; returns the offsets of EXIF directories below."""
        inner, start = [], at + 2
        while start < self.end_of_directory(at):
            tag, target = self.number(start, 2), self.number(start + 8, 4)
            if tag == _GPS_IFD:
                count = self.number(at, 2)
                self.blank_directory(target)
                if self.number(at, 2) != count:  # it lay on this directory, which is gone now
                    raise IndexError(at)
                end = self.end_of_directory(at) + 4  # the offset of the next directory moves up with the entries
                self.number(end - 4, 4)
                self.data[start:end] = self.data[start + 12 : end] + bytes(12)
                self.data[at : at + 2] = (self.number(at, 2) - 1).to_bytes(2, self.order)
                continue
            if tag == _EXIF_IFD:
                inner.append(target)
            start += 12
        return inner

    def blank_directory(self, at: int) -> None:
        """Zeros over a directory and the values that lie outside it."""
        end = self.end_of_directory(at)
        for start in range(at + 2, end, 12):
            size = _TYPE_BYTES.get(self.number(start + 2, 2), 1) * self.number(start + 4, 4)
            target = self.number(start + 8, 4)
            if size > 4:
                self.number(target + size - 1, 1)
                self.data[target : target + size] = bytes(size)
        self.number(end - 1, 1)
        self.data[at:end] = bytes(end - at)


def strip_xmp(packet: bytes) -> bytes | None:
    """An XMP packet without GPS properties; None if some are left or it is not UTF-8 text with tags."""
    stripped = _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", packet))
    return None if b":GPS" in stripped or b"\0" in stripped else stripped


def _strip_png_xmp(body: bytes) -> bytes | None:
    """An iTXt chunk: keyword, NUL, compression flag and method, language, NUL, translated keyword, NUL, text."""
    rest = body[len(_PNG_XMP) :]
    parts = rest[2:].split(b"\0", 2)
    if len(rest) < 2 or len(parts) != 3:
        return None
    try:
        text = zlib.decompressobj().decompress(parts[2], MAX_BYTES) if rest[0] else parts[2]
    except zlib.error:
        return None
    stripped = strip_xmp(text)
    return None if stripped is None else _PNG_XMP + b"\0\0" + parts[0] + b"\0" + parts[1] + b"\0" + stripped
