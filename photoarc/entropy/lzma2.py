"""Raw LZMA2 behind three bytes of parameters: dictionary size as a power of two (12..24), lc | lp << 4, pb (docs/format.md section 7.3).

Raw, because the archive has its own checks: the .xz frame would add 60 bytes and a second, weaker one.
"""

from __future__ import annotations

import lzma

from photoarc.errors import PayloadCorrupt, PayloadError

HEADER_BYTES = 3
_MAX_POWER = 24  # the encoder takes 11 times the dictionary: 190 MB, in each process
_MAX_RATIO = 16_384  # LZMA reaches about 7,000 : 1 on zeros


def compress(data: bytes, *, lc: int = 3, lp: int = 0, pb: int = 2, preset: int = 6) -> bytes:
    """Bytes -> parameters and LZMA2 stream. Always succeeds; what cannot be compressed grows by a few bytes."""
    power = _power(len(data))
    return bytes([power, lc | lp << 4, pb]) + lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(power, lc, lp, pb, preset))


def decompress(payload: bytes, size_bytes: int) -> bytes:
    """Inverse of compress; allocates no more than `size_bytes` and the dictionary.

    Raises PayloadError if the payload is damaged or does not hold exactly `size_bytes`.
    """
    if len(payload) < HEADER_BYTES:
        raise PayloadError("the LZMA payload is too short", PayloadCorrupt)
    power, lc, lp, pb = payload[0], payload[1] & 15, payload[1] >> 4, payload[2]
    if not 12 <= power <= _power(size_bytes) or lc + lp > 4 or pb > 4 or size_bytes > len(payload) * _MAX_RATIO:
        raise PayloadError("the LZMA parameters or the declared size are damaged", PayloadCorrupt)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(power, lc, lp, pb, 6))
    try:
        data = unpacker.decompress(memoryview(payload)[HEADER_BYTES:], size_bytes + 1)
    except lzma.LZMAError as error:
        raise PayloadError(f"LZMA: {error}", PayloadCorrupt) from error
    if len(data) != size_bytes or not unpacker.eof or unpacker.unused_data:
        raise PayloadError(f"the LZMA payload does not hold the expected {size_bytes} bytes", PayloadCorrupt)
    return data


def _power(size_bytes: int) -> int:
    """Dictionary size as a power of two: all of the data where that is affordable."""
    return min(max((size_bytes - 1).bit_length(), 12), _MAX_POWER)


def _filters(power: int, lc: int, lp: int, pb: int, preset: int) -> list[dict[str, int]]:
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": 1 << power, "lc": lc, "lp": lp, "pb": pb}]
