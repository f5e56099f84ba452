"""What a JPEG file has beside its scan, packed: head and tail, the thumbnails in them taken out (docs/format.md section 7.11).

    count of pictures | each: place, bytes, bytes packed | the pictures | method | what is left

Pictures are coded by the caller; what is left by LZMA or by Deflate with the tables that most programs write, whichever is smaller.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from contextlib import suppress
from struct import Struct

from photoarc.codecs import general
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.pictures.kinds import JPEG_START
from photoarc.pictures.parsed import Parsed, jpeg_at

# The Huffman tables of ITU-T T.81 tables K.3 to K.6 as four DHT segments: DC and AC of luma, DC and AC of chroma.
TABLES = base64.b85decode(
    b"|HJ?v000360RaI40RaF200000000330|W&I2M7rY3;)CbwGaRT0Rsa91Oo*H1Oxy80et}i0{{dO1ri}KK?W01VFw~{6f%L4p$H>FvB4Em(eN"
    b"ZQVse5B3Kka_85$)fCnzZ@G&MFiI5|2)L`6nNNJ&alR8>}2SXo+QWMyV&XlZJ5bai%jczJq*goTEOh>41lla!T~mzbHFqNAjxrl+W>s<N}Rw"
    b"YImoxw^u`#Kp$P$jQpm)6~`0*Vx(G;o{@u<>u$;>FV+F^Yr!h_xSnx|HJ?v0RRI50RaI40RaI400000000330|W&I2M7rY3;)CbwGjXU0RjX"
    b"B0|W;J1Oxy90(Srb0s|2Q1tBp85<yW1VQ~{8GJyybLXn}d!3iTXQt%aGa?uJFBsAeA@fR2w8YU+wDJnHKH#j*uLqtVJM@UIZQ&d$}S6EqEV`"
    b"OD!XJ~0^b98lfcX)Yvf`f#GhKGoWijtF*m6n&7nVO=bq@|{(sHv*5v$VCgx45~w!o$SH#>dFX%F@%+)z;V8+1ldc<mKk)=;`Y6^Yr!h_xSnx"
)
_STORE, _LZMA, _DEFLATE = 0, 1, 2
_PICTURE = Struct("<III")  # place in head and tail, bytes, bytes packed
_MAX_PICTURES, _LEAST_BYTES = 4, 700  # a JPEG of less than its own tables is left alone
_MAX_TRIES = 16  # start markers looked at: tails hold some by chance
_WINDOW_BITS = -15

Code = Callable[[Parsed], bytes]


def pack(rest: bytes, code: Code | None) -> bytes:
    """Head and tail, packed; `code` makes smaller pictures of the JPEGs in them, or raises PayloadError."""
    rows: list[bytes] = []
    packed: list[bytes] = []
    left: list[bytes] = []
    at = 0
    start, tries = rest.find(JPEG_START, 2), 0
    while code and start >= 0 and len(rows) < _MAX_PICTURES and tries < _MAX_TRIES:
        tries += 1
        try:
            found = jpeg_at(rest, start)
            picture = found.data
            coded = code(found) if len(picture) >= _LEAST_BYTES else picture
        except PayloadError:
            picture, coded = b"\xff", b""
        if coded and len(coded) + _PICTURE.size < len(picture):
            rows.append(_PICTURE.pack(start, len(picture), len(coded)))
            packed.append(coded)
            left.append(rest[at:start])
            at = start + len(picture)
        start = rest.find(JPEG_START, start + len(picture))
    return b"".join([bytes([len(rows)]), *rows, *packed, _smallest(b"".join([*left, rest[at:]]))])


def unpack(packed: bytes, size_bytes: int, decode: Callable[[bytes, int], bytes] | None) -> bytes:
    """Inverse of pack, of `size_bytes`; `decode` takes a picture and its size. Raises PayloadError."""
    rows_end = 1 + _PICTURE.size * (packed[0] if packed else 0)
    if not packed or rows_end > len(packed) or (packed[0] and not decode):
        raise PayloadError("what lies beside the picture is damaged", PayloadCorrupt)
    rows = list(_PICTURE.iter_unpack(packed[1:rows_end]))
    at, pictures, left_bytes = rows_end, [], size_bytes - sum(size for _, size, _ in rows)
    if left_bytes < 0:
        raise PayloadError("what lies beside the picture is damaged", PayloadCorrupt)
    for _, size, coded in rows:
        if decode:
            pictures.append(decode(packed[at : at + coded], size))
        at += coded
    left = _restored(packed[at:], left_bytes)
    pieces, taken, made = [], 0, 0
    for (start, _, _), picture in zip(rows, pictures, strict=True):
        if not made <= start <= made + len(left) - taken:
            raise PayloadError("what lies beside the picture is damaged", PayloadCorrupt)
        pieces += [left[taken : taken + start - made], picture]
        taken += start - made
        made = start + len(picture)
    return b"".join([*pieces, left[taken:]])


def _smallest(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS, 9, zdict=TABLES)
    tried = [bytes([_DEFLATE]) + deflate.compress(data) + deflate.flush(), bytes([_STORE]) + data]
    with suppress(PayloadError):  # a film behind the picture, say: it looks before it spends seconds
        tried.append(bytes([_LZMA]) + general.encode(data))
    return min(tried, key=len)


def _restored(packed: bytes, size_bytes: int) -> bytes:
    method, body = packed[:1], packed[1:]
    if method == bytes([_LZMA]):
        return general.decode(body, size_bytes)
    if method == bytes([_DEFLATE]):
        inflate = zlib.decompressobj(_WINDOW_BITS, zdict=TABLES)
        try:
            body = inflate.decompress(body, size_bytes + 1)
        except zlib.error as broken:
            raise PayloadError(f"what lies beside the picture is damaged: {broken}", PayloadCorrupt) from broken
        if inflate.unused_data:
            raise PayloadError("what lies beside the picture is damaged", PayloadCorrupt)
    elif method != bytes([_STORE]):
        raise PayloadError("what lies beside the picture is packed by an unknown method; update photoarc")
    if len(body) != size_bytes:
        raise PayloadError("what lies beside the picture is damaged", PayloadCorrupt)
    return body
