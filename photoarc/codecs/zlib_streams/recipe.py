"""A zlib stream (RFC 1950) as the recipe to make it of its data again, without the zlib that made it.

    data, stream  --find-->  recipe: parameters of zlib, blocks, the tokens that are not as predicted
    data, recipe  --follow-->  stream

Where the zlib here makes the very stream, its settings are kept, and `follow` asks it first: that takes a third of the time, and a CRC
tells whether it did. What `find` returns has been followed without it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams import retrace
from photoarc.codecs.zlib_streams import settings as zlib_settings
from photoarc.codecs.zlib_streams import tokens as deflate
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.codecs.zlib_streams.retrace import NO_EXCEPTIONS, Exceptions, Lengths
from photoarc.codecs.zlib_streams.tokens import Block, Writer
from photoarc.errors import PayloadCorrupt, PayloadError

_TRIAL_TOKENS = 150_000
_ALIKE, _FEW = 1.25, 0.002  # exceptions a token: times as many as a neighbour has, and more
_ENOUGH_BYTES = 3 << 16  # in the Kodak pictures, which two versions of zlib wrote, settings differ within 304 kB of rows

Data = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`header`: the stream's two bytes; `crc` of all of it; `settings` of zlib; blocks whose `header` is (0, 0) have the one of zlib."""

    header: bytes
    crc: int
    settings: tuple[int, int, int]
    parameters: Parameters
    blocks: tuple[Block, ...]
    exceptions: Exceptions


def find(data: Data, stream: bytes, neighbour: Recipe | None = None) -> Recipe:
    """`neighbour`: of another stream that the same program wrote. Raises PayloadError if the stream is not zlib's, or too repetitive."""
    made, flevel = stream[2:-4], stream[1] >> 6
    header, crc = stream[:2], zlib.crc32(stream)
    settings = zlib_settings.UNKNOWN
    for enough_bytes in (_ENOUGH_BYTES, len(made)):
        before, settings = settings, zlib_settings.find(data, made, flevel, enough_bytes)
        if settings == before:
            break
        parameters = Parameters(*settings)
        if settings != zlib_settings.UNKNOWN and (blocks := _foreseen_blocks(data, made, parameters)):
            return Recipe(header, crc, settings, parameters, blocks, NO_EXCEPTIONS)
    if neighbour and (alike := _alike(data, made, flevel, neighbour)):
        return Recipe(header, crc, settings, *alike)
    if settings == zlib_settings.UNKNOWN and (guess := _guess(data, made, flevel)) and (blocks := _foreseen_blocks(data, made, guess)):
        return Recipe(header, crc, settings, guess, blocks, NO_EXCEPTIONS)
    return Recipe(header, crc, settings, *_compared(data, made, flevel))


def _alike(data: Data, made: bytes, flevel: int, neighbour: Recipe) -> tuple[Parameters, tuple[Block, ...], Exceptions] | None:
    """What the parameters of a neighbour give, if they leave about as few exceptions here: a guess takes five times as long."""
    try:
        found = _compared(data, made, flevel, neighbour.parameters)
    except PayloadError:
        return None
    usual = _exceptions_a_token(neighbour.blocks, neighbour.exceptions)
    return found if _exceptions_a_token(*found[1:]) <= _ALIKE * usual + _FEW else None


def _exceptions_a_token(blocks: tuple[Block, ...], exceptions: Exceptions) -> float:
    return len(exceptions.positions) / max(1, sum(block.tokens for block in blocks))


def _guess(data: Data, made: bytes, flevel: int) -> Parameters | None:
    """Parameters that explain the beginning of the stream without exceptions: then it is worth a try before the whole is parsed."""
    parameters, wrong = retrace.guess(data, deflate.parse(made, _TRIAL_TOKENS), flevel)
    return None if wrong else parameters


def follow(recipe: Recipe, data: Data, *, ask_zlib: bool = True) -> bytes:
    """The stream. Raises PayloadError if the recipe does not fit the data."""
    checksum = zlib.adler32(data.data).to_bytes(4, "big")
    stream = recipe.header + zlib_settings.deflated(data, *recipe.settings) + checksum if ask_zlib else b""
    if zlib.crc32(stream) != recipe.crc:
        tokens = retrace.replay(data, recipe.parameters, recipe.exceptions)
        stream = recipe.header + _deflated(data, recipe.blocks, *tokens) + checksum
        if zlib.crc32(stream) != recipe.crc:
            raise PayloadError("the recipe gives another stream", PayloadCorrupt)
    return stream


class Reader:
    """Takes bytes apart from front to back."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self._at = data, at

    @property
    def left(self) -> int:
        """Bytes that nobody has taken yet."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes. Raises ValueError."""
        if size > self.left:
            raise ValueError("it is too short")
        self._at += size
        return self._data[self._at - size : self._at]

    def numbers(self, kind: str, count: int) -> NDArray[Any]:
        """The next numbers of this NumPy type. Raises ValueError."""
        return np.frombuffer(self.take(np.dtype(kind).itemsize * count), kind)


