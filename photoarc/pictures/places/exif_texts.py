"""Values of EXIF that are texts, whatever their tag: by their type, or by what they look like.

Source: EXIF 3.0 sections 4.6.2 (types; 129 is UTF-8) and 4.6.5 (character codes in front of UNDEFINED texts). Windows writes
UTF-16 as BYTE.
"""

from __future__ import annotations

import re

from photoarc.pictures.places.coordinates import coordinates_in
from photoarc.pictures.places.directories import ASCII, Entry

COORDINATES = "a text with coordinates"
_BYTE, _SIGNED_BYTE, _UNDEFINED, _UTF_8 = 1, 6, 7, 129
_CODES = re.compile(rb"(?:ASCII|JIS|UNICODE|Unicode|UTF-?8|\0{3})\0*")
_CODE_BYTES = 8
_FEWEST_BYTES = 6  # that a place takes
_LETTERS = re.compile(rb"[\t\n\r -\x7e\x80-\xff\0]*")
# Serial numbers of camera and lens, an identifier, dates: letters and figures that mean something else.
_NO_TEXTS = frozenset((0x0132, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0xA420, 0xA431, 0xA435, 0xC62F))


def says_coordinates(entry: Entry, value: bytes) -> bool:
    """Whether an entry's value is a text with coordinates in it."""
    if len(value) < _FEWEST_BYTES:
        return False
    name = "serial" if entry.tag in _NO_TEXTS else ""
    if entry.type in (ASCII, _UTF_8):
        return coordinates_in(value, name)
    if entry.type not in (_BYTE, _SIGNED_BYTE, _UNDEFINED):
        return False
    if _CODES.fullmatch(value[:_CODE_BYTES]):
        return coordinates_in(value[_CODE_BYTES:], name)
    return _LETTERS.fullmatch(value) is not None and coordinates_in(value, name)
