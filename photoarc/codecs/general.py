"""Codec 1, `lzma`: any bytes as raw LZMA2 behind three bytes of parameters.

Payload: dictionary size as a power of two u8 (12..30), lc | lp << 4 u8, pb u8, raw LZMA2 stream. Raw, because the archive has its
own checks: the .xz frame would add 60 bytes and a second, weaker one (docs/format.md).
"""

from __future__ import annotations

import lzma
import zlib

from photoarc.errors import PayloadCorrupt, PayloadError

_PROBE_BYTES = 1 << 14
_PROBES = 8
# Share that deflate level 1 must save on the samples (MEASURE) and LZMA on the whole.
_LEAST_SAVING = 0.02
_LC, _LP, _PB = 3, 0, 2


def encode(data: bytes) -> bytes:
    """File bytes -> payload. Raises PayloadError if the bytes do not look compressible or did not shrink by 2 %."""
    if not data or not _promising(data):
        raise PayloadError("not compressible")
    power = min(max((len(data) - 1).bit_length(), 12), 26)
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(power, _LC, _LP, _PB))
    if len(packed) + 3 > len(data) * (1 - _LEAST_SAVING):
        raise PayloadError("not compressible")
    return bytes([power, _LC | _LP << 4, _PB]) + packed


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file bytes. Raises PayloadError if the payload is damaged or does not hold exactly `size_bytes`."""
    if len(payload) < 3:
        raise PayloadError("the payload is too short")
    power, lc, lp, pb = payload[0], payload[1] & 15, payload[1] >> 4, payload[2]
    if not 12 <= power <= 30 or lc + lp > 4 or pb > 4:
        raise PayloadError("the payload's LZMA parameters are damaged", PayloadCorrupt)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(power, lc, lp, pb))
    try:
        data = unpacker.decompress(memoryview(payload)[3:], size_bytes + 1)
    except lzma.LZMAError as error:
        raise PayloadError(f"LZMA: {error}") from error
    if len(data) != size_bytes or not unpacker.eof or unpacker.unused_data:
        raise PayloadError(f"the payload does not hold the file's {size_bytes} bytes", PayloadCorrupt)
    return data


def _filters(power: int, lc: int, lp: int, pb: int) -> list[dict[str, int]]:
    return [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << power, "lc": lc, "lp": lp, "pb": pb}]


def _promising(data: bytes) -> bool:
    """Whether deflate saves something on samples spread over the data: 1 ms instead of a second a megabyte on video, RAW, HEIC."""
    if len(data) <= _PROBE_BYTES * _PROBES:
        return len(zlib.compress(data, 1)) < len(data) * (1 - _LEAST_SAVING)
    step = (len(data) - _PROBE_BYTES) // (_PROBES - 1)
    samples = [zlib.compress(data[k * step : k * step + _PROBE_BYTES], 1) for k in range(_PROBES)]
    return sum(map(len, samples)) < _PROBE_BYTES * _PROBES * (1 - _LEAST_SAVING)