def pack_lists(blocks: Sequence[Block], exceptions: Exceptions) -> bytes:
    """Blocks and exceptions, field by field, little-endian (docs/format.md section 7.7)."""
    gaps = np.diff(exceptions.positions, prepend=0)
    return b"".join(
        [
            bytes(block.kind for block in blocks),
            np.array([block.tokens for block in blocks], "<u4").tobytes(),
            np.array([block.header[1] for block in blocks], "<u2").tobytes(),
            gaps.astype("<u4").tobytes(),
            exceptions.lengths.astype("<u2").tobytes(),
            exceptions.distances.astype("<u2").tobytes(),
            *(value.to_bytes((bits + 7) // 8, "little") for value, bits in (block.header for block in blocks)),
        ]
    )


def unpack_lists(reader: Reader, blocks_n: int, exceptions_n: int) -> tuple[tuple[Block, ...], Exceptions]:
    """Inverse of pack_lists. Raises ValueError."""
    kinds, tokens, bits = reader.take(blocks_n), reader.numbers("<u4", blocks_n).tolist(), reader.numbers("<u2", blocks_n).tolist()
    positions = np.cumsum(reader.numbers("<u4", exceptions_n), dtype=np.int64)
    lengths, distances = (reader.numbers("<u2", exceptions_n).astype(np.uint16) for _ in range(2))
    values = [int.from_bytes(reader.take((count + 7) // 8), "little") for count in bits]
    is_match = (lengths >= 3) & (lengths <= 258) & (distances >= 1) & (distances <= 1 << 15)
    if not np.all(is_match | ((lengths == 1) & (distances == 0))):
        raise ValueError("its lists do not agree")
    if any(kind not in (deflate.FIXED, deflate.DYNAMIC) for kind in kinds):
        raise ValueError("a block of an unknown type")
    blocks = tuple(Block(kind, n, header) for kind, n, header in zip(kinds, tokens, zip(values, bits, strict=True), strict=True))
    return blocks, Exceptions(positions, lengths, distances)


def _foreseen_blocks(data: Data, made: bytes, parameters: Parameters) -> tuple[Block, ...] | None:
    """The blocks if `made` is what zlib is expected to make: spares parsing it. Where a block should start is read how it is coded."""
    lengths, distances = retrace.replay(data, parameters)
    writer, blocks = Writer(), []
    at, most = 0, (1 << parameters.memory + 6) - 1
    for start in range(0, len(lengths), most):
        part = lengths[start : start + most], distances[start : start + most]
        behind = at + int(part[0].sum(dtype=np.int64))
        blocks.append(Block(deflate.kind_at(made, writer.bits), len(part[0])))
        if blocks[-1].kind not in (deflate.FIXED, deflate.DYNAMIC):
            return None
        _write(writer, blocks[-1], data[at:behind], *part, final=start + most >= len(lengths))
        at = behind
    return tuple(blocks) if writer.finish() == made else None


def _compared(data: Data, made: bytes, flevel: int, known: Parameters | None = None) -> tuple[Parameters, tuple[Block, ...], Exceptions]:
    stream = deflate.parse(made)
    if any(block.kind == deflate.STORED for block in stream.blocks):
        raise PayloadError("zlib stream with stored blocks")
    parameters, exceptions = retrace.differences(data, stream, flevel, known)
    blocks = tuple(
        block if block.kind != deflate.DYNAMIC or block.header != deflate.zlib_header(*part) else replace(block, header=(0, 0))
        for block, part in zip(stream.blocks, _parts(data, stream.blocks, stream.lengths, stream.distances), strict=True)
    )
    if _deflated(data, blocks, stream.lengths, stream.distances) != made:
        raise PayloadError("the stream does not come back")
    return parameters, blocks, exceptions


def _parts(data: Data, blocks: tuple[Block, ...], lengths: Lengths, distances: Lengths) -> Iterator[tuple[Data, Lengths, Lengths]]:
    """Bytes, lengths and distances of each block. Raises PayloadError if the blocks do not take all tokens."""
    ends = np.cumsum([block.tokens for block in blocks], dtype=np.int64)
    if not len(ends) or int(ends[-1]) != len(lengths):
        raise PayloadError("the blocks do not take all tokens", PayloadCorrupt)
    offsets = np.append(0, np.cumsum(lengths, dtype=np.int64))
    for block, end in zip(blocks, ends.tolist(), strict=True):
        start = end - block.tokens
        yield data[offsets[start] : offsets[end]], lengths[start:end], distances[start:end]


def _deflated(data: Data, blocks: tuple[Block, ...], lengths: Lengths, distances: Lengths) -> bytes:
    writer = Writer()
    for number, (block, part) in enumerate(zip(blocks, _parts(data, blocks, lengths, distances), strict=True), 1):
        _write(writer, block, *part, final=number == len(blocks))
    return writer.finish()


def _write(writer: Writer, block: Block, data: Data, lengths: Lengths, distances: Lengths, *, final: bool) -> None:
    if block.kind == deflate.DYNAMIC and not block.header[1]:
        block = replace(block, header=deflate.zlib_header(data, lengths, distances))
    writer.block(block, data, lengths, distances, final=final)
