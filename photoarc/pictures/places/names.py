"""Which names of properties say where somebody was, and which say that their numbers are no degrees of the Earth.

Names are judged word by word, whatever their namespace: makers and programs invent namespaces, but not words. `GpsLongtitude` is how DJI
writes it. Sources: XMP part 2; IPTC Photo Metadata Standard; Darwin Core; DJI's, Google's and Microsoft's properties as they are met.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# A word of these tells a place, whatever stands beside it.
_PLACE_WORD = re.compile(
    r"gps.*|gnss|.*latitud[ei]\w*|.*longt?itud[ei]\w*|altitude"
    r"|(?:geo|gps|pos|photo|cent(?:er|re)|map|ima?ge?|start|end|camera|cam|shot|pic|picture"
    r"|capture|point|place|city|user|device|my|exif|min|max|home|target|origin|dest|site)?(?:lat|lon|lng|lat_?lo?ng|latlon|lo?nglat"
    r"|lonlat)|\w+lng"
    r"|country(code|name|id)?|ctry|county(name)?|province(state|name)?|stateprovince|prefecture(name)?|district(name)?|suburb|borough"
    r"|arrondissement"
    r"|oblast|canton|parish|sublocation|locations|locality|municipality|landmark|towns?"
    r"|(?:city|place|town|state|region|suburb|street|venue|poi|location"
    r"|village)names?|(?:city|place|poi|venue|region|state|location)(?:code"
    r"|id)|hometown|birthplace|village|hamlet|continent|venues?|pois?|placemarks?"
    r"|waypoints?|trackpoints?|trkpts?|whereabouts|street(?:address)?|neighbou?rhood|mgrs|usng|utm|bssids?|ssids?|w3w|geohash"
    r"|geo(|cod.*|dat.*|detic|fenc.*|name.*|tag.*|loc|location.*|hash|coord.*|point|position|ref.*|graph.*)|thoroughfare|eastings?"
    r"|northings?|qth|olc|bundesland|gemeinde|commune|nation|territory|airport|hotel|restaurant|breitengrad|laengengrad"
    r"|standort|aufnahmeort"
)
# Distinctive names of several words, written as one or apart.
_PLACE_PHRASE = re.compile(
    r"(?<![a-z])(?:bssid|what_?3_?words|w_?3_?w|what_?three_?words|plus_?code|open_?location|mgrs|geo_?hash|maidenhead|grid_?(?:square"
    r"|locator)|geo_?location"
    r"|geo_?code|(?:place|city|country|region|state|province|district|county|venue|poi|suburb|street|town|site)_?(?:name|code)"
    r"|lat_?lo?ng|lat_?lon|cell_?id|grid_?ref|point_?of_?interest|admin(?:istrative)?_?area|where_?taken|taken_?at|map_?(?:url|link)"
    r"|lo?ng_?lat"
    r"|cell_?tower|wi_?fi_?network|ip_?address)"
)
# Words that mean a place, unless one in front or behind says that they mean something else: CityLights, FileLocation, ReplacePlace.
_NOT_BEFORE = re.compile(
    r"file|font|stream|filename|folder|directory|path|disk|drive|memory|mac|email|mail|web|url|uri|base|offset|byte|bytes|"
    r"physical|virtual|register|bus|hardware|pointer|jump|load|data|start|end|sensor|pixel|cursor|window|mouse|"
    r"text|label|caption|tile|face|eye|watermark|logo|frame|mask|layer|overlay|subject|focus|border|af|crop|strip|"
    r"thumbnail|preview|sidecar|schema|template|library|catalog|cache|install|backup|download|storage|temp|source|"
    r"replace|replaced|replacing|swap|move|in|decimal|first|second|third|last|work|market"
)
_NOT_BEHIND = re.compile(
    r"disk|space|lights|light|lighting|night|nightscape|scape|holder|holders|order|mode|filter|preset|profile|look|style|"
    r"scene|image|object|layer|cursor|bus|range|width|bits|offset|pointer|embedded|linked|smart|above|below"
)
_WEAK_WORD = re.compile(r"city|location|place|address|elevation|coord(?:inate)?s?|lieu|stadt|ville|ciudad|luogo")
# Whole names that their words do not tell; the address of creator and licensor, and cells of mobile networks, among them.
_PLACE_NAMES = re.compile(
    r"\w*(World|Rating|Admin\w*|Sub|Geo|Country)Region|Region|(post|postal|zip)code|state|long|alt|coverage|mcc|mnc|lac|cgi|cellid|where"
    r"|ele"
    r"|CiAdr(Extadr|Pcode|Region)|Licensor(Region|PostalCode)|\w*(Abs|Target)Alt"
    r"|(Cent(er|re)|Pos(ition)?|Geo|Photo|Map|Image|Shot|Start|End|Min|Max|Dest|Target|Home)_?Long"
    r"|(mountain|river|lake|island|islet|beach|valley|bay|harbou?r|sea|ocean|forest|park|nationalpark|trail|summit|glacier|castle|church"
    r"|cathedral|monument|museum|stadium|building|road|avenue|boulevard|quarter|ward|campsite|zip)(s|name|id)?|zip_?4"
    r"|verbatim(Coordinates|Elevation|Depth)|footprintWKT|higherGeography\w*|island(Group)?|waterBody",
    re.IGNORECASE,
)
# Places in the picture, not on Earth; a film's speed; a height over the start.
_NO_PLACES = re.compile(r"(Subject|Focus|Border)Location|(ISOSpeed|Exposure|Film)Latitude\w*|RelativeAltitude|Alt", re.ASCII)
# Of properties in whose names these stand, two numbers are no degrees of the Earth.
_MEASURES = re.compile(
    r"crops?|cropped|size|width|height|resolution|dimensions?|white|black|balance|wb|matrix|matrices|vector|gains?|multipliers?|neutral"
    r"|xy|chromaticit(?:y|ies)"
    r"|primaries|gamma|curves?|lens|focal|aperture|exposure|shutter|speed|iso|scale|ratio|aspect|offsets?|angles?|rotations?|rotate|tilt"
    r"|roll|pitch|yaw|orientation"
    r"|heading|bearing|direction|azimuth|declination|fov|hue|saturation|luminance|contrast|brightness|noise|sharpness|sharpening|blur"
    r"|vignett?\w*|distortion|aberration"
    r"|calibration|color|colou?rs?|rgb|lab|cct|temperature|tint|tones?|mean|stdev|variance|histogram|score|confidence|probability"
    r"|weights?|coefficients?|kernel"
    r"|perspective|transform|quaternion|acceleration|accelerometer|gyro|gravity|pixels?|px|rect|rectangle|box|bounds|face|eyes?|mask"
    r"|brush|stroke|radius|serial"
)
_HINTS = re.compile(
    r"at|near|koordinaten|lat|lon|lng|pos|positions?|points?|spot|map|cent(?:er|re)|pin|markers?|site|coord(?:inate)?s?|loc|loca\w*|place|gps\w*"
    r"|geo\w*|latlo?ng|latlon"
    r"|track|where|here|taken"
)
# Of a property called State, these are stations of work, not provinces.
_STATION_OF_WORK = re.compile(
    r"\s*(?:draft|final(?:i[sz]ed)?|approved|rejected|pending|(?:in|under|to)?[\s_-]?(?:review|progress|work|edit)(?:ed|ing)?|reviewed"
    r"|done|todo|new|open(?:ed)?|closed?d?|active|inactive"
    r"|published|unpublished|archived|deleted|modified|unmodified|edited|unedited|completed?|incomplete|started|stopped|ready|released"
    r"|locked|unlocked|enabled|disabled"
    r"|on|off|true|false|yes|no|none|ok|error|failed|valid|invalid|unknown|default|picked|flagged|raw|original|processed|unprocessed"
    r"|saved|changed|[+-]?\d{1,12}|0x[0-9a-f]+)\s*",
    re.IGNORECASE,
)
_NAMESPACES_OF_WORK = re.compile(
    r"xmpMM|stEvt|stRef|stVer|stJob|xmpBJ|xmpDM|crs|crss|xmpG|xmpTPg|pdf|pdfx|lr|digiKam|MicrosoftPhoto|mwg-rs|MP|"
    r"MPRI|MPReg"
)
_STATE, _REGION = "state", "region"


def is_place(name: str) -> bool:
    """Whether a property, by its name without prefix, tells a place."""
    if _NO_PLACES.fullmatch(name):
        return False
    words = words_of(name)
    return (
        bool(_PLACE_NAMES.fullmatch(name) or _PLACE_PHRASE.search("_".join(words)))
        or any(_PLACE_WORD.fullmatch(word) for word in words)
        or any(_means_place(words, at) for at in range(len(words)))
    )


def is_no_place_of(name: str, value: str) -> bool:
    """Whether what is called like a place, with its prefix, is none by namespace or value: states of work, regions of pictures."""
    prefix, _, plain = name.rpartition(":")
    if plain.lower() not in (_STATE, _REGION):
        return False
    return bool(_NAMESPACES_OF_WORK.fullmatch(prefix)) or (
        plain.lower() == _STATE and prefix != "photoshop" and bool(_STATION_OF_WORK.fullmatch(value))
    )


def measures(name: str) -> bool:
    """Whether a property's name, prefix or not, says that its numbers are sizes, colours, angles and the like."""
    return any(_MEASURES.fullmatch(word) for word in words_of(name)) and not is_place(name.rpartition(":")[2])


def hints_at_place(name: str) -> bool:
    """Whether a property may be a place, if its value looks like one: Position, MapCenter."""
    return any(_HINTS.fullmatch(word) for word in words_of(name))


def words_of(name: str) -> list[str]:
    """Words of a name, in small letters."""
    return [word.lower() for word in _WORDS.findall(name)]


def _means_place(words: list[str], at: int) -> bool:
    """Whether a word that often means a place does so between the others."""
    if not _WEAK_WORD.fullmatch(words[at]):
        return False
    if words[at] != "city" and any(map(_NOT_BEFORE.fullmatch, words[:at])):
        return False
    if words[at].startswith(("coord", "elev")) and any(map(_MEASURES.fullmatch, words)):
        return False
    return not any(map(_NOT_BEHIND.fullmatch, words[at + 1 :]))
