"""Channels in four slices that are coded one after another; each slice knows those before it.

Rolled by a quarter of the channels a 2x2 phase of their place, so that every slice has something of every place (the quadtree partition
of DCVC-DC, arXiv 2302.14402, written as a channel split; docs/format.md section 8.4).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SLICES = 4
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))  # the 2x2 phase k at which channels are rolled by k quarters


def channels_of(k: int, channels: int) -> slice:
    """Channels of slice k in rolled order."""
    return slice(k * channels // SLICES, (k + 1) * channels // SLICES)


def roll(y: npt.NDArray[Any], sign: int) -> npt.NDArray[Any]:
    """(1, C, h, w), rolled; sign=-1 undoes it."""
    channels = y.shape[1]
    out = np.empty_like(y)
    for k, (i, j) in enumerate(PHASES):
        cut = sign * k * channels // SLICES % channels
        out[:, cut:, i::2, j::2] = y[:, : channels - cut, i::2, j::2]
        out[:, :cut, i::2, j::2] = y[:, channels - cut :, i::2, j::2]
    return out
