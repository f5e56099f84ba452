"""A band coder turns the latents of a band into a stream, and back: each architecture has one, and that of LZMA takes any."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any, Protocol

import numpy.typing as npt

from photoarc.codecs.photo.bands import Mask
from photoarc.models.photo_model import ARCHITECTURES, PhotoModel
from photoarc.models.session import FloatArray

BandIntegers = tuple[npt.NDArray[Any], ...]
Improve = Callable[[FloatArray, FloatArray], FloatArray]  # latents and hyper-latents -> latents


class BandCoder(Protocol):
    """Latents of one band <-> integers <-> bytes. Positions outside the mask `coded` (h, w) lie in padding and are free."""

    def encode_band(self, y: FloatArray, level: float, coded: Mask, improve: Improve) -> tuple[bytes, BandIntegers, FloatArray]:
        """Scaled latents (1, M, h, w) -> stream, the integers in it, and y_hat as a decoder will have it.

        `improve` makes cheaper latents of them, for a coder whose model is a SearchModel.
        """
        ...

    def read_band(self, stream: bytes, level: float, coded: Mask) -> BandIntegers:
        """Stream -> the same integers. Raises ValueError for a stream that does not fit."""
        ...

    def dequantize(self, integers: BandIntegers) -> FloatArray:
        """Integers -> y_hat (1, M, h, w) in quantisation steps."""
        ...


CoderOf = Callable[[PhotoModel], BandCoder]


def of_architecture(model: PhotoModel) -> BandCoder:
    """The band coder of a model's own architecture."""
    coder: BandCoder = pkgutil.resolve_name(ARCHITECTURES[model.entry.architecture].bands)(model)
    return coder
