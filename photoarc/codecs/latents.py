"""Codec 17, `lzma`: the transforms of codec 16 without its entropy networks; latents as integers under LZMA2 (docs/format.md section 9).

After Johnson & Avasthi 2019, who compress serialised latents with LZMA. The layout that LZMA likes best (measured on training
photographs, see docs/decisions.md): magnitudes in unary bit planes, one byte = one plane's bit of eight neighbouring channels at a
position, channels ordered by energy; a plane lists only latents that passed the one before it. Signs are noise and stay plain bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photoarc.codecs.photo.bands import Mask
from photoarc.codecs.photo.coder import BandIntegers, Improve
from photoarc.codecs.photo.payload import PhotoCodec
from photoarc.container import lengths
from photoarc.entropy import lzma2
from photoarc.models import PhotoModel
from photoarc.models.session import FloatArray

PLANES = 3  # magnitude > 0, > 1, > 2; what is beyond follows in bytes
GROUP = 8  # channels that share a byte of the first plane
ESCAPE = 255


class _Coder:
    """BandCoder of this codec, for any architecture whose channels are a multiple of GROUP."""

    def __init__(self, model: PhotoModel) -> None:
        self._order = model.order

    def encode_band(self, y: FloatArray, level: float, coded: Mask, improve: Improve) -> tuple[bytes, BandIntegers, FloatArray]:
        q = np.clip(np.rint(y[0]), -32767, 32767).astype(np.int16)
        q[:, ~coded] = 0
        values = _serial(q, self._order)
        magnitude = np.abs(values)
        sections = [np.packbits(values[values != 0] < 0).tobytes()]
        for plane in range(PLANES):
            passed = magnitude > plane
            sections.append(_lzma(np.packbits(passed)))
            magnitude = magnitude[passed]
        rest = magnitude - PLANES
        large = rest >= ESCAPE
        sections += [_lzma(np.where(large, ESCAPE, rest).astype(np.uint8)), rest[large].astype("<u2").tobytes()]
        return lengths.join(sections), (q,), self.dequantize((q,))

    def read_band(self, stream: bytes, level: float, coded: Mask) -> BandIntegers:
        h, w = coded.shape
        signs, *planes, rest_packed, large = _sections(stream)
        magnitude = np.zeros(len(self._order) * h * w, np.int32)
        alive = np.arange(len(magnitude))
        for plane in planes:
            bits = np.frombuffer(lzma2.decompress(plane, -(-len(alive) // 8)), np.uint8)
            alive = alive[np.unpackbits(bits, count=len(alive)).astype(bool)]
            magnitude[alive] += 1
        rest = np.frombuffer(lzma2.decompress(rest_packed, len(alive)), np.uint8).astype(np.int32)
        escaped = rest == ESCAPE
        if 2 * int(escaped.sum()) != len(large):
            raise ValueError(f"{len(large)} bytes of large values, expected {2 * int(escaped.sum())}")
        rest[escaped] = np.frombuffer(large, "<u2")
        magnitude[alive] += rest
        nonzero = np.flatnonzero(magnitude)
        if len(signs) != -(-len(nonzero) // 8):
            raise ValueError(f"{len(signs)} bytes of signs for {len(nonzero)} values")
        negative = np.unpackbits(np.frombuffer(signs, np.uint8), count=len(nonzero)).astype(bool)
        magnitude[nonzero[negative]] *= -1
        return (_unserial(magnitude, self._order, h, w),)

    def dequantize(self, integers: BandIntegers) -> FloatArray:
        y_hat: FloatArray = integers[0].astype(np.float32)[None]
        return y_hat


def _serial(q: npt.NDArray[np.int16], order: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """(M, h, w) -> flat: groups of eight channels by falling energy, then positions, then the channel in its group."""
    m, h, w = q.shape
    values: npt.NDArray[np.int32] = q[order].reshape(m // GROUP, GROUP, h * w).transpose(0, 2, 1).ravel().astype(np.int32)
    return values


def _unserial(values: npt.NDArray[np.int32], order: npt.NDArray[np.intp], h: int, w: int) -> npt.NDArray[np.int16]:
    """Inverse of _serial."""
    m = len(order)
    q = np.empty((m, h, w), np.int16)
    q[order] = values.reshape(m // GROUP, h * w, GROUP).transpose(0, 2, 1).reshape(m, h, w)
    return q


def _lzma(data: npt.NDArray[np.uint8]) -> bytes:
    return lzma2.compress(data.tobytes(), lc=0, lp=0, pb=0, preset=9)


def _sections(stream: bytes) -> list[bytes]:
    """Signs, planes, rest, large values."""
    sections = [*lengths.split(stream)]
    if len(sections) != PLANES + 3:
        raise ValueError(f"{len(sections)} sections, expected {PLANES + 3}")
    return sections


CODEC = PhotoCodec(_Coder, searches=False)  # what LZMA will make of a latent has no slope
encode, decode_photo, decode = CODEC.encode, CODEC.decode_photo, CODEC.decode
