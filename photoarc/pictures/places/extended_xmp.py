"""XMP that is too long for one JPEG segment: parts of it in further ones, which the first packet names by their MD5.

Source: ISO 16684-3 section 1.1.3.1 (extended XMP: prefix, GUID of 32 letters, full length u32, offset u32, the part).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from photoarc.pictures.metadata import Item
from photoarc.pictures.places import xmp

PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
_GUID_END = len(PREFIX) + 32
_HEAD_BYTES = _GUID_END + 8
_PART_BYTES = 65533 - _HEAD_BYTES
_GUID = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32}(?![0-9A-Fa-f])")
BROKEN = "extended XMP that cannot be followed"


def strip(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Items with extended XMP without places, and in words what was dropped; the packets that name it learn its new MD5."""
    parts: dict[bytes, list[int]] = {}
    for number, item in enumerate(items):
        if item.key == b"APP1" and item.body.startswith(PREFIX):
            parts.setdefault(item.body[len(PREFIX) : _GUID_END], []).append(number)
    kept: list[Item | None] = list(items)
    dropped, renamed = list[str](), dict[bytes, bytes]()
    for guid, numbers in parts.items():
        whole = _whole([items[number].body for number in numbers])
        stripped, lost = (None, []) if whole is None else xmp.strip(whole)
        if stripped is not None and stripped == whole:
            continue
        if _GUID.fullmatch(guid) is None:
            stripped = None
        dropped += [BROKEN] if stripped is None else lost
        bodies = iter(_parts(stripped or b"", renamed, guid))
        for number in numbers:
            body = next(bodies, None)
            kept[number] = None if body is None else replace(items[number], body=body)
    return [_told(item, renamed) for item in kept if item is not None], dropped


def _whole(bodies: list[bytes]) -> bytes | None:
    """The packet; None unless its parts make it without gaps or overlaps."""
    whole, at = [], 0
    for body in sorted(bodies, key=lambda body: body[_GUID_END + 4 : _HEAD_BYTES]):
        length, offset = int.from_bytes(body[_GUID_END : _GUID_END + 4], "big"), int.from_bytes(body[_GUID_END + 4 : _HEAD_BYTES], "big")
        if len(body) < _HEAD_BYTES or offset != at or length != int.from_bytes(bodies[0][_GUID_END : _GUID_END + 4], "big"):
            return None
        whole.append(body[_HEAD_BYTES:])
        at += len(body) - _HEAD_BYTES
    return b"".join(whole) if at == int.from_bytes(bodies[0][_GUID_END : _GUID_END + 4], "big") else None


def _parts(packet: bytes, renamed: dict[bytes, bytes], guid: bytes) -> list[bytes]:
    """Segments of a packet under its new GUID."""
    if not packet:
        return []
    new = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    renamed[guid] = new
    head = PREFIX + new + len(packet).to_bytes(4, "big")
    return [head + at.to_bytes(4, "big") + packet[at : at + _PART_BYTES] for at in range(0, len(packet), _PART_BYTES)]


def _told(item: Item, renamed: dict[bytes, bytes]) -> Item:
    if item.key != b"APP1" or item.body.startswith(PREFIX):
        return item
    body = _GUID.sub(lambda match: renamed.get(match[0], match[0]), item.body) if renamed else item.body
    return item if body == item.body else replace(item, body=body)
