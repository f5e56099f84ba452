"""Codec 4, `png`: the pixels of a PNG file as lossless JPEG XL, and what it takes to make the file's very bytes of them again.

    file     chunks | IDAT: zlib( filter, row, filter, row, .. ) | chunks
    payload  LZMA( chunks, sizes, filters, blocks, exceptions )    JPEG XL( pixels )

The DEFLATE stream comes back from the pixels as zlib would have made it, token by token, except where it is stored that it did not
(photoarc.codecs.retrace). No zlib has to take part in that, so it does not matter which one is installed here or there. But where the
zlib here makes the very stream of the data, it is asked first: that takes a tenth of the time, and a CRC tells whether it did.
Files of other writers than zlib, of 16 or fewer than 8 bits, with palettes or interlaced are refused. docs/format.md section 7.7.
"""

from __future__ import annotations

import zlib
from dataclasses import astuple, dataclass
from struct import Struct, error

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs import deflate, raw_lzma, recipe, samples
from photoarc.codecs.deflate import Block
from photoarc.codecs.matches import LEVELS, Parameters
from photoarc.codecs.recipe import Recipe
from photoarc.codecs.retrace import Exceptions
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.pictures.png import CHANNELS, SIGNATURE, chunk

MAX_RAW_BYTES = 64 << 20  # of filtered rows: retracing takes 1-3 s a megabyte, each way
_VERSION = 1
_LEAST_SAVING = 0.02
_MAX_DEFLATE = 1040  # DEFLATE reaches 1,032 : 1

# version, level, memory level, flags (1 filtered, 2 far), channels, zlib's own level, memory level, strategy (0, 0, 0: not known),
# CRC-32 of the zlib stream, width, height, bytes of the description, in the payload
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
class _File:
    """A PNG file taken apart."""

    frame: _Frame
    stream: bytes
    width_px: int
    height_px: int
    channels: int


def encode(data: bytes, *, thorough: bool = False) -> bytes:
    """PNG file -> payload, decoded back and compared. `thorough`: twice the time for 1 %.

    Raises PayloadError if it is of a kind that is refused or saves less than 2 %.
    """
    try:
        return _encode(data, thorough)
    except (error, IndexError, ValueError, OverflowError, MemoryError) as broken:
        raise PayloadError(f"broken PNG: {broken}") from broken


def _encode(data: bytes, thorough: bool) -> bytes:
    file = _split(data)
    raw_bytes = file.height_px * (1 + file.width_px * file.channels)
    inflater = zlib.decompressobj()
    try:
        raw = np.frombuffer(inflater.decompress(file.stream, raw_bytes + 1), np.uint8)
    except zlib.error as broken:
        raise PayloadError(f"broken PNG: {broken}") from broken
    if len(raw) != raw_bytes or not inflater.eof or inflater.unused_data:
        raise PayloadError("broken PNG: other than the declared number of rows")
    rows = raw.reshape(file.height_px, -1)
    filters, pixels = rows[:, 0], _pixels(file)
    if not np.array_equal(_filter(pixels, filters), rows):
        raise PayloadError("PNG rows that do not come back from the pixels")
    made = recipe.find(raw, file.stream)
    coded = samples.encode(pixels, samples.SLOW if thorough else samples.USUAL)
    description = _describe(file.frame, filters, made)
    packed = raw_lzma.compress(description)
    level, memory, filtered, far = astuple(made.parameters)
    head = _HEAD.pack(
        _VERSION, level, memory, filtered | far << 1, file.channels, *made.settings, made.crc,
        file.width_px, file.height_px, len(description), len(packed),
    )  # fmt: skip
    payload = b"".join((head, packed, coded))
    if len(payload) > len(data) * (1 - _LEAST_SAVING):
        raise PayloadError("its pixels do not become smaller")
    frame, again, raw_again = _open(payload, len(data))
    if again != made or not np.array_equal(raw_again, raw) or frame.around(file.stream) != data:  # `made` has been followed
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
    version, level, memory, flags, channels, *settings, crc, width_px, height_px, description_bytes, packed_bytes = _HEAD.unpack_from(
        payload
    )
    if version != _VERSION or level not in LEVELS or not 1 <= memory <= 9 or flags > 3 or channels not in CHANNELS.values():
        raise PayloadError(f"the head of the payload is damaged, or of a later version ({version})", PayloadCorrupt)
    raw_bytes = height_px * (1 + width_px * channels)
    if raw_bytes > min(MAX_RAW_BYTES, size_bytes * _MAX_DEFLATE) or description_bytes > size_bytes * 8 + raw_bytes:
        raise PayloadError(f"{width_px} x {height_px} pixels are claimed for a file of {size_bytes} bytes", PayloadCorrupt)
    pixels_at = _HEAD.size + packed_bytes
    description = raw_lzma.decompress(payload[_HEAD.size : pixels_at], description_bytes)
    frame, filters, header, blocks, exceptions = _understand(description, height_px)
    parameters = Parameters(level, memory, bool(flags & 1), bool(flags & 2))
    pixels = samples.decode(payload[pixels_at:], (height_px, width_px, channels), 1)
    raw = _filter(np.asarray(pixels, np.uint8), filters).ravel()
    return frame, Recipe(header, crc, (settings[0], settings[1], settings[2]), parameters, blocks, exceptions), raw


