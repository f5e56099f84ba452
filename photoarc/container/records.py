"""The file record: what the archive knows about one member, frozen dataclass <-> bytes (docs/format.md section 4).

    74 bytes + name + link target + extensions

All integers are little-endian and of fixed width. Parsing raises FormatError and LimitExceeded, nothing else. The structures
around the records (headers, chunks, index, footer) are in photoarc.container.frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from struct import Struct

from photoarc.errors import FormatError, LimitExceeded
from photoarc.member import MAX_NAME_BYTES, Attributes, Kind, Member, PhotoInfo, Shared, SourceFormat
from photoarc.names import display

MAX_PAYLOAD_BYTES = 1 << 30  # of one chunk; larger files are split in parts (section 3.1)

PHOTO_TAG, DUPLICATE_TAG, HARD_LINK_TAG, GROUPED_TAG, BIRTH_TAG, ATTRIBUTES_TAG, SHARED_TAG = 1, 0x8002, 3, 0x8004, 5, 6, 0x8007
REFUSED_TAG = 8
MAX_REFUSED_BYTES = 200
CRITICAL_TAG = 0x8000  # bit 15 of an extension tag: "do not use this member without understanding me"

_MEMBER = Struct("<HHHHIIBBqQQ32s")
_EXTENSION = Struct("<HI")
_PHOTO = Struct("<IIIHHH")
_BIRTH = Struct("<q")
_ATTRIBUTE = Struct("<HI")
_SHARED = Struct("<32sII")


_KINDS = tuple(Kind)  # calling the class costs 0.9 us, a fifth of parsing a record


def _pack_photo(photo: PhotoInfo) -> bytes:
    psnr_cdb = 0xFFFF if photo.psnr_db == math.inf else min(max(round(photo.psnr_db * 100), 0), 0xFFFE)
    return _PHOTO.pack(photo.width_px, photo.height_px, photo.model_id, psnr_cdb, round(photo.quality * 100), photo.source_format)


def _parse_photo(data: bytes) -> PhotoInfo | None:
    """None: written by a later minor version, with a source format or length that this one does not know."""
    if len(data) != _PHOTO.size:
        return None
    width_px, height_px, model_id, psnr_cdb, quality_c, source_format = _PHOTO.unpack(data)
    try:
        source = SourceFormat(source_format)
    except ValueError:
        return None
    psnr_db = math.inf if psnr_cdb == 0xFFFF else psnr_cdb / 100
    return PhotoInfo(width_px, height_px, psnr_db, quality_c / 100, model_id, source)


def pack_member(member: Member) -> bytes:
    """File record: 74 bytes, name, link target, extensions; section 4. Raises LimitExceeded for names above 65,535 bytes."""
    if len(member.name) > MAX_NAME_BYTES or len(member.link_target) > MAX_NAME_BYTES:
        raise LimitExceeded(f"{member.display_name[:200]}...: the name or link target is longer than {MAX_NAME_BYTES} bytes")
    extensions = b""
    if member.photo is not None:
        photo = _pack_photo(member.photo)
        extensions = _EXTENSION.pack(PHOTO_TAG, len(photo)) + photo
    if member.duplicate:
        extensions += _EXTENSION.pack(DUPLICATE_TAG, 0)
    if member.hard_link:
        extensions += _EXTENSION.pack(HARD_LINK_TAG, len(member.hard_link)) + member.hard_link
    if member.grouped:
        extensions += _EXTENSION.pack(GROUPED_TAG, 0)
    if member.birth_ns is not None:
        extensions += _EXTENSION.pack(BIRTH_TAG, _BIRTH.size) + _BIRTH.pack(member.birth_ns)
    if member.attributes:
        attributes = b"".join(_ATTRIBUTE.pack(len(name), len(value)) + name + value for name, value in member.attributes)
        extensions += _EXTENSION.pack(ATTRIBUTES_TAG, len(attributes)) + attributes
    if member.shared is not None:
        shared = _SHARED.pack(member.shared.digest, member.shared.before_bytes, member.shared.behind_bytes)
        extensions += _EXTENSION.pack(SHARED_TAG, len(shared)) + shared
    if member.refused:
        refused = member.refused.encode()[:MAX_REFUSED_BYTES]
        extensions += _EXTENSION.pack(REFUSED_TAG, len(refused)) + refused
    fixed = _MEMBER.pack(
        len(member.name),
        len(member.link_target),
        member.codec_id,
        member.mode,
        len(extensions),
        member.parts,
        member.kind,
        0,
        member.mtime_ns,
        member.size_bytes,
        member.payload_bytes,
        member.digest,
    )
    return fixed + member.name + member.link_target + extensions


def parse_member(data: bytes) -> Member:
    """Inverse of pack_member; raises FormatError. Names are not judged here: that is for extraction (photoarc.names)."""
    if len(data) < _MEMBER.size:
        raise FormatError(f"a file record has at least {_MEMBER.size} bytes, found {len(data)}", section="4")
    name_n, link_n, codec_id, mode, ext_n, parts, kind_n, _, mtime_ns, size_bytes, payload_bytes, digest = _MEMBER.unpack_from(data)
    link_at = _MEMBER.size + name_n
    ext_at = link_at + link_n
    if ext_at + ext_n != len(data):
        raise FormatError(f"a file record declares {ext_at + ext_n} bytes, found {len(data)}", section="4")
    if kind_n > Kind.SYMLINK or mode > 0o7777 or (kind_n != Kind.FILE and (size_bytes or payload_bytes)):
        raise FormatError(f"a file record of kind {kind_n}, mode {mode:o}, size {size_bytes} is not allowed", section="4")
    if payload_bytes > MAX_PAYLOAD_BYTES and payload_bytes > parts * MAX_PAYLOAD_BYTES:
        raise LimitExceeded(
            f"a file record declares a payload of {payload_bytes} bytes in {parts} parts; a part has at most {MAX_PAYLOAD_BYTES}"
        )
    found = _parse_extensions(data, ext_at) if ext_n else _NOTHING
    if found.duplicate and (kind_n != Kind.FILE or payload_bytes or parts):
        raise FormatError("a file record of a duplicate declares a payload of its own", section="4.5")
    if found.grouped and (kind_n != Kind.FILE or parts):
        raise FormatError("a file record in a group declares parts of its own", section="4.7")
    if found.shared and (kind_n != Kind.FILE or found.duplicate or found.grouped or parts > 1):
        raise FormatError("a file record that shares a payload is a duplicate, in a group, or has several parts", section="4.9")
    return Member(
        name=data[_MEMBER.size : link_at],
        kind=_KINDS[kind_n],
        mode=mode,
        mtime_ns=mtime_ns,
        size_bytes=size_bytes,
        digest=digest,
        codec_id=codec_id,
        payload_bytes=payload_bytes,
        parts=parts,
        link_target=data[link_at:ext_at],
        photo=found.photo,
        needs_extension=found.needs,
        duplicate=found.duplicate,
        hard_link=found.hard_link,
        grouped=found.grouped,
        birth_ns=found.birth_ns,
        attributes=found.attributes,
        shared=found.shared,
        refused=found.refused,
    )


@dataclass(slots=True, kw_only=True)
class _Extensions:
    """What the extensions of one record say; `needs` is the tag of the first critical one that is unknown (section 4.2)."""

    photo: PhotoInfo | None = None
    duplicate: bool = False
    hard_link: bytes = b""
    grouped: bool = False
    birth_ns: int | None = None
    attributes: Attributes = ()
    shared: Shared | None = None
    refused: str = ""
    needs: int = 0


_NOTHING = _Extensions()


def _parse_extensions(data: bytes, at: int) -> _Extensions:
    """The rest of a record, from `at`; raises FormatError."""
    found = _Extensions()
    while at < len(data):
        if len(data) - at < _EXTENSION.size:
            raise FormatError("an extension of a file record is cut", section="4.2")
        tag, length = _EXTENSION.unpack_from(data, at)
        at += _EXTENSION.size
        if length > len(data) - at:
            raise FormatError(f"an extension of a file record declares {length} bytes, {len(data) - at} are left", section="4.2")
        if tag == PHOTO_TAG:
            if found.photo is not None:
                raise FormatError("a file record has two photograph extensions", section="4.3")
            found.photo = _parse_photo(data[at : at + length])
            found.needs = found.needs or (PHOTO_TAG if found.photo is None else 0)
        elif tag == DUPLICATE_TAG and not length:
            found.duplicate = True
        elif tag == GROUPED_TAG and not length:
            found.grouped = True
        elif tag == HARD_LINK_TAG:
            found.hard_link = data[at : at + length]
        elif tag == BIRTH_TAG and length == _BIRTH.size:
            (found.birth_ns,) = _BIRTH.unpack_from(data, at)
        elif tag == ATTRIBUTES_TAG:
            found.attributes = _parse_attributes(data[at : at + length])
        elif tag == SHARED_TAG and length == _SHARED.size:
            found.shared = Shared(*_SHARED.unpack_from(data, at))
        elif tag == REFUSED_TAG:
            found.refused = display(data[at : at + min(length, MAX_REFUSED_BYTES)])
        elif tag & CRITICAL_TAG:
            found.needs = found.needs or tag
        at += length
    return found


def _parse_attributes(data: bytes) -> Attributes:
    found, at = [], 0
    while at < len(data):
        if len(data) - at < _ATTRIBUTE.size:
            raise FormatError("an extended attribute is cut", section="4.8")
        name_n, value_n = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if name_n + value_n > len(data) - at:
            raise FormatError(f"an extended attribute declares {name_n + value_n} bytes, {len(data) - at} are left", section="4.8")
        found.append((data[at : at + name_n], data[at + name_n : at + name_n + value_n]))
        at += name_n + value_n
    return tuple(found)
