"""EXIF without places: it keeps its length, and all its offsets.

Source: EXIF 2.32 section 4.6 (directories, tag 0x8825), TIFF 6.0, GeoTIFF 1.1. The entry that points to the GPS directory goes, the
directory and its values become zeros; so do the own EXIF, XMP and IPTC of thumbnails and previews. What comes out must come out of a
second run as it is; if not, or if a directory cannot be followed, only the orientation is kept.
"""

from __future__ import annotations

import re

from photoarc.errors import PayloadError
from photoarc.pictures import tiff
from photoarc.pictures.kinds import TIFF_STARTS
from photoarc.pictures.places import iptc, maker_notes, xmp
from photoarc.pictures.places.directories import ASCII, TYPE_BYTES, Directories, Entry
from photoarc.pictures.places.exif_texts import COORDINATES, says_coordinates

_GPS, _EXIF, _INTEROP, _SUB = 0x8825, 0x8769, 0xA005, 0x014A
_GEOTIFF = frozenset((33550, 33922, 34264, 34735, 34736, 34737))
_LAST_GPS_TAG, _NO_GPS_TAG, _PADDING, _PROCESSING_SOFTWARE = 0x1F, 0x100, 0xEA1C, 0x0B
_MAKE, _MAKER_NOTE = 0x010F, 0x927C
_XMP, _IPTC, _PHOTOSHOP, _DNG_PRIVATE = 0x02BC, 0x83BB, 0x8649, 0xC634
_LATITUDE, _LONGITUDE = 2, 4
_MOST_DIRECTORIES = 64
BROKEN = "EXIF that cannot be followed (its orientation was kept)"
# Metadata segments of JPEG files that lie in others: EXIF, XMP, Photoshop's.
_SEGMENT = re.compile(rb"\xff(?:\xe1(..)(?:.{0,4}Exif\0|http://ns\.adobe\.com/x)|\xed(..)Photoshop )", re.DOTALL)


def strip(exif: bytes) -> tuple[bytes | None, list[str]]:
    """EXIF as TIFF bytes without places, and in words what was dropped whole. None: not even its orientation can be read."""
    try:
        first = _Cleaner(exif)
        first.run()
        second = _Cleaner(bytes(first.data))
        second.run()
    except IndexError:
        return _orientation_only(exif), [BROKEN]
    return (bytes(first.data), first.dropped) if second.data == first.data else (_orientation_only(exif), [BROKEN])


def _orientation_only(exif: bytes) -> bytes | None:
    try:
        turned = tiff.orientation(exif)
    except PayloadError:
        return None
    entry = (0x0112).to_bytes(2, "little") + b"\3\0\1\0\0\0" + turned.to_bytes(4, "little")
    return b"II*\0\x08\0\0\0\1\0" + entry + bytes(4) if 1 < turned <= 8 else None


def strip_pictures(data: bytes) -> bytes:
    """Zeros over the metadata segments of JPEG files that lie in `data`."""
    cleaned, done = bytearray(data), 0
    for match in _SEGMENT.finditer(data):
        start = max(match.start() + 4, done)  # they may lie in each other
        end = min(match.start() + 2 + int.from_bytes(match[1] or match[2], "big"), len(data))
        cleaned[start:end] = bytes(max(end - start, 0))
        done = max(end, done)
    return bytes(cleaned)


