"""Rate-distortion curves: means over a set of our rows, and published ones from bench/reference/."""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench import rows
from bench.bdrate import Curve
from photoarc.folderbench import metrics

REFERENCE = Path(__file__).parent / "reference"
METRICS = ("psnr", "ms_ssim", "lpips", "butteraugli_3norm", "butteraugli_max", "ssimulacra2")


@dataclass(frozen=True, slots=True)
class Point:
    """Means over the pictures of a set at one setting; metrics are None where they are not known."""

    quality: float
    bpp: float
    psnr_db: float | None
    ms_ssim: float | None
    ssim: float | None = None
    lpips: float | None = None
    butteraugli_3norm: float | None = None
    butteraugli_max: float | None = None
    ssimulacra2: float | None = None
    bytes: int = 0
    pictures: int = 0

    def decibels(self, metric: str) -> float | None:
        """A metric as a number that rises with quality by about the same step for the same factor of rate."""
        if metric in ("psnr", "ssimulacra2"):  # the latter rises evenly as it is
            return self.psnr_db if metric == "psnr" else self.ssimulacra2
        if metric == "ms_ssim":
            return None if self.ms_ssim is None else metrics.decibels(self.ms_ssim)
        apart: float | None = getattr(self, metric)
        return None if apart is None else metrics.decibels(1 - apart)


@dataclass(frozen=True, slots=True)
class Measured:
    """One codec's curve, by setting; `source` says who measured it."""

    name: str
    source: str
    points: tuple[Point, ...]

    def curve(self, metric: str) -> Curve | None:
        """(bpp, quality) in one of METRICS; None if fewer than two points know it.

        All but PSNR and SSIMULACRA 2 as -10 log10 of what parts the pictures.
        """
        found = ((point.bpp, point.decibels(metric)) for point in self.points)
        pairs = [(bpp, db) for bpp, db in found if db is not None]
        if len(pairs) < 2:
            return None
        rates, qualities = zip(*pairs, strict=True)
        return rates, qualities


def means(found: Iterable[rows.Row]) -> dict[str, Measured]:
    """Our rows, by codec, lossless codecs too (one point, infinite PSNR). Raises ValueError if a setting lacks pictures of another."""
    groups: dict[str, dict[float, list[rows.Row]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        groups[row.codec][row.quality].append(row)
    out = {}
    for name, settings in groups.items():
        images = {tuple(sorted(r.image for r in group)) for group in settings.values()}
        if len(images) != 1:
            raise ValueError(f"{name} was not measured on the same pictures at every setting; run it again")
        points = (_mean(quality, group) for quality, group in settings.items())
        out[name] = Measured(name, "this machine", tuple(sorted(points, key=lambda p: p.bpp)))
    return out


def _mean(quality: float, group: Sequence[rows.Row]) -> Point:
    optional = zip(*((r.lpips, r.butteraugli_3norm, r.butteraugli_max, r.ssimulacra2) for r in group), strict=True)
    return Point(
        quality,
        statistics.fmean(r.bpp for r in group),
        statistics.fmean(r.psnr_db for r in group),
        statistics.fmean(r.ms_ssim for r in group),
        statistics.fmean(r.ssim for r in group),
        *(None if math.isnan(mean := statistics.fmean(column)) else mean for column in optional),
        sum(r.bytes for r in group),
        len(group),
    )


@cache
def published(name: str = "kodak") -> dict[str, Measured]:
    """Published curves of a set, by short name; empty if there are none for it."""
    path = REFERENCE / f"{name}.tsv"
    if not path.exists():
        return {}
    out = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            bpp, psnr, ms = (_numbers(line[column]) for column in ("bpp", "psnr_db", "ms_ssim"))
            points = tuple(Point(k, bpp[k], psnr[k] if psnr else None, ms[k] if ms else None) for k in range(len(bpp)))
            out[line["curve"]] = Measured(line["curve"], line["source"], points)
    return out


def _numbers(text: str) -> list[float]:
    return [float(value) for value in text.split(",")] if text else []


def medians(found: Iterable[rows.Time]) -> dict[tuple[str, float], tuple[float, float, float]]:
    """(codec, setting) -> encode and decode seconds a picture and pixels a picture: medians over rounds, means over pictures."""
    groups: dict[tuple[str, float], dict[str, list[rows.Time]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        groups[row.codec, row.quality][row.image].append(row)
    return {
        key: (
            statistics.fmean(statistics.median(t.enc_s for t in turns) for turns in images.values()),
            statistics.fmean(statistics.median(t.dec_s for t in turns) for turns in images.values()),
            statistics.fmean(turns[0].pixels for turns in images.values()),
        )
        for key, images in groups.items()
    }
