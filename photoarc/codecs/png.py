"""Codec 4, `png`: the pixels of a PNG file as lossless JPEG XL, and what it takes to make the file's very bytes of them again.

    file     chunks | IDAT: zlib( filter, row, filter, row, .. ) | chunks
    payload  LZMA( chunks, sizes, filters, blocks, exceptions )    JPEG XL( pixels )

The DEFLATE stream comes back from the pixels as zlib would have made it, token by token, except where it is stored that it did not
(zlib_streams.retrace). No zlib has to take part in that, so it does not matter which one is installed here or there. But where the
zlib here makes the very stream of the data, it is asked first: that takes a third of the time, and a CRC tells whether it did.
Graphics may have LZMA( pixels ) instead. Interlaced files are refused, and those of other writers than zlib. docs/format.md section 7.7.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import Struct, error

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs import png_rows, samples
from photoarc.codecs.zlib_streams import recipe
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.codecs.zlib_streams.recipe import Reader, Recipe
from photoarc.codecs.zlib_streams.retrace import Exceptions
from photoarc.codecs.zlib_streams.tokens import Block
from photoarc.entropy import lzma2
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.options import EFFORT, THOROUGH
from photoarc.pictures import libjxl
from photoarc.pictures.libjxl import Samples
from photoarc.pictures.png import CHANNELS, SIGNATURE, chunk

MAX_RAW_BYTES = 64 << 20  # of filtered rows: retracing takes 1-3 s a megabyte, each way
_VERSION = 1
_LEAST_SAVING = 0.02
_MAX_DEFLATE = 1040  # DEFLATE reaches 1,032 : 1
_FLAT = 8  # what deflates to less than an eighth is worth a try of LZMA on the pixels
_PALETTE = 3  # colour types and their depths: W3C PNG section 11.2.2
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), _PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

# version, level, memory level, flags (1 and 64 the strategy, 2 far, 4 samples of two bytes, 8 LZMA of the samples, 16 four, 32 greedy),
# channels, zlib's own level, memory level, strategy (0, 0, 0: not known), CRC-32 of the zlib stream, width, height, bytes of the
# description, in the payload
_HEAD = Struct("<BBBBBBBBIIIII")
_CHUNK = Struct(">I4s")
_COUNTS = Struct("<IIIII")  # bytes before and behind IDAT, numbers of IDAT chunks, blocks, exceptions


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the zlib stream: the bytes before and behind the IDAT chunks, and their sizes."""

    before: bytes
    behind: bytes
    sizes: tuple[int, ...]

    def around(self, stream: bytes) -> bytes:
        """The file."""
        if sum(self.sizes) != len(stream):
            raise PayloadError("the picture data do not have the length that they had", PayloadCorrupt)
        chunks, at = [self.before], 0
        for size in self.sizes:
            chunks.append(chunk(b"IDAT", stream[at : at + size]))
            at += size
        return b"".join([*chunks, self.behind])


@dataclass(frozen=True, slots=True)
class _Shape:
    """Of the samples: numbers of a palette and grey levels of fewer than 8 bits are one channel, as many of them in a byte as there are."""

    height: int
    width: int
    channels: int
    sample_bytes: int

    @property
    def step(self) -> int:
        """Bytes of a pixel."""
        return self.channels * self.sample_bytes

    @property
    def raw_bytes(self) -> int:
        """Of the rows with their filter types."""
        return self.height * (1 + self.width * self.step)

    def samples_of(self, pixels: NDArray[np.uint8]) -> Samples:
        """(H, W, step) bytes as they stand in a PNG, high ones first -> (H, W, C)."""
        return np.ascontiguousarray(pixels).view(f">u{self.sample_bytes}").astype(f"u{self.sample_bytes}")

    def bytes_of(self, values: Samples) -> NDArray[np.uint8]:
        """Inverse of `samples_of`."""
        return values.astype(f">u{self.sample_bytes}").view(np.uint8)


