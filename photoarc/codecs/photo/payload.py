"""A payload holds a lossy photograph: header, what goes along bit-exact, one stream of latents a band (docs/format.md section 7).

    encode   pixels --analysis, bands--> latents --band coder--> streams;  decodes them again and measures PSNR before it returns
             pixels --activity--> cells, which say where quantisation steps are coarser or finer
    decode   streams --band coder--> y_hat --synthesis, bands--> pixels

Two codecs share it: `learned`, whose band coder is that of the model's architecture, and `latents` (integers and LZMA).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from photoarc import models, options, progress
from photoarc.codecs.photo import cells, descent
from photoarc.codecs.photo.bands import band_rows
from photoarc.codecs.photo.coder import BandCoder, CoderOf
from photoarc.codecs.photo.encoder import Encoder, Job, TooLarge, never
from photoarc.codecs.photo.fidelity import Fidelity
from photoarc.codecs.photo.header import HEADER_BYTES, Header, parse_header
from photoarc.codecs.photo.layout import Layout, checksum
from photoarc.codecs.photo.synthesis import synthesize
from photoarc.container import lengths
from photoarc.entropy import lzma2
from photoarc.errors import ModelError, PayloadCorrupt, PayloadError, SymbolMismatch
from photoarc.member import PhotoInfo
from photoarc.models import PhotoModel
from photoarc.models.session import FloatArray
from photoarc.options import Tuning
from photoarc.pictures.image import Photograph, write

Nearness = Callable[[Fidelity, float], None]


def anything(fidelity: Fidelity, quality: float) -> None:
    """However far a picture is from its original."""


@dataclass(frozen=True, slots=True)
class PhotoCodec:
    """A codec of lossy photographs; `searches`: whether efforts 7 to 9 look for cheaper latents (photoarc.codecs.photo.descent)."""

    coder_of: CoderOf
    searches: bool

    def encode(
        self,
        photo: Photograph,
        quality: float,
        tuning: Tuning = options.TUNING,
        too_large: TooLarge = never,
        effort: int = options.EFFORT,
        near: Nearness = anything,
    ) -> tuple[bytes, PhotoInfo]:
        """Code a photograph, decode the payload again, and say how good it is; quality 0..100 moves between the trained levels.

        `tuning` picks the model; PSNR makes all steps equal, SSIM spends bits where eyes look. `too_large` is asked with what the payload
        takes at least: before the first band, and before the costlier half of each band's work, its synthesis; True ends it with GivenUp.
        `near` is asked with what was measured and the quality, and may raise TooFar (photoarc.codecs.photo.fidelity).
        Raises PayloadError (SymbolMismatch) should the decoder not read back the encoder's integers, what `near` raises.
        """
        model = models.load_for(tuning)
        alpha = lzma2.compress(np.ascontiguousarray(photo.alpha).tobytes()) if photo.alpha is not None else b""
        aside = photo.metadata, photo.writer, alpha, _pack_cells(photo) if tuning is Tuning.SSIM else b""
        header = _header(photo, model, quality, aside)
        job = Job(
            pixels=photo.pixels,
            layout=Layout(header, model, aside[-1]),
            coder=self.coder_of(model),
            search=descent.EFFORTS[effort] if self.searches and model.for_search is not None else None,
            too_large=too_large,
            foresee=too_large is not never and photo.was_lossy,
            head_bytes=HEADER_BYTES + sum(map(len, aside)),
        )
        encoder, fidelity = Encoder(job), Fidelity(photo.pixels)
        for top, x in synthesize(job.layout, map(encoder.code, job.layout.bands)):
            fidelity.add(top, x)
        near(fidelity, quality)
        header = replace(header, checksum=encoder.checksum)
        payload = b"".join([header.pack(), *aside, lengths.join(encoder.streams)])
        info = PhotoInfo(header.width_px, header.height_px, fidelity.psnr_db, header.quality_c / 100, model.entry.id, photo.source_format)
        return payload, info

    def decode_photo(self, payload: bytes) -> Photograph:
        """Payload -> photograph.

        Raises PayloadError (PayloadCorrupt, SymbolMismatch) for one that is damaged or needs a model that is not here.
        """
        header = parse_header(payload)
        (metadata, writer, alpha_data, cells_data), streams = _sections(payload, header)
        model = _model(header)
        layout = Layout(header, model, cells_data)
        out = np.empty((header.height_px, header.width_px, 1 if header.grey else 3), np.uint8)
        for top, x in synthesize(layout, _latents(layout, streams, self.coder_of(model))):
            out[top : top + len(x)] = x
            progress.tell((top + len(x)) / header.height_px)
        alpha = None
        if header.has_alpha:
            plane = lzma2.decompress(alpha_data, header.width_px * header.height_px)
            alpha = np.frombuffer(plane, np.uint8).reshape(header.height_px, header.width_px)
        return Photograph(out, alpha, header.source_format, metadata, writer)

    def decode(self, payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
        """Payload -> file in the source's format or in `as_format`."""
        return write(self.decode_photo(payload), as_format)


