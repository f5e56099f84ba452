"""Bytes -> the smallest payload that gives the same bytes back: which codecs are asked, and how hard.

    effort   JPEG                       PNG                 TIFF, BMP, PNM          TIFF by LZW, Deflate   anything else
    0..2     jpegxl, composite          lzma                raster, fast JPEG XL    lzma                   lzma
    3..6     jpegxl, composite, or dct  png                 raster                  tiff                   lzma
    7..9     and dct, lepton            png, slow JPEG XL   raster, slow JPEG XL    tiff, slow JPEG XL     lzma

Every codec has decoded its own payload and compared before it counts; what none of them makes smaller is stored. What a picture's codec
takes goes with its pixels, what it can win with the bytes of its file: if those are few, LZMA is asked first, and what it leaves decides.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from photoarc import codecs
from photoarc.codecs import costs, general, store
from photoarc.errors import PayloadError
from photoarc.options import TAKES_APART, THOROUGH
from photoarc.pictures.kinds import PictureKind, kind_of
from photoarc.pictures.size import picture_size

_PATIENCE = 4  # times as much time for what can be won, from THOROUGH on
_SMALL_BYTES = 8192  # up to here, LZMA of a picture may be smaller than what its own codec makes of it: profiles, tables


@dataclass(frozen=True, slots=True)
class Row:
    """Which kinds of files a codec takes, from which effort on; `general_too`: LZMA is asked about small ones as well."""

    codec_id: int
    kinds: tuple[PictureKind, ...]
    from_effort: int = 0
    general_too: bool = False


# In the order in which they are asked; the first that does not refuse has the file. JPEG files have several and the smallest: `_jpeg`.
PICTURE_CODECS = (
    Row(codecs.PNG, (PictureKind.PNG,), TAKES_APART, general_too=True),
    Row(codecs.RASTER, (PictureKind.TIFF, PictureKind.BMP, PictureKind.PNM)),
    Row(codecs.TIFF, (PictureKind.TIFF,), TAKES_APART),
)


def code(data: bytes, effort: int) -> tuple[int, bytes]:
    """(codec ID, payload). Odd input is stored, never refused."""
    picture = picture_size(io.BytesIO(data))
    dear = costs.to_pack(len(data), picture, lossy=False, effort=effort)
    patience = _PATIENCE if effort >= THOROUGH else 1
    if picture is not None and not costs.worth(dear.seconds, len(data) * patience):
        by_lzma = _general(data)
        if not costs.worth(dear.seconds, len(by_lzma[1]) * patience):
            return by_lzma
    kind = kind_of(data[:12])
    if kind is PictureKind.JPEG:
        found = min(_jpeg(data, effort), key=lambda coded: len(coded[1]), default=None)
        if found is not None and len(found[1]) < len(data):
            return _or_general(found, data)
    for row in PICTURE_CODECS:
        if kind in row.kinds and effort >= row.from_effort:
            try:
                found = row.codec_id, codecs.get_exact(row.codec_id).encode(data, effort)
            except PayloadError:
                continue
            return _or_general(found, data) if row.general_too else found
    return _general(data)


def misses_lepton(effort: int) -> bool:
    """Whether this effort asks for a codec that is not installed."""
    if effort < THOROUGH:
        return False
    from photoarc.codecs import lepton  # slow to load

    return not lepton.available()


def _or_general(found: tuple[int, bytes], data: bytes) -> tuple[int, bytes]:
    """What a picture's own codec found, or LZMA where that is smaller and likely to be."""
    return min(found, _general(data), key=lambda coded: len(coded[1])) if len(data) <= _SMALL_BYTES else found


def _general(data: bytes) -> tuple[int, bytes]:
    """LZMA, or what is stored."""
    try:
        payload = general.encode(data)
        if general.decode(payload, len(data)) == data:
            return codecs.LZMA, payload
    except PayloadError:
        pass
    return codecs.STORE, store.encode(data)


def _jpeg(data: bytes, effort: int) -> Iterator[tuple[int, bytes]]:
    """What the codecs for JPEGs make of it: below THOROUGH the first that does not refuse, in the order of promise."""
    from photoarc.codecs import composite  # slow to load

    thorough = effort >= THOROUGH
    for codec_id in sorted((codecs.JPEGXL, codecs.COMPOSITE), reverse=composite.much_follows(data)):
        try:
            payload = codecs.get_exact(codec_id).encode(data, effort)
        except PayloadError:
            continue
        if len(payload) < len(data):
            yield codec_id, payload
            if codec_id == codecs.COMPOSITE or not thorough:  # a composite has asked the slower ones for each of its pictures
                return
            break
    if effort >= TAKES_APART:  # JPEG XL has no room for its recipe of some progressive files
        for codec_id in (codecs.DCT, codecs.LEPTON) if thorough else (codecs.DCT,):
            try:
                yield codec_id, codecs.get_exact(codec_id).encode(data, effort)
            except PayloadError:
                continue
