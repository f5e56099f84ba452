"""HEIC and AVIF files as boxes: whether a file is one still picture of 8 bits with nothing beside it but metadata.

Source: ISO/IEC 14496-12 (boxes, items), 23008-12 (HEIF: properties, references), 23000-22 (MIAF). Only the structure is read; pixels and
metadata come from a decoder. What these files can hold and a written JPEG cannot (gain maps, depth, alpha, films, more bits, further
pictures, other colours) raises `PayloadError` with the reason in a few words: such a file is kept bit-exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from photoarc.errors import PayloadError
from photoarc.pictures.boxes import boxes
from photoarc.pictures.kinds import box_brand

BRANDS = {b"heic": "heic", b"heix": "heic", b"avif": "avif"}
_TOP = (b"ftyp", b"meta", b"mdat", b"free", b"skip")
_PICTURES = (b"hvc1", b"av01", b"grid")
_PROPERTIES = (b"hvcC", b"av1C", b"ispe", b"pixi", b"irot", b"colr")
# Rotation in quarter turns against the clock -> EXIF orientation.
_ORIENTATIONS = (1, 8, 3, 6)
_SRGB_PRIMARIES, _SRGB_TRANSFERS = (1, 2), (1, 2, 6, 13)  # BT.709 or not said; its transfer, sRGB's or not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Heif:
    """One picture: size before rotation, quarter turns against the clock, which metadata there are."""

    kind: str
    width_px: int
    height_px: int
    turns: int
    has_exif: bool
    has_xmp: bool
    has_icc: bool

    @property
    def orientation(self) -> int:
        """The rotation in EXIF's words."""
        return _ORIENTATIONS[self.turns]


def kind(head: bytes) -> str:
    """`heic` or `avif` if the first 12 bytes are those of such a file, else nothing."""
    return BRANDS.get(box_brand(head), "")


def split(data: bytes) -> Heif:
    """Structure of a file. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    try:
        return _split(data)
    except IndexError:
        raise PayloadError("broken HEIF") from None


def _split(data: bytes) -> Heif:
    metas = []
    for name, body in _boxes(data):
        if name == b"moov":
            raise PayloadError("animation")
        if name not in _TOP:
            raise PayloadError("data beside the picture (a film)")
        metas += [body[4:]] if name == b"meta" else []
    if len(metas) != 1:
        raise PayloadError("broken HEIF")
    meta = dict(_boxes(metas[0]))
    if not {b"pitm", b"iinf", b"iprp"} <= set(meta):
        raise PayloadError("broken HEIF")
    primary = _number(meta[b"pitm"], 4, 4 if meta[b"pitm"][0] else 2)
    items, references = _items(meta[b"iinf"]), _references(meta.get(b"iref", b""))
    _refuse_others(primary, items, references)
    parts = dict(_boxes(meta[b"iprp"]))
    if not {b"ipco", b"ipma"} <= set(parts):
        raise PayloadError("broken HEIF")
    properties = _properties(parts[b"ipco"], parts[b"ipma"])
    width = height = turns = 0
    has_icc = False
    for name, body in properties.get(primary, []):
        if name == b"ispe":
            width, height = _number(body, 4, 4), _number(body, 8, 4)
        elif name == b"irot":
            turns = body[0] & 3
    # cameras name colours at the tiles or at the whole
    tiles = {tile for name, origin, to in references if name == b"dimg" and origin == primary for tile in to}
    for name, body in (each for number in (primary, *tiles) for each in properties.get(number, [])):
        if name not in _PROPERTIES:
            raise PayloadError(f"a picture with a property {name.decode('ascii', 'replace')}")
        if name == b"pixi" and (body[4] not in (1, 3) or any(bits != 8 for bits in body[5 : 5 + body[4]])):
            raise PayloadError("not 8 bits a sample")
        if name == b"colr" and body[:4] != b"nclx":
            has_icc = True
        elif name == b"colr" and not (_number(body, 4, 2) in _SRGB_PRIMARIES and _number(body, 6, 2) in _SRGB_TRANSFERS):
            raise PayloadError("colours that only the container names")
    if any(name == b"irot" for tile in tiles for name, _ in properties.get(tile, [])):
        raise PayloadError("tiles that are rotated")
    kinds = list(items.values())
    return Heif(
        kind=kind(data[:12]),
        width_px=width,
        height_px=height,
        turns=turns,
        has_exif=b"Exif" in kinds,
        has_xmp=b"mime" in kinds,
        has_icc=has_icc,
    )


def _refuse_others(primary: int, items: dict[int, bytes], references: list[tuple[bytes, int, tuple[int, ...]]]) -> None:
    """Refuses everything but the primary picture, its tiles, its thumbnails (which are not kept) and one item each of EXIF and XMP."""
    thumbnails = {origin for name, origin, to in references if name == b"thmb" and to == (primary,)}
    wanted = {primary} | thumbnails
    tiles = {tile for name, origin, to in references if name == b"dimg" and origin in wanted for tile in to}
    if items.get(primary) not in _PICTURES:
        raise PayloadError("a derived picture")
    wanted |= tiles
    for number, name in items.items():
        if name in _PICTURES and number not in wanted:
            raise PayloadError("several pictures in one file (gain map, depth, alpha)")
        if name not in (*_PICTURES, b"Exif", b"mime"):
            raise PayloadError(f"an item of kind {name.decode('ascii', 'replace')}")
    if sorted(items.values()).count(b"Exif") > 1 or sorted(items.values()).count(b"mime") > 1:
        raise PayloadError("several items of metadata")
    if any(name not in (b"thmb", b"dimg", b"cdsc") for name, _, _ in references):
        raise PayloadError("pictures that refer to each other")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((name, data[start:end]) for name, start, end in boxes(data, "HEIF"))


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big")


def _items(body: bytes) -> dict[int, bytes]:
    """Items by number with their types; hidden ones too."""
    found = {}
    for name, entry in _boxes(body[6 if body[0] == 0 else 8 :]):
        if name != b"infe" or entry[0] not in (2, 3):
            raise PayloadError("broken HEIF")
        width = 2 if entry[0] == 2 else 4
        _number(entry, 6 + width, 4)
        found[_number(entry, 4, width)] = entry[6 + width : 10 + width]
    return found


def _references(body: bytes) -> list[tuple[bytes, int, tuple[int, ...]]]:
    if not body:
        return []
    width = 4 if body[0] else 2
    found = []
    for name, entry in _boxes(body[4:]):
        count = _number(entry, width, 2)
        to = tuple(_number(entry, width + 2 + width * k, width) for k in range(count))
        found.append((name, _number(entry, 0, width), to))
    return found


def _properties(ipco: bytes, ipma: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    """Properties of each item, in order."""
    every = list(_boxes(ipco))
    id_bytes, index_bytes = 4 if ipma[0] else 2, 2 if ipma[3] & 1 else 1
    at, found = 8, dict[int, list[tuple[bytes, bytes]]]()
    for _ in range(_number(ipma, 4, 4)):
        number, count = _number(ipma, at, id_bytes), _number(ipma, at + id_bytes, 1)
        at += id_bytes + 1
        for _ in range(count):
            index = _number(ipma, at, index_bytes) & (0x7FFF if index_bytes == 2 else 0x7F)
            at += index_bytes
            if index:
                found.setdefault(number, []).append(every[index - 1])
    return found
