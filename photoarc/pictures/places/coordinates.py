"""Which texts say coordinates: in degrees, as receivers, maps and their links write them, and as codes of places.

Sources: ISO 6709 (+48.8577+002.295/); NMEA 0183 (4851.50,N,00217.67,E); XMP part 2 (48,51.50N); RFC 5870 (geo:); KML, GPX, GeoJSON, WKT;
Open Location Code (8FW4V75V+8Q); NGA.STND.0037 (MGRS, UTM); links of Google's, Apple's, Microsoft's and OpenStreetMap's maps.
"""

from __future__ import annotations

import re

from photoarc.pictures.places.codes import is_code
from photoarc.pictures.places.names import hints_at_place, is_no_place_of, is_place, measures, words_of

_FEWEST_BYTES = 5  # of a text that is looked at
# A longer one is judged in parts, which share some letters; what is longer still is not judged: it counts as having coordinates.
_PART, _SHARED, MOST_TEXT = 1 << 18, 1 << 10, 1 << 22
_MARK = r"(?:\u00b0|\u00ba|\u02da|deg(?:rees?)?\b|[Dd](?=\s?\d{1,2}(?:[.,]\d+)?\s?['\u2032m]))"  # of degrees
_MINUTE = "['\u2032\u2019\u00b4]"
_SIGN = r"[+\-\u2212]"
_NORTH, _EAST = r"(?:N(?:orth|ord|orte?)?|S(?:outh|\u00fcd|ud|ur)?)", r"(?:E(?:ast|st|ste)?|W(?:est)?|O(?:st|uest|este)?)"
# 48, 48.85, 48,85, 48 51.5, 48 51 30, 48:51:30, 48,51,30, 48-51-30, 48 deg 51' 30"
_STEP = rf"[\s:,\-_d{_MINUTE[1:-1]}\"\u2033\u201d\u00b0\u00ba]{{1,4}}"
_ANGLE = rf"\d{{1,3}}(?:[.,]\d+)?(?:(?:\s?{_MARK}\s?|{_STEP})\d{{1,2}}(?:[.,]\d+)?){{0,2}}"
_TAIL = rf"(?:\s?(?:{_MARK}|{_MINUTE}{{1,2}}|[\"\u2033\u201d]))?"
_BROKEN = r"(?=\d{1,3}[^\dA-Za-z]{1,4}\d)"  # not whole degrees alone: S01E05 is an episode
_NAMED = r"[\s:=|\"'>\[(]"
_DECIMAL = r"\d{1,3}[.,]\d"
_TIME_OF_DAY = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_LINK_PAIR = rf"{_SIGN}?{_DECIMAL}\d*(?:,|%2C|~|/|\+|%20|;|%7C|\|)\s?{_SIGN}?{_DECIMAL}"
_CODE = "23456789CFGHJMPQRVWX"  # the letters of Open Location Code

