"""Codec 7, `raster`: uncompressed pictures (TIFF, BMP, PNM): samples as lossless JPEG XL, the rest of the file beside them (section 7.9).

    file     head | rows of samples, padding | tail
    payload  LZMA( head, padding, tail )    JPEG XL( slab of rows )  JPEG XL( slab of rows )  ..

Slabs bound the memory. The samples are coded as they lie: bottom-up rows stay upside down, which JPEG XL does not mind.
"""

from __future__ import annotations

from struct import Struct, error

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs import samples
from photoarc.entropy import lzma2
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.pictures.libjxl import Samples
from photoarc.pictures.raster import Raster, find

_VERSION = 1
_BIG_ENDIAN, _BLUE_FIRST = 1, 2
# version, channels, bytes a sample, flags, offset, width, height, bytes a row, rows a slab, bytes of the description, in the payload
_HEAD = Struct("<BBBBQIIIIQQ")


def encode(data: bytes, effort: int = 5) -> bytes:
    """File -> payload, decoded back and compared. Raises PayloadError if it is of another kind or saves less than 2 %."""
    raster = find(data)
    if min(raster.width_px, raster.height_px) < samples.LEAST_PX:
        raise PayloadError("a tiny picture")
    end = raster.offset + raster.size_bytes
    rows = np.frombuffer(data, np.uint8, raster.size_bytes, raster.offset).reshape(raster.height_px, raster.row_bytes)
    description = data[: raster.offset] + rows[:, raster.used_bytes :].tobytes() + data[end:]
    packed = lzma2.compress(description)
    slab_rows = samples.slab_rows(raster.width_px)
    flags = _BIG_ENDIAN * raster.big_endian | _BLUE_FIRST * raster.blue_first
    head = _HEAD.pack(
        _VERSION,
        raster.channels,
        raster.sample_bytes,
        flags,
        raster.offset,
        raster.width_px,
        raster.height_px,
        raster.row_bytes,
        slab_rows,
        len(description),
        len(packed),
    )
    tops = range(0, raster.height_px, slab_rows)
    coded = samples.encode_slabs((_samples(rows[top : top + slab_rows, : raster.used_bytes], raster) for top in tops), effort)
    payload = b"".join((head, packed, coded))
    if len(payload) > len(data) * (1 - samples.LEAST_SAVING):
        raise PayloadError("its samples do not become smaller")
    if decode(payload, len(data)) != data:
        raise PayloadError("the file does not come back")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    try:
        return _decode(payload, size_bytes)
    except (error, ValueError, OverflowError) as broken:
        raise PayloadError(f"the payload is damaged: {broken}", PayloadCorrupt) from broken


def _decode(payload: bytes, size_bytes: int) -> bytes:
    version, channels, sample_bytes, flags, offset, width, height, row_bytes, slab_rows, description_bytes, packed_bytes = (
        _HEAD.unpack_from(payload)
    )
    raster = Raster(
        offset=offset,
        width_px=width,
        height_px=height,
        channels=channels,
        sample_bytes=sample_bytes,
        row_bytes=row_bytes,
        big_endian=bool(flags & _BIG_ENDIAN),
        blue_first=bool(flags & _BLUE_FIRST),
    )
    padding_bytes = (row_bytes - raster.used_bytes) * height
    sound = version == _VERSION and 1 <= channels <= 4 and sample_bytes in (1, 2) and flags <= 3 and slab_rows
    if not sound or padding_bytes < 0 or description_bytes + raster.used_bytes * height != size_bytes:
        raise PayloadError(f"the head of the payload is damaged, or of a later version ({version})", PayloadCorrupt)
    if offset + padding_bytes > description_bytes:
        raise PayloadError("the description is too short", PayloadCorrupt)
    at = _HEAD.size + packed_bytes
    description = lzma2.decompress(payload[_HEAD.size : at], description_bytes)
    out = np.empty(size_bytes, np.uint8)
    end = offset + raster.size_bytes
    out[:offset] = np.frombuffer(description, np.uint8, offset)
    out[end:] = np.frombuffer(description, np.uint8, offset=offset + padding_bytes)
    rows = out[offset:end].reshape(height, row_bytes)
    rows[:, raster.used_bytes :] = np.frombuffer(description, np.uint8, padding_bytes, offset).reshape(height, -1)
    for top, slab in samples.decode_slabs(payload, at, (height, width, channels), sample_bytes, slab_rows):
        rows[top : top + len(slab), : raster.used_bytes] = _bytes(slab, raster)
    return out.tobytes()


def _samples(rows: NDArray[np.uint8], raster: Raster) -> Samples:
    """(H, width x channels x bytes) as they lie in the file -> (H, W, C), red first."""
    kind = samples.kind(raster.sample_bytes, big_endian=raster.big_endian)
    here = np.ascontiguousarray(rows).view(kind).reshape(len(rows), raster.width_px, raster.channels)
    return np.ascontiguousarray(_turned(here, raster), dtype=kind.newbyteorder("="))


def _bytes(slab: Samples, raster: Raster) -> NDArray[np.uint8]:
    """Inverse of _samples."""
    kind = samples.kind(raster.sample_bytes, big_endian=raster.big_endian)
    return np.ascontiguousarray(_turned(slab, raster), dtype=kind).view(np.uint8).reshape(len(slab), -1)


def _turned(slab: Samples, raster: Raster) -> Samples:
    """Blue and red exchanged where the file has blue first."""
    return slab[:, :, [2, 1, 0, 3][: raster.channels]] if raster.blue_first else slab
