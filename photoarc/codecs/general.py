"""Codec 1, `lzma`: any bytes as raw LZMA2 behind three bytes of parameters.

Payload: dictionary size as a power of two u8 (12..24), lc | lp << 4 u8, pb u8, raw LZMA2 stream. Raw, because the archive has its
own checks: the .xz frame would add 60 bytes and a second, weaker check.
"""

from __future__ import annotations

import lzma
import zlib

from photoarc.errors import PayloadCorrupt, PayloadError

_PROBE_BYTES, _PROBES = 1 << 14, 8
_LEAST_SAVING = 0.02
_LC, _LP, _PB = 3, 0, 2  # liblzma's defaults
_MAX_POWER = 24  # the encoder takes 11 times the dictionary: 190 MB, in each process
_MAX_RATIO = 16_384  # LZMA reaches about 7,000 : 1 on zeros


def encode(data: bytes) -> bytes:
    """File bytes -> payload. Raises PayloadError if the bytes do not look compressible or did not shrink by 2 %."""
    if not data or not _promising(data):
        raise PayloadError("not compressible")
    power = _power(len(data))
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(power, _LC, _LP, _PB))
    if len(packed) + 3 > len(data) * (1 - _LEAST_SAVING):
        raise PayloadError("not compressible")
    return bytes([power, _LC | _LP << 4, _PB]) + packed


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file bytes. Raises PayloadError if the payload is damaged or does not hold exactly `size_bytes`."""
    if len(payload) < 3:
        raise PayloadError("the payload is too short")
    power, lc, lp, pb = payload[0], payload[1] & 15, payload[1] >> 4, payload[2]
    if not 12 <= power <= _power(size_bytes) or lc + lp > 4 or pb > 4 or size_bytes > len(payload) * _MAX_RATIO:
        raise PayloadError("the payload's LZMA parameters or the file's size are damaged", PayloadCorrupt)
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


def _power(size_bytes: int) -> int:
    """Dictionary size as a power of two: the whole file where that is affordable."""
    return min(max((size_bytes - 1).bit_length(), 12), _MAX_POWER)


def _promising(data: bytes) -> bool:
    """Whether deflate saves something on samples spread over the data: 3 ms, where LZMA takes 0.3 s a megabyte.

    Of 140 larger files of a photo folder the samples and LZMA on the whole file disagreed on 8, mostly JPEGs with a bulky head.
    Up to the size of the samples nothing is gained by asking.
    """
    if len(data) <= _PROBE_BYTES * _PROBES:
        return True
    step = (len(data) - _PROBE_BYTES) // (_PROBES - 1)
    samples = [zlib.compress(data[k * step : k * step + _PROBE_BYTES], 1) for k in range(_PROBES)]
    return sum(map(len, samples)) < _PROBE_BYTES * _PROBES * (1 - _LEAST_SAVING)
