"""Measure codecs on a folder of pictures; raw rows go to bench/results/<version>/<set>.tsv.

    python -m bench.run PICTURES --set kodak                                    all codecs: rate and quality, on every core
    python -m bench.run PICTURES --set kodak --codecs photoarc-fast,jpeg        only these; other rows of the file stay
    python -m bench.run PICTURES --set kodak --times                            wall times, one process, codecs in turn
    python -m bench.run PICTURES --set kodak --metrics                          only the quality columns, for a metric that came later
    python -m bench.run PICTURES --set kodak --quick                            some pictures and settings, to bench/results/quick/

Every encoded picture is decoded, compared with its original and, by a lossless codec, must come back exactly.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache, lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

import photoarc
from bench import butteraugli, codecs, lpips, quiet, rows, ssimulacra2
from bench.codecs import Codec, Pixels
from photoarc.folderbench import metrics

ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".ppm")
QUICK_STEP, TIMES_STEP = 6, 3  # every so manieth picture
ROUNDS = 3


def pictures(folder: Path) -> list[Path]:
    """Picture files of a folder, by name. Raises SystemExit if there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        sys.exit(f"{folder}: no pictures ({', '.join(ENDINGS)})")
    return found


def load(path: Path) -> Pixels:
    """RGB pixels (H, W, 3)."""
    with Image.open(path, formats=("PNG", "WEBP", "JPEG", "BMP", "PPM")) as picture:
        return np.array(picture.convert("RGB"))


@lru_cache(maxsize=1)
def _reference(path: Path) -> metrics.Reference:
    return metrics.reference(load(path))


@lru_cache(maxsize=1)
def _features(path: Path) -> lpips.Features:
    return lpips.features(_reference(path).pixels)


@lru_cache(maxsize=1)
def _scales(path: Path) -> list[ssimulacra2.Scale]:
    return ssimulacra2.scales(_reference(path).pixels)


def _lpips(path: Path, decoded: Pixels) -> float:
    """LPIPS of a decoded picture; nan where its network is missing or the picture is too small for it."""
    if not lpips.available() or min(decoded.shape[:2]) < lpips.MIN_SIDE_PX:
        return math.nan
    return lpips.distance(_features(path), lpips.features(decoded))


def _butteraugli(original: Pixels, decoded: Pixels) -> tuple[float, float]:
    """Largest difference and 3-norm; nan where the program is missing."""
    return butteraugli.distance(original, decoded) if butteraugli.available() else (math.nan, math.nan)


@cache
def _warm(name: str) -> None:
    """First use loads libraries and models: not counted."""
    (codec,) = codecs.select([name])
    picture = np.random.default_rng(0).integers(0, 255, (192, 192, 3), np.uint8)
    codec.decode(codec.encode(picture, codec.settings[0]))


