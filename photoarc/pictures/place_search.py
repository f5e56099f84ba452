"""Whether a file that is kept as it is holds a place: looked for in any file, by what EXIF, XMP, IPTC and films look like in it.

For a warning, not for a proof: what is compressed or encrypted, or stands behind what cannot be followed, is not found.
"""

from __future__ import annotations

import re
import zlib

from photoarc.pictures import PNG_SIGNATURE, exif, iptc, xmp
from photoarc.pictures.metadata import MAX_BYTES
from photoarc.pictures.places import names_coordinates

_TIFF = re.compile(rb"II\*\0|MM\0\*|II[RU]\0|IIRO|IIRS")  # and Panasonic's and Olympus's raw files
_XMP = re.compile(rb"<(x:xmpmeta|rdf:RDF)\b.*?</\1\s*>", re.DOTALL)
_NAMES_PLACE = re.compile(rb"GPSL(ati|ongi|ongti)tude|photoshop:(City|Country)|Location(Created|Shown)", re.IGNORECASE)
_IIM = re.compile(rb"8BIM\x04\x04(.)", re.DOTALL)
_FILM = re.compile(rb"\xa9xyz.{4}[+-]\d\d|com\.apple\.quicktime\.location\.ISO6709|loci\0\0\0\0.{3}", re.DOTALL)
_PNG_TEXT = re.compile(rb"(zTXt|iTXt)[^\0]{1,79}\0")
_MOST = 256  # places in a file that are looked at: by chance, few bytes look like these
_MOST_BYTES = 16 << 20  # of one packet


def holds_place(data: bytes) -> bool:
    """Whether a place is found in a file."""
    return (
        any(exif.holds_place(data, match.start()) for match in _few(_TIFF, data))
        or any(_in_packet(data[match.start() : min(match.end(), match.start() + _MOST_BYTES)]) for match in _few(_XMP, data))
        or any(_in_iim(data, match.start()) for match in _few(_IIM, data))
        or (b"moov" in data and _FILM.search(data) is not None)
        or (data.startswith(PNG_SIGNATURE) and any(_in_text(data, match) for match in _few(_PNG_TEXT, data)))
    )


def _few(pattern: re.Pattern[bytes], data: bytes) -> list[re.Match[bytes]]:
    return [match for match, _ in zip(pattern.finditer(data), range(_MOST), strict=False)]


def _in_packet(packet: bytes) -> bool:
    stripped, _ = xmp.strip(packet)
    return _NAMES_PLACE.search(packet) is not None if stripped is None else stripped != packet


def _in_iim(data: bytes, at: int) -> bool:
    start = at + 7 + (data[at + 6] | 1) + 4
    iim = data[start : start + int.from_bytes(data[start - 4 : start], "big")]
    return iptc.strip(iim) not in (iim, None)


def _in_text(data: bytes, match: re.Match[bytes]) -> bool:
    """Compressed text of a PNG chunk: XMP, or coordinates."""
    end = match.start() + 4 + int.from_bytes(data[match.start() - 4 : match.start()], "big")
    for at in (found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data[match.end() : min(end, match.end() + 256)])):
        try:
            text = zlib.decompressobj().decompress(data[match.end() + at : end], MAX_BYTES)
        except zlib.error:
            continue
        return any(_in_packet(packet[0]) for packet in _few(_XMP, text)) or names_coordinates(text.decode("latin-1"))
    return False
