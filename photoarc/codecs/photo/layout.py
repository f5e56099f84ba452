"""A layout says where the latents of a photograph lie and how finely they are quantised: encoder and decoder know it in advance."""

from __future__ import annotations

import zlib
from struct import Struct

import numpy as np

from photoarc.codecs.photo import cells as activity
from photoarc.codecs.photo.bands import Band, Mask, bands, padded
from photoarc.codecs.photo.coder import BandIntegers
from photoarc.codecs.photo.header import Header
from photoarc.entropy import lzma2
from photoarc.models.photo_model import PhotoModel
from photoarc.models.session import FloatArray

_QUALITY = Struct("<H")


class Layout:
    """Bands of a photograph, the level that it is coded at, and steps of its latents."""

    def __init__(self, header: Header, model: PhotoModel, cells_data: bytes) -> None:
        """`cells_data`: cells as they are in the payload. Raises PayloadError if they do not fit the header."""
        self.header, self.model = header, model
        self.level: float = header.quality_c * (model.levels - 1) / 10000  # between the model's trained ones
        self.bands = list(bands(header.height_px, header.band_rows_px, model.stride_px))
        self.first_checksum = zlib.crc32(_QUALITY.pack(header.quality_c) + cells_data)
        self._steps: FloatArray | None = None
        if cells_data:
            rows, columns = header.cells
            cells = activity.from_differences(lzma2.decompress(cells_data, rows * columns), header.cells)
            self._steps = activity.steps(cells, model.stride_px)

    def step(self, band: Band) -> FloatArray | None:
        """Factors (h, w) of a band's quantisation steps; None where all are 1."""
        return None if self._steps is None else self._steps[band.top : band.bottom]

    def coded(self, band: Band) -> Mask:
        """Latent positions (h, w) of a band that lie in the picture, not in its padding."""
        header, stride_px = self.header, self.model.stride_px
        rows = np.arange(band.top, band.bottom) < -(-header.height_px // stride_px)
        columns = np.arange(padded(header.width_px) // stride_px) < -(-header.width_px // stride_px)
        return rows[:, None] & columns[None, :]

    def share_done(self, band: Band, share: float = 1.0) -> float:
        """Share of the picture that is done when a share of this band is, and all of those before it."""
        return (band.top + share * (band.bottom - band.top)) * self.model.stride_px / padded(self.header.height_px)


def checksum(integers: BandIntegers, start: int) -> int:
    """CRC-32 over integers as i16, little-endian, in stream order; the first band goes on from Layout.first_checksum."""
    for a in integers:
        start = zlib.crc32(np.ascontiguousarray(a, dtype="<i2").data, start)
    return start
