"""Architecture "hyperprior": variable-rate mean-scale hyperprior with four rolled slices (training/model.py, docs/format.md section 8).

    pixels -analysis-> y * gain / step -hyper_analysis-> z_hat
                                                    |-scale_hyper-> features -scale_k-> table index of slice k   exact integers
                                                    |-mean_hyper--> features -mean_k--> mu of slice k            float
    symbols of slice k = round(slice k of roll(y * gain / step) - mu), 0 where the index is 0;   y_hat = symbols + mu
    unroll(y_hat) * step / gain -synthesis-> pixels

The gain is one of a channel and of a level, which is a number from 0 to levels - 1, trained where it is whole; the step is one of a place
(photoarc.codecs.photo.cells).

Latents are (1, M, h, w) float32 at 1/16 of the picture, z_hat (1, Z, h/4, w/4). Symbols are (1, M, h, w) int16, indices uint8, both in
rolled channel order. scale_k sees clipped symbols of slices < k only, so a decoder can read all symbols before it touches a float.
How z_hat is read: photoarc/models/hyper_context.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table, split
from photoarc.errors import ModelCorrupt
from photoarc.models.hyper_context import HyperContext
from photoarc.models.manifest import ModelEntry
from photoarc.models.photo_model import Slope
from photoarc.models.session import FloatArray, Network
from photoarc.models.slices import SLICES, channels_of, roll

BLOCK_PX = 8  # of the last layer
CLIP = 15  # symbols steer later scales clipped to +-CLIP
SYMBOL_MAX = 32767

SymbolArray = npt.NDArray[np.int16]
IndexArray = npt.NDArray[np.uint8]


class Hyperprior:
    """The networks and tables of one model, a PhotoModel and SearchModel; networks are loaded on first use."""

    stride_px = 16
    margin_px = 4  # the blocks of the first and the last layer begin half a block outside the picture
    halo = 4  # latents beyond a band that its pixels or latents depend on
    edge = 2  # latents beyond a window whose want spoils pixels in it

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry
        self._networks: dict[str, Network] = {}
        with np.load(entry.file("tables.npz"), allow_pickle=False) as arrays:
            try:
                self.y_tables: list[Table] = split(arrays["y_lengths"], arrays["y_frequencies"])
                constants = arrays["z_constants"].astype(np.int32)
                z_tables = split(arrays["z_lengths"], arrays["z_frequencies"])
                self.order = arrays["order"].astype(np.intp)  # channels by falling energy
                self._log_gain, self._log_igain = arrays["log_gain"].astype(np.float64), arrays["log_igain"].astype(np.float64)
            except (KeyError, ValueError) as error:
                raise ModelCorrupt(entry.id, f"tables.npz: {error}") from error
        self.levels, self.channels = self._log_gain.shape
        self.hyper_context = HyperContext(constants, z_tables, lambda k, z: self._run(f"hyper_context_{k}", z=z))

    def _run(self, network: str, **inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if network not in self._networks:
            self._networks[network] = Network(self.entry.file(f"{network}.onnx"), self.entry.id)
        return self._networks[network](**inputs)

    def _interpolate(self, logs: npt.NDArray[np.float64], level: float) -> FloatArray:
        """Per-channel factor (1, channels, 1, 1) at a level, exponential between trained ones (Cui et al. 2021, section 3.3)."""
        low = min(int(level), self.levels - 2)
        t = level - low
        below, above = logs[low : low + 2]
        factor: FloatArray = np.exp((1 - t) * below + t * above).astype(np.float32)[None, :, None, None]
        return factor

    def analyze(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Pixels (16 h + 8, 16 w + 8, 3), margin included -> latents (1, M, h, w)."""
        return self._run("analysis", pixels=pixels)

    def scale(self, latents: FloatArray, level: float, step: FloatArray | None = None) -> FloatArray:
        """Latents in units of the quantisation step: that of the level, times `step` (h, w) if it is given."""
        scaled = latents * self._interpolate(self._log_gain, level)
        if step is not None:
            scaled /= step
        return scaled

    def unscale(self, y_hat: FloatArray, level: float, step: FloatArray | None = None) -> FloatArray:
        """Inverse of scale; the model's factors are not quite the reciprocals."""
        latents = y_hat * self._interpolate(self._log_igain, level)
        if step is not None:
            latents *= step
        return latents

    def synthesize(self, latents: FloatArray) -> npt.NDArray[np.uint8]:
        """Latents (1, M, h, w) -> pixels (16 h, 16 w, 3)."""
        blocks = self._run("synthesis", latents=latents)
        return _joined(blocks[0])[self.margin_px : -self.margin_px, self.margin_px : -self.margin_px]

    @property
    def for_search(self) -> Hyperprior | None:
        """The model itself, if it has the decoder forth and back."""
        return self if "synthesis_gradient.onnx" in self.entry.files else None

    def error_slope(self, target: npt.NDArray[np.uint8], weights: FloatArray, means: Sequence[FloatArray]) -> Slope:
        """Unscaled latents (1, M, h, w) -> slope of the weighted squared error by each of them: see SearchModel."""
        inputs = weight_blocks(weights, means, self.margin_px) | {"target": blocks(target)}
        return lambda latents: self._run("synthesis_gradient", latents=latents, **inputs)

    def error_weight(self, level: float) -> float:
        """Bits a pixel that a mean squared error of 1 is worth at a level: the model's lambda in training."""
        return float(self._interpolate(self._encoder["log_lambdas"], level)[0, 0, 0, 0])

    def curvature(self, level: float) -> FloatArray:
        """Squared error that a quantisation step of a latent costs by channel (1, M, 1, 1)."""
        return self._interpolate(self._encoder["log_curvature"], level)

    def structure(self, level: float) -> float:
        """What the structure terms are worth at a level in squared error (photoarc.codecs.photo.structure): 0 if the model has none."""
        logs = self._encoder.get("log_structure")
        return 0.0 if logs is None else float(self._interpolate(logs, level)[0, 0, 0, 0])

    @cached_property
    def _encoder(self) -> dict[str, npt.NDArray[np.float64]]:
        with np.load(self.entry.file("encoder.npz"), allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float64) for name in arrays}

    def hyper(self, y: FloatArray) -> FloatArray:
        """Scaled latents -> z_hat."""
        return self._run("hyper_analysis", latents=y)

    def quantize(self, y: FloatArray, z: FloatArray, coded: npt.NDArray[np.bool_]) -> tuple[SymbolArray, IndexArray, FloatArray]:
        """Scaled latents, z_hat -> symbols, table indices, y_hat. `coded` (h, w): positions of the picture, others get index 0."""
        features, mean_features = self.scale_features(z), self._run("mean_hyper", z=z)
        rolled = roll(y, 1)
        symbols, known = np.zeros(y.shape, np.float32), np.empty(y.shape, np.float32)
        index = np.empty(y.shape, np.uint8)
        for k in range(SLICES):
            here = self.slice_channels(k)
            mu = self._mean(k, known, mean_features)
            index[:, here] = self.table_index(k, symbols, features) * coded
            np.rint(rolled[:, here] - mu, out=symbols[:, here])
            symbols[:, here] *= index[:, here] > 0
            np.clip(symbols[:, here], -SYMBOL_MAX, SYMBOL_MAX, out=symbols[:, here])
            np.add(symbols[:, here], mu, out=known[:, here])
        return symbols.astype(np.int16), index, roll(known, -1)

    def expected(self, y: FloatArray, z: FloatArray, coded: npt.NDArray[np.bool_]) -> tuple[FloatArray, IndexArray]:
        """Scaled latents, z_hat -> mu and table indices as quantize has them, channels in their own order."""
        symbols, index, y_hat = self.quantize(y, z, coded)
        return y_hat - roll(symbols.astype(np.float32), -1), roll(index, -1)

    def scale_features(self, z: FloatArray) -> FloatArray:
        """z_hat -> what scale_k needs beside the symbols; exact integers held in float32."""
        return self._run("scale_hyper", z=z)

    def table_index(self, k: int, symbols: npt.NDArray[Any], features: FloatArray) -> IndexArray:
        """Table indices (1, M/4, h, w) of slice k from the symbols of slices < k (the rest of `symbols` is not read)."""
        if k == 0:
            return self._run("scale_0", features=features)
        known = np.clip(symbols[:, : self.slice_channels(k).start], -CLIP, CLIP).astype(np.float32)
        return self._run(f"scale_{k}", symbols=known, features=features)

    def slice_channels(self, k: int) -> slice:
        """Channels of slice k in rolled order."""
        return channels_of(k, self.channels)

    def dequantize(self, z: FloatArray, symbols: SymbolArray) -> FloatArray:
        """z_hat and symbols -> y_hat in quantisation steps, channels in their own order."""
        features = self._run("mean_hyper", z=z)
        known = symbols.astype(np.float32)
        for k in range(SLICES):
            known[:, self.slice_channels(k)] += self._mean(k, known, features)
        return roll(known, -1)

    def _mean(self, k: int, known: FloatArray, features: FloatArray) -> FloatArray:
        if k == 0:
            return self._run("mean_0", features=features)
        return self._run(f"mean_{k}", known=known[:, : self.slice_channels(k).start], features=features)


