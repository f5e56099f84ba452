"""The encoder makes streams of a photograph's bands, one after the other; each is read back before it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from photoarc import progress
from photoarc.codecs.photo import descent
from photoarc.codecs.photo.bands import Band, Mask, Pixels, cut, padded
from photoarc.codecs.photo.coder import BandCoder, Improve
from photoarc.codecs.photo.descent import Descent, Search, Window
from photoarc.codecs.photo.forecast import WINDOW_PX, Forecast, forecast
from photoarc.codecs.photo.layout import Layout, checksum
from photoarc.codecs.photo.synthesis import last_rows
from photoarc.container.lengths import LENGTH_BYTES
from photoarc.errors import GivenUp, PayloadError, SymbolMismatch
from photoarc.models.photo_model import PhotoModel
from photoarc.models.session import FloatArray

TooLarge = Callable[[int], bool]


def never(size_bytes: int) -> bool:
    """No payload is too large."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is settled of a photograph before its first band; `head_bytes` of its payload lie before the streams.

    `search` None leaves latents as they are. `foresee`: whether it is worth asking for a forecast.
    """

    pixels: Pixels
    layout: Layout
    coder: BandCoder
    search: Search | None
    too_large: TooLarge
    foresee: bool
    head_bytes: int


class Encoder:
    """Streams and checksum of the bands that are coded so far, from the top."""

    def __init__(self, job: Job) -> None:
        """Raises GivenUp if even what is foreseen is too large."""
        self.streams: list[bytes] = []
        self.checksum = job.layout.first_checksum
        self._job, self._size_bytes = job, job.head_bytes
        self._above: FloatArray | None = None
        self._least = descent.LEAST_LEFT if job.search is not None else 1.0
        height, width, _ = job.pixels.shape
        self._foreseen = forecast(height, width, lambda windows: code_windows(job, windows)) if job.foresee else Forecast(height)
        if self._foreseen.strips:
            self._ask(self._foreseen_bytes(0, job.head_bytes) * self._least)

    def code(self, band: Band) -> FloatArray:
        """Pixels of the next band -> its unscaled latents as a decoder will have them.

        Raises GivenUp if the payload becomes too large, PayloadError (SymbolMismatch) if the stream is not read back as what it is.
        """
        job, layout, model = self._job, self._job.layout, self._job.layout.model
        latents, below = analyze(model, job.pixels, band)
        y, coded = model.scale(latents, layout.level, layout.step(band)), layout.coded(band)
        bottom_px = band.bottom * model.stride_px
        improve: Improve = descent.unchanged
        if job.search is not None:
            unsearched, *_ = job.coder.encode_band(y, layout.level, coded, improve)
            self._ask(self._foreseen_bytes(bottom_px, self._size_bytes + len(unsearched)) * self._least)
            improve = self._descent(job.search, band, y, coded, below)
        stream, integers, y_hat = job.coder.encode_band(y, layout.level, coded, improve)
        read = job.coder.read_band(stream, layout.level, coded)
        if not all(np.array_equal(a, b) for a, b in zip(integers, read, strict=True)):
            raise PayloadError("the decoder does not read back the encoder's latents", SymbolMismatch)
        self.streams.append(stream)
        self._size_bytes += LENGTH_BYTES + len(stream)
        rest_bytes = self._foreseen_bytes(bottom_px, self._size_bytes) - self._size_bytes
        self._ask(self._size_bytes + int(rest_bytes * self._least))
        self.checksum = checksum(integers, self.checksum)
        decoded = model.unscale(y_hat, layout.level, layout.step(band))
        progress.tell(layout.share_done(band))
        self._above = last_rows(decoded, model.halo)
        return decoded

    def _foreseen_bytes(self, bottom_px: int, size_bytes: int) -> int:
        """What a payload takes at least that has `size_bytes` with the rows above `bottom_px`."""
        return size_bytes + self._foreseen.rest_bytes(bottom_px, size_bytes - self._job.head_bytes)

    def _ask(self, least_bytes: float) -> None:
        if self._job.too_large(int(least_bytes)):
            raise GivenUp(f"{int(least_bytes)} bytes and more")

    def _descent(self, search: Search, band: Band, y: FloatArray, coded: Mask, below: FloatArray | None) -> Descent:
        """The search in one band."""
        layout, model = self._job.layout, self._job.layout.model.for_search
        assert model is not None  # or there would be no search
        unit = layout.model.unscale(np.ones_like(y), layout.level, layout.step(band))
        window = see(self._job, band, self._above, below, unit)
        return Descent(model, layout.level, coded, window, search, lambda share: progress.tell(layout.share_done(band, share)))


def analyze(model: PhotoModel, pixels: Pixels, band: Band) -> tuple[FloatArray, FloatArray | None]:
    """Latents of a band, seen with its halo: equal to the same rows of the whole picture's latents. And what the halo below looks like."""
    stride_px, end = model.stride_px, padded(pixels.shape[0]) // model.stride_px
    low, high = max(band.top - model.halo, 0), min(band.bottom + model.halo, end)
    y = model.analyze(cut(pixels, low * stride_px, high * stride_px, model.margin_px))
    below = y[:, :, band.bottom - low :] if high > band.bottom else None
    return np.ascontiguousarray(y[:, :, band.top - low : band.bottom - low]), below


def code_windows(job: Job, windows: Sequence[tuple[int, int]]) -> int:
    """Bytes of the stream of windows, side by side, each of them analysed as a picture of its own."""
    layout, model, stride_px = job.layout, job.layout.model, job.layout.model.stride_px
    parts = []
    for row, column in windows:
        y = model.analyze(cut(job.pixels[row : row + WINDOW_PX, column : column + WINDOW_PX], 0, WINDOW_PX, model.margin_px))
        steps = layout.step(Band(row // stride_px, (row + WINDOW_PX) // stride_px))
        here = None if steps is None else steps[:, column // stride_px : (column + WINDOW_PX) // stride_px]
        parts.append(model.scale(y, layout.level, here))
    latents = np.concatenate(parts, axis=3)
    stream, *_ = job.coder.encode_band(latents, layout.level, np.ones(latents.shape[2:], bool), descent.unchanged)
    return len(stream)


def see(job: Job, band: Band, above: FloatArray | None, below: FloatArray | None, unit: FloatArray) -> Window:
    """What a decoder will see around a band."""
    header, stride_px, margin = job.layout.header, job.layout.model.stride_px, job.layout.model.margin_px
    low = band.top - (0 if above is None else above.shape[2])
    high = band.bottom + (0 if below is None else below.shape[2])
    seen = cut(job.pixels, low * stride_px, high * stride_px, margin)
    rows = np.arange(len(seen)) + low * stride_px - margin
    columns = np.arange(seen.shape[1]) - margin
    inside = ((rows >= 0) & (rows < header.height_px))[:, None] & ((columns >= 0) & (columns < header.width_px))[None, :]
    return Window(above, below, seen, inside, unit)
