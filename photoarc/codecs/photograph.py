"""The payload of a lossy photograph: header, what goes along bit-exact, one stream of latents a band (docs/format.md section 7).

    encode   pixels --analysis, bands--> latents --band coder--> streams;  decodes them again and measures PSNR before it returns
    decode   streams --band coder--> y_hat --synthesis, bands--> pixels

Two band coders share it: `learned` (scale tables and ANS) and `latents` (integers and LZMA).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photoarc import models
from photoarc.codecs import raw_lzma
from photoarc.errors import GivenUp, ModelError, PayloadCorrupt, PayloadError, SymbolMismatch
from photoarc.models.hyperprior import STRIDE_PX, Hyperprior
from photoarc.models.session import FloatArray
from photoarc.pictures.image import MAX_PIXELS, Photograph
from photoarc.pictures.tiling import UNIT_PX, Band, band_rows, bands, cut, padded
from photoarc.records import PhotoInfo, SourceFormat

VERSION = 1
GREY, ALPHA = 1, 2
_HEADER = Struct("<BBBBHHIIHHIIII16s")
_LENGTH = Struct("<I")

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


Integers = tuple[npt.NDArray[Any], ...]


class BandCoder(Protocol):
    """Latents of one band <-> integers <-> bytes. Positions outside the mask `coded` (h, w) lie in padding and are free."""

    def encode_band(self, model: Hyperprior, y: FloatArray, level: float, coded: Mask) -> tuple[bytes, Integers, FloatArray]:
        """Scaled latents (1, M, h, w) -> stream, the integers in it, and y_hat as a decoder will have it."""
        ...

    def read_band(self, model: Hyperprior, stream: bytes, level: float, coded: Mask) -> Integers:
        """Stream -> the same integers. Raises ValueError for a stream that does not fit."""
        ...

    def dequantize(self, model: Hyperprior, integers: Integers) -> FloatArray:
        """Integers -> y_hat (1, M, h, w) in quantisation steps."""
        ...


@dataclass(frozen=True, slots=True)
class Header:
    """Section 7.1. `quality_c` is in hundredths, `checksum` the CRC-32 of all decoded integers."""

    source_format: SourceFormat
    grey: bool
    has_alpha: bool
    model_id: int
    model_sha256: bytes  # its first 16 bytes
    quality_c: int
    width_px: int
    height_px: int
    band_rows_px: int
    checksum: int
    metadata_bytes: int
    writer_bytes: int
    alpha_bytes: int

    def level(self, model: Hyperprior) -> float:
        """Position between the trained levels 0..levels - 1."""
        return self.quality_c * (model.levels - 1) / 10000

    def pack(self) -> bytes:
        """Header bytes."""
        flags = GREY * self.grey | ALPHA * self.has_alpha
        return _HEADER.pack(
            VERSION,
            flags,
            self.source_format,
            0,
            self.model_id,
            self.quality_c,
            self.width_px,
            self.height_px,
            self.band_rows_px // UNIT_PX,
            0,
            self.checksum,
            self.metadata_bytes,
            self.writer_bytes,
            self.alpha_bytes,
            self.model_sha256,
        )


def parse_header(payload: bytes) -> Header:
    """Header of a payload; raises PayloadError, before anything is allocated, for what this version cannot decode."""
    if len(payload) < _HEADER.size:
        raise PayloadError(f"photograph payload of {len(payload)} bytes, expected at least {_HEADER.size}", PayloadCorrupt)
    version, flags, source, _, model_id, quality_c, width, height, units, _, checksum, metadata, writer, alpha, sha = _HEADER.unpack_from(
        payload
    )
    if version != VERSION:
        raise PayloadError(f"photograph payload version {version}, this version of photoarc reads {VERSION}; update photoarc")
    if not (width and height and units >= 2 and quality_c <= 10000 and flags <= (GREY | ALPHA)):
        raise PayloadError("photograph header holds impossible values; the archive is damaged here", PayloadCorrupt)
    if width * height > MAX_PIXELS:
        raise PayloadError(f"photograph of {width} x {height} pixels, the limit is {MAX_PIXELS}")
    try:
        source_format = SourceFormat(source)
    except ValueError:
        raise PayloadError(f"photograph of source format {source}, unknown to this version; update photoarc") from None
    return Header(
        source_format,
        bool(flags & GREY),
        bool(flags & ALPHA),
        model_id,
        sha,
        quality_c,
        width,
        height,
        units * UNIT_PX,
        checksum,
        metadata,
        writer,
        alpha,
    )


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


TooLarge = Callable[[int], bool]


def never(size_bytes: int) -> bool:
    """No payload is too large."""
    return False


def encode(photo: Photograph, quality: float, coder: BandCoder, too_large: TooLarge = never) -> tuple[bytes, PhotoInfo]:
    """Code a photograph, decode the payload again, and say how good it is.

    `too_large` is asked with the payload's size so far before the costlier half of each band's work, its synthesis; True ends it with
    GivenUp. Raises PayloadError (SymbolMismatch) should the decoder not read back the encoder's integers.
    """
    model = models.load(models.DEFAULT_ID)
    height, width, channels = photo.pixels.shape
    alpha = raw_lzma.compress(np.ascontiguousarray(photo.alpha).tobytes()) if photo.alpha is not None else b""
    quality_c, rows = round(quality * 100), band_rows(width)
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
    )
    level, checksum = header.level(model), 0
    streams: list[bytes] = []
    size_bytes = _HEADER.size + len(photo.metadata) + len(photo.writer) + len(alpha)

    def code() -> Iterator[FloatArray]:
        nonlocal checksum, size_bytes
        for band in bands(height, rows, STRIDE_PX):
            y = model.scale(_analyze(model, photo.pixels, band), level)
            coded = _coded(header, band)
            stream, integers, y_hat = coder.encode_band(model, y, level, coded)
            read = coder.read_band(model, stream, level, coded)
            if not all(np.array_equal(a, b) for a, b in zip(integers, read, strict=True)):
                raise PayloadError("the decoder does not read back the encoder's latents", SymbolMismatch)
            streams.append(stream)
            size_bytes += _LENGTH.size + len(stream)
            if too_large(size_bytes):
                raise GivenUp(f"{size_bytes} bytes and more")
            checksum = _crc(integers, checksum)
            yield y_hat

    squared = sum(_squared_error(photo.pixels[top : top + len(x)], x) for top, x in _synthesize(header, model, code()))
    header = Header(**{f: getattr(header, f) for f in Header.__slots__} | {"checksum": checksum})
    body = [_LENGTH.pack(len(s)) + s for s in streams]
    payload = b"".join([header.pack(), photo.metadata, photo.writer, alpha, *body])
    psnr_db = 10 * math.log10(255**2 * photo.pixels.size / squared) if squared else math.inf
    return payload, PhotoInfo(width, height, psnr_db, quality_c / 100, model.entry.id, photo.source_format)


def decode(payload: bytes, coder: BandCoder) -> Photograph:
    """The photograph of a payload.

    Raises PayloadError (PayloadCorrupt, SymbolMismatch) for one that is damaged or needs a model that is not here.
    """
    header = parse_header(payload)
    metadata, writer, alpha_data, streams = _sections(payload, header)
    model = _model(header)
    out = np.empty((header.height_px, header.width_px, 1 if header.grey else 3), np.uint8)
    for top, x in _synthesize(header, model, _dequantize(header, model, streams, coder)):
        out[top : top + len(x)] = x
    alpha = None
    if header.has_alpha:
        plane = raw_lzma.decompress(alpha_data, header.width_px * header.height_px)
        alpha = np.frombuffer(plane, np.uint8).reshape(header.height_px, header.width_px)
    return Photograph(out, alpha, header.source_format, metadata, writer)


def _sections(payload: bytes, header: Header) -> tuple[bytes, bytes, bytes, list[bytes]]:
    """Metadata, writer, alpha, streams (section 7.1); they must fill the payload exactly."""
    at = _HEADER.size
    parts = []
    for size in (header.metadata_bytes, header.writer_bytes, header.alpha_bytes):
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
    return parts[0], parts[1], parts[2], streams


def _analyze(model: Hyperprior, pixels: Pixels, band: Band) -> FloatArray:
    """Latents of a band, seen with its halo: equal to the same rows of the whole picture's latents."""
    end = padded(pixels.shape[0]) // STRIDE_PX
    low, high = max(band.top - model.halo, 0), min(band.bottom + model.halo, end)
    y = model.analyze(cut(pixels, low * STRIDE_PX, high * STRIDE_PX, model.margin_px))
    return np.ascontiguousarray(y[:, :, band.top - low : band.bottom - low])


