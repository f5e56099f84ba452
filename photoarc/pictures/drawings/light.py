"""Whether pixels are meant for the eye as they are: data proportional to light, or in colours that only their profile explains, are not.

An error of one step is then not what it looks like: in linear light a shadow has a few steps only (41.4 dB in numbers were 34.4 dB to the
eye). Sources: W3C PNG third edition, 11.3.2 (gAMA, iCCP, sRGB, cICP, and which prevails); ICC.1:2022 (tag table, curveType,
parametricCurveType); ITU-T H.273 (transfer characteristics). Hostile profiles are only ever read within their bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from photoarc.errors import PayloadError
from photoarc.pictures import metadata
from photoarc.pictures.metadata import Item

_LINEAR_TRANSFER = 8
_LEAST_EXPONENT = 1.3  # of a curve from numbers to light: sRGB has 2.2, a Mac of old 1.8
_HEAD_BYTES, _ROW_BYTES, _MOST_TAGS = 128, 12, 100
_CURVES = (b"rTRC", b"gTRC", b"bTRC", b"kTRC")


def check(items: Sequence[Item], source: str) -> None:
    """Raises PayloadError with the reason if the metadata of a "jpeg", "png" or "webp" file say that pixels are no ordinary colours."""
    common = {"jpeg": metadata.from_jpeg, "png": metadata.from_png, "webp": metadata.from_webp}[source](items)
    if source == "png":
        _check_png({item.key: item.body for item in items}, bool(common.icc))
    check_profile(common.icc)


def check_profile(profile: bytes) -> None:
    """Raises PayloadError with the reason for an ICC profile with straight curves, or of a JPEG file in XYB."""
    tags = _tags(profile)
    if any(_is_straight(tags[name]) for name in _CURVES if name in tags):
        raise PayloadError("data: linear light, as its colour profile says")
    if b"XYB" in tags.get(b"desc", b"").replace(b"\0", b""):
        raise PayloadError("colours that only its profile (XYB) explains")


def _check_png(chunks: dict[bytes, bytes], has_profile: bool) -> None:
    code = chunks.get(b"cICP", b"")
    if len(code) == 4:
        if code[1] == _LINEAR_TRANSFER:
            raise PayloadError("data: linear light, as chunk cICP says")
    elif not has_profile and b"sRGB" not in chunks:
        gamma = chunks.get(b"gAMA", b"")
        if len(gamma) == 4 and int.from_bytes(gamma, "big") * _LEAST_EXPONENT > 100_000:
            raise PayloadError("data: linear light, as chunk gAMA says")


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Tags of a profile by name, as far as they lie within it."""
    count = int.from_bytes(profile[_HEAD_BYTES : _HEAD_BYTES + 4], "big")
    tags = {}
    for number in range(min(count, _MOST_TAGS)):
        at = _HEAD_BYTES + 4 + number * _ROW_BYTES
        name, start, size = profile[at : at + 4], *(int.from_bytes(profile[at + k : at + k + 4], "big") for k in (4, 8))
        if len(name) == 4 and start + size <= len(profile):
            tags[name] = profile[start : start + size]
    return tags


def _is_straight(tag: bytes) -> bool:
    """Whether a curve gives nearly as much light as the number says: exponent below `_LEAST_EXPONENT`."""
    if tag[:4] == b"para":
        kind, exponent = int.from_bytes(tag[8:10], "big"), int.from_bytes(tag[12:16], "big", signed=True) / 65536
        return len(tag) >= 16 and kind <= 4 and 0 < exponent < _LEAST_EXPONENT
    count = int.from_bytes(tag[8:12], "big")
    if tag[:4] != b"curv" or len(tag) < 12 + 2 * count:
        return False
    if count < 2:
        return count == 0 or 0 < int.from_bytes(tag[12:14], "big") / 256 < _LEAST_EXPONENT
    middle = int.from_bytes(tag[12 + 2 * (count // 2) :][:2], "big") / 65535
    straight: float = (count // 2 / (count - 1)) ** _LEAST_EXPONENT
    return middle > straight