def _split(data: bytes) -> _File:
    """Raises PayloadError for what is no PNG or of a kind that is refused."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise PayloadError("not a PNG file")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, _, _, interlaced = data[24:29]
    if depth != 8 or colour not in CHANNELS or interlaced:
        raise PayloadError("PNG with a palette, interlaced, or not of 8 bits")
    channels = CHANNELS[colour]
    if not width or not height or height * (1 + width * channels) > min(MAX_RAW_BYTES, len(data) * _MAX_DEFLATE):
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
    return _File(_Frame(data[:start], data[min(at, len(data)) :], tuple(map(len, pieces))), stream, width, height, channels)


def _pixels(file: _File) -> NDArray[np.uint8]:
    """(H, W, C) uint8. Raises PayloadError."""
    from photoarc.pictures.image import open_pil

    picture = open_pil(file.frame.before[:33] + chunk(b"IDAT", file.stream) + chunk(b"IEND", b""))
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.size != file.height_px * file.width_px * file.channels:
        raise PayloadError(f"pixels of kind {picture.mode}")
    return np.ascontiguousarray(pixels.reshape(file.height_px, file.width_px, file.channels))


def _filter(pixels: NDArray[np.uint8], filters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) pixels -> (H, 1 + W C) rows as they are deflated; W3C PNG section 9."""
    height, width, channels = pixels.shape
    flat = pixels.reshape(height, width * channels)
    out = np.empty((height, 1 + flat.shape[1]), np.uint8)
    out[:, 0] = filters
    for kind in np.unique(filters):
        rows = np.flatnonzero(filters == kind)
        here = flat[rows]
        up = np.where(rows[:, None] > 0, flat[rows - 1], 0).astype(np.int16)
        left, corner = np.zeros_like(up), np.zeros_like(up)
        left[:, channels:], corner[:, channels:] = here[:, :-channels], up[:, :-channels]
        if kind > 4:
            raise PayloadError("broken PNG: filter type")
        guess = (np.int16(0), left, up, (left + up) >> 1, _paeth(left, up, corner) if kind == 4 else up)[kind]
        out[rows, 1:] = (here - guess).astype(np.uint8)
    return out


def _paeth(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    a, b, c = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))


def _describe(frame: _Frame, filters: NDArray[np.uint8], made: Recipe) -> bytes:
    """Everything but the pixels; arrays little-endian, one behind the other."""
    blocks, exceptions = made.blocks, made.exceptions
    gaps = np.diff(exceptions.positions, prepend=0)
    counts = _COUNTS.pack(len(frame.before), len(frame.behind), len(frame.sizes), len(blocks), len(gaps))
    return b"".join([
        counts, made.header, np.array(frame.sizes, "<u4").tobytes(), filters.tobytes(),
        bytes(block.kind for block in blocks), np.array([block.tokens for block in blocks], "<u4").tobytes(),
        np.array([block.header[1] for block in blocks], "<u2").tobytes(),
        gaps.astype("<u4").tobytes(), exceptions.lengths.astype("<u2").tobytes(), exceptions.distances.astype("<u2").tobytes(),
        *(value.to_bytes((bits + 7) // 8, "little") for value, bits in (block.header for block in blocks)), frame.before, frame.behind,
    ])  # fmt: skip


def _understand(description: bytes, height_px: int) -> tuple[_Frame, NDArray[np.uint8], bytes, tuple[Block, ...], Exceptions]:
    """Inverse of _describe: frame, filters, zlib header, blocks, exceptions. Raises ValueError, struct.error."""
    before_n, behind_n, sizes_n, blocks_n, exceptions_n = _COUNTS.unpack_from(description)
    at = _COUNTS.size

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(description):
            raise ValueError("it is too short")
        return description[at - size : at]

    header, sizes, filters = take(2), np.frombuffer(take(4 * sizes_n), "<u4"), np.frombuffer(take(height_px), np.uint8)
    kinds, tokens = take(blocks_n), np.frombuffer(take(4 * blocks_n), "<u4").tolist()
    bits = np.frombuffer(take(2 * blocks_n), "<u2").tolist()
    positions = np.cumsum(np.frombuffer(take(4 * exceptions_n), "<u4"), dtype=np.int64)
    lengths, distances = (np.frombuffer(take(2 * exceptions_n), "<u2").astype(np.uint16) for _ in range(2))
    values = [int.from_bytes(take((count + 7) // 8), "little") for count in bits]
    frame = _Frame(take(before_n), take(behind_n), tuple(sizes.tolist()))
    is_match = (lengths >= 3) & (lengths <= 258) & (distances >= 1) & (distances <= 1 << 15)
    if at != len(description) or not np.all(is_match | ((lengths == 1) & (distances == 0))):
        raise ValueError("its lists do not agree")
    if any(kind not in (deflate.FIXED, deflate.DYNAMIC) for kind in kinds):
        raise ValueError("a block of an unknown type")
    blocks = tuple(Block(kind, n, header) for kind, n, header in zip(kinds, tokens, zip(values, bits, strict=True), strict=True))
    return frame, filters, header, blocks, Exceptions(positions, lengths, distances)
