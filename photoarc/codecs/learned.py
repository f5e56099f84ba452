"""Codec 16, `fast`: hyper-latents and residual symbols with integer tables and ANS (docs/format.md section 8).

The decoder reads all integers of a band before it runs the first float network: nothing that picks a table is a float.
"""

from __future__ import annotations

import numpy as np

from photoarc import defaults
from photoarc.codecs import photograph
from photoarc.codecs.photograph import Improve, Integers, Mask, Nearness, TooLarge, anything, never
from photoarc.entropy.ans import Decoder, Encoder, Runs
from photoarc.models.hyperprior import Hyperprior
from photoarc.models.session import FloatArray
from photoarc.models.slices import SLICES, roll
from photoarc.pictures.image import Photograph, write
from photoarc.records import PhotoInfo
from photoarc.tuning import Tuning

Z_PER_LATENT = 4  # latents a hyper-latent's side


class _Coder:
    """BandCoder of this codec; what it has just written it reads back with half of the sorting."""

    def __init__(self) -> None:
        self._runs: list[Runs] = []

    def encode_band(
        self, model: Hyperprior, y: FloatArray, level: float, coded: Mask, improve: Improve
    ) -> tuple[bytes, Integers, FloatArray]:
        z = model.hyper(y)
        symbols, index, y_hat = model.quantize(improve(y, z), z, coded)
        encoder = Encoder()  # a stack: last slice first, hyper-latents last
        for k in reversed(range(SLICES)):
            part = model.slice_channels(k)
            encoder.push(symbols[:, part].ravel().astype(np.int32), index[:, part].ravel(), model.y_tables)
        for apart, tables in reversed(model.hyper_context.coded(z, level)):
            encoder.push(apart.ravel(), tables.ravel(), model.hyper_context.tables)
        self._runs = encoder.runs
        return encoder.finish(), (z, symbols), y_hat

    def read_band(self, model: Hyperprior, stream: bytes, level: float, coded: Mask) -> Integers:
        h, w = coded.shape
        decoder = Decoder(stream, self._runs)
        known = model.hyper_context.begin(level, (h // Z_PER_LATENT, w // Z_PER_LATENT))
        for k in range(SLICES):
            whole, tables = known.expect(k)
            known.rolled[:, known.channels(k)] = whole + decoder.pop(tables.ravel(), model.hyper_context.tables).reshape(whole.shape)
        z = roll(known.rolled, -1).astype(np.float32)
        features = model.scale_features(z)
        symbols = np.zeros((1, model.channels, h, w), np.int16)
        for k in range(SLICES):
            index = model.table_index(k, symbols, features) * coded
            symbols[:, model.slice_channels(k)] = decoder.pop(index.ravel(), model.y_tables).reshape(index.shape)
        decoder.finish()
        return z, symbols

    def dequantize(self, model: Hyperprior, integers: Integers) -> FloatArray:
        z, symbols = integers
        return model.dequantize(z, symbols)


def encode(
    photo: Photograph,
    quality: float,
    tuning: Tuning = defaults.TUNING,
    too_large: TooLarge = never,
    effort: int = defaults.EFFORT,
    near: Nearness = anything,
) -> tuple[bytes, PhotoInfo]:
    """Photograph -> payload; quality 0..100 moves between the trained levels. The others: see photograph.encode."""
    return photograph.encode(photo, quality, tuning, _Coder(), too_large, effort, near)


def decode_photo(payload: bytes) -> Photograph:
    """Payload -> photograph."""
    return photograph.decode(payload, _Coder())


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> file in the source's format or in `as_format`."""
    return write(decode_photo(payload), as_format)
