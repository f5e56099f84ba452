"""Taking places out of a photograph's metadata: EXIF, XMP, IPTC, texts that name coordinates; what cannot be judged is dropped.

A place that stays by mistake is worse than a date that is gone: of what may hold anything (segments and chunks of makers, directories that
cannot be followed) only that stays which is known to hold no place. What was dropped whole is said in words, for the summary.
Words that somebody wrote (captions, keywords, names of persons) stay: nobody can tell a town in them from another word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from photoarc.pictures.metadata import Item
from photoarc.pictures.places import exif, extended_xmp, photoshop, png_texts, xmp
from photoarc.pictures.places.coordinates import coordinates_in

# Before EXIF stand odd bytes at times; readers look past them.
_EXIF = re.compile(rb"(.{0,4}exif\0.)?(?=II\*\0|MM\0\*)", re.DOTALL | re.IGNORECASE)
_EXIF_SEGMENT = re.compile(rb".{0,4}exif\0", re.DOTALL | re.IGNORECASE)
_XMP = re.compile(rb".{0,4}http://ns\.adobe\.com/xap/1\.0/\0", re.DOTALL)
_RDF = b"<rdf:RDF"
# Segments of JPEG files that hold no place, by their first bytes.
_HARMLESS = {
    b"APP0": (b"JFIF\0", b"JFXX\0", b"AVI1"),
    b"APP2": (b"ICC_PROFILE\0", b"urn:iso:std:iso:ts:21496:-1\0"),
    b"APPB": (b"HDR_RI",),
    b"APPC": (b"Ducky",),
    b"APPD": (b"Adobe_CM", photoshop.PREFIX),  # these were cleaned before
    b"APPE": (b"Adobe",),
}
_PACKED_TEXTS = (b"zTXt", b"iTXt")
_TEXT_CHUNKS = (b"tEXt", *_PACKED_TEXTS)
_HARMLESS_CHUNKS = frozenset(
    b"cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI mDCv cLLi bKGD tIME sTER oFFs pHYs pCAL sCAL vpAg caNv orNT ICCP".split()
) | {b"BMP "}
COORDINATES = "a comment with coordinates"
TOO_LONG = "texts of a PNG that are too long to be judged"


@dataclass(frozen=True, slots=True)
class Stripped:
    """Metadata without places; `dropped`: in words what is gone as a whole, each kind once."""

    items: list[Item]
    dropped: tuple[str, ...]


def strip(items: Sequence[Item]) -> Stripped:
    """The same metadata without places; items that cannot be judged are left out."""
    items, dropped = extended_xmp.strip(items)
    items, lost = photoshop.strip_segments(items)
    dropped += lost
    if png_texts.too_long((item.key, item.body) for item in items if item.key in _PACKED_TEXTS):
        items, lost = [item for item in items if item.key not in _PACKED_TEXTS], [TOO_LONG]
        dropped += lost
    kept = []
    for item in items:
        body, lost = _strip(item)
        dropped += lost
        if body is not None:
            kept.append(item if body == item.body else replace(item, body=body))
    return Stripped(kept, tuple(dict.fromkeys(dropped)))


def _strip(item: Item) -> tuple[bytes | None, list[str]]:
    """What is left of an item, None if nothing, and in words what was dropped."""
    if item.key == b"APP1":
        return _strip_app1(item.body)
    if item.key in (b"eXIf", b"EXIF"):
        return strip_exif(item.body)
    if item.key == b"XMP ":
        return _strip_xmp(b"", item.body)
    if item.key in _TEXT_CHUNKS:
        return png_texts.strip(item.key, item.body, strip_exif)
    if item.key == b"COM ":
        named = coordinates_in(item.body) or (_RDF in item.body and xmp.strip(item.body)[0] != item.body)
        return (None, [COORDINATES]) if named else (item.body, [])
    if item.key.startswith(b"APP"):
        known = item.body.startswith(_HARMLESS.get(item.key, ())) or (item.key == b"APPF" and item.body[:2] == b"Q ")
        return (exif.strip_pictures(item.body), []) if known else (None, [f"a segment {item.key.decode('ascii', 'replace')} of a maker"])
    if item.key in _HARMLESS_CHUNKS:
        return item.body, []
    return None, [f"a chunk {item.key.decode('ascii', 'replace')} of unknown contents"]


def _strip_app1(body: bytes) -> tuple[bytes | None, list[str]]:
    if match := _XMP.match(body):
        return _strip_xmp(match[0], body[match.end() :])
    if body.startswith(extended_xmp.PREFIX):
        return body, []  # cleaned before, together with all its parts
    if _EXIF_SEGMENT.match(body):
        return strip_exif(body)
    return None, ["a segment APP1 of a maker"]


def _strip_xmp(prefix: bytes, packet: bytes) -> tuple[bytes | None, list[str]]:
    stripped, lost = xmp.strip(packet)
    return (None if stripped is None else prefix + stripped), lost


def strip_exif(body: bytes) -> tuple[bytes | None, list[str]]:
    """EXIF, whatever stands in front of it."""
    match = _EXIF.match(body)
    if match is None:
        return None, [exif.BROKEN]
    stripped, lost = exif.strip(body[match.end() :])
    return (None if stripped is None else match[0] + stripped), lost
