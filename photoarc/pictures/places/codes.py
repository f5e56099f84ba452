"""Which words are codes of places by themselves: geohashes and Maidenhead locators, which nobody need have said to be such.

Sources: geohash.org (base 32 without a, i, l, o); IARU region 1 VHF handbook (two letters A to R, two digits, two letters a to x, ...).
Words of other meaning have the same letters. What looks like the name of a camera's file, a size of films or a hexadecimal number is no
geohash; under names of serial numbers, versions, models nothing is.
"""

from __future__ import annotations

import re

_LOCATOR = r"[A-R]{2}\d\d(?:[a-x]{2}|[A-X]{2})(?:\d\d(?:[A-Xa-x]{2}(?:\d\d)?)?)?"
_FIELD = r"[A-Ra-r]{2}\d\d"  # two letters, two digits are many a model's name
# As it is written, anywhere in a text:
_SMALL_LOCATOR = re.compile(r"(?<![\w.+-])(?!..\d\dmm)[A-R]{2}\d\d[a-x]{2}(?:\d\d(?:[a-x]{2})?)?(?![\w.+-])")
_WHOLE_LOCATOR = re.compile(rf"\s*(?!..\d\d(?i:mm)){_LOCATOR}\s*")
_SAID_LOCATOR = re.compile(
    rf"\b(?:grid|(?i:locator|qth|qra|loc|maidenhead))(?:\s(?:square|locator|is))?\s?[:=\s]\s?(?:{_LOCATOR}|{_FIELD})(?!\w)"
)
_HASH = r"[0-9b-hjkmnp-z]"
_SAID_HASH = re.compile(rf"\b(?:geo_?hash|gh)\W{{0,3}}[:=/]\W{{0,2}}{_HASH}{{4,12}}(?!\w)", re.IGNORECASE)
_WHOLE_HASH = re.compile(rf"\s*(?P<word>{_HASH}{{7,12}})\s*")
_HINTED_HASH = re.compile(rf"\s*(?P<word>{_HASH}{{5,12}})\s*")
_OTHERWISE = re.compile(
    r"[0-9b-f]+|[a-z]+|\d+|[a-z]{1,5}[_-]?\d{2,}|\d{1,5}[a-z]{1,4}|\d{3,4}[px]\d{2,4}|v\d.*"  # hexadecimal, words, dsc01234, 1080p60
)
_MODEL = re.compile(r"serial|version|model|make|lens|firmware|software|id|uuid|guid|hash|digest|checksum|md5|sha\d*|key|token|code")


def is_code(text: str, words: list[str], hinted: bool) -> bool:
    """Whether a text is, or says that it has, the code of a place; `words` of its property's name, `hinted`: that hints at a place."""
    if _SMALL_LOCATOR.search(text) or _SAID_LOCATOR.search(text) or _SAID_HASH.search(text):
        return True
    if any(map(_MODEL.fullmatch, words)) and not hinted:
        return False
    match = (_HINTED_HASH if hinted else _WHOLE_HASH).fullmatch(text)
    if match is not None and not _OTHERWISE.fullmatch(match["word"]):
        return True
    return bool(_WHOLE_LOCATOR.fullmatch(text)) or (hinted and bool(re.fullmatch(_FIELD, text.strip())))