def _dequantize(header: Header, model: Hyperprior, streams: Sequence[bytes], coder: BandCoder) -> Iterator[FloatArray]:
    """Decoded y_hat of each band; the checksum of all bands is verified before the last is given."""
    checksum = 0
    layout = list(bands(header.height_px, header.band_rows_px, STRIDE_PX))
    for band, stream in zip(layout, streams, strict=True):
        try:
            integers = coder.read_band(model, stream, header.level(model), _coded(header, band))
        except ValueError as error:
            raise PayloadError(f"latents cannot be read: {error}", PayloadCorrupt) from error
        checksum = _crc(integers, checksum)
        if band is layout[-1] and checksum != header.checksum:
            message = f"decoded latents have CRC-32 {checksum:08x}, the encoder's had {header.checksum:08x}: the picture would be wrong"
            raise PayloadError(message, SymbolMismatch)
        yield coder.dequantize(model, integers)


def _synthesize(header: Header, model: Hyperprior, y_hats: Iterable[FloatArray]) -> Iterator[tuple[int, Pixels]]:
    """Latents band by band -> pixel rows (top, (rows, W, C)), cut to the picture; each band is seen with its neighbours' rows."""
    level, halo, top = header.level(model), model.halo, 0
    above: FloatArray | None = None
    current: FloatArray | None = None

    def rows(below: FloatArray | None) -> Pixels:
        assert current is not None
        skip = above.shape[2] * STRIDE_PX if above is not None else 0
        x = model.synthesize(np.concatenate([y for y in (above, current, below) if y is not None], 2), level)
        x = x[skip : skip + min(current.shape[2] * STRIDE_PX, header.height_px - top), : header.width_px]
        return np.rint(x.mean(axis=2, keepdims=True, dtype=np.float32)).astype(np.uint8) if header.grey else x

    for y_hat in y_hats:
        if current is not None:
            yield top, rows(y_hat[:, :, :halo])
            above = (current if above is None else np.concatenate([above, current], 2))[:, :, -halo:]
            top += current.shape[2] * STRIDE_PX
        current = y_hat
    yield top, rows(None)


def _crc(integers: Sequence[npt.NDArray[Any]], start: int) -> int:
    """CRC-32 over integers as i16, little-endian, in stream order."""
    for a in integers:
        start = zlib.crc32(np.ascontiguousarray(a, dtype="<i2").data, start)
    return start


def _squared_error(a: Pixels, b: Pixels) -> float:
    """Sum of squared differences, in slabs that stay small."""
    total = 0.0
    for i in range(0, len(a), 256):
        d = a[i : i + 256].astype(np.int16) - b[i : i + 256]
        total += float(np.einsum("ijk,ijk->", d, d, dtype=np.int64, casting="unsafe"))
    return total
