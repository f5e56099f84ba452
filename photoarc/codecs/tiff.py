"""Codec 8, `tiff`: TIFF files by Deflate or LZW: samples as lossless JPEG XL, and what it takes to make the file's very strips of them.

    file     .. | strip | .. | strip | ..
    payload  LZMA( strips, their recipes, everything else )    JPEG XL( slab of rows )  JPEG XL( slab of rows )  ..

A strip of Deflate comes back as the data of a PNG do (zlib_streams.recipe), one of LZW by its encoder's rules (photoarc.codecs.lzw);
neither needs the library that wrote it. A strip that does not, or is damaged, goes along as it is, and its samples count as 0.
Graphics may have LZMA( samples ) instead. docs/format.md section 7.10.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Any

import numpy as np

from photoarc.codecs import lzw
from photoarc.codecs.samples import LEAST_PX, LEAST_SAVING, decode_slabs, encode_slabs, kind, slab_rows
from photoarc.codecs.zlib_streams import recipe
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.codecs.zlib_streams.recipe import Reader, Recipe
from photoarc.entropy import lzma2
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.pictures import tiff
from photoarc.pictures.libjxl import Samples
from photoarc.pictures.tiff import DEFLATE, LZW, Layout

MAX_RAW_BYTES = 1 << 29  # of samples
_MAX_ZLIB_BYTES = 64 << 20  # of the data of one stream: retracing holds all tokens
_VERSION = 1
_FAIR_TRIAL = 8  # strips that do not come back, before the file is given up if most do not
_MAX_RATIO = {DEFLATE: 1040, LZW: lzw.MAX_RATIO}  # DEFLATE reaches 1,032 : 1
_FLAT = 4  # what LZW or Deflate make smaller than a quarter is worth a try of LZMA on the samples
_BIG_ENDIAN, _DIFFERENCES, _APART, _BY_LZMA = 1, 2, 4, 8
# version, method, channels, bytes a sample, flags, width, height, those of a strip, rows a slab, bytes of the description, in the payload
_HEAD = Struct("<BBBBBIIIIIQQ")
_ZLIB_ROW = Struct("<2sIBBBBBBII")  # header, CRC, settings (3), level, memory level, flags, numbers of blocks and exceptions
_LZW_ROW = Struct("<IH")  # number of runs, of bits at the end

Recipes = Sequence[Any]  # Recipe or lzw.Recipe, by the method


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the strips that come back: `made` tells which do, `gaps` how much of `rest` lies before each of them."""

    made: tuple[bool, ...]
    gaps: tuple[int, ...]
    rest: bytes

    def around(self, strips: Sequence[bytes]) -> bytes:
        """The file."""
        pieces, at = [], 0
        for gap, strip in zip(self.gaps, strips, strict=True):
            pieces += [self.rest[at : at + gap], strip]
            at += gap
        return b"".join([*pieces, self.rest[at:]])


def encode(data: bytes, effort: int = 5) -> bytes:
    """TIFF file -> payload, decoded back and compared. Raises PayloadError if it is of another kind or saves less than 2 %."""
    try:
        return _encode(data, effort)
    except (error, IndexError, ValueError, OverflowError, MemoryError) as broken:
        raise PayloadError(f"broken TIFF: {broken}") from broken


def _encode(data: bytes, effort: int) -> bytes:
    method, layout, spans = tiff.find_compressed(data)
    if min(layout.width_px, layout.height_px) < LEAST_PX:
        raise PayloadError("a tiny picture")
    _check_size(method, layout, len(data))
    frame, strips, recipes, samples = _take_apart(data, method, layout, spans)
    description = _describe(method, frame, recipes)
    packed = lzma2.compress(description)
    rows = slab_rows(layout.width_px)
    coded = encode_slabs((samples[top : top + rows] for top in range(0, layout.height_px, rows)), effort)
    flat = layout.size_bytes > _FLAT * len(data)
    by_lzma = lzma2.compress(samples.astype(_stored(layout)).tobytes(), pb=0) if flat else coded
    flags = _BIG_ENDIAN * layout.big_endian | _DIFFERENCES * layout.differences | _APART * layout.apart
    flags |= _BY_LZMA * (len(by_lzma) < len(coded))
    head = _HEAD.pack(
        _VERSION,
        method,
        layout.channels,
        layout.sample_bytes,
        flags,
        layout.width_px,
        layout.height_px,
        layout.strip_width_px,
        layout.strip_height_px,
        rows,
        len(description),
        len(packed),
    )
    payload = b"".join((head, packed, min(coded, by_lzma, key=len)))
    if len(payload) > len(data) * (1 - LEAST_SAVING):
        raise PayloadError("its samples do not become smaller")
    *again, samples_again = _open(payload, len(data))
    if again != [method, layout, frame, recipes] or not np.array_equal(samples_again, samples) or frame.around(strips) != data:
        raise PayloadError("the TIFF does not come back")  # each recipe has been followed
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> TIFF file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    try:
        method, layout, frame, recipes, samples = _open(payload, size_bytes)
        boxes = (box for box, made in zip(layout.boxes(), frame.made, strict=True) if made)
        strips = [_follow(method, made, _bytes(samples[box], layout)) for made, box in zip(recipes, boxes, strict=True)]
    except (error, IndexError, ValueError, OverflowError) as broken:
        raise PayloadError(f"the description of the TIFF is damaged: {broken}", PayloadCorrupt) from broken
    data = frame.around(strips)
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data


