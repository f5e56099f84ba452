"""Efforts 7 to 9 on a lossy photograph: its latents go down the slope of rate and error before they are rounded.

    J = bits + ERROR_WORTH * lambda / 3 * error,  lambda that the model was trained with at this level (training/train.py)

The error is the squared one, or what photoarc.codecs.photo.structure makes of it for a model that was trained for eyes.

Overfitting of the latents (Campos et al. 2019, arXiv 1906.01223) needs a slope where rounding has none. Here a latent between two integers
stands for either of them, the nearer one the more likely, so that in the mean it is where it is. In the mean, then, over all ways to round,

    bits   those of both integers, in proportion: code lengths of the model's own tables
    error  that of the latents as they are, and of each latent p (1 - p) times what its step costs, p its share of the upper integer

which is J itself where all latents are integers. The first error has its slope from an ONNX graph, the decoder forth and back, the second
is a constant of each channel, which is taken at more than its value in the end to drive latents to integers. Adam takes the steps: several
on each slope of the first error, which is what costs, and which changes as if each latent moved alone. Means and tables are taken anew now
and then and stand still in between; the hyper-latents stay. What else was tried: training/EXPERIMENTS.md.

A decoder knows nothing of this. What comes out is only used if it makes J smaller, measured as a decoder will see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc import models
from photoarc.codecs.photo import structure
from photoarc.codecs.photo.bands import Mask, Pixels
from photoarc.entropy.stack import PRECISION
from photoarc.entropy.tables import Table
from photoarc.models.photo_model import SearchModel
from photoarc.models.session import FloatArray
from photoarc.options import Tuning


@dataclass(frozen=True, slots=True)
class Search:
    """How long to look: slopes of the error, steps on each, their rate in quantisation steps, and slopes until means and tables are new."""

    slopes: int
    steps: int
    rate: float
    seen_anew: int

    def schedule(self) -> Iterator[tuple[np.float32, float]]:
        """Push to integers and rate of each step."""
        total = self.slopes * self.steps
        for taken in range(total):
            push = PUSH[0] + (PUSH[1] - PUSH[0]) * taken / (total - 1)
            yield np.float32(push), self.rate * min(1.0, (total - taken) / (total * (1 - STEADY)))


EFFORTS = (
    *(None,) * 7,
    Search(5, 3, 0.12, 1),
    Search(20, 3, 0.1, 2),
    Search(60, 5, 0.06, 4),
)
# Points of quality that the search of an effort is worth at qualities 0, 12.5 ... 100, by Kodak's means without and with it
# (bench/results): of PSNR, or the mean of what MS-SSIM, LPIPS and Butteraugli's 3-norm say, or what takes no more bytes if that is
# more. A search ends better as well as smaller, but who asks for effort wants smaller.
WORTH: dict[Tuning, dict[int, tuple[float, ...]]] = {
    Tuning.PSNR: {
        7: (0.0, 0.96, 1.36, 1.61, 1.81, 1.94, 2.31, 3.2, 5.06),
        8: (0.0, 1.78, 2.22, 2.52, 2.71, 2.89, 3.35, 4.38, 6.46),
        9: (0.0, 2.04, 2.51, 2.81, 3.06, 3.32, 3.9, 5.06, 7.27),
    },
    Tuning.SSIM: {
        7: (0.0, 1.01, 1.14, 1.31, 1.61, 1.93, 2.45, 3.96, 6.9),
        8: (0.0, 2.03, 2.12, 2.4, 2.87, 3.16, 3.65, 5.38, 8.65),
        9: (0.0, 2.24, 2.43, 2.69, 3.23, 3.61, 4.2, 6.07, 9.52),
    },
}
LEAST_LEFT = 0.92  # of a payload: of 648 by each tuning (Kodak, efforts 7 to 9, nine qualities) the search left 0.966 at the least
# Against 1, the rate at equal PSNR is 1.6 / 0.2 / 0.3 % lower at qualities 12.5 / 50 / 87.5 (effort 8, eight training crops).
ERROR_WORTH = 1.35
STRUCTURE_WORTH = 1.0  # the same for an error with structure; with less, LPIPS grows at equal rate
MOMENTS = (0.3, 0.9)  # Adam's
STEADY = 0.5  # share of the steps before the rate begins to fall to 0
PUSH = (0.5, 2.0)  # times the error of rounding, first and last step
ESCAPED_BITS = 16
PART_LATENTS = 1 << 14  # that take steps together


def as_good(quality: float, effort: int, tuning: Tuning) -> float:
    """The quality at which a search by this effort is as good, in the mean (WORTH), as `quality` is without one.

    Raises ModelError: without the model, nobody knows whether there is a search.
    """
    worth = WORTH[tuning].get(effort) if models.load_for(tuning).for_search is not None else None
    return quality if worth is None else float(quality - np.interp(quality, np.linspace(0, 100, len(worth)), worth))


@dataclass(frozen=True)
class Window:
    """What a decoder sees around a band of latents: its neighbours' rows and the pixels that depend on them.

    `above`, `below`: unscaled latents (1, M, rows, w), or None at the picture's ends; `pixels`: rows of all of it with the model's margin,
    (H, W, 3); `inside` (H, W): pixels of the picture, not of its padding. `unit`: a quantisation step in unscaled latents, as the band.
    """

    above: FloatArray | None
    below: FloatArray | None
    pixels: Pixels
    inside: Mask
    unit: FloatArray

    def latents(self, y_hat: FloatArray) -> FloatArray:
        """Band in quantisation steps -> unscaled latents of the window."""
        parts = [p for p in (self.above, y_hat * self.unit, self.below) if p is not None]
        return np.concatenate(parts, 2)

    def rows_above(self) -> int:
        """Latent rows in front of the band."""
        return 0 if self.above is None else self.above.shape[2]

    def counted(self, model: SearchModel) -> FloatArray:
        """1 where a pixel's error counts, without the margin: inside the picture, and not where the window was cut."""
        counted = _without_margin(self.inside, model.margin_px).astype(np.float32)
        edge_px = model.edge * model.stride_px
        if self.above is not None:
            counted[:edge_px] = 0
        if self.below is not None:
            counted[len(counted) - edge_px :] = 0
        return counted


