"""Text chunks of PNG files without places: by their keyword, by coordinates in them, and as EXIF, XMP or IPTC in letters.

Source: W3C PNG third edition section 11.3.3 (tEXt, zTXt, iTXt); "Raw profile type ..." as ImageMagick writes it: a name, a length in
decimal, bytes in hexadecimal, 36 a line. A chunk that is changed is written uncompressed where that is all that it can be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable

from photoarc.pictures.metadata import MAX_BYTES
from photoarc.pictures.places import iptc, photoshop, xmp
from photoarc.pictures.places.coordinates import MOST_TEXT, names_coordinates
from photoarc.pictures.places.names import is_place

_XMP_KEYWORD, _RAW = "XML:com.adobe.xmp", "Raw profile type "
_RAW_TEXT = re.compile(rb"\s*(\S[^\n]*)\n\s*(\d+)\s*\n([0-9a-fA-F\s]*)\Z")
_HEX_LINE = 72
_APP1_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_HARMLESS_PROFILES = ("icc", "icm")
_BROKEN = "a text of a PNG that cannot be read"

Strip = Callable[[bytes], tuple[bytes | None, list[str]]]


def too_long(texts: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether compressed texts (kind, data of the chunk) inflate to more than can be judged in bearable time."""
    most = MOST_TEXT
    for kind, body in texts:
        split = _split(kind, body.partition(b"\0")[2])
        most -= len(split[2]) if split is not None and split[1] else 0
        if most < 0:
            return True
    return False


def strip(kind: bytes, body: bytes, strip_exif: Strip) -> tuple[bytes | None, list[str]]:
    """A chunk's data without places, None if nothing is left, and in words what was dropped whole."""
    keyword, _, rest = body.partition(b"\0")
    name = keyword.decode("latin-1")
    if any(is_place(word) for word in name.split(":")[-1].split()):
        return None, []
    split = _split(kind, rest)
    if split is None:
        return None, [_BROKEN]
    head, packed, text = split
    kept: bytes | None
    if name == _XMP_KEYWORD:
        kept, lost = xmp.strip(text)
    elif name.startswith(_RAW):
        kept, lost = _strip_profile(name.removeprefix(_RAW).strip().lower(), text, strip_exif)
    else:
        named = names_coordinates(text.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace"))
        kept, lost = (None, ["a text with coordinates"]) if named else (text, [])
    if kept is None:
        return None, lost
    return (body if kept == text else keyword + b"\0" + head + (zlib.compress(kept, 9) if packed else kept)), lost


def _split(kind: bytes, rest: bytes) -> tuple[bytes, bool, bytes] | None:
    """What stands before the text, whether it is compressed, the text."""
    if kind == b"tEXt":
        return b"", False, rest
    head, packed = rest[:1], True
    if kind == b"iTXt":
        parts = rest[2:].split(b"\0", 2)
        if len(parts) != 3:
            return None
        head, packed = rest[: len(rest) - len(parts[2])], bool(rest[0])
    if not packed:
        return head, False, rest[len(head) :]
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(rest[len(head) :], MAX_BYTES)
    except zlib.error:
        return None
    return (head, True, text) if inflater.eof else None


def _strip_profile(what: str, text: bytes, strip_exif: Strip) -> tuple[bytes | None, list[str]]:
    """EXIF, XMP, IPTC or a colour profile in letters."""
    if what in _HARMLESS_PROFILES:
        return text, []
    match = _RAW_TEXT.match(text)
    try:
        data = bytes.fromhex(match[3].decode()) if match else b""
    except ValueError:
        data = b""
    kept: bytes | None = None
    lost: list[str] = []
    if not match or not data:
        return None, [f"a profile {what} in a text of a PNG that cannot be read"]
    if what in ("exif", "app1") and not data.startswith(_APP1_XMP):
        kept, lost = strip_exif(data)
    elif what in ("xmp", "app1"):
        prefix = _APP1_XMP if data.startswith(_APP1_XMP) else b""
        inner, lost = xmp.strip(data[len(prefix) :])
        kept = None if inner is None else prefix + inner
    elif what in ("iptc", "8bim"):
        if data.startswith(b"\x1c"):
            kept = iptc.strip(data, lost)
            lost = ["IPTC that cannot be followed"] if kept is None else lost
        else:
            prefix = photoshop.PREFIX if data.startswith(photoshop.PREFIX) else b""
            inner, lost = photoshop.strip(data[len(prefix) :])
            kept = None if inner is None else prefix + inner
    else:
        lost = [f"a profile {what} in a text of a PNG"]
    return (text if kept == data else None if not kept else _written(match[1], kept)), lost


def _written(name: bytes, data: bytes) -> bytes:
    letters = data.hex().encode()
    lines = [letters[at : at + _HEX_LINE] for at in range(0, len(letters), _HEX_LINE)]
    return b"\n" + name + b"\n%8d\n" % len(data) + b"\n".join(lines) + b"\n"
