"""Learned models: networks run by ONNX Runtime on the CPU, tables of integers."""

from __future__ import annotations

from functools import cache

from photoarc.errors import ModelCorrupt
from photoarc.models import manifest
from photoarc.models.hyperprior import Hyperprior
from photoarc.tuning import Tuning


@cache
def load(model_id: int) -> Hyperprior:
    """The model of a permanent id, kept for the life of the process.

    Raises ModelMissing or ModelCorrupt.
    """
    found = manifest.entry(model_id)
    if found.architecture != "hyperprior":
        raise ModelCorrupt(model_id, f"architecture {found.architecture!r} is unknown to this version of photoarc; update photoarc")
    return Hyperprior(found)


def load_for(tuning: Tuning) -> Hyperprior:
    """The model that codes new photographs of a tuning. Raises ModelMissing or ModelCorrupt."""
    return load(manifest.CODED_WITH[tuning])


__all__ = ["Hyperprior", "load", "load_for"]
