"""The settings with which the zlib of this machine makes a given stream, if there are any."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

UNKNOWN = (0, 0, 0)
_PIECE_BYTES = 1 << 14  # of the data
_LEVELS = {3: (9, 8, 7), 2: (6,), 1: (5, 4, 3, 2), 0: (1,)}  # by the two bits of the header that tell the level (RFC 1950, FLEVEL)
_MEMORY, _SEARCHING = (8, 9), (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)
_STRATEGIES = {3: _SEARCHING, 2: _SEARCHING, 1: _SEARCHING, 0: (*_SEARCHING, zlib.Z_RLE, zlib.Z_HUFFMAN_ONLY)}


def find(data: NDArray[np.uint8], made: bytes, flevel: int, enough_bytes: int) -> tuple[int, int, int]:
    """(level, memory level, strategy) that make the first bytes of the DEFLATE stream `made` of the data, or UNKNOWN."""
    for settings in product(_LEVELS[flevel], _MEMORY, _STRATEGIES[flevel]):
        at = 0
        for piece in _pieces(data, *settings):
            if made[at : at + len(piece)] != piece:
                break
            at += len(piece)
            if at >= min(enough_bytes, len(made)):
                return settings
    return UNKNOWN


def deflated(data: NDArray[np.uint8], level: int, memory: int, strategy: int) -> bytes:
    """The DEFLATE stream that the zlib of this machine makes; empty if the settings are UNKNOWN."""
    return b"".join(_pieces(data, level, memory, strategy)) if level else b""


def _pieces(data: NDArray[np.uint8], level: int, memory: int, strategy: int) -> Iterator[bytes]:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    for at in range(0, len(data), _PIECE_BYTES):
        yield packer.compress(data[at : at + _PIECE_BYTES].data)
    yield packer.flush()
