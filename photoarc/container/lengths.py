"""Byte strings one after the other, each behind its length: records of a group, slabs, bands, sections of a band."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

_LENGTH = Struct("<I")
LENGTH_BYTES = _LENGTH.size


def join(parts: Iterable[bytes]) -> bytes:
    """The strings, each behind its length."""
    return b"".join([piece for part in parts for piece in (_LENGTH.pack(len(part)), part)])


def split(data: bytes, at: int = 0) -> Iterator[bytes]:
    """Inverse of join, from byte `at` to the end of the data. Raises ValueError where that is not what lies there."""
    while at < len(data):
        left = len(data) - at - LENGTH_BYTES
        if left < 0:
            raise ValueError(f"{len(data) - at} bytes are left, too few for a length")
        (size,) = _LENGTH.unpack_from(data, at)
        if size > left:
            raise ValueError(f"a length of {size} bytes, {left} are left")
        at += LENGTH_BYTES + size
        yield data[at - size : at]