def _without_margin(pixels: npt.NDArray[Any], margin_px: int) -> npt.NDArray[Any]:
    height, width = pixels.shape[:2]
    return pixels[margin_px : height - margin_px, margin_px : width - margin_px]


class Lengths:
    """Code lengths in bits of all tables in one row, for symbols by table."""

    def __init__(self, tables: Sequence[Table]) -> None:
        # Index 0 is the table of a latent that is 0 for sure: anything else would cost what an escape does.
        rows = [np.array([ESCAPED_BITS, 0, ESCAPED_BITS], np.float32)]
        rows += [(PRECISION - np.log2(t.frequencies[:-1].astype(np.float64))).astype(np.float32) for t in tables]
        self._escape = np.array([ESCAPED_BITS, *(PRECISION - np.log2(float(t.frequencies[-1])) + ESCAPED_BITS for t in tables)], np.float32)
        self._reach = np.array([len(r) // 2 for r in rows], np.int32)
        self._start = np.cumsum([0, *(len(r) for r in rows[:-1])]).astype(np.int32)
        self._bits = np.concatenate(rows)
        self._rises = np.diff(self._bits)

    def total(self, symbols: npt.NDArray[np.integer], index: npt.NDArray[np.integer]) -> float:
        """Bits of symbols under the tables of an index."""
        reach = self._reach[index]
        beyond = np.abs(symbols) > reach
        bits = np.where(beyond, self._escape[index], self._bits[self._start[index] + reach + np.where(beyond, 0, symbols)])
        return float(bits.sum(dtype=np.float64))

    def rises(self, index: npt.NDArray[np.integer]) -> Callable[[npt.NDArray[np.intp]], FloatArray]:
        """Tables of an index -> symbols -> bits of the symbol above less bits of the symbol; at a table's ends those of its last step."""
        first, reach = self._start[index].astype(np.intp), self._reach[index].astype(np.intp)
        middle, last = first + reach, first + 2 * reach - 1

        def of(low: npt.NDArray[np.intp]) -> FloatArray:
            at = low + middle
            np.maximum(at, first, out=at)
            np.minimum(at, last, out=at)
            found: FloatArray = self._rises[at]
            return found

        return of


class Adam:
    """Kingma & Ba 2015, arXiv 1412.6980, algorithm 1, in place."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean, self._square = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._taken = 0

    def step(self, gradient: FloatArray, rate: float) -> FloatArray:
        """Gradient, which is overwritten -> what to subtract."""
        self._taken += 1
        size = gradient - self._mean
        size *= 1 - MOMENTS[0]
        self._mean += size
        gradient *= gradient
        gradient -= self._square
        gradient *= 1 - MOMENTS[1]
        self._square += gradient
        deviation = np.divide(self._square, np.float32(1 - MOMENTS[1] ** self._taken), out=gradient)
        np.sqrt(deviation, out=deviation)
        deviation += np.float32(1e-8)
        np.multiply(self._mean, np.float32(rate / (1 - MOMENTS[0] ** self._taken)), out=size)
        size /= deviation
        return size


class Part:
    """Latents of some channels on their way down, so few that all of a step stays in a core's cache.

    Between two slopes none needs to know of another, so that each part may take its steps before the next one does. It takes its
    `channels` of whatever it is given: `moved`, in quantisation steps, which it changes; `bend`, the error of a step.
    """

    def __init__(self, channels: slice, moved: FloatArray, bend: FloatArray) -> None:
        self._channels, self._moved, self._bend = channels, moved[:, channels], bend[:, channels]
        self._adam = Adam(self._moved.shape)

    def see(self, mu: FloatArray, index: npt.NDArray[np.integer], lengths: Lengths) -> None:
        """Means and tables from now on."""
        index = index[:, self._channels]
        self._mu, self._free, self._rises = mu[:, self._channels], (index > 0).astype(np.float32), lengths.rises(index)

    def go(self, slope: FloatArray, steps: Sequence[tuple[np.float32, float]]) -> None:
        """Take steps on a slope of the error, each with its push to integers and its rate."""
        moved, slope = self._moved, slope[:, self._channels]
        start = moved.copy()
        for push, rate in steps:
            share = moved - self._mu
            low = np.floor(share)
            gradient = self._rises(low.astype(np.intp))
            gradient += slope
            share -= low
            # Of the error: weight * curvature * (2 * (moved - start) + push * (1 - 2 * share))
            share *= 2
            np.subtract(1, share, out=share)
            share *= push
            moved_by = np.subtract(moved, start, out=low)
            moved_by *= 2
            moved_by += share
            moved_by *= self._bend
            gradient += moved_by
            gradient *= self._free
            moved -= self._adam.step(gradient, rate)


@dataclass(frozen=True)
class Descent:
    """The search in one band; `coded` (h, w): latents of the picture, not of its padding; `told`: gets the share that is done."""

    model: SearchModel
    level: float
    coded: Mask
    window: Window
    search: Search
    told: Callable[[float], None]

    def __call__(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Latents in quantisation steps (1, M, h, w), z_hat -> latents that cost less once they are rounded, or the same ones."""
        search, lengths = self.search, Lengths(self.model.y_tables)
        strength = self.model.structure(self.level)
        error_weight = (STRUCTURE_WORTH if strength else ERROR_WORTH) * self.model.error_weight(self.level) / 3
        weight = np.float32(error_weight)
        picture = _without_margin(self.window.pixels, self.model.margin_px)
        weights = structure.weigh(picture, strength, self.window.counted(self.model))
        error_slope = self.model.error_slope(self.window.pixels, weights.pixels, weights.means)
        top, bottom = self.window.rows_above(), self.window.rows_above() + y.shape[2]
        bend = weight * self.model.curvature(self.level)
        moved = y.copy()
        size = max(1, PART_LATENTS // (y.shape[2] * y.shape[3]))
        parts = [Part(slice(first, first + size), moved, bend) for first in range(0, y.shape[1], size)]
        steps = list(search.schedule())
        for number in range(search.slopes):
            if number % search.seen_anew == 0:
                mu, index = self.model.expected(moved, z, self.coded)
                for part in parts:
                    part.see(mu, index, lengths)
            slope = weight * error_slope(self.window.latents(moved))[:, :, top:bottom]
            slope *= self.window.unit
            for part in parts:
                part.go(slope, steps[number * search.steps : (number + 1) * search.steps])
            self.told((number + 1) / search.slopes)

        def cost(latents: FloatArray) -> float:
            """J of latents, rounded; bits of the hyper-latents, which stay, are left out."""
            symbols, index, y_hat = self.model.quantize(latents, z, self.coded)
            off = self.model.synthesize(self.window.latents(y_hat)).astype(np.float32)
            off -= picture
            return lengths.total(symbols, index) + error_weight * weights.error(off)

        return moved if cost(moved) < cost(y) else y


def unchanged(y: FloatArray, z: FloatArray) -> FloatArray:
    """No search."""
    return y
