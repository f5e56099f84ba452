"""Codec 1, `lzma`: any bytes as raw LZMA2 (photoarc.entropy.lzma2), where a cheap look at samples says that it pays."""

from __future__ import annotations

import zlib

from photoarc.entropy import lzma2
from photoarc.errors import PayloadError
from photoarc.options import EFFORT

_PROBE_BYTES, _PROBES = 1 << 14, 8
_LEAST_SAVING = 0.02


def encode(data: bytes, effort: int = EFFORT) -> bytes:
    """File bytes -> payload. Raises PayloadError if the bytes do not look compressible or did not shrink by 2 %."""
    if not data or not promising(data):
        raise PayloadError("not compressible")
    payload = lzma2.compress(data)
    if not pays(payload, data):
        raise PayloadError("not compressible")
    return payload


def pays(payload: bytes, data: bytes) -> bool:
    """Whether a payload is enough smaller than its data."""
    return len(payload) <= len(data) * (1 - _LEAST_SAVING)


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file bytes. Raises PayloadError if the payload is damaged or does not hold exactly `size_bytes`."""
    return lzma2.decompress(payload, size_bytes)


def promising(data: bytes) -> bool:
    """Whether deflate saves something on samples spread over the data: milliseconds, where LZMA takes 0.3 s a megabyte.

    Up to the size of the samples nothing is gained by asking.
    """
    if len(data) <= _PROBE_BYTES * _PROBES:
        return True
    step = (len(data) - _PROBE_BYTES) // (_PROBES - 1)
    samples = [zlib.compress(data[k * step : k * step + _PROBE_BYTES], 1) for k in range(_PROBES)]
    return sum(map(len, samples)) < _PROBE_BYTES * _PROBES * (1 - _LEAST_SAVING)
