"""Whether a file that is kept as it is holds a place: looked for in any file, by what EXIF, XMP, IPTC and films look like in it.

For a warning, not for a proof: what is compressed or encrypted, or stands behind what cannot be followed, is not found.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from photoarc.pictures import jumbf
from photoarc.pictures.kinds import PNG_SIGNATURE
from photoarc.pictures.places import exif, iptc, xmp
from photoarc.pictures.places.coordinates import MOST_TEXT, coordinates_in

_TIFF = re.compile(rb"II\*\0|MM\0\*|II[RU]\0|IIRO|IIRS")  # and Panasonic's and Olympus's raw files
_XMP_WORDS, _SPACES = ("x:xmpmeta", "rdf:RDF"), " \t\r\n"
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")  # of XMP
_NAMES_PLACE = re.compile(rb"GPSL(ati|ongi|ongti)tude|photoshop:(City|Country)|Location(Created|Shown)", re.IGNORECASE)
_IIM = re.compile(rb"8BIM\x04\x04(.)", re.DOTALL)
_FILM = re.compile(rb"\xa9xyz.{4}[+-]\d\d|com\.apple\.quicktime\.location\.ISO6709|loci\0\0\0\0.{3}", re.DOTALL)
_PNG_TEXT = re.compile(rb"(zTXt|iTXt)[^\0]{1,79}\0")
_MOST = 256  # places in a file that are looked at: by chance, few bytes look like these
_MOST_BYTES = 16 << 20  # of one packet
_MOST_INFLATED = MOST_TEXT  # in all: a file may be made to inflate to any size


def holds_place(data: bytes) -> bool:
    """Whether a place is found in a file."""
    return (
        any(exif.holds_place(data, match.start()) for match in _few(_TIFF, data))
        or any(map(_in_packet, _packets(data)))
        or any(_in_iim(data, match.start()) for match in _few(_IIM, data))
        or (b"moov" in data and _FILM.search(data) is not None)
        or any(map(jumbf.holds_place, jumbf.boxes(data)))
        or (data.startswith(PNG_SIGNATURE) and any(map(_in_text, _texts(data))))
    )


def _few(pattern: re.Pattern[bytes], data: bytes) -> list[re.Match[bytes]]:
    return [match for match, _ in zip(pattern.finditer(data), range(_MOST), strict=False)]


def _packets(data: bytes) -> Iterator[bytes]:
    """XMP in any encoding, as UTF-8."""
    for encoding in _ENCODINGS:
        for packet in _packets_in(data, encoding):
            yield packet if encoding == "utf-8" else packet.decode(encoding, "replace").encode()


def _packets_in(data: bytes, encoding: str) -> Iterator[bytes]:
    """XMP, from an element that opens to the first that closes it; each byte is looked at once, whatever is left open."""
    space = b"|".join(re.escape(one.encode(encoding)) for one in _SPACES)
    end = re.escape(">".encode(encoding))
    words = [word.encode(encoding) for word in _XMP_WORDS]
    opens = re.compile(re.escape("<".encode(encoding)) + b"(" + b"|".join(map(re.escape, words)) + b")(?=" + space + b"|" + end + b")")
    closes = {word: re.compile(re.escape("</".encode(encoding) + word) + b"(?:" + space + b")*" + end) for word in words}
    at = count = 0
    unclosed = set[bytes]()  # there is no end of these any more
    while count < _MOST and len(unclosed) < len(closes) and (opened := opens.search(data, at)):
        at = opened.end()
        if opened[1] in unclosed:
            continue
        closed = closes[opened[1]].search(data, at)
        if closed is None:
            unclosed.add(opened[1])
            continue
        at, count = closed.end(), count + 1
        yield data[opened.start() : min(at, opened.start() + _MOST_BYTES)]


def _in_packet(packet: bytes) -> bool:
    stripped, _ = xmp.strip(packet)
    return _NAMES_PLACE.search(packet) is not None if stripped is None else stripped != packet


def _in_iim(data: bytes, at: int) -> bool:
    start = at + 7 + (data[at + 6] | 1) + 4
    iim = data[start : start + int.from_bytes(data[start - 4 : start], "big")]
    return iptc.strip(iim, []) not in (iim, None)


def _texts(data: bytes) -> Iterator[bytes]:
    """What compressed texts of PNG chunks say, as far as there is room."""
    room_bytes = _MOST_INFLATED
    for match in _few(_PNG_TEXT, data):
        end = match.start() + 4 + int.from_bytes(data[match.start() - 4 : match.start()], "big")
        for start in (found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data[match.end() : min(end, match.end() + 256)])):
            try:
                text = zlib.decompressobj().decompress(data[match.end() + start : end], room_bytes)
            except zlib.error:
                continue
            room_bytes -= len(text)
            yield text
            break
        if room_bytes <= 0:
            return


def _in_text(text: bytes) -> bool:
    """XMP, or coordinates."""
    return any(map(_in_packet, _packets(text))) or coordinates_in(text)