# What these find are coordinates, whatever the property.
_ALWAYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:latitud(?:e|ine)?|longt?itud(?:e|ine)?|breitengrad|l(?:\u00e4|ae)ngengrad)(?:_?(?:e7|deg|dd|ref|wgs84))?[\s:=\"'>\[(|]*[nsewo]?{_SIGN}?\s*\d",
        rf"(?<!\d\s)(?:\b|_|(?:geo|gps|pos|photo|center))(?:lat|lng|lon)(?:_?(?:deg|dd|wgs\d*))?(?:\b|_|(?=[+-]?\d)){_NAMED}*[nsewo]?\s?{_SIGN}?{_DECIMAL}",
        rf"(?:\b|_)m?(?:lat|long?|lng)(?:_?e7)?[\"'\s]*[:=|>]{_NAMED}*[nsewo]?\s?{_SIGN}?\d",
        rf"\blat\b\W{{0,6}}[ns]?\s?{_SIGN}?\d.{{0,20}}\b(?:long?|lng)\b\W{{0,6}}[ewo]?\s?{_SIGN}?\d",
        rf"\bgps[a-z_]*(?:\s(?:pos|coord)[a-z]*)?[\s:=\"'>\[(]*[nsewo]?\s?{_SIGN}?\d{{1,3}}(?:[.,]\d|\s\d\d\s\d\d)",
        r"\d{3,4}(?:\.\d*)?,\s?[ns],\s?\d{4,5}(?:\.\d*)?,\s?[ew]\b",
        rf"\bgeo:{_SIGN}?\d+(?:\.\d+)?,{_SIGN}?\d",
        rf"\bcoord(?:inate)?s?[\"'\s]*[:=>\s][\s:=\"'>\[({{]*{_SIGN}?\d{{1,3}}[.,]\d+[,;\s]+{_SIGN}?\d{{1,3}}[.,]\d",
        rf"<(?:\w+:)?(?:coordinates|pos|poslist|point)(?:\s[^<>]{{0,80}})?>\s*{_SIGN}?\d+(?:\.\d+)?[,\s]+{_SIGN}?\d",
        rf"\b(?:multi)?(?:point|linestring|polygon)\s?[zm]{{0,2}}\s?\({{1,3}}\s?{_SIGN}?\d+(?:\.\d+)?\s+{_SIGN}?\d",
        rf"/@{_LINK_PAIR}|@{_LINK_PAIR}\d+(?![\w.])",
        rf"(?<![a-z])(?:s?ll|cbll|q|query|cp|[sd]addr|destination|origin|center|centre|pt|at|loc|markers?|viewpoint|where)=[\w:]{{0,12}}{_LINK_PAIR}",
        rf"\b(?:map|pos|position|loc|location|place|search|dir|c|near|at|sp)[=/:](?:loc:)?(?:\d{{1,2}}(?:\.\d+)?/)?{_LINK_PAIR}",
        rf"!3d{_SIGN}?\d{{1,2}}\.\d+!4d{_SIGN}?\d",
        r"maps\.app\.goo\.gl/\w|goo\.gl/maps/\w|\bw3w\.co/\w|what3words\.com/\w|\bosm\.org/go/\w|openstreetmap\.org/(?:node|way|relation)/\d",
        r"(?:google\.[a-z.]{2,6}/maps|maps\.google\.[a-z.]{2,6}|maps\.apple\.com|bing\.com/maps)/?\S{0,80}(?:place|search|dir|[?&](?:q|cid|address|daddr|where1)=)",
        r"(?<![:/\w])///[^\W\d_]{2,}[.\u3002\uff0e][^\W\d_]{2,}[.\u3002\uff0e][^\W\d_]{2,}",
        rf"\b(?:breite|l(?:\u00e4|ae)nge)\W{{0,4}}{_DECIMAL}\d\d",
        r"\bgeo_?hash\W{1,3}[0-9b-hjkmnp-z]{5}",
        r"\b(?:geo_?hash|mgrs|usng|utm|plus[ _]?code|what_?3_?words|w3w|maidenhead|qth|bssid)[\"'\s]*[:=]\s*[\"']?\w",
        rf"(?<![\w+])[2-9c][2-9cfghjmpqrv](?:[{_CODE}]{{6}}\+(?:[{_CODE}]{{2,7}})?|[{_CODE}]{{4}}00\+|[{_CODE}]{{2}}0000\+|000000\+)(?![\w+])",
    )
)
# So are these, where letters are as large as they should be.
_AS_WRITTEN = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w+])(?=[2-9]{{0,3}}[C-X])(?=[C-X+]{{0,6}}\d)[{_CODE}]{{4}}\+[{_CODE}]{{2,3}}(?![\w+])",
        r"(?<![\w.])[+-]\d{2,6}\.\d+[+-]\d{3,7}\.\d+",
        r"(?<![\w.])[+-]\d{2,6}(?:\.\d+)?[+-]\d{3,7}(?:\.\d+)?(?:[+-]\d+(?:\.\d+)?)?(?:CRS\w+)?/(?!\d)",
        r"\b\d{1,2}\s?[C-HJ-NP-X],?\s+\d{6}(?:\.\d+)?\s?m?\s?E?,?\s+\d{7}(?:\.\d+)?\b",
        rf"(?<![\w.]){_BROKEN}{_ANGLE}{_TAIL}\s?(?i:{_NORTH})\b[\s,;/|]{{0,4}}\d{{1,3}}",
        rf"(?<![\w.]){_ANGLE}{_TAIL}\s?{_NORTH}[\s,;/|]{{0,4}}{_BROKEN}{_ANGLE}{_TAIL}\s?{_EAST}\b",
        rf"(?<![\w.]){_NORTH}\s?{_BROKEN}{_ANGLE}{_TAIL}[\s,;/|]{{0,4}}{_EAST}\s?\d{{1,3}}",
        rf"(?<![\w.])(?i:{_EAST})\s?{_BROKEN}{_ANGLE}{_TAIL}[\s,;/|]{{0,4}}(?i:{_NORTH})\s?\d{{1,3}}[^\d\s]",
        r"(?<![\w.])\d{4,6}(?:\.\d+)?[NS][\s,;/]{0,3}\d{5,7}(?:\.\d+)?[EW]\b",
    )
)
# These are, unless the property measures something else.
_ONE = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w-])\d{1,2}[C-HJ-NP-X]\s?[A-HJ-NP-Z]{2}\s?(?:\d{3}\s\d{3}|\d{4}\s?\d{4}|\d{5}\s?\d{5})(?![\w-])",
        rf"(?<![\d.])\d{{1,3}}[.,]\d+\s*{_MARK}\s*(?:{_NORTH}|{_EAST})\b",
        rf"(?<![\d.])\d{{1,3}}\s*{_MARK}\s*\d{{1,2}}(?:[.,]\d+)?\s*(?:{_MINUTE}|min|m)?[\s\d.,s{_MINUTE[1:-1]}\"\u2033\u201d]*(?:{_NORTH}|{_EAST})\b",
        rf"(?<![\d.])\d{{1,3}}\s*{_MARK}\s*\d{{1,2}}(?:[.,]\d+)?\s*{_MINUTE}",
        rf"(?<![\d.])\d{{1,3}}\s*{_MARK}\s*{_NORTH}\W{{1,4}}\d{{1,3}}\s*{_MARK}\s*{_EAST}\b",
        rf"(?<![\w.])(?<!\d\d[ T])(?!{_TIME_OF_DAY}\s[NSEWO]\b)"
        rf"\d{{1,3}}[\s:_-]\d{{1,2}}[\s:_-]\d{{1,2}}(?:[.,]\d+)?\s?(?:{_NORTH}|{_EAST})\b",
        r"(?<![\w.,])\d{1,3},\d{1,2}(?:\.\d+|,\d{1,2}(?:\.\d+)?)\s?[NSEWO]\b",
        r"(?<![\w.])\d{1,3}[\s:]\d{1,2}[.,]\d+\s?(?:[NSEWO])\b",
        r"(?<![\w.])\d{1,3}[.,]\d{3,}\s?(?:[NSEWO]|(?i:north|south|east|west|nord|s\u00fcd|ost|sud|est|ouest))\b",
        r"(?<![\w.,;])-?[1-9]\d{0,2}\.\d{4,},\s?-?\d{1,3}\.\d{4,}(?:;\s?|\s+)-?[1-9]\d{0,2}\.\d{4,},\s?-?\d{1,3}\.\d{4,}",
        r"(?<![\w.])[xX][\"']?\s?[:=]\s?\d{6}(?:\.\d+)?[\s,;]{1,3}[\"']?[yY][\"']?\s?[:=]\s?\d{7}(?!\d)",  # metres
        r"(?<![\w.])[NSEW]\s?(?:\d{1,3}[.,]\d{3,}|\d{2,3}[\s\u00b0\u00ba]{1,2}\d{2}[.,]\d+)",
    )
)
_NUMBER = rf"({_SIGN}?\d{{1,3}}[.,]\d+)\s?{_MARK}?"
_BETWEEN = r"(?:\s*[,;/|:~&]\s*|\s+)"
_HEIGHT = rf"(?:{_BETWEEN}{_SIGN}?\d{{1,5}}(?:[.,]\d+)?\s?(?:m|ft)?)?"
_PAIR = re.compile(rf"(?<![\w.+-])(?<!\d[,;] )(?<!\d[,;]){_NUMBER}{_BETWEEN}{_NUMBER}{_HEIGHT}(?![\w.]|{_BETWEEN}{_SIGN}?\d)")
_ALONE = re.compile(rf"[\s\[({{\"'<]*{_NUMBER}{_BETWEEN}{_NUMBER}{_HEIGHT}[\s\])}}\"'>.;]*\Z")
# Without a word before them: 48.858_2.294 in the name of a file, x=2.294 y=48.858.
_BY_FORM = (
    re.compile(rf"(?<![\d.+-])({_SIGN}?\d{{1,3}}\.\d{{3,}})_({_SIGN}?\d{{1,3}}\.\d{{3,}})(?![\d.]*\d)"),
    re.compile(
        rf"(?<![\w.])[xX][\"']?\s?[:=]\s?[\"']?({_SIGN}?\d{{1,3}}[.,]\d{{3,}})[\"']?[\s,;]{{1,3}}"
        rf"[\"']?[yY][\"']?\s?[:=]\s?[\"']?({_SIGN}?\d{{1,3}}[.,]\d{{3,}})(?![\w.])"
    ),
)
_LABEL = re.compile(r"([\w.-]{1,60})[\"']?\s{0,4}[:=\s]?\s{0,4}[\[({\"']{0,3}\s{0,4}\Z")
_JSON = re.compile(
    r"[\"']((?:[\w .-]{1,60}:)?[\w .-]{1,60})[\"']\s{0,20}:(?!\s{0,20}(?:null|[\"']{2}|\{\}|\[\]))\s{0,20}[\"']?([^\"',}\]]{0,40})"
)
_MOST_DEGREES = (90.0, 180.0)


