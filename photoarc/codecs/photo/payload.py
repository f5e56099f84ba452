"""The payload of a lossy photograph: header, what goes along bit-exact, one stream of latents a band (docs/format.md section 7).

    encode   pixels --analysis, bands--> latents --band coder--> streams;  decodes them again and measures PSNR before it returns
             pixels --activity--> cells, which say where quantisation steps are coarser or finer
    decode   streams --band coder--> y_hat --synthesis, bands--> pixels

Two band coders share it: `learned` (scale tables and ANS) and `latents` (integers and LZMA).
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from struct import Struct
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photoarc import models, progress
from photoarc.codecs.photo import cells as activity
from photoarc.codecs.photo import descent
from photoarc.codecs.photo.bands import Band, band_rows, bands, cut, padded
from photoarc.codecs.photo.descent import Descent, Window
from photoarc.codecs.photo.fidelity import Fidelity
from photoarc.codecs.photo.forecast import WINDOW_PX, Forecast, forecast
from photoarc.codecs.photo.header import HEADER_BYTES, Header, parse_header
from photoarc.entropy import lzma2
from photoarc.errors import GivenUp, ModelError, PayloadCorrupt, PayloadError, SymbolMismatch
from photoarc.member import PhotoInfo
from photoarc.models.hyperprior import STRIDE_PX, Hyperprior
from photoarc.models.session import FloatArray
from photoarc.options import Tuning
from photoarc.pictures.image import Photograph

_LENGTH = Struct("<I")
_QUALITY = Struct("<H")

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Integers = tuple[npt.NDArray[Any], ...]
Improve = Callable[[FloatArray, FloatArray], FloatArray]  # latents and hyper-latents -> latents


class BandCoder(Protocol):
    """Latents of one band <-> integers <-> bytes. Positions outside the mask `coded` (h, w) lie in padding and are free."""

    def encode_band(
        self, model: Hyperprior, y: FloatArray, level: float, coded: Mask, improve: Improve
    ) -> tuple[bytes, Integers, FloatArray]:
        """Scaled latents (1, M, h, w) -> stream, the integers in it, and y_hat as a decoder will have it.

        `improve` makes cheaper latents of them, for a coder with hyper-latents.
        """
        ...

    def read_band(self, model: Hyperprior, stream: bytes, level: float, coded: Mask) -> Integers:
        """Stream -> the same integers. Raises ValueError for a stream that does not fit."""
        ...

    def dequantize(self, model: Hyperprior, integers: Integers) -> FloatArray:
        """Integers -> y_hat (1, M, h, w) in quantisation steps."""
        ...


def _model(header: Header) -> Hyperprior:
    try:
        model = models.load(header.model_id)
    except ModelError as error:
        raise PayloadError(str(error)) from error
    if model.entry.sha256[:16] != header.model_sha256:
        raise PayloadError(
            f"coded with model {header.model_id} of SHA-256 {header.model_sha256.hex()}..., "
            f"this installation has {model.entry.sha256[:16].hex()}...; "
            "install the photoarc release that packed the archive"
        )
    return model


def _coded(header: Header, band: Band) -> Mask:
    """Latent positions of a band that lie in the picture, not in its padding."""
    rows = np.arange(band.top, band.bottom) < -(-header.height_px // STRIDE_PX)
    columns = np.arange(padded(header.width_px) // STRIDE_PX) < -(-header.width_px // STRIDE_PX)
    return rows[:, None] & columns[None, :]


def _tell(band: Band, height: int, share: float) -> None:
    """A share of this band of a picture is done, and all of those before it."""
    progress.tell((band.top + share * (band.bottom - band.top)) * STRIDE_PX / padded(height))


TooLarge = Callable[[int], bool]


def never(size_bytes: int) -> bool:
    """No payload is too large."""
    return False


Nearness = Callable[[Fidelity, float], None]


def anything(fidelity: Fidelity, quality: float) -> None:
    """However far a picture is from its original."""


def encode(
    photo: Photograph,
    quality: float,
    tuning: Tuning,
    coder: BandCoder,
    too_large: TooLarge = never,
    effort: int = 0,
    near: Nearness = anything,
) -> tuple[bytes, PhotoInfo]:
    """Code a photograph, decode the payload again, and say how good it is.

    `tuning` picks the model; PSNR makes all steps equal, SSIM spends bits where eyes look. `too_large` is asked with what the payload
    takes at least: before the first band, and before the costlier half of each band's work, its synthesis; True ends it with GivenUp.
    `near` is asked with what was measured and the quality, and may raise TooFar (photoarc.codecs.photo.fidelity).
    `effort` 7 to 9 looks for cheaper latents (photoarc.codecs.photo.descent), if the model has what that takes.
    Raises PayloadError (SymbolMismatch) should the decoder not read back the encoder's integers, what `near` raises.
    """
    model = models.load_for(tuning)
    height, width, channels = photo.pixels.shape
    alpha = lzma2.compress(np.ascontiguousarray(photo.alpha).tobytes()) if photo.alpha is not None else b""
    quality_c, rows = round(quality * 100), band_rows(width)
    cells = activity.cells(photo.pixels) if tuning is Tuning.SSIM else None
    cells_data = lzma2.compress(activity.differences(cells), lc=0, pb=0) if cells is not None and cells.any() else b""
    header = Header(
        photo.source_format,
        channels == 1,
        photo.alpha is not None,
        model.entry.id,
        model.entry.sha256[:16],
        quality_c,
        width,
        height,
        rows,
        0,
        len(photo.metadata),
        len(photo.writer),
        len(alpha),
        len(cells_data),
    )
    level, step, checksum = header.level(model), _steps(header, cells_data), _first_crc(header, cells_data)
    streams: list[bytes] = []
    size_bytes = HEADER_BYTES + len(photo.metadata) + len(photo.writer) + len(alpha) + len(cells_data)

    search = descent.EFFORTS[effort] if model.descends else None
    foreseen = Forecast(height)
    if too_large is not never and photo.was_lossy:
        foreseen = forecast(height, width, lambda windows: _code_windows(model, photo.pixels, windows, level, step, coder))
    least = descent.LEAST_LEFT if search is not None else 1.0

    def ask(least_bytes: int) -> None:
        if too_large(least_bytes):
            raise GivenUp(f"{least_bytes} bytes and more")

    if foreseen.strips:
        ask(int((size_bytes + foreseen.rest_bytes(0)) * least))

    def code() -> Iterator[FloatArray]:
        nonlocal checksum, size_bytes
        above: FloatArray | None = None
        for band in bands(height, rows, STRIDE_PX):
            latents, below = _analyze(model, photo.pixels, band)
            y, coded = model.scale(latents, level, step(band)), _coded(header, band)
            rest_bytes = foreseen.rest_bytes(band.bottom * STRIDE_PX)

            improve: Improve = descent.unchanged
            if search is not None:
                unsearched, *_ = coder.encode_band(model, y, level, coded, improve)
                ask(int((size_bytes + len(unsearched) + rest_bytes) * least))
                unit = model.unscale(np.ones_like(y), level, step(band))
                window = _window(model, photo.pixels, header, band, above, below, unit)
                improve = Descent(model, level, coded, window, search, functools.partial(_tell, band, height))
            stream, integers, y_hat = coder.encode_band(model, y, level, coded, improve)
            read = coder.read_band(model, stream, level, coded)
            if not all(np.array_equal(a, b) for a, b in zip(integers, read, strict=True)):
                raise PayloadError("the decoder does not read back the encoder's latents", SymbolMismatch)
            streams.append(stream)
            size_bytes += _LENGTH.size + len(stream)
            ask(size_bytes + int(rest_bytes * least))
            checksum = _crc(integers, checksum)
            decoded = model.unscale(y_hat, level, step(band))
            _tell(band, height, 1)
            yield decoded
            above = decoded[:, :, -model.halo :]

    fidelity = Fidelity(photo.pixels)
    for top, x in _synthesize(header, model, code()):
        fidelity.add(top, x)
    near(fidelity, quality)
    header = replace(header, checksum=checksum)
    body = [_LENGTH.pack(len(s)) + s for s in streams]
    payload = b"".join([header.pack(), photo.metadata, photo.writer, alpha, cells_data, *body])
    return payload, PhotoInfo(width, height, fidelity.psnr_db, quality_c / 100, model.entry.id, photo.source_format)


def decode(payload: bytes, coder: BandCoder) -> Photograph:
    """The photograph of a payload.

    Raises PayloadError (PayloadCorrupt, SymbolMismatch) for one that is damaged or needs a model that is not here.
    """
    header = parse_header(payload)
    metadata, writer, alpha_data, cells_data, streams = _sections(payload, header)
    model = _model(header)
    out = np.empty((header.height_px, header.width_px, 1 if header.grey else 3), np.uint8)
    for top, x in _synthesize(header, model, _dequantize(header, model, cells_data, streams, coder)):
        out[top : top + len(x)] = x
        progress.tell((top + len(x)) / header.height_px)
    alpha = None
    if header.has_alpha:
        plane = lzma2.decompress(alpha_data, header.width_px * header.height_px)
        alpha = np.frombuffer(plane, np.uint8).reshape(header.height_px, header.width_px)
    return Photograph(out, alpha, header.source_format, metadata, writer)


def _sections(payload: bytes, header: Header) -> tuple[bytes, bytes, bytes, bytes, list[bytes]]:
    """Metadata, writer, alpha, cells, streams (section 7.1); they must fill the payload exactly."""
    at = HEADER_BYTES
    parts = []
    for size in (header.metadata_bytes, header.writer_bytes, header.alpha_bytes, header.cells_bytes):
        parts.append(payload[at : at + size])
        at += size
    streams = []
    while at < len(payload) and len(payload) - at >= _LENGTH.size:
        (size,) = _LENGTH.unpack_from(payload, at)
        streams.append(payload[at + _LENGTH.size : at + _LENGTH.size + size])
        at += _LENGTH.size + size
    expected = len(list(bands(header.height_px, header.band_rows_px, STRIDE_PX)))
    if at != len(payload) or len(streams) != expected:
        raise PayloadError(
            f"photograph payload of {len(payload)} bytes ends at {at} with {len(streams)} of {expected} bands", PayloadCorrupt
        )
    return parts[0], parts[1], parts[2], parts[3], streams


def _code_windows(
    model: Hyperprior,
    pixels: Pixels,
    windows: Sequence[tuple[int, int]],
    level: float,
    step: Callable[[Band], FloatArray | None],
    coder: BandCoder,
) -> int:
    """Bytes of the stream of windows, side by side, each of them analysed as a picture of its own."""
    parts = []
    for row, column in windows:
        y = model.analyze(cut(pixels[row : row + WINDOW_PX, column : column + WINDOW_PX], 0, WINDOW_PX, model.margin_px))
        steps = step(Band(row // STRIDE_PX, (row + WINDOW_PX) // STRIDE_PX))
        here = None if steps is None else steps[:, column // STRIDE_PX : (column + WINDOW_PX) // STRIDE_PX]
        parts.append(model.scale(y, level, here))
    latents = np.concatenate(parts, axis=3)
    stream, *_ = coder.encode_band(model, latents, level, np.ones(latents.shape[2:], bool), descent.unchanged)
    return len(stream)


def _analyze(model: Hyperprior, pixels: Pixels, band: Band) -> tuple[FloatArray, FloatArray | None]:
    """Latents of a band, seen with its halo: equal to the same rows of the whole picture's latents. And what the halo below looks like."""
    end = padded(pixels.shape[0]) // STRIDE_PX
    low, high = max(band.top - model.halo, 0), min(band.bottom + model.halo, end)
    y = model.analyze(cut(pixels, low * STRIDE_PX, high * STRIDE_PX, model.margin_px))
    below = y[:, :, band.bottom - low :] if high > band.bottom else None
    return np.ascontiguousarray(y[:, :, band.top - low : band.bottom - low]), below


