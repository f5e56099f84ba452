"""Makers' notes in EXIF: those that are known to be directories lose the tags that tell a place; all others are dropped by who asks.

Source: the tags that ExifTool documents: towns of time zones (Canon, Casio, Pentax), places looked up by the camera (Nikon, Panasonic).
What a maker does not document may hold anything, so only notes stay that are read to their end, of makers in whose notes nobody found
more.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from photoarc.pictures.places.directories import TYPE_BYTES, Directories
from photoarc.pictures.places.exif_texts import COORDINATES, says_coordinates
from photoarc.pictures.tiff import Order

_MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True)
class _Maker:
    """Notes that start with `start`, or, where that is nothing, of cameras whose make starts with `make`.

    `directory`: its offset in the note. `base`: from where offsets count: the EXIF, the note, or a TIFF header at `header`.
    """

    start: bytes
    directory: int
    places: frozenset[int] = frozenset()
    _: KW_ONLY
    order: Order | None = None
    base: Literal["exif", "note", "header"] = "exif"
    header: int = 0
    make: bytes = b""


_PENTAX = frozenset((0x22, 0x23, 0x24, 0x6B, 0x1000, 0x1001))
_MAKERS = (
    _Maker(b"Nikon\0\2", 0, frozenset((0x39,)), base="header", header=10),
    _Maker(b"Nikon\0\1", 8, order="little"),
    _Maker(b"Panasonic\0\0\0", 12, frozenset((0x3A, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x80))),
    _Maker(b"AOC\0", 6, _PENTAX),
    _Maker(b"PENTAX \0", 10, _PENTAX, base="note"),
    _Maker(b"QVC\0", 6, frozenset((0x3006,)), order="big"),
    _Maker(b"FUJIFILM\x0c\0\0\0", 12, order="little", base="note"),
    _Maker(b"OLYMP\0", 8),
    _Maker(b"OLYMPUS\0", 12, base="note"),
    _Maker(b"SANYO\0\1\0", 8),
    _Maker(b"SONY DSC \0\0\0", 12),
    _Maker(b"SONY CAM \0\0\0", 12),
    _Maker(b"Apple iOS\0\0\1", 14, order="big", base="note"),
    _Maker(b"", 0, frozenset((0x35,)), make=b"Canon"),
    _Maker(b"", 0, make=b"Minolta"),
    _Maker(b"", 0, make=b"KONICA MINOLTA"),
)


def strip(data: bytearray, at: int, size: int, order: Order, make: bytes, dropped: list[str]) -> bool:
    """Takes places out of a note in the EXIF `data`, in place; False if nobody can tell what it holds.

    A text in which coordinates are written goes, and is told in `dropped`.
    """
    note = bytes(data[at : at + size])
    for maker in _MAKERS:
        known = note.startswith(maker.start) if maker.start else make.startswith(maker.make)
        if len(note) != size or not known:
            continue
        try:
            dropped += _strip(data, at, size, order, maker)
        except IndexError:
            return False
        return True
    return False


def _strip(data: bytearray, at: int, size: int, order: Order, maker: _Maker) -> list[str]:
    """In words what was dropped. Raises IndexError if its directory does not lie in the note, or nothing is left of it."""
    base, directory = 0, at + maker.directory
    order = maker.order or order
    if maker.base == "header":
        base = at + maker.header
        order = _order(bytes(data[base : base + 2]))
        directory = base + Directories(data, order).number(base + 4, 4)
    elif maker.base == "note":
        base = at
    if maker.start in (b"AOC\0", b"PENTAX \0", b"OLYMPUS\0"):
        mark = bytes(data[directory - 2 - 2 * (maker.start == b"OLYMPUS\0") :][:2])
        order = _order(mark) if mark in (b"II", b"MM") else order
    found = Directories(data, order, base)
    if not at <= directory or found.end(directory) > at + size or not 1 <= found.number(directory, 2) <= _MOST_ENTRIES:
        raise IndexError(directory)
    dropped = []
    for entry in found.entries(directory):
        if entry.type not in TYPE_BYTES:
            raise IndexError(entry.at)
        if says_coordinates(entry, found.value(entry)):
            dropped.append(COORDINATES)
            found.remove(directory, entry)
        elif entry.tag in maker.places:
            found.remove(directory, entry)
    if not found.number(directory, 2):
        raise IndexError(directory)
    return dropped


def _order(mark: bytes) -> Order:
    """Raises IndexError for what is no byte order."""
    if mark not in (b"II", b"MM"):
        raise IndexError(mark)
    return "little" if mark == b"II" else "big"