def names_coordinates(text: str, name: str = "") -> bool:
    """Whether a text, as a property of some name, holds coordinates. Names of towns in it cannot be told from other words."""
    if len(text) > _PART:
        parts = range(0, len(text) - _SHARED, _PART - _SHARED)
        return len(text) > MOST_TEXT or any(names_coordinates(text[at : at + _PART], name) for at in parts)
    if any(pattern.search(text) for pattern in (*_ALWAYS, *_AS_WRITTEN)) or (_is_json(text) and _json_names_place(text)):
        return True
    if measures(name):
        return False
    by_form = (match for pattern in _BY_FORM for match in pattern.finditer(text))
    return (
        any(pattern.search(text) for pattern in _ONE)
        or _is_pair(text, name)
        or any(map(_is_place, _PAIR.finditer(text)))
        or any(_are_degrees(match[1], match[2]) for match in by_form)
        or is_code(text, words_of(name), hints_at_place(name))
    )


def coordinates_in(text: bytes, name: str = "") -> bool:
    """Whether a text has coordinates written in it, be it in UTF-8, UTF-16 or Latin-1."""
    if len(text) < _FEWEST_BYTES:
        return False
    plain = text.replace(b"\0", b"")
    texts = {plain.decode(code, "ignore") for code in ("latin-1", "utf-8")}
    if 4 * text.count(0) >= len(text):
        texts |= {text.decode(code, "ignore") for code in ("utf-16-le", "utf-16-be")}
    elif b"\0" in text:  # several texts, one behind the other
        texts.add(text.replace(b"\0", b"\n").decode("utf-8", "ignore"))
    return any(names_coordinates(one, name) for one in texts)


