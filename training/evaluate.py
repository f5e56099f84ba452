"""Rate and distortion of exported models with real bytes, against published curves and against each other.

    python training/evaluate.py models_onnx/photo-1 out/candidate/photo-2 --set kodak=DIR --set clic2k=DIR --out out/evaluation

Every picture is packed and unpacked by photoarc's own codec at every trained level, as `pack --tune` does it; bytes are what an archive
grows by. OUT/SET.tsv gets the raw rows (columns of bench/rows.py), OUT/means.tsv the mean curves, OUT/bd.tsv the BD-rates. The first model
is the one to beat: another may land only if it needs fewer bits on every set at equal PSNR, or at equal MS-SSIM with --tune ssim.
Exit code 1 if one does not.

A model is named by its folder; its entry is read from the manifest.json above the folder (export.py --models writes one), and nothing is
installed: the processes that measure it are told to look there.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from card import entry, label

from bench import codecs, curves, rows, run
from bench.bdrate import bd_rate
from bench.curves import Measured
from bench.tables import ANCHORS, HIGH_DB
from photoarc.models import manifest
from photoarc.options import Tuning

PUBLISHED_PICTURES = {"kodak": 24}  # means over a selection are not comparable with published ones
RANGES = {"all": (-100.0, 100.0), "below 32 dB": (0.0, 32.0), "37-44 dB": HIGH_DB}  # of PSNR; other metrics: all
CODECS = {"psnr": "photoarc-psnr", "ssim": "photoarc-fast"}  # of bench/codecs.py, by tuning
COUNTS = {"psnr": "psnr", "ssim": "ms_ssim"}  # what a tuning is for

Delta = tuple[str, str, str, str, str, float]  # set, model, anchor, metric, range, BD-rate in %


def use(folder: Path) -> None:
    """Make this process code with the model of a folder: the only one that it can see."""
    manifest.FOLDERS = (folder.resolve().parent,)
    manifest.CODED_WITH = dict.fromkeys(Tuning, entry(folder.resolve())["id"])


def measure(folder: Path, tuning: str, paths: Sequence[Path], settings: Sequence[float], workers: int) -> list[rows.Row]:
    """Rows of one model, a process for each of some pictures at a time; `codec` is the model's label."""
    name = label(entry(folder))
    found: list[rows.Row] = []
    started = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=use, initargs=(folder,)) as pool:
        for group in pool.map(run.measure, paths, [CODECS[tuning]] * len(paths), [settings] * len(paths)):
            found += [dataclasses.replace(r, codec=name) for r in group]
            print(f"\r  {name}: {len(found)} of {len(paths) * len(settings)}, {time.monotonic() - started:.0f} s", end="", flush=True)
    print()
    return found


def deltas(name: str, means: dict[str, Measured], first: str) -> list[Delta]:
    """BD-rates against the published curves of the set and against the first model, by all metrics that both have."""
    out = []
    for model, test in means.items():
        whole = test.points[0].pictures == PUBLISHED_PICTURES.get(name)
        anchors = {k: v for k, v in curves.published(name).items() if whole and k in ANCHORS}
        anchors |= {first: means[first]} if model != first else {}
        for anchor, known in anchors.items():
            for metric in curves.METRICS:
                pair = known.curve(metric), test.curve(metric)
                if pair[0] is None or pair[1] is None:
                    continue
                for span, (low, high) in RANGES.items() if metric == "psnr" else [("all", RANGES["all"])]:
                    if delta := bd_rate(pair[0], pair[1], low, high):
                        out.append((name, model, anchor, metric, span, delta.rate))
    return out


def verdict(found: Sequence[Delta], sets: Sequence[str], first: str, model: str, metric: str) -> tuple[bool, str]:
    """Whether `model` may take the place of `first` (fewer bits on every set at equal `metric`), and in words."""
    rates = {s: rate for s, tested, *rest, rate in found if (tested, *rest) == (model, first, metric, "all")}
    better = all(rates.get(s, 0) < 0 for s in sets)
    said = ", ".join(f"{s} {rates[s]:+.2f} %" if s in rates else f"{s} not comparable" for s in sets)
    outcome = "better on every set" if better else "not better on every set, must not land"
    return better, f"{model} against {first} at equal {metric}: {said}: {outcome}"


def write(path: Path, head: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    """TSV."""
    text = ["\t".join(f"{v:.4f}" if isinstance(v, float) else str(v) for v in line) for line in lines]
    path.write_text("\n".join(["\t".join(head), *text]) + "\n")


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="model folders; the first is the one to beat")
    p.add_argument("--set", action="append", required=True, metavar="NAME=DIR", help="kodak has published curves")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--tune", choices=CODECS, default="psnr", help="how the pictures are packed, and what decides")
    p.add_argument("--levels", type=int, nargs="+", default=range(9), help="trained levels; default all nine")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument(
        "--reuse", action="store_true", help="keep rows that OUT has of these very files; only if photoarc's codec is the same too"
    )
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    sets = dict(s.split("=", 1) for s in a.set)
    settings = [codecs.LEVELS[k] for k in a.levels]
    labels = [label(entry(m)) for m in a.models]
    curve_lines, bd_lines = [], []
    for name, folder in sets.items():
        paths, path = run.pictures(Path(folder)), a.out / f"{name}.tsv"
        wanted = {(f.stem, s) for f in paths for s in settings}
        known = rows.read(path, rows.Row) if path.exists() else []
        found = [r for r in known if r.codec in labels and (r.image, r.quality) in wanted]
        others = [r for r in known if r.codec not in labels or (r.image, r.quality) not in wanted]
        for model, known_as in zip(a.models, labels, strict=True):
            if not a.reuse or {(r.image, r.quality) for r in found if r.codec == known_as} != wanted:
                found = [r for r in found if r.codec != known_as] + measure(model, a.tune, paths, settings, a.workers)
                rows.write(path, others + found, rows.Row)
        means = curves.means(found)
        curve_lines += [
            (name, model, f"{q.quality:g}", q.pictures, q.bpp, q.psnr_db, q.ms_ssim) for model in labels for q in means[model].points
        ]
        bd_lines += deltas(name, {model: means[model] for model in labels}, labels[0])
    write(a.out / "means.tsv", ("set", "model", "quality", "pictures", "bpp", "psnr_db", "ms_ssim"), curve_lines)
    write(a.out / "bd.tsv", ("set", "model", "anchor", "metric", "range", "bd_rate_percent"), bd_lines)
    for file in ("means.tsv", "bd.tsv"):
        print((a.out / file).read_text().expandtabs(20))
    verdicts = [verdict(bd_lines, list(sets), labels[0], model, COUNTS[a.tune]) for model in labels[1:]]
    for _, said in verdicts:
        print(said)
    sys.exit(0 if all(ok for ok, _ in verdicts) else 1)


if __name__ == "__main__":
    main()
