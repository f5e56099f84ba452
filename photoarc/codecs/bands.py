"""Samples in bands of rows, each a lossless JPEG XL file behind its length: what `raster` and `tiff` share (docs/format.md section 7.9).

Bands bound the memory that libjxl takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from photoarc.codecs import samples
from photoarc.codecs.samples import Samples
from photoarc.errors import PayloadCorrupt, PayloadError

BAND_PX = 1 << 22
LEAST_PX = 64  # a side; below, JPEG XL's own head costs what it saves
LEAST_SAVING = 0.02
_LENGTH = Struct("<I")
_SPEEDS = (samples.FAST,) * 3 + (samples.USUAL,) * 4 + (samples.SLOW,) * 3  # by effort


def encode(bands: Iterable[Samples], effort: int) -> bytes:
    """Bands (H, W, C), contiguous -> the end of a payload. Raises PayloadError."""
    pieces = []
    for band in bands:
        coded = samples.encode(band, _SPEEDS[effort])
        pieces += [_LENGTH.pack(len(coded)), coded]
    return b"".join(pieces)


def decode(payload: bytes, at: int, shape: tuple[int, int, int], sample_bytes: int, band_rows: int) -> Iterator[tuple[int, Samples]]:
    """First row and samples of each band from byte `at` of the payload on. Raises PayloadError, struct.error."""
    height, width, channels = shape
    top = 0
    while at < len(payload):
        (size,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size + size
        if at > len(payload):
            raise PayloadError("the payload is cut off", PayloadCorrupt)
        count = min(band_rows, height - top)
        yield top, samples.decode(payload[at - size : at], (count, width, channels), sample_bytes)
        top += count
    if top != height:
        raise PayloadError(f"bands of {top} rows, expected {height}", PayloadCorrupt)
