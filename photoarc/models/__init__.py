"""Learned models: networks run by ONNX Runtime on the CPU, tables of integers."""

from __future__ import annotations

from functools import cache

from photoarc.errors import ModelCorrupt
from photoarc.models.hyperprior import Hyperprior
from photoarc.models.manifest import DEFAULT_ID, entry


@cache
def load(model_id: int) -> Hyperprior:
    """The model of a permanent id, kept for the life of the process.

    Raises ModelMissing or ModelCorrupt.
    """
    found = entry(model_id)
    if found.architecture != "hyperprior":
        raise ModelCorrupt(model_id, f"architecture {found.architecture!r} is unknown to this version of photoarc; update photoarc")
    return Hyperprior(found)


__all__ = ["DEFAULT_ID", "Hyperprior", "load"]
