"""What hyper-latents tell of each other: means and tables of a slice from the slices before it, in exact integers (docs/format.md 8.3).

In smooth photographs they are a tenth of the bytes, and much like their neighbours. Each has a mean and a scale, those of its channel and
level, which a small network moves by what is known at the nine places around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table
from photoarc.models.session import FloatArray
from photoarc.models.slices import SLICES, channels_of, roll

SCALES, PARTS = 40, 4  # tables: scales, and quarters that a mean is from an integer
SHIFT = 8  # binary places of the constants
INPUT_MAX = 127

IntArray = npt.NDArray[np.int32]
IndexArray = npt.NDArray[np.uint8]


class HyperContext:
    """Constants, tables and networks of one model.

    `constants` (levels, 5, Z) int32, of a level and channel: factor and offset that make a hyper-latent a network's input, factor and
    offset that make a network's output its mean in quarters, all four times 2^SHIFT, and the number of its scale. `run(k, input)`: the
    network of slice k, (1, channels before it, h, w) -> (1, two numbers a channel of it, h, w), integers in float32.
    """

    def __init__(self, constants: IntArray, tables: Sequence[Table], run: Callable[[int, FloatArray], FloatArray]) -> None:
        self.constants, self.tables, self._run = constants, tables, run

    def begin(self, level: float, shape: tuple[int, int]) -> Known:
        """Hyper-latents of `shape` (h, w) of which nothing is known yet; between levels, the nearest one's constants hold."""
        nearest = self.constants[int(np.floor(level + 0.5)), :, None, :, None, None]
        spread = np.broadcast_to(nearest, (*nearest.shape[:3], *shape))
        return Known(self._run, np.stack([roll(constant, 1) for constant in spread]))

    def coded(self, z: npt.NDArray[np.floating], level: float) -> list[tuple[IntArray, IndexArray]]:
        """For each slice of hyper-latents (1, Z, h, w), what is coded, and its table indices."""
        known = self.begin(level, (z.shape[2], z.shape[3]))
        known.rolled = roll(z.astype(np.int32), 1)
        found = []
        for k in range(SLICES):
            whole, index = known.expect(k)
            found.append((known.rolled[:, known.channels(k)] - whole, index))
        return found


class Known:
    """Hyper-latents in rolled order (1, Z, h, w), slice by slice."""

    def __init__(self, run: Callable[[int, FloatArray], FloatArray], constants: IntArray) -> None:
        self._run = run
        self._factor, self._offset, self._spread, self._mean, self._scale = constants
        self.rolled: IntArray = np.zeros(self._scale.shape, np.int32)

    def channels(self, k: int) -> slice:
        """Channels of slice k."""
        return channels_of(k, self.rolled.shape[1])

    def expect(self, k: int) -> tuple[IntArray, IndexArray]:
        """What slice k is coded less, and its table indices (1, Z / 4, h, w), from the slices < k of `rolled`."""
        here = self.channels(k)
        mean, scale = self._mean[:, here], self._scale[:, here]
        if k:
            before = slice(here.start)
            seen = (self._factor[:, before] * self.rolled[:, before] + self._offset[:, before]) >> SHIFT
            moved = self._run(k, np.clip(seen, -INPUT_MAX, INPUT_MAX).astype(np.float32)).astype(np.int32)
            mean_by, scale_by = np.split(moved, 2, axis=1)
            mean = mean + self._spread[:, here] * mean_by
            scale = np.clip(scale + scale_by, 0, SCALES - 1)
        whole, part = np.divmod((mean >> SHIFT) + PARTS // 2, PARTS)
        return whole, (scale * PARTS + part + 1).astype(np.uint8)
