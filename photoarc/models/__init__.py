"""Learned models: networks that ONNX Runtime runs on the CPU, and tables of integers."""

from __future__ import annotations

from functools import cache

from photoarc.errors import ModelCorrupt
from photoarc.models import manifest
from photoarc.models.coefficients import Coefficients
from photoarc.models.hyperprior import Hyperprior
from photoarc.models.manifest import ModelEntry
from photoarc.options import Tuning


@cache
def load(model_id: int) -> Hyperprior:
    """The model of photographs of a permanent id, kept for the life of the process.

    Raises ModelMissing or ModelCorrupt.
    """
    return Hyperprior(_entry(model_id, "hyperprior"))


@cache
def load_coefficients(model_id: int) -> Coefficients:
    """The same for a model of JPEG coefficients."""
    return Coefficients(_entry(model_id, "coefficients"))


def load_for(tuning: Tuning) -> Hyperprior:
    """The model that codes new photographs of a tuning. Raises ModelMissing or ModelCorrupt."""
    return load(manifest.CODED_WITH[tuning])


def _entry(model_id: int, architecture: str) -> ModelEntry:
    found = manifest.entry(model_id)
    if found.architecture != architecture:
        raise ModelCorrupt(model_id, f"its architecture is {found.architecture!r}, {architecture!r} was expected; update photoarc")
    return found


__all__ = ["Coefficients", "Hyperprior", "load", "load_coefficients", "load_for"]