def _is_pair(text: str, name: str) -> bool:
    """Whether two numbers are all that a text says, and degrees; under a name that hints at a place, a tenth of a degree is enough."""
    match = _ALONE.match(text)
    if match is None or not _are_degrees(match[1], match[2]):
        return False
    fewest, most = sorted(map(_decimals, match.groups()))
    return hints_at_place(name) or (fewest >= 2 and most >= 3 and not _are_any_numbers(match))


def _are_any_numbers(match: re.Match[str]) -> bool:
    """Whether nothing but a space is between two numbers of one digit and their decimals: 3.14159 2.71828."""
    return match[0][match.end(1) - match.start() : match.start(2) - match.start()].isspace() and all(
        re.fullmatch(r"\d[.,]\d+", number) for number in match.groups()
    )


def _decimals(number: str) -> int:
    return len(re.split("[.,]", number)[1])


def _is_place(match: re.Match[str]) -> bool:
    """Whether two numbers in a text are degrees, as their decimals and the word before them tell."""
    if not _are_degrees(match[1], match[2]):
        return False
    label = _LABEL.search(match.string, max(match.start() - 80, 0), match.start())
    if label is not None and measures(label[1]):
        return False
    if label is not None and hints_at_place(label[1]):
        return min(map(_decimals, match.groups())) >= 2
    return min(map(_decimals, match.groups())) >= 4 and not _are_any_numbers(match)


def _are_degrees(first: str, second: str) -> bool:
    """Whether two numbers may be latitude and longitude, in any order; shares of a picture's sides are below 1, both of them."""
    low, high = sorted(abs(float(number.replace(",", ".").replace("\u2212", "-"))) for number in (first, second))
    return low <= _MOST_DEGREES[0] and 1 <= high <= _MOST_DEGREES[1] and not (low.is_integer() and high.is_integer())


def _is_json(text: str) -> bool:
    return "{" in text and ":" in text


def _json_names_place(text: str) -> bool:
    """Whether a property in what looks like JSON is called as places are."""
    return any(is_place(match[1].rpartition(":")[2]) and not is_no_place_of(match[1], match[2]) for match in _JSON.finditer(text))