def _window(
    model: Hyperprior,
    pixels: Pixels,
    header: Header,
    band: Band,
    above: FloatArray | None,
    below: FloatArray | None,
    unit: FloatArray,
) -> Window:
    """What a decoder will see around a band."""
    low = band.top - (0 if above is None else above.shape[2])
    high = band.bottom + (0 if below is None else below.shape[2])
    margin = model.margin_px
    seen = cut(pixels, low * STRIDE_PX, high * STRIDE_PX, margin)
    rows = np.arange(len(seen)) + low * STRIDE_PX - margin
    columns = np.arange(seen.shape[1]) - margin
    inside = ((rows >= 0) & (rows < header.height_px))[:, None] & ((columns >= 0) & (columns < header.width_px))[None, :]
    return Window(above, below, seen, inside, unit)


def _steps(header: Header, cells_data: bytes) -> Callable[[Band], FloatArray | None]:
    """Factors (h, w) of a band's quantisation steps; None where all are 1."""
    if not cells_data:
        return lambda band: None
    rows, columns = header.cells
    cells = activity.from_differences(lzma2.decompress(cells_data, rows * columns), header.cells)
    step = activity.steps(cells, STRIDE_PX)
    return lambda band: step[band.top : band.bottom]


def _dequantize(header: Header, model: Hyperprior, cells_data: bytes, streams: Sequence[bytes], coder: BandCoder) -> Iterator[FloatArray]:
    """Decoded latents of each band; the checksum of all bands is verified before the last is given."""
    level, step, checksum = header.level(model), _steps(header, cells_data), _first_crc(header, cells_data)
    layout = list(bands(header.height_px, header.band_rows_px, STRIDE_PX))
    for band, stream in zip(layout, streams, strict=True):
        try:
            integers = coder.read_band(model, stream, level, _coded(header, band))
        except ValueError as error:
            raise PayloadError(f"latents cannot be read: {error}", PayloadCorrupt) from error
        checksum = _crc(integers, checksum)
        if band is layout[-1] and checksum != header.checksum:
            message = f"decoded latents have CRC-32 {checksum:08x}, the encoder's had {header.checksum:08x}: the picture would be wrong"
            raise PayloadError(message, SymbolMismatch)
        yield model.unscale(coder.dequantize(model, integers), level, step(band))


