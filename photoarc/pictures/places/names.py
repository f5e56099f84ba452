"""Which names of properties, and which texts, say where somebody was.

Names are judged word by word, whatever their namespace: makers and programs invent namespaces, but not words. `GpsLongtitude` is how DJI
writes it. Sources: XMP part 2; IPTC Photo Metadata Standard; Darwin Core; DJI's, Google's and Microsoft's properties as they are met.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PLACE_WORD = re.compile(
    r"gps.*|gnss|.*latitude|.*longt?itude|lat|lon|lng|altitude|city|country(code|name)?|ctry|county|province(state)?|stateprovince"
    r"|(sub)?location|locations|place|locality|municipality|landmark|town|hometown|village|continent|venue"
    r"|neighbou?rhood|address|geo(|dat.*|detic|tag.*|loc|location.*|hash|coord.*|point|position|ref.*|graph.*)"
)
# Whole names that their words do not tell; the address of creator and licensor, and cells of mobile networks, among them.
_PLACE_NAMES = re.compile(
    r"\w*(World|Rating)Region|(post|postal|zip)code|state|long|alt|coverage|coordinates|mcc|mnc|lac|cgi|cellid|CiAdr(Extadr|Pcode|Region)|Licensor(Region|PostalCode)|\w*(Abs|Target)Alt"
    r"|verbatim(Coordinates|Elevation|Depth)|footprintWKT|higherGeography\w*|island(Group)?|waterBody",
    re.IGNORECASE,
)
# Places in the picture, not on Earth; a film's speed; a height over the start.
_NO_PLACES = re.compile(r"(Subject|Focus|Border)Location|ISOSpeedLatitude\w*|RelativeAltitude|Alt", re.ASCII)
_COORDINATES = re.compile(
    r"""(?i:(?:latitude|longt?itude)[\s:="'>]*[nsew+-]?\s*\d)"""
    r"""|(?i:\b(?:lat|long?)["'\s]*[:=]["'\s]*[nsew+-]?\d{1,3}\.\d)"""
    r"""|(?i:\bgps[a-z_]*[\s:="'>]*[nsew+-]?\d{1,3}[.,]\d)"""
    r"|\d{1,3}(?:\.\d+)?\s*(?:\u00b0|\u00ba|deg)[\s\d.'\u2032\u2033\",]*[NSEWO]\b"
    r"|(?<![\d.])[+-]\d{2,6}\.\d+[+-]\d{3,7}\.\d+"  # ISO 6709
    # A pair alone, of degrees: shares of a picture's sides (frames around faces) are below 1 and come in fours.
    r"|(?<![\d.])(?<!\d[,;] )(?<!\d[,;])-?(?!0\.)\d{1,2}\.\d{4,}\s*[,;/ ]\s*-?\d{1,3}\.\d{4,}(?![\d.]|\s*[,;]\s*-?\d)"
    r"|(?i:\bgeo:)-?\d+(?:\.\d+)?,-?\d"
)
_MOST_TEXT = 1 << 16  # of a text, characters that are looked at


def is_place(name: str) -> bool:
    """Whether a property, by its name without prefix, tells a place."""
    if _NO_PLACES.fullmatch(name):
        return False
    return bool(_PLACE_NAMES.fullmatch(name)) or any(_PLACE_WORD.fullmatch(word.lower()) for word in _WORDS.findall(name))


def names_coordinates(text: str) -> bool:
    """Whether a text that somebody wrote holds coordinates. Names of towns in it cannot be told from other words."""
    return _COORDINATES.search(text[:_MOST_TEXT]) is not None


def coordinates_in(text: bytes) -> bool:
    """Whether a text has coordinates written in it, be it in UTF-8, UTF-16 or Latin-1."""
    plain = text.replace(b"\0", b"")
    return any(names_coordinates(plain.decode(code, "ignore")) for code in ("latin-1", "utf-8"))
