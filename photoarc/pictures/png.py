"""PNG files as chunks: metadata apart from the picture data; and a quick PNG encoder.

Source: W3C PNG third edition, sections 5 (chunks), 9 (filters), 11 (chunk list), 14.2 (who may copy which chunk). Whatever is
refused raises `PayloadError` with the reason in a few words.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.kinds import PNG_SIGNATURE
from photoarc.pictures.metadata import AFTER, BEFORE, MAX_BYTES, Item

try:
    from isal import isal_zlib as deflate  # ISA-L: a third of zlib's time
except ImportError:  # no wheel for this machine
    deflate = zlib  # type: ignore[misc]

SIGNATURE = PNG_SIGNATURE
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # colour type -> channels, alpha included
_COLOUR_TYPE = {channels: kind for kind, channels in CHANNELS.items()}
# "Unsafe to copy" chunks that stay true for re-coded pixels; other unsafe ones may describe the exact picture data.
_STILL_TRUE = frozenset(
    (b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi", b"bKGD", b"tIME", b"sTER", b"oFFs")
)
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# Untrue after re-coding and of no use: Apple's offsets into IDAT, a suggested palette and its histogram.
_DROPPED = frozenset((b"iDOT", b"PLTE", b"hIST", b"sPLT"))
# Measured on Kodak 5 and 23, 768x512 (ms, bytes): filter Sub + ISA-L level 3: 3, 829,452 and 5, 628,323; Sub, Up or Average by row: 10,
# 806,429 and 13, 598,400; Paeth as well: 39, 806,535 and 42, 600,220. Before white or nothing the three took 8 % less than Sub alone.
# The same filters + zlib level 1: 63, 789,745 and 48, 613,993; level 6: 189, 792,295 and 325, 574,706. A decoder takes 210.
_LEVEL = 1 if deflate is zlib else 3
_STRIP_BYTES = 1 << 18  # what the filters look at together: it stays in a core's cache


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG file taken apart; `picture` is a PNG file of nothing but header and picture data. `left_out`: in words what is in neither."""

    width_px: int
    height_px: int
    channels: int
    metadata: tuple[Item, ...]
    picture: bytes
    left_out: tuple[str, ...] = ()


