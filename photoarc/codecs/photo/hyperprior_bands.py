"""The hyperprior's band coder writes hyper-latents and latents of a band as one ANS stream, and reads them back."""

from __future__ import annotations

import numpy as np

from photoarc.codecs.photo.bands import Mask
from photoarc.codecs.photo.coder import BandIntegers, Improve
from photoarc.entropy.ans import Decoder, Encoder, Runs
from photoarc.models.hyperprior import Hyperprior
from photoarc.models.session import FloatArray
from photoarc.models.slices import SLICES, roll

Z_PER_LATENT = 4  # latents a hyper-latent's side


class HyperpriorBands:
    """BandCoder of its architecture; what it has just written it reads back with half of the sorting."""

    def __init__(self, model: Hyperprior) -> None:
        self._model = model
        self._runs: list[Runs] = []

    def encode_band(self, y: FloatArray, level: float, coded: Mask, improve: Improve) -> tuple[bytes, BandIntegers, FloatArray]:
        """Latents (1, M, h, w) -> (stream, integers, latents as a decoder has them); `improve` may move them first."""
        model = self._model
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

    def read_band(self, stream: bytes, level: float, coded: Mask) -> BandIntegers:
        """Stream -> integers: hyper-latents and symbols of latents where `coded` (h, w)."""
        model, (h, w) = self._model, coded.shape
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

    def dequantize(self, integers: BandIntegers) -> FloatArray:
        """Integers -> latents (1, M, h, w)."""
        z, symbols = integers
        return self._model.dequantize(z, symbols)
