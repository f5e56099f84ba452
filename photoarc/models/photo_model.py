"""Codecs see a model of photographs through two protocols; ARCHITECTURES has a row for each kind of model that there is.

    pixels -analyze-> latents -scale-> y -band coder-> stream;   stream -band coder-> y_hat -unscale-> latents -synthesize-> pixels

Latents are (1, M, h, w) float32. What lies between y and the stream belongs to the architecture, too, and is in codecs.photo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table
from photoarc.models.manifest import ModelEntry
from photoarc.models.session import FloatArray

Slope = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Architecture:
    """Two classes as "module:class", imported on first use: the model, made of its ModelEntry, and its band coder, made of the model."""

    model: str
    bands: str


# By the name that the manifest has; permanent, as ids of models are.
ARCHITECTURES = {
    "hyperprior": Architecture("photoarc.models.hyperprior:Hyperprior", "photoarc.codecs.photo.hyperprior_bands:HyperpriorBands"),
}


class PhotoModel(Protocol):
    """A model of photographs at several levels, numbers from 0 to levels - 1 and all between them; the higher, the better the picture.

    `stride_px`: a latent's side, which divides 64. `margin_px`: what `analyze` wants to see beyond each side of its latents.
    `halo`: rows of latents beyond a band that its pixels or its latents depend on. `order` (M,): channels by falling energy.
    """

    entry: ModelEntry
    levels: int
    stride_px: int
    margin_px: int
    halo: int
    order: npt.NDArray[np.intp]

    def analyze(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Pixels (stride_px h + 2 margin_px, stride_px w + 2 margin_px, 3) -> latents."""
        ...

    def scale(self, latents: FloatArray, level: float, step: FloatArray | None = None) -> FloatArray:
        """Latents in units of the quantisation step: that of the level, times `step` (h, w) if it is given."""
        ...

    def unscale(self, y_hat: FloatArray, level: float, step: FloatArray | None = None) -> FloatArray:
        """Inverse of scale, about."""
        ...

    def synthesize(self, latents: FloatArray) -> npt.NDArray[np.uint8]:
        """Latents -> pixels (stride_px h, stride_px w, 3)."""
        ...

    @property
    def for_search(self) -> SearchModel | None:
        """The model as the search of cheaper latents wants it; None if it has not what that takes."""
        ...


class SearchModel(Protocol):
    """What the search of cheaper latents (photoarc.codecs.photo.descent) needs of a model.

    `edge`: rows of latents at a window's cut ends whose pixels are wrong for want of neighbours. `z`: what was made of the latents before
    the search, which leaves it alone (hyper-latents). `coded` (h, w): positions of the picture, not of its padding.
    """

    stride_px: int
    margin_px: int
    edge: int

    @property
    def y_tables(self) -> Sequence[Table]:
        """Tables that the indices of `quantize` and `expected` count from 1; 0 is a latent that is 0 for sure."""
        ...

    def quantize(
        self, y: FloatArray, z: FloatArray, coded: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]], FloatArray]:
        """Scaled latents -> symbols, table indices, y_hat."""
        ...

    def expected(self, y: FloatArray, z: FloatArray, coded: npt.NDArray[np.bool_]) -> tuple[FloatArray, npt.NDArray[np.integer[Any]]]:
        """Scaled latents -> their means and table indices, as quantize has them, channels in their own order."""
        ...

    def synthesize(self, latents: FloatArray) -> npt.NDArray[np.uint8]:
        """As PhotoModel has it."""
        ...

    def error_slope(self, target: npt.NDArray[np.uint8], weights: FloatArray, means: Sequence[FloatArray]) -> Slope:
        """Unscaled latents -> slope of the weighted squared error by each of them.

        `target`: pixels with margin. `weights` (H, W, 3), without it: how much each one counts. `means` (H / 2, W / 2, 3) and
        (H / 4, W / 4, 3): how much means over 2x2 and 4x4 of them count; none for a model without a structure.
        """
        ...

    def error_weight(self, level: float) -> float:
        """Bits a pixel that a mean squared error of 1 is worth at a level: the model's lambda in training."""
        ...

    def curvature(self, level: float) -> FloatArray:
        """Squared error that a quantisation step of a latent costs by channel (1, M, 1, 1)."""
        ...

    def structure(self, level: float) -> float:
        """What the structure terms are worth at a level in squared error (photoarc.codecs.photo.structure): 0 if the model has none."""
        ...