def split(data: bytes) -> Png:
    """Take a PNG file apart. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    header, pieces, metadata, place, left_out = b"", [SIGNATURE], [], BEFORE, list[str]()
    pieces_of_data: list[memoryview] = []
    for kind, body, whole in _chunks(data):
        if kind == b"IHDR":
            header = _checked_header(bytes(body))
            pieces.append(bytes(whole))
        elif not header:
            raise PayloadError("broken PNG: no header")
        elif kind == b"IDAT":
            place = AFTER
            pieces_of_data.append(whole)
        elif kind in (b"acTL", b"fcTL", b"fdAT"):
            raise PayloadError("animation")
        elif kind == b"tRNS":
            raise PayloadError("a transparent colour, which re-coding would blur")
        elif kind == b"IEND":
            pieces_of_data.append(whole)
        elif kind in _DROPPED:
            left_out += ["suggested palettes of PNG"] if kind != b"iDOT" else []
        else:
            if not kind[0] & 32:
                raise PayloadError(f"PNG with an unknown critical chunk {kind!r}")
            if not kind[3] & 32 and kind not in _STILL_TRUE:
                raise PayloadError(f"PNG chunk {kind.decode('latin-1')} belongs to the exact picture data")
            metadata.append(Item(kind, bytes(body), place))
    if place == BEFORE:
        raise PayloadError("broken PNG: no picture data")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    left_out += ["interlacing of PNG"] if header[12] else []
    picture = b"".join((*pieces, *pieces_of_data))
    return Png(width, height, CHANNELS[header[9]], tuple(metadata), picture, tuple(dict.fromkeys(left_out)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """(type, data, whole chunk) of each chunk up to IEND, lengths and CRCs checked."""
    view, at, kind = memoryview(data), len(SIGNATURE), b""
    if data[:at] != SIGNATURE:
        raise PayloadError("broken PNG: no signature")
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if at + 12 > len(data) or end > len(data):
            raise PayloadError("truncated PNG")
        kind = bytes(view[at + 4 : at + 8])
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise PayloadError(f"broken PNG: checksum of chunk {kind!r}")
        if not kind.isalpha():
            raise PayloadError(f"broken PNG: chunk {kind!r}")
        yield kind, view[at + 8 : end - 4], view[at:end]
        at = end
    if at != len(data):
        raise PayloadError("data after the end of the picture")


def without_text(data: bytes) -> tuple[bytes, dict[str, str | bytes]]:
    """A PNG file without its text and colour profile, and these under the names that Pillow has for them.

    Together they have at most metadata.MAX_BYTES; what goes beyond is left out.
    """
    kept, info, at, left_bytes = [data[: len(SIGNATURE)]], dict[str, str | bytes](), len(SIGNATURE), MAX_BYTES
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in _TEXTS:
            key, text = _text(kind, data[at + 8 : end - 4], left_bytes)
            left_bytes -= len(text)
            info.update({key: text if key in ("icc_profile", "xmp") else text.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")})
        else:
            kept.append(data[at:end])
        at = end
    return b"".join(kept), info


def _text(kind: bytes, body: bytes, most_bytes: int) -> tuple[str, bytes]:
    """Key and text of a chunk, uncompressed; an empty text where it is damaged or too long (sections 11.3.2.3, 11.3.3)."""
    keyword, _, rest = body.partition(b"\0")
    key, packed = keyword.decode("latin-1"), kind in (b"zTXt", b"iCCP")
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
        key = "xmp" if keyword == b"XML:com.adobe.xmp" else key
    elif packed:
        rest = rest[1:]
        key = "icc_profile" if kind == b"iCCP" else key
    if not packed:
        return key, rest[:most_bytes]
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(rest, max(most_bytes, 1))
    except zlib.error:
        return key, b""
    return key, text if inflater.eof else b""


def _checked_header(body: bytes) -> bytes:
    """IHDR of a picture that we take; raises PayloadError otherwise."""
    if len(body) != 13 or not any(body[:4]) or not any(body[4:8]):
        raise PayloadError("broken PNG: header")
    if body[9] == 3:
        raise PayloadError("graphics: palette")
    if body[8] != 8:
        raise PayloadError(f"{body[8]} bit{'s' * (body[8] > 1)} a channel")
    if body[9] not in CHANNELS:
        raise PayloadError("broken PNG: colour type")
    return body


def encode(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, metadata: Sequence[Item] = (), *, filters: Sequence[int] = (0, 1, 2, 3)
) -> bytes:
    """Pixels (H, W, 1 or 3) and alpha (H, W) or None -> PNG file. Memory: the file and a few strips, never a copy of the pixels.

    `filters` are tried on each row. Raises PayloadError for metadata that are no ancillary chunks.
    """
    if not all(len(item.key) == 4 and item.key.isalpha() and item.key[0] & 32 for item in metadata):
        raise PayloadError("the photograph's metadata is damaged")
    height, width, colours = pixels.shape
    channels = colours + (alpha is not None)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, _COLOUR_TYPE[channels], 0, 0, 0])
    before = [chunk(item.key, item.body) for item in metadata if item.place == BEFORE]
    after = [chunk(item.key, item.body) for item in metadata if item.place == AFTER]
    coded = (chunk(b"IDAT", piece) for piece in _deflated(_filtered(pixels, alpha, filters)))
    return b"".join((SIGNATURE, chunk(b"IHDR", header), *before, *coded, *after, chunk(b"IEND", b"")))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and CRC."""
    return b"".join((len(body).to_bytes(4, "big"), kind, body, zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")))


def _filtered(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, filters: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Strips of filtered rows, (n, 1 + W * channels) uint8: the number of the filter, then what is left.

    Of the filters that one is taken for a row whose bytes are least in sum, seen as signed (section 12.7).
    """
    height, width, colours = pixels.shape
    channels = colours + (alpha is not None)
    rows = max(1, _STRIP_BYTES // (width * channels))
    last = np.zeros(width * channels, np.uint8)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        if alpha is not None:
            strip = np.concatenate((strip, alpha[top : top + rows, :, None]), axis=2)
        flat = strip.reshape(len(strip), width * channels)
        left, up = np.zeros_like(flat), np.empty_like(flat)
        left[:, channels:], up[0], up[1:], last = flat[:, :-channels], last, flat[:-1], flat[-1]
        found = [_apply(number, flat, left, up) for number in filters]
        out = np.empty((len(strip), 1 + width * channels), np.uint8)
        best = np.argmin([_cost(rest) for rest in found], axis=0) if len(found) > 1 else np.zeros(len(strip), int)
        for place, (number, rest) in enumerate(zip(filters, found, strict=True)):
            chosen = best == place
            out[chosen, 0], out[chosen, 1:] = number, rest[chosen]
        yield out


def _apply(number: int, flat: NDArray[np.uint8], left: NDArray[np.uint8], up: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows without what filter 0 (None), 1 (Sub), 2 (Up) or 3 (Average) foresees."""
    if number == 0:
        return flat
    if number == 3:
        return flat - ((left & up) + ((left ^ up) >> 1))  # half the sum of two bytes, within a byte
    return flat - (left if number == 1 else up)


def _cost(rest: NDArray[np.uint8]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.minimum(rest, np.uint8(0) - rest).sum(axis=1, dtype=np.int64)
    return total


def _deflated(strips: Iterable[NDArray[np.uint8]]) -> Iterator[bytes]:
    """One zlib stream in pieces of at least 64 KiB."""
    deflater, piece = deflate.compressobj(_LEVEL), b""
    for strip in strips:
        piece += deflater.compress(strip.data)
        if len(piece) >= 1 << 16:
            yield piece
            piece = b""
    yield piece + deflater.flush()
