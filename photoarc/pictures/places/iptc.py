"""IPTC-IIM records without places.

Source: IPTC-NAA Information Interchange Model 4.2, chapter 1 (a dataset: 0x1C, record, number, length, value).
"""

from __future__ import annotations

from photoarc.pictures.places.coordinates import coordinates_in

# Content location code and name; city, sublocation, province, country code and name.
COORDINATES = "a text with coordinates"
_PLACES = {(2, number) for number in (26, 27, 90, 92, 95, 100, 101)}


def strip(iim: bytes, dropped: list[str]) -> bytes | None:
    """Datasets without places; NULs behind them stay. None if they cannot be followed.

    A caption, keyword or other text of record 2 in which coordinates are written goes, and is told in `dropped`.
    """
    kept, at = [], 0
    while at < len(iim):
        if not iim[at] and not iim[at:].strip(b"\0"):  # asked once: what begins with a NUL and is more than that cannot be followed
            kept.append(iim[at:])
            break
        length, start = int.from_bytes(iim[at + 3 : at + 5], "big"), at + 5
        if length & 0x8000:  # the length of the length
            start += length & 0x7FFF
            length = int.from_bytes(iim[at + 5 : start], "big") if start <= len(iim) and start - at <= 9 else len(iim)
        end = start + length
        if iim[at] != 0x1C or start > len(iim) or end > len(iim):
            return None
        if iim[at + 1] == 2 and coordinates_in(iim[start:end]):
            dropped.append(COORDINATES)
        elif (iim[at + 1], iim[at + 2]) not in _PLACES:
            kept.append(iim[at:end])
        at = end
    return b"".join(kept)