def _open(payload: bytes, size_bytes: int) -> tuple[int, Layout, _Frame, Recipes, Samples]:
    """Everything but the strips. Raises PayloadError, and what NumPy and struct raise."""
    version, method, channels, sample_bytes, flags, *sizes, rows, description_bytes, packed_bytes = _HEAD.unpack_from(payload)
    sound = version == _VERSION and method in _MAX_RATIO and 1 <= channels <= 4 and sample_bytes in (1, 2) and flags <= 15 and rows
    if not sound or not all(sizes):
        raise PayloadError(f"the head of the payload is damaged, or of a later version ({version})", PayloadCorrupt)
    layout = Layout(
        width_px=sizes[0],
        height_px=sizes[1],
        channels=channels,
        sample_bytes=sample_bytes,
        strip_width_px=sizes[2],
        strip_height_px=sizes[3],
        big_endian=bool(flags & _BIG_ENDIAN),
        differences=bool(flags & _DIFFERENCES),
        apart=bool(flags & _APART),
    )
    _check_size(method, layout, size_bytes)
    if description_bytes > size_bytes * 8 + layout.size_bytes or layout.strips > description_bytes:
        raise PayloadError("the description has an impossible length", PayloadCorrupt)
    at = _HEAD.size + packed_bytes
    frame, recipes = _understand(method, layout, lzma2.decompress(payload[_HEAD.size : at], description_bytes))
    shape = layout.height_px, layout.width_px, channels
    if flags & _BY_LZMA:
        unpacked = lzma2.decompress(payload[at:], layout.size_bytes)
        return method, layout, frame, recipes, np.frombuffer(unpacked, _stored(layout)).astype(f"u{sample_bytes}").reshape(shape)
    samples: Samples = np.empty(shape, f"u{sample_bytes}")
    for top, slab in decode_slabs(payload, at, shape, sample_bytes, rows):
        samples[top : top + len(slab)] = slab
    return method, layout, frame, recipes, samples


def _check_size(method: int, layout: Layout, size_bytes: int) -> None:
    """Raises PayloadError for more samples than such a file can hold, or than there should be memory for."""
    if layout.size_bytes > min(MAX_RAW_BYTES, size_bytes * _MAX_RATIO[method]):
        raise PayloadError(f"{layout.width_px} x {layout.height_px} pixels are claimed for a file of {size_bytes} bytes", PayloadCorrupt)


def _take_apart(data: bytes, method: int, layout: Layout, spans: Sequence[tuple[int, int]]) -> tuple[_Frame, list[bytes], Recipes, Samples]:
    """Frame, strips that come back, recipes for them, samples. Raises PayloadError if most do not."""
    samples: Samples = np.zeros((layout.height_px, layout.width_px, layout.channels), f"u{layout.sample_bytes}")
    made, gaps, strips, rest = [], [], [], []
    recipes: list[Any] = []
    at = 0
    for box, (offset, count) in zip(layout.boxes(), spans, strict=True):
        place = samples[box]
        try:
            if offset < at or offset + count > len(data):
                raise PayloadError("the strip lies elsewhere")
            raw, used, one = _find(method, data[offset : offset + count], place.nbytes, recipes[-1] if recipes else None)
        except (PayloadError, zlib.error, error, IndexError, ValueError, OverflowError):
            made.append(False)
            if (failed := made.count(False)) > _FAIR_TRIAL and 2 * failed > len(made):
                raise PayloadError("the strips are not like zlib's or LZW's") from None
            continue
        place[...] = _samples(raw, place.shape, layout)
        made.append(True)
        recipes.append(one)
        gaps.append(offset - at)
        rest.append(data[at:offset])
        strips.append(data[offset : offset + used])
        at = offset + used
    return _Frame(tuple(made), tuple(gaps), b"".join([*rest, data[at:]])), strips, recipes, samples


