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

from photoarc import codecs
from photoarc.codecs import costs, general, store
from photoarc.errors import PayloadError
from photoarc.pictures import raster, tiff
from photoarc.pictures.kinds import PNG_SIGNATURE
from photoarc.pictures.size import picture_size

TAKES_APART, THOROUGH = 3, 7  # from this effort on
_PATIENCE = 4  # times as much time for what can be won, from THOROUGH on
_SMALL_BYTES = 8192  # up to here, LZMA of a picture may be smaller than what its own codec makes of it: profiles, tables


def code(data: bytes, effort: int) -> tuple[int, bytes]:
    """(codec ID, payload). Odd input is stored, never refused."""
    picture = picture_size(io.BytesIO(data))
    dear = costs.to_pack(len(data), picture, lossy=False, effort=effort)
    patience = _PATIENCE if effort >= THOROUGH else 1
    if picture is not None and not costs.worth(dear.seconds, len(data) * patience):
        by_lzma = _general(data)
        if not costs.worth(dear.seconds, len(by_lzma[1]) * patience):
            return by_lzma
    if data[:2] == b"\xff\xd8":
        found = min(_jpeg(data, effort), key=lambda coded: len(coded[1]), default=None)
        if found is not None and len(found[1]) < len(data):
            return _or_general(found, data)
    if data.startswith(PNG_SIGNATURE) and effort >= TAKES_APART:
        from photoarc.codecs import png

        try:
            return _or_general((codecs.PNG, png.encode(data, thorough=effort >= THOROUGH)), data)
        except PayloadError:
            pass
    if data.startswith(raster.STARTS):
        from photoarc.codecs import raster as plain

        try:
            return codecs.RASTER, plain.encode(data, effort)
        except PayloadError:
            pass
    if data.startswith(tiff.STARTS) and effort >= TAKES_APART:
        from photoarc.codecs import tiff as compressed

        try:
            return codecs.TIFF, compressed.encode(data, effort)
        except PayloadError:
            pass
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
    from photoarc.codecs import composite, jpegxl  # slow to load

    thorough = effort >= THOROUGH
    both = {codecs.JPEGXL: lambda: jpegxl.encode(data), codecs.COMPOSITE: lambda: composite.encode(data, thorough=thorough)}
    for codec_id in sorted(both, reverse=composite.much_follows(data)):
        try:
            payload = both[codec_id]()
        except PayloadError:
            continue
        if len(payload) < len(data):
            yield codec_id, payload
            if codec_id == codecs.COMPOSITE or not thorough:  # a composite has asked the slower ones for each of its pictures
                return
            break
    if effort >= TAKES_APART:  # JPEG XL has no room for its recipe of some progressive files
        from photoarc.codecs import dct, lepton  # slower

        slower = ((codecs.DCT, dct), (codecs.LEPTON, lepton)) if thorough else ((codecs.DCT, dct),)
        for codec_id, codec in slower:
            try:
                yield codec_id, codec.encode(data)
            except PayloadError:
                continue