def _cpu_s() -> float:
    return sum(
        use.ru_utime + use.ru_stime for use in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def measure(path: Path, name: str, settings: Sequence[float]) -> list[rows.Row]:
    """One picture through one codec at each setting. Raises ValueError if a lossless codec changes the picture."""
    _warm(name)
    (codec,) = codecs.select([name])
    original = _reference(path)
    height, width, _ = original.pixels.shape
    out = []
    for setting in settings:
        start = _cpu_s()
        payload = codec.encode(original.pixels, setting)
        encoded = _cpu_s()
        decoded = codec.decode(payload)
        end = _cpu_s()
        quality = metrics.compare(original, decoded)
        if codec.lossless and not math.isinf(quality.psnr_db):
            raise ValueError(f"{name} changed {path.name}: {quality.psnr_db:.1f} dB")
        size = len(payload) + codec.container(payload)
        out.append(
            rows.Row(
                name, setting, path.stem, width, height, size, len(payload), size * 8 / (width * height),
                quality.psnr_db, quality.ssim, quality.ms_ssim, _lpips(path, decoded), encoded - start, end - encoded,
                *_butteraugli(original.pixels, decoded), ssimulacra2.score(_scales(path), decoded),
            )
        )  # fmt: skip
    return out


def _settings(codec: Codec, quick: bool) -> tuple[float, ...]:
    return codecs.thinned(codec.settings) if quick else codec.settings


def rates(paths: Sequence[Path], wanted: Sequence[Codec], quick: bool, workers: int) -> list[rows.Row]:
    """All rows, on `workers` processes; a picture's codecs follow each other, so that its original is prepared once a process."""
    jobs = [(path, codec.name, _settings(codec, quick)) for path in paths for codec in wanted]
    started, out = time.monotonic(), []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for done, found in enumerate(pool.map(measure, *zip(*jobs, strict=True)), 1):
            out += found
            if done % 20 == 0 or done == len(jobs):
                print(f"  {done} of {len(jobs)} pictures x codecs, {time.monotonic() - started:.0f} s", flush=True)
    return out


def times(paths: Sequence[Path], wanted: Sequence[Codec], quick: bool) -> Iterator[rows.Time]:
    """Wall times in this process: in every round each codec and setting takes its turn on a picture before the next picture comes."""
    for codec in wanted:
        _warm(codec.name)
    for turn in range(1 if quick else ROUNDS):
        for path in paths:
            picture = load(path)
            for codec in wanted:
                chosen = codec.settings[len(codec.settings) // 4 :: max(1, len(codec.settings) // 3)][:3]
                for setting in chosen:
                    start = time.perf_counter()
                    payload = codec.encode(picture, setting)
                    encoded = time.perf_counter()
                    codec.decode(payload)
                    end = time.perf_counter()
                    yield rows.Time(
                        turn, codec.name, setting, path.stem, picture.shape[0] * picture.shape[1], encoded - start, end - encoded
                    )


def _refuse_to_lose(path: Path, wanted: Sequence[Codec]) -> None:
    """Times compare within one run, so that a run replaces them all. Raises SystemExit if it would leave codecs of the file out."""
    there = {row.codec for row in rows.read(path, rows.Time)} if path.exists() else set()
    if lost := sorted(there - {codec.name for codec in wanted}):
        sys.exit(f"{path}: has times of {', '.join(lost)}, which this run would drop; time all codecs together, or under another --set")


def _summary(found: Sequence[rows.Row]) -> None:
    groups: dict[tuple[str, float], list[rows.Row]] = defaultdict(list)
    for row in found:
        groups[row.codec, row.quality].append(row)
    print(f"{'codec':18} {'quality':>8} {'bpp':>8} {'PSNR dB':>8} {'MS-SSIM':>8} {'LPIPS':>8} {'Butteraugli':>11} {'SSIMULACRA2':>11}")
    for (codec, quality), group in groups.items():
        columns = zip(*((r.bpp, r.psnr_db, r.ms_ssim, r.lpips, r.butteraugli_3norm, r.ssimulacra2) for r in group), strict=True)
        bpp, psnr, similarity, apart, visible, opinion = map(statistics.fmean, columns)
        print(f"{codec:18} {quality:8g} {bpp:8.4f} {psnr:8.3f} {similarity:8.5f} {apart:8.5f} {visible:11.4f} {opinion:11.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure image codecs on a folder of pictures.")
    parser.add_argument("pictures", type=Path, help="folder with the pictures of the set")
    parser.add_argument("--set", required=True, help="name of the set, which names the result files")
    parser.add_argument("--codecs", default="", help="comma-separated names; default: all")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--times", action="store_true", help="wall times instead of rate and quality")
    what.add_argument("--metrics", action="store_true", help="only the quality columns of rows that are there, seconds stay")
    parser.add_argument("--quick", action="store_true", help="every sixth picture, every second setting, to bench/results/quick/")
    parser.add_argument("--workers", type=int, default=2, help="processes for rate and quality; default 2")
    arguments = parser.parse_args()
    try:
        chosen = codecs.select([name for name in arguments.codecs.split(",") if name])
    except KeyError as error:
        sys.exit(f"unknown codec {error}; known: {', '.join(codec.name for codec in codecs.CODECS)}")
    for codec in chosen:
        if hint := codecs.missing(codec):
            print(f"{codec.name} is left out: {hint}", file=sys.stderr)
    wanted = [codec for codec in chosen if not codecs.missing(codec)]
    folder = rows.RESULTS / ("quick" if arguments.quick else photoarc.__version__)
    paths = pictures(arguments.pictures)
    if arguments.quick:
        paths = paths[::QUICK_STEP]
    if not arguments.times and not lpips.available():
        print("LPIPS is left out: python -m bench.lpips builds its network", file=sys.stderr)
    if not arguments.times and not butteraugli.available():
        print(f"Butteraugli is left out: {butteraugli.HINT}", file=sys.stderr)
    load_before, started = os.getloadavg()[0], time.monotonic()
    if arguments.times:
        path, paths = folder / f"{arguments.set}-times.tsv", paths[::TIMES_STEP]
        _refuse_to_lose(path, wanted)
        with quiet.timing():
            rows.write(path, times(paths, wanted, arguments.quick), rows.Time)
    else:
        path = folder / f"{arguments.set}.tsv"
        with nullcontext() if arguments.metrics else quiet.timing():
            found = rates(paths, wanted, arguments.quick, arguments.workers)
        old = rows.read(path, rows.Row) if path.exists() else []
        rows.write(path, rows.remeasured(old, found) if arguments.metrics else rows.merged(old, found), rows.Row)
        _summary(rows.merged([], found))
    seconds = round(time.monotonic() - started)
    workers = 1 if arguments.times else arguments.workers
    if not arguments.metrics:
        done = rows.Run(len(wanted), len(paths), workers, round(load_before, 2), seconds)
        rows.describe(folder / f"{arguments.set}.json", wanted, "times" if arguments.times else "rates", done)
    print(f"{seconds} s")


if __name__ == "__main__":
    main()