def _synthesize(header: Header, model: Hyperprior, latents: Iterable[FloatArray]) -> Iterator[tuple[int, Pixels]]:
    """Latents band by band -> pixel rows (top, (rows, W, C)), cut to the picture; each band is seen with its neighbours' rows."""
    halo, top = model.halo, 0
    above: FloatArray | None = None
    current: FloatArray | None = None

    def rows(below: FloatArray | None) -> Pixels:
        assert current is not None
        skip = above.shape[2] * STRIDE_PX if above is not None else 0
        x = model.synthesize(np.concatenate([y for y in (above, current, below) if y is not None], 2))
        x = x[skip : skip + min(current.shape[2] * STRIDE_PX, header.height_px - top), : header.width_px]
        return np.rint(x.mean(axis=2, keepdims=True, dtype=np.float32)).astype(np.uint8) if header.grey else x

    for y in latents:
        if current is not None:
            yield top, rows(y[:, :, :halo])
            above = (current if above is None else np.concatenate([above, current], 2))[:, :, -halo:]
            top += current.shape[2] * STRIDE_PX
        current = y
    yield top, rows(None)


def _first_crc(header: Header, cells_data: bytes) -> int:
    """CRC-32 of what says how integers become latents; that of the integers goes on from here."""
    return zlib.crc32(_QUALITY.pack(header.quality_c) + cells_data)


def _crc(integers: Sequence[npt.NDArray[Any]], start: int) -> int:
    """CRC-32 over integers as i16, little-endian, in stream order."""
    for a in integers:
        start = zlib.crc32(np.ascontiguousarray(a, dtype="<i2").data, start)
    return start