def _find(method: int, strip: bytes, size_bytes: int, neighbour: Any) -> tuple[bytes, int, Any]:
    """Data, bytes of the strip that they take, recipe, which has been followed. Raises PayloadError, and what zlib raises."""
    if method == LZW:
        raw, by_lzw = lzw.find(strip, size_bytes)
        return raw, len(strip), by_lzw
    if size_bytes > _MAX_ZLIB_BYTES:
        raise PayloadError("a very large strip")
    inflater = zlib.decompressobj()
    raw = inflater.decompress(strip, size_bytes + 1)
    used = len(strip) - len(inflater.unused_data)
    if len(raw) != size_bytes or not inflater.eof or strip[1] & 32:
        raise PayloadError("other than the declared number of rows")
    return raw, used, recipe.find(np.frombuffer(raw, np.uint8), strip[:used], neighbour)


def _follow(method: int, made: Any, raw: bytes) -> bytes:
    """The strip."""
    return lzw.follow(made, raw) if method == LZW else recipe.follow(made, np.frombuffer(raw, np.uint8))


def _stored(layout: Layout) -> np.dtype[np.unsignedinteger[Any]]:
    """Samples as LZMA has them."""
    return kind(layout.sample_bytes, big_endian=True)


def _kind(layout: Layout) -> np.dtype[np.unsignedinteger[Any]]:
    """Samples as they lie in a strip."""
    return kind(layout.sample_bytes, big_endian=layout.big_endian)


def _samples(raw: bytes, shape: tuple[int, ...], layout: Layout) -> Samples:
    """Data of a strip -> (H, W, C)."""
    here = np.frombuffer(raw, _kind(layout)).reshape(shape)
    return np.cumsum(here, axis=1, dtype=f"u{layout.sample_bytes}") if layout.differences else here


def _bytes(samples: Samples, layout: Layout) -> bytes:
    """Inverse of _samples."""
    if layout.differences:
        samples = np.diff(samples, axis=1, prepend=samples.dtype.type(0))
    return samples.astype(_kind(layout)).tobytes()


def _describe(method: int, frame: _Frame, recipes: Recipes) -> bytes:
    """Everything but the samples; arrays little-endian, one behind the other."""
    pieces = [bytes(frame.made), np.array(frame.gaps, "<u4").tobytes()]
    pieces += _describe_lzw(recipes) if method == LZW else _describe_zlib(recipes)
    return b"".join([*pieces, frame.rest])


def _understand(method: int, layout: Layout, description: bytes) -> tuple[_Frame, Recipes]:
    """Inverse of _describe. Raises ValueError, struct.error."""
    reader = Reader(description)
    made = tuple(map(bool, reader.take(layout.strips)))
    gaps = tuple(reader.numbers("<u4", sum(made)).tolist())
    recipes = _understand_lzw(reader, len(gaps)) if method == LZW else _understand_zlib(reader, len(gaps))
    return _Frame(made, gaps, reader.take(reader.left)), recipes


def _describe_zlib(recipes: Sequence[Recipe]) -> list[bytes]:
    rows = [
        _ZLIB_ROW.pack(
            one.header,
            one.crc,
            *one.settings,
            one.parameters.level,
            one.parameters.memory,
            one.parameters.flags,
            len(one.blocks),
            len(one.exceptions.positions),
        )
        for one in recipes
    ]
    return [*rows, *(recipe.pack_lists(one.blocks, one.exceptions) for one in recipes)]


def _understand_zlib(reader: Reader, count: int) -> list[Recipe]:
    recipes = []
    for header, crc, *settings, level, memory, flags, blocks_n, exceptions_n in _ZLIB_ROW.iter_unpack(reader.take(_ZLIB_ROW.size * count)):
        if not 1 <= level <= 9 or not 1 <= memory <= 9 or flags & 0b10001100:
            raise ValueError("parameters that zlib does not have")
        lists = recipe.unpack_lists(reader, blocks_n, exceptions_n)
        recipes.append(Recipe(header, crc, (settings[0], settings[1], settings[2]), Parameters.of(level, memory, flags), *lists))
    return recipes


def _describe_lzw(recipes: Sequence[lzw.Recipe]) -> list[bytes]:
    rows = [_LZW_ROW.pack(len(one.runs), one.end[1]) for one in recipes]
    runs = [np.array(one.runs, "<u2").tobytes() for one in recipes]
    return [*rows, *runs, *(one.end[0].to_bytes((one.end[1] + 7) // 8, "little") for one in recipes)]


def _understand_lzw(reader: Reader, count: int) -> list[lzw.Recipe]:
    rows = list(_LZW_ROW.iter_unpack(reader.take(_LZW_ROW.size * count)))
    runs = [tuple(reader.numbers("<u2", runs_n).tolist()) for runs_n, _ in rows]
    if any(not own or max(own) > lzw.MAX_CODES for own in runs):
        raise ValueError("runs that no table holds")
    return [
        lzw.Recipe(own, (int.from_bytes(reader.take((bits + 7) // 8), "little"), bits)) for own, (_, bits) in zip(runs, rows, strict=True)
    ]
