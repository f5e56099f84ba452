"""Places in JUMBF boxes, which hold C2PA manifests ("content credentials") in JPEG, PNG, HEIC and other files: looked for, not taken out.

Source: ISO 19566-5 (a superbox: length u32, "jumb", then a box "jumd"), C2PA 2.1 (assertions in JSON or CBOR, properties of EXIF and IPTC
under their XMP names). JPEG cuts a box into segments, 64 kB each, and repeats its head in every one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from photoarc.pictures.places.names import is_place

_SUPERBOX = re.compile(rb"jumb(?:.{8})?.{4}jumd", re.DOTALL)
_JSON_NAME = re.compile(rb'"(?:[\w.-]{1,80}:)?([\w.-]{1,80})"\s{0,80}:')
_CBOR_TEXT = re.compile(rb"(?=([\x64-\x77]|\x78[\x18-\x50])([A-Za-z][\w.-]{0,40}:[\w.-]{1,40}))", re.ASCII)
_SEGMENT_HEADS = 1.001  # of a JPEG file: 20 bytes in 64 kB
_MOST_BYTES = 16 << 20  # of one box


def boxes(data: bytes) -> Iterator[bytes]:
    """The outermost boxes in a file of any kind, one behind the other."""
    at = 0
    while match := _SUPERBOX.search(data, at):
        start = max(match.start() - 4, 0)
        length = int.from_bytes(data[start : match.start()], "big")
        size_bytes = round(length * _SEGMENT_HEADS) + 32 if length > 1 else len(data)  # 0: to the end of the file; 1: 64 bits follow
        at = max(min(start + size_bytes, start + _MOST_BYTES), match.end())
        yield data[start:at]


def holds_place(box: bytes) -> bool:
    """Whether a property in a box is called as places are."""
    if any(is_place(match[1].decode("latin-1")) for match in _JSON_NAME.finditer(box)):
        return True
    for match in _CBOR_TEXT.finditer(box):
        length = match[1][-1] - 0x60 if len(match[1]) == 1 else match[1][1]
        name = match[2][:length]
        if len(name) == length and is_place(name.rpartition(b":")[2].decode("latin-1")):
            return True
    return False
