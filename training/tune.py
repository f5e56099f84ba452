"""Gains for eyes: how much finer or coarser each channel is to be quantised when SSIM counts, not the squared error.

    python training/tune.py models_onnx/photo-1 --photos DIR --out training/ssim_gains.tsv

Training minimises the squared error. This script measures, on tiles of photographs and with the model as it runs, what each group of
channels gives in PSNR, MS-SSIM and LPIPS for a bit more or less, against what all together give, and moves bits to where they bring
most: at the optimum every group gives the same (Lagrange). With steps fine enough distortion goes with the square of the step, so a group
that gives e times as much as the others wants steps smaller by the root of e. Rounds of that, damped, then `--share` of the way: the first
half costs PSNR next to nothing.

Groups are channels of one colour (luma or chroma) and like frequency, by their impulse response. Wants `python -m bench.lpips` first.
OUT has the log gains to add, a line a level, a column a channel; export.py reads it.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evaluate import use
from PIL import Image

from bench import lpips
from photoarc import models
from photoarc.codecs.photo.bands import cut
from photoarc.codecs.photo.descent import Lengths
from photoarc.folderbench import metrics
from photoarc.models.hyperprior import Hyperprior
from photoarc.options import Tuning

TILE_PX = 384
GROUPS = {"luma": 15, "chroma": 5}
WEIGHTS = np.array([0.25, 0.5, 0.25])  # of PSNR, MS-SSIM and LPIPS, all in dB
LUMA = np.array([0.299, 0.587, 0.114])
PROBE = 0.3  # log gain by which a group is moved both ways
DAMPING, LARGEST = 0.8, 0.5


@dataclass
class Tile:
    """What of a tile is computed once."""

    pixels: np.ndarray
    latents: np.ndarray
    reference: metrics.Reference
    features: lpips.Features


def whole(model: Hyperprior, pixels: np.ndarray) -> np.ndarray:
    """Latents of a picture in one piece; its sides are multiples of 64."""
    return model.analyze(cut(pixels, 0, len(pixels), model.margin_px))


def tiles(model: Hyperprior, folder: Path, count: int) -> list[Tile]:
    """Middles of `count` photographs, spread evenly over a folder."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in {".webp", ".png", ".jpg", ".jpeg"})
    found = []
    for file in files[:: max(1, len(files) // count)][:count]:
        pixels = np.asarray(Image.open(file, formats=("WEBP", "PNG", "JPEG")).convert("RGB"))
        top, left = ((side - TILE_PX) // 2 for side in pixels.shape[:2])
        pixels = np.ascontiguousarray(pixels[top : top + TILE_PX, left : left + TILE_PX])
        latents = whole(model, pixels)
        found.append(Tile(pixels, latents, metrics.reference(pixels), lpips.features(pixels)))
    return found


def groups(model: Hyperprior) -> np.ndarray:
    """Number of each channel's group (M,): luma by rising frequency, then chroma."""
    side = 12
    grey = np.full((side * model.stride_px, side * model.stride_px, 3), 128, np.uint8)
    background = whole(model, grey)
    background[:] = background[:, :, side // 2, side // 2, None, None]
    before = model.synthesize(background).astype(float)
    height = 4 / model.scale(np.ones_like(background), 2.0)[0, :, 0, 0]  # four steps at a low rate
    is_chroma, frequency = np.zeros(model.channels, bool), np.zeros(model.channels)
    distance = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None])
    for c in range(model.channels):
        impulse = background.copy()
        impulse[0, c, side // 2, side // 2] += height[c]
        response = model.synthesize(impulse) - before
        luma = response @ LUMA
        chroma = response - luma[..., None]
        is_chroma[c] = (chroma**2).sum() / 3 > (luma**2).sum()
        power = np.abs(np.fft.fft2(chroma[..., 2] if is_chroma[c] else luma)) ** 2
        frequency[c] = (power * distance).sum() / power.sum()
    number, out = 0, np.empty(model.channels, int)
    for which, count in ((~is_chroma, GROUPS["luma"]), (is_chroma, GROUPS["chroma"])):
        channels = np.flatnonzero(which)
        for part in np.array_split(channels[np.argsort(frequency[channels])], count):
            out[part] = number
            number += 1
    return out


def bits(model: Hyperprior, y: np.ndarray, level: float) -> tuple[float, np.ndarray]:
    """Entropy of the integers of scaled latents by the model's tables, and y_hat."""
    z = model.hyper(y)
    symbols, index, y_hat = model.quantize(y, z, np.ones(y.shape[2:], bool))
    total = Lengths(model.y_tables).total(symbols, index)
    lengths = Lengths(model.hyper_context.tables)
    total += sum(lengths.total(apart, tables) for apart, tables in model.hyper_context.coded(z, level))
    return total, y_hat


def measure(model: Hyperprior, found: list[Tile], level: float, added: np.ndarray) -> np.ndarray:
    """Bits a pixel, PSNR, MS-SSIM and LPIPS in dB of each tile (tiles, 4), with `added` (M,) to the log gains."""
    factor = np.exp(added).astype(np.float32)[None, :, None, None]
    rows = []
    for tile in found:
        total, y_hat = bits(model, model.scale(tile.latents, level) * factor, level)
        pixels = model.synthesize(model.unscale(y_hat, level) / factor)
        quality = metrics.compare(tile.reference, pixels)
        distance = lpips.distance(tile.features, lpips.features(pixels))
        rows.append((total / TILE_PX**2, quality.psnr_db, metrics.decibels(quality.ms_ssim), -10 * math.log10(distance)))
    return np.array(rows)


def optimum(model: Hyperprior, found: list[Tile], level: float, group: np.ndarray, rounds: int) -> np.ndarray:
    """Log gains to add (M,) at which all groups bring the same for a bit; their sum over bits is about 0, so the rate stays."""
    added = np.zeros(group.max() + 1)
    for number in range(rounds):

        def probe(step: np.ndarray, at: np.ndarray = added) -> np.ndarray:
            return measure(model, found, level, (at + step)[group]) - measure(model, found, level, (at - step)[group])

        together = probe(np.full(len(added), PROBE))
        share, worth = np.zeros(len(added)), np.full(len(added), 0.5)  # of channels without bits: coarser
        for g in range(len(added)):
            alone = probe(PROBE * (np.arange(len(added)) == g))
            share[g] = np.median(alone[:, 0] / together[:, 0])
            if share[g] > 0.002:  # medians, because a tile that is nearly flat answers wildly
                worth[g] = WEIGHTS @ np.median(alone[:, 1:] / alone[:, :1] / (together[:, 1:] / together[:, :1]), axis=0)
        step = np.clip(DAMPING / 2 * np.log(np.clip(worth, 0.15, 8)), -LARGEST, LARGEST)
        added = added + step - (step * share).sum() / share.sum()
        print(f"level {level:g}, round {number + 1}: worth of a bit {np.round(worth, 2)}", flush=True)
    return added[group]


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path, help="model folder")
    p.add_argument("--photos", type=Path, required=True, help="training photographs, never test sets")
    p.add_argument("--tiles", type=int, default=9)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--share", type=float, default=0.5, help="of the way to the optimum")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    use(a.model)
    model = models.load_for(Tuning.SSIM)
    assert isinstance(model, Hyperprior)  # the groups and bits above are its own
    found, group = tiles(model, a.photos, a.tiles), groups(model)
    every = np.arange(0, model.levels, 2)
    tilt = np.stack([optimum(model, found, float(level), group, a.rounds) for level in every])
    between = np.stack([np.interp(np.arange(model.levels), every, column) for column in tilt.T], 1)
    head = f"log gains to add for SSIM, {model.levels} levels x {model.channels} channels; training/tune.py"
    np.savetxt(a.out, a.share * between, "%.4f", "\t", header=head)


if __name__ == "__main__":
    main()
