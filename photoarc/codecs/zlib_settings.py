"""The settings with which the zlib of this machine makes a given stream, if there are any."""

from __future__ import annotations

import zlib
from itertools import product

import numpy as np
from numpy.typing import NDArray

UNKNOWN = (0, 0, 0)
_PREFIX_BYTES = 1 << 18
_LEVELS = {3: (9, 8, 7), 2: (6,), 1: (5, 4, 3, 2), 0: (1,)}  # by the two bits of the header that tell the level (RFC 1950, FLEVEL)
_MEMORY, _STRATEGIES = (8, 9), (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)


def find(data: NDArray[np.uint8], made: bytes) -> tuple[int, int, int]:
    """(level, memory level, strategy) that make the zlib stream `made` of the data, or UNKNOWN.

    The first two bytes are not compared: libpng writes a smaller window there for small pictures, but does not use it.
    """
    for level, memory, strategy in product(_LEVELS[made[1] >> 6], _MEMORY, _STRATEGIES):
        packer = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
        start = packer.compress(data[:_PREFIX_BYTES].data)
        if made[2:].startswith(start[2:]) and body(data, level, memory, strategy) == made[2:]:
            return level, memory, strategy
    return UNKNOWN


def body(data: NDArray[np.uint8], level: int, memory: int, strategy: int) -> bytes:
    """The zlib stream behind its two bytes of header, as the zlib of this machine makes it; empty if the settings are UNKNOWN."""
    if not level:
        return b""
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
    return (packer.compress(data.data) + packer.flush())[2:]