def _pack_cells(photo: Photograph) -> bytes:
    """Cells as they are in a payload; none if all are 0."""
    found = cells.cells(photo.pixels)
    return lzma2.compress(cells.differences(found), lc=0, pb=0) if found.any() else b""


def _header(photo: Photograph, model: PhotoModel, quality: float, aside: Sequence[bytes]) -> Header:
    """All but the checksum; `aside`: what goes along bit-exact, in its order in the payload."""
    height, width, channels = photo.pixels.shape
    metadata_bytes, writer_bytes, alpha_bytes, cells_bytes = map(len, aside)
    return Header(
        source_format=photo.source_format,
        grey=channels == 1,
        has_alpha=photo.alpha is not None,
        model_id=model.entry.id,
        model_sha256=model.entry.sha256[:16],
        quality_c=round(quality * 100),
        width_px=width,
        height_px=height,
        band_rows_px=band_rows(width),
        checksum=0,
        metadata_bytes=metadata_bytes,
        writer_bytes=writer_bytes,
        alpha_bytes=alpha_bytes,
        cells_bytes=cells_bytes,
    )


def _model(header: Header) -> PhotoModel:
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


def _sections(payload: bytes, header: Header) -> tuple[list[bytes], list[bytes]]:
    """Metadata, writer, alpha, cells, then the streams (section 7.1); they must fill the payload exactly."""
    at = HEADER_BYTES
    aside = []
    for size in (header.metadata_bytes, header.writer_bytes, header.alpha_bytes, header.cells_bytes):
        aside.append(payload[at : at + size])
        at += size
    try:
        streams = [*lengths.split(payload, at)]
    except ValueError as error:
        raise PayloadError(f"the bands do not fill the photograph's payload: {error}", PayloadCorrupt) from error
    if at > len(payload) or len(streams) != header.bands:
        raise PayloadError(f"photograph payload of {len(payload)} bytes with {len(streams)} of {header.bands} bands", PayloadCorrupt)
    return aside, streams


def _latents(layout: Layout, streams: Sequence[bytes], coder: BandCoder) -> Iterator[FloatArray]:
    """Decoded latents of each band; the checksum of all bands is verified before the last is given."""
    found, expected = layout.first_checksum, layout.header.checksum
    for band, stream in zip(layout.bands, streams, strict=True):
        try:
            integers = coder.read_band(stream, layout.level, layout.coded(band))
        except ValueError as error:
            raise PayloadError(f"latents cannot be read: {error}", PayloadCorrupt) from error
        found = checksum(integers, found)
        if band is layout.bands[-1] and found != expected:
            message = f"decoded latents have CRC-32 {found:08x}, the encoder's had {expected:08x}: the picture would be wrong"
            raise PayloadError(message, SymbolMismatch)
        yield layout.model.unscale(coder.dequantize(integers), layout.level, layout.step(band))