def encode(data: bytes, effort: int = EFFORT) -> bytes:
    """PNG file -> payload, decoded back and compared. From effort 7 on, twice the time for 1 %.

    Raises PayloadError if it is of a kind that is refused or saves less than 2 %.
    """
    try:
        return _encode(data, effort >= THOROUGH)
    except (error, IndexError, ValueError, OverflowError, MemoryError) as broken:
        raise PayloadError(f"broken PNG: {broken}") from broken


def _encode(data: bytes, thorough: bool) -> bytes:
    frame, stream, shape, graphics = _split(data)
    inflater = zlib.decompressobj()
    try:
        raw = np.frombuffer(inflater.decompress(stream, shape.raw_bytes + 1), np.uint8)
    except zlib.error as broken:
        raise PayloadError(f"broken PNG: {broken}") from broken
    if len(raw) != shape.raw_bytes or not inflater.eof or inflater.unused_data:
        raise PayloadError("broken PNG: other than the declared number of rows")
    rows = raw.reshape(shape.height, -1)
    filters, pixels = rows[:, 0], png_rows.unfiltered(rows, shape.step)
    if not np.array_equal(png_rows.filtered(pixels, filters), rows):
        raise PayloadError("PNG rows that do not come back from the pixels")
    coded = samples.encode(shape.samples_of(pixels), libjxl.SLOW if thorough else libjxl.USUAL)
    by_lzma = lzma2.compress(pixels.tobytes(), pb=0) if graphics or len(raw) > _FLAT * len(stream) else coded
    most_bytes = int(len(data) * (1 - _LEAST_SAVING))
    if min(len(coded), len(by_lzma)) > most_bytes:  # asked before the stream is retraced, which takes longer
        raise PayloadError("its pixels do not become smaller")
    made = recipe.find(raw, stream)
    how = made.parameters
    flags = how.flags | (shape.sample_bytes == 2) << 2 | (len(by_lzma) < len(coded)) << 3
    description = _describe(frame, filters, made)
    packed = lzma2.compress(description)
    head = _HEAD.pack(
        _VERSION,
        how.level,
        how.memory,
        flags,
        shape.channels,
        *made.settings,
        made.crc,
        shape.width,
        shape.height,
        len(description),
        len(packed),
    )
    payload = b"".join((head, packed, min(coded, by_lzma, key=len)))
    if len(payload) > most_bytes:
        raise PayloadError("its pixels do not become smaller")
    frame_again, again, raw_again = _open(payload, len(data))
    if again != made or not np.array_equal(raw_again, raw) or frame_again.around(stream) != data:  # `made` has been followed
        raise PayloadError("the PNG does not come back")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> PNG file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    try:
        frame, made, raw = _open(payload, size_bytes)
        data = frame.around(recipe.follow(made, raw))
    except (error, IndexError, ValueError, OverflowError) as broken:
        raise PayloadError(f"the description of the PNG is damaged: {broken}", PayloadCorrupt) from broken
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data


def _open(payload: bytes, size_bytes: int) -> tuple[_Frame, Recipe, NDArray[np.uint8]]:
    """What stands around the zlib stream, its recipe and its data. Raises PayloadError, and what NumPy and struct raise."""
    version, level, memory, flags, channels, *settings, crc, width, height, description_bytes, packed_bytes = _HEAD.unpack_from(payload)
    if version != _VERSION or not 1 <= level <= 9 or not 1 <= memory <= 9 or flags > 127 or channels not in CHANNELS.values():
        raise PayloadError(f"the head of the payload is damaged, or of a later version ({version})", PayloadCorrupt)
    shape = _Shape(height, width, channels, 1 + (flags >> 2 & 1))
    if shape.raw_bytes > min(MAX_RAW_BYTES, size_bytes * _MAX_DEFLATE) or description_bytes > size_bytes * 8 + shape.raw_bytes:
        raise PayloadError(f"{width} x {height} samples are claimed for a file of {size_bytes} bytes", PayloadCorrupt)
    pixels_at = _HEAD.size + packed_bytes
    description = lzma2.decompress(payload[_HEAD.size : pixels_at], description_bytes)
    frame, filters, header, blocks, exceptions = _understand(description, height)
    parameters = Parameters.of(level, memory, flags)
    if flags & 8:
        pixels = np.frombuffer(lzma2.decompress(payload[pixels_at:], shape.raw_bytes - height), np.uint8)
    else:
        pixels = shape.bytes_of(samples.decode(payload[pixels_at:], (height, width, channels), shape.sample_bytes))
    raw = png_rows.filtered(pixels.reshape(height, width, shape.step), filters).ravel()
    return frame, Recipe(header, crc, (settings[0], settings[1], settings[2]), parameters, blocks, exceptions), raw