def _joined(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Blocks (3 x 8 x 8, rows, columns) -> pixels (8 rows, 8 columns, 3)."""
    rows, columns = blocks.shape[1:]
    parts = blocks.reshape(3, BLOCK_PX, BLOCK_PX, rows, columns)
    out = np.empty((rows, BLOCK_PX, columns, BLOCK_PX, 3), np.uint8)
    for channel in range(3):  # two loops that keep each copy a matrix transpose: one six-dimensional one takes four times as long
        for row in range(BLOCK_PX):
            out[:, row, :, :, channel] = parts[channel, row].transpose(1, 2, 0)
    return out.reshape(rows * BLOCK_PX, columns * BLOCK_PX, 3)


def blocks(pixels: npt.NDArray[Any], side: int = BLOCK_PX) -> FloatArray:
    """Pixels (side rows, side columns, 3) -> blocks (1, 3 x side x side, rows, columns) of float32: the other way round."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    parts = pixels.reshape(rows, side, columns, side, 3).transpose(4, 1, 3, 0, 2)
    return parts.reshape(1, -1, rows, columns).astype(np.float32)


def weight_blocks(weights: FloatArray, means: Sequence[FloatArray], margin_px: int) -> dict[str, FloatArray]:
    """Weights of pixels and of means over 2x2 and 4x4, as the gradient's graph takes them: `counted` and, if there are any, `means`.

    (1, 3 x 8 x 8, rows, columns) and (1, 3 x (4 x 4 + 2 x 2), rows, columns) for blocks of 8x8 pixels of the picture with a margin, whose
    weights are 0; means of a block by scale, then as pixels are.
    """

    def framed(w: FloatArray, side: int) -> FloatArray:
        edge = margin_px * side // BLOCK_PX
        return blocks(np.pad(w, ((edge, edge), (edge, edge), (0, 0))), side)

    found = {"counted": framed(weights, BLOCK_PX)}
    return found | {"means": np.concatenate([framed(w, BLOCK_PX >> j) for j, w in enumerate(means, 1)], 1)} if means else found
