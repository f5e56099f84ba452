"""Photoshop's resources, as in APP13 of JPEG files, without places.

Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks": signature, number, name, length, body, each of an even length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from photoarc.pictures.kinds import JPEG_START
from photoarc.pictures.metadata import Item
from photoarc.pictures.places import exif, iptc, xmp
from photoarc.pictures.places.coordinates import coordinates_in

PREFIX = b"Photoshop 3.0\0"  # of segments APP13
_IIM, _EXIF_1, _EXIF_3, _XMP, _DIGEST = 0x0404, 0x0422, 0x0423, 0x0424, 0x0425
_WRITTEN = (1008, 1035, 1054)  # caption, URL, list of URLs
_PLUG_INS, _NO_PLACE_BYTES = range(4000, 5000), 8  # anybody's, but so few bytes are no place
_SIGNATURES = (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa")


@dataclass(frozen=True, slots=True)
class _Resource:
    """`head`: signature, number and name as they are."""

    number: int
    head: bytes
    body: bytes

    def pack(self) -> bytes:
        return self.head + len(self.body).to_bytes(4, "big") + self.body + bytes(len(self.body) & 1)


def strip_segments(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Segments of JPEG files with resources, which may go over several of them, without places; in words what was dropped."""
    parts = [number for number, item in enumerate(items) if item.key == b"APPD" and item.body.startswith(PREFIX)]
    bodies = [items[number].body[len(PREFIX) :] for number in parts]
    cleaned = [strip(body) for body in bodies]
    if any(body is None for body, _ in cleaned) and len(parts) > 1:
        whole, lost = strip(b"".join(bodies))
        room = max(map(len, bodies))
        cleaned = [((whole or b"")[at : at + room], lost) for at in range(0, room * len(parts), room)]
    kept = dict(zip(parts, (body for body, _ in cleaned), strict=True))
    left = [
        item if number not in kept else replace(item, body=PREFIX + (kept[number] or b""))
        for number, item in enumerate(items)
        if number not in kept or kept[number]
    ]
    return left, [word for _, lost in cleaned for word in lost]


def strip(data: bytes) -> tuple[bytes | None, list[str]]:
    """Resource blocks without places, and in words what was dropped whole; None if they cannot be followed."""
    try:
        resources = list(_resources(data))
    except IndexError:
        return None, ["Photoshop resources that cannot be followed"]
    kept, dropped = [], list[str]()
    digests = dict[bytes, bytes]()  # Photoshop notes the MD5 of the IIM
    for found in resources:
        body: bytes | None = found.body
        if found.number == _IIM:
            body = iptc.strip(found.body, dropped)
            if body is not None:
                digests[hashlib.md5(found.body, usedforsecurity=False).digest()] = hashlib.md5(body, usedforsecurity=False).digest()
            else:
                dropped.append("IPTC that cannot be followed")
        elif found.number in (_EXIF_1, _EXIF_3):
            body, lost = exif.strip(found.body)
            dropped += lost
        elif found.number == _XMP:
            body, lost = xmp.strip(found.body)
            dropped += lost
        elif found.number in _PLUG_INS and len(body or b"") > _NO_PLACE_BYTES:
            body, dropped = None, [*dropped, "Photoshop resources of plug-ins"]
        elif found.number in _WRITTEN and coordinates_in(found.body):
            body, dropped = None, [*dropped, iptc.COORDINATES]
        elif JPEG_START in found.body:
            body = exif.strip_pictures(found.body)
        if body is not None:
            kept.append(found if body == found.body else _Resource(found.number, found.head, body))
    kept = [_Resource(one.number, one.head, digests.get(one.body, one.body)) if one.number == _DIGEST else one for one in kept]
    return (data if kept == resources else b"".join(one.pack() for one in kept)), dropped


def _resources(data: bytes) -> Iterator[_Resource]:
    """Raises IndexError where they cannot be followed; NULs behind the last one are left."""
    at = 0
    while at < len(data) and (data[at] or data[at:].strip(b"\0")):
        name_end = at + 7 + (data[at + 6] | 1)  # length, name, padded to an even sum
        start = name_end + 4
        end = start + int.from_bytes(data[name_end:start], "big")
        if data[at : at + 4] not in _SIGNATURES or start > len(data) or end > len(data):
            raise IndexError(at)
        yield _Resource(int.from_bytes(data[at + 4 : at + 6], "big"), data[at:name_end], data[start:end])
        at = end + (end - start & 1)
