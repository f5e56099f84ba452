"""Lattices that a codec leaves in calm areas: the part of its error that repeats every 8, 16 or 64 pixels.

    python -m bench.lattice PICTURES --codecs photoarc-fast,avif --settings 50,75

Calm: tiles of 64 x 64 pixels, from the picture's corner on, whose luma lies within 2 grey levels rms of a plane. Their errors are folded at
each period, all tiles over each other: what is random grows small, and what remains of it is taken off again; what stands in the same
place of the grid stays. Grey levels rms; 0.1 is seen where shadows are lifted, ten times less than a bit.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench import codecs, run, tables
from bench.codecs import Pixels

PERIODS_PX = (8, 16, 64)
TILE_PX = 64
CALM = 2.0  # grey levels rms
LUMA = np.array([0.299, 0.587, 0.114])

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Grey levels rms of the error that repeats, a period of PERIODS_PX each, over `tiles` calm tiles; nan if there are fewer than two."""

    tiles: int
    rms: tuple[float, ...]


def _tiles(plane: Floats) -> Floats:
    """(H, W) -> (n, 64, 64), what is left at the edges left out."""
    rows, columns = (side // TILE_PX for side in plane.shape)
    cut = plane[: rows * TILE_PX, : columns * TILE_PX].reshape(rows, TILE_PX, columns, TILE_PX)
    return cut.swapaxes(1, 2).reshape(-1, TILE_PX, TILE_PX)


def _without_plane(tiles: Floats) -> Floats:
    """What is left of each tile without its best plane: its mean and its slopes."""
    ramp = np.arange(TILE_PX) - (TILE_PX - 1) / 2
    slope = ramp / (ramp @ ramp) / TILE_PX
    flat = tiles - tiles.mean((1, 2), keepdims=True)
    across, down = flat.sum(1) @ slope, flat.sum(2) @ slope
    out: Floats = flat - across[:, None, None] * ramp - down[:, None, None] * ramp[:, None]
    return out


def calm_errors(original: Pixels, decoded: Pixels) -> Floats:
    """Errors of luma (n, 64, 64) in the calm tiles of a picture (H, W, 3), without their planes."""
    source = original @ LUMA
    calm = np.sqrt((_without_plane(_tiles(source)) ** 2).mean((1, 2))) < CALM
    return _without_plane(_tiles(decoded @ LUMA - source)[calm])


def measure(errors: Floats) -> Lattice:
    """Of errors (n, 64, 64), of one picture or of many."""
    if len(errors) < 2:
        return Lattice(len(errors), (math.nan,) * len(PERIODS_PX))
    return Lattice(len(errors), tuple(_repeating(errors, period) for period in PERIODS_PX))


def _repeating(errors: Floats, period: int) -> float:
    times = TILE_PX // period
    folds = errors.reshape(len(errors), times, period, times, period).swapaxes(2, 3).reshape(-1, period, period)
    chance = folds.var(0, ddof=1).mean() / len(folds)  # of the mean of so many, by what they differ
    return math.sqrt(max(float((folds.mean(0) ** 2).mean() - chance), 0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure lattices in calm areas.")
    parser.add_argument("pictures", type=Path, help="folder with pictures")
    parser.add_argument("--codecs", default="photoarc-fast,photoarc-psnr,avif,jpegxl", help="comma-separated names")
    parser.add_argument("--settings", default="", help="comma-separated settings; default: the codec's own")
    arguments = parser.parse_args()
    wanted = [codec for codec in codecs.select(arguments.codecs.split(",")) if not codecs.missing(codec)]
    originals = [run.load(path) for path in run.pictures(arguments.pictures)]
    body = []
    for codec in wanted:
        settings: Sequence[float] = [float(s) for s in arguments.settings.split(",") if s] or codec.settings
        for setting in settings:
            errors = [calm_errors(pixels, codec.decode(codec.encode(pixels, setting))) for pixels in originals]
            found = measure(np.concatenate(errors))
            body.append((codec.name, f"{setting:g}", str(found.tiles), *(f"{rms:.3f}" for rms in found.rms)))
    print(tables.table(("codec", "setting", "calm tiles", *(f"{period} px" for period in PERIODS_PX)), body))


if __name__ == "__main__":
    main()
