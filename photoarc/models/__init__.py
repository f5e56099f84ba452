"""Learned models: networks that ONNX Runtime runs on the CPU, and tables of integers."""

from __future__ import annotations

import pkgutil
from functools import cache

from photoarc.errors import ModelCorrupt
from photoarc.models import manifest
from photoarc.models.coefficients import Coefficients
from photoarc.models.manifest import ModelEntry
from photoarc.models.photo_model import ARCHITECTURES, PhotoModel
from photoarc.options import Tuning


@cache
def load(model_id: int) -> PhotoModel:
    """The model of photographs of a permanent id, kept for the life of the process.

    Raises ModelMissing or ModelCorrupt.
    """
    entry = manifest.entry(model_id)
    if entry.architecture not in ARCHITECTURES:
        raise _other(entry, " or ".join(map(repr, ARCHITECTURES)))
    model: PhotoModel = pkgutil.resolve_name(ARCHITECTURES[entry.architecture].model)(entry)
    return model


@cache
def load_coefficients(model_id: int) -> Coefficients:
    """The same for a model of JPEG coefficients."""
    entry = manifest.entry(model_id)
    if entry.architecture != "coefficients":
        raise _other(entry, "'coefficients'")
    return Coefficients(entry)


def load_for(tuning: Tuning) -> PhotoModel:
    """The model that codes new photographs of a tuning. Raises ModelMissing or ModelCorrupt."""
    return load(manifest.CODED_WITH[tuning])


def _other(entry: ModelEntry, expected: str) -> ModelCorrupt:
    return ModelCorrupt(entry.id, f"its architecture is {entry.architecture!r}, {expected} was expected; update photoarc")


__all__ = ["Coefficients", "PhotoModel", "load", "load_coefficients", "load_for"]