def _split(data: bytes) -> tuple[_Frame, bytes, _Shape, bool]:
    """Frame, zlib stream, shape of the samples, whether they are graphics. Raises PayloadError for what is no PNG or is refused."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise PayloadError("not a PNG file")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, _, _, interlaced = data[24:29]
    if depth not in _DEPTHS.get(colour, ()) or interlaced:
        raise PayloadError("interlaced PNG, or of no known kind")
    if depth < 8:
        width = (width * depth + 7) // 8
    shape = _Shape(height, width, CHANNELS.get(colour, 1), 2 if depth == 16 else 1)
    if not width or not height or shape.raw_bytes > min(MAX_RAW_BYTES, len(data) * _MAX_DEFLATE):
        raise PayloadError(f"PNG of {width} x {height} pixels")
    at = start = 8
    pieces: list[bytes] = []
    while at + 12 <= len(data):
        size, kind = _CHUNK.unpack_from(data, at)
        if kind == b"IDAT":
            start = start if pieces else at
            piece = data[at + 8 : at + 8 + size]
            if zlib.crc32(b"IDAT" + piece).to_bytes(4, "big") != data[at + 8 + size : at + 12 + size]:
                raise PayloadError("broken PNG: checksum")
            pieces.append(piece)
        elif pieces:
            break
        at += 12 + size
    stream = b"".join(pieces)
    if len(stream) < 7 or stream[1] & 32:
        raise PayloadError("broken PNG: no picture data")
    return _Frame(data[:start], data[min(at, len(data)) :], tuple(map(len, pieces))), stream, shape, colour == _PALETTE or depth < 8


def _describe(frame: _Frame, filters: NDArray[np.uint8], made: Recipe) -> bytes:
    """Everything but the pixels; arrays little-endian, one behind the other."""
    counts = _COUNTS.pack(len(frame.before), len(frame.behind), len(frame.sizes), len(made.blocks), len(made.exceptions.positions))
    sizes = np.array(frame.sizes, "<u4").tobytes()
    lists = recipe.pack_lists(made.blocks, made.exceptions)
    return b"".join((counts, made.header, sizes, filters.tobytes(), lists, frame.before, frame.behind))


def _understand(description: bytes, height_px: int) -> tuple[_Frame, NDArray[np.uint8], bytes, tuple[Block, ...], Exceptions]:
    """Inverse of _describe: frame, filters, zlib header, blocks, exceptions. Raises ValueError, struct.error."""
    before_n, behind_n, sizes_n, blocks_n, exceptions_n = _COUNTS.unpack_from(description)
    reader = Reader(description, _COUNTS.size)
    header, sizes, filters = reader.take(2), reader.numbers("<u4", sizes_n), reader.numbers("u1", height_px)
    blocks, exceptions = recipe.unpack_lists(reader, blocks_n, exceptions_n)
    frame = _Frame(reader.take(before_n), reader.take(behind_n), tuple(sizes.tolist()))
    if reader.left:
        raise ValueError("its lists do not agree")
    return frame, filters, header, blocks, exceptions