class _Cleaner:
    """One run over all directories. Raises IndexError where they cannot be followed."""

    def __init__(self, exif: bytes) -> None:
        if exif[:4] not in TIFF_STARTS:
            raise IndexError(0)
        self.tiff = Directories(bytearray(exif), "little" if exif[:1] == b"I" else "big")
        self.data, self.dropped = self.tiff.data, list[str]()
        self._gps, self._seen = list[int](), set[int]()
        self._make = b""

    def run(self) -> None:
        at, chain = self.tiff.number(4, 4), "first"
        pointer_at = 4
        if not at:
            raise IndexError(at)
        while at and at not in self._seen:
            try:
                self._directory(at, chain)
            except IndexError:
                if chain == "first":
                    raise
                self.data[pointer_at : pointer_at + 4] = bytes(4)  # some writers leave rubbish where its offset belongs
                break
            pointer_at, chain = self.tiff.end(at), "next"
            if pointer_at + 4 > len(self.data):
                break
            at = self.tiff.number(pointer_at, 4)
        for target in self._gps:
            self._blank_gps(target)
        self.data[:] = strip_pictures(bytes(self.data))

    def _directory(self, at: int, kind: str) -> None:
        """Cleans a directory and those below it."""
        if at in self._seen:
            return
        if len(self._seen) >= _MOST_DIRECTORIES:
            raise IndexError(at)
        self.tiff.end(at)
        self._seen.add(at)
        entries = list(self.tiff.entries(at))
        for entry in entries:
            if entry.tag == _MAKE:
                self._make = self.tiff.value(entry)
        for entry in entries:
            if self._is_unwanted(entry, kind):
                self.tiff.remove(at, entry)
            elif entry.tag in (_XMP, _IPTC):
                self._embedded(at, entry)

    def _is_unwanted(self, entry: Entry, kind: str) -> bool:
        """Whether an entry is to go; cleans what it points to."""
        tag = entry.tag
        if tag == _GPS:
            self._gps.append(self.tiff.pointer(entry))
            return True
        if tag == _EXIF:
            self._directory(self.tiff.pointer(entry), "exif")
        elif tag in (_INTEROP, _SUB):
            return not self._followed(entry, "interop" if tag == _INTEROP else "sub")
        elif tag <= _LAST_GPS_TAG:
            if kind == "interop":
                return not (tag in (1, 2) and entry.count == 4)
            return not (tag == _PROCESSING_SOFTWARE and entry.type == ASCII) or self._says_place(entry)
        elif tag == _MAKER_NOTE:
            if not maker_notes.strip(self.data, entry.value_at, entry.size_bytes, self.tiff.order, self._make, self.dropped):
                self.dropped.append("a maker's note")
                return True
        elif tag in (_PHOTOSHOP, _DNG_PRIVATE):
            self.dropped.append("what programs left in EXIF")
            return True
        return tag in _GEOTIFF or self._says_place(entry)

    def _says_place(self, entry: Entry) -> bool:
        """Whether the value of an entry is a text with coordinates; says so in `dropped`."""
        if entry.tag in (_XMP, _IPTC, _MAKER_NOTE) or not says_coordinates(entry, self.tiff.value(entry)):
            return False
        self.dropped.append(COORDINATES)
        return True

    def _followed(self, entry: Entry, kind: str) -> bool:
        """Whether directories that nobody misses could be cleaned; if not, nothing shall point to them."""
        try:
            for number in range(min(entry.count, _MOST_DIRECTORIES)):
                self._directory(self.tiff.pointer(entry, number), kind)
        except IndexError:
            return False
        return True

    def _embedded(self, at: int, entry: Entry) -> None:
        """XMP, or IPTC-IIM, as the value of a tag."""
        value = self.tiff.value(entry)
        texts = list[str]()
        kept, lost = xmp.strip(value) if entry.tag == _XMP else (iptc.strip(value, texts), texts)
        self.dropped += lost if kept is not None else []
        if kept is None or len(kept) > len(value):
            self.dropped.append("XMP or IPTC in EXIF that cannot be followed")
            self.tiff.remove(at, entry)
        elif kept != value:
            if TYPE_BYTES.get(entry.type) == 1:
                self.tiff.replace(entry, kept)
            else:
                self.data[entry.value_at : entry.value_at + len(value)] = kept + bytes(len(value) - len(kept))

    def _blank_gps(self, at: int) -> None:
        """Zeros over a GPS directory and its values, as far as it is one."""
        if at in self._seen or not 8 <= at <= len(self.data) - 2:
            return
        last = at + 2 + 12 * self.tiff.number(at, 2)
        end = at + 2
        while end + 12 <= min(last, len(self.data)):
            tag, kind, size = (self.tiff.number(end + start, width) for start, width in ((0, 2), (2, 2), (4, 4)))
            size *= TYPE_BYTES.get(kind, 1)
            if kind not in TYPE_BYTES or size > len(self.data) or not (tag < _NO_GPS_TAG or tag == _PADDING):
                break  # rubbish: it is no GPS directory, or not so long
            if size > 4:
                self.tiff.blank(self.tiff.number(end + 8, 4), size)
            end += 12
        if end > at + 2:
            self.tiff.blank(at, end - at + 4 * (end == last))


def holds_place(data: bytes, at: int) -> bool:
    """Whether the directories of a TIFF header at an offset lead to a latitude or longitude; for EXIF, TIFF and raw files alike."""
    order: tiff.Order = "little" if data[at : at + 1] == b"I" else "big"

    def number(where: int, size: int) -> int:
        return int.from_bytes(data[where : where + size], order)

    def entries(directory: int) -> range:
        return range(directory + 2, min(directory + 2 + 12 * number(directory, 2), len(data)), 12)

    seen, following = set[int](), number(at + 4, 4)
    while following and following not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(following)
        directory = entries(at + following)
        for entry in directory:
            if number(entry, 2) == _GPS and number(entry + 2, 2) in (4, 13):
                gps = entries(at + number(entry + 8, 4))
                if any(number(one, 2) in (_LATITUDE, _LONGITUDE) and number(one + 2, 2) in (5, 10) for one in gps):
                    return True
        following = number(directory.stop, 4)
    return False
