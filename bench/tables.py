"""Tables from the raw rows, in Markdown; bench/results/<version>/<set>.md holds them all.

python -m bench.tables kodak [NAME ...]      prints the tables, or only those named; without names it also writes the file
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import photoarc
from bench import codecs, complexity, curves, rows
from bench.bdrate import bd_quality, bd_rate
from bench.curves import Measured
from photoarc.folderbench import metrics

ANCHORS = ("vtm", "bpg_444_x265_ycbcr", "av1", "webp", "jpeg")
ANCHOR_NAMES = ("VTM", "BPG 4:4:4", "AV1", "WebP", "JPEG")
HIGH_DB = (37.0, 44.0)  # where archives live
LOSSLESS = {codec.name for codec in codecs.CODECS if codec.lossless}
# Settings that CompressAI's published curves were made with: quality 5, 10, ... 95, as our rows of the same setting show.
CHECKED = ("jpeg", "webp")
COST = (
    "Parameters of encoder and decoder together, multiply-accumulates of decoding, seconds of a picture: of the codecs here counted in the "
    "ONNX files and measured on one thread; of the published curves as their sources say (bench/reference/), empty where none was found. "
    "Their seconds are of other machines: CompressAI's of a server of 80 processors (its results/Readme.md), JPEG 2000 with the start of "
    "ffmpeg; those of qres34m and qarv of a desktop's Intel 10700K."
)


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in body])


def percent(anchor: Measured | None, test: Measured | None, metric: str = "psnr", low: float = -np.inf, high: float = np.inf) -> str:
    """BD-rate of `test` against `anchor`, or an empty cell."""
    a, b = anchor and anchor.curve(metric), test and test.curve(metric)
    delta = bd_rate(a, b, low, high) if a and b else None
    return f"{delta.rate:+.1f} %" if delta else ""


def lossy(means: dict[str, Measured]) -> dict[str, Measured]:
    return {name: found for name, found in means.items() if name not in LOSSLESS}


def rd(means: dict[str, Measured], name: str) -> str:
    """Every codec and setting; a metric that no row knows has no column."""
    optional = {
        "lpips": "LPIPS",
        "butteraugli_3norm": "Butteraugli 3-norm",
        "butteraugli_max": "Butteraugli max",
        "ssimulacra2": "SSIMULACRA 2",
    }
    points = [(c.name, p) for c in lossy(means).values() for p in c.points]
    known = [metric for metric in optional if any(getattr(p, metric) is not None for _, p in points)]
    body = [
        (
            codec,
            f"{p.quality:g}",
            f"{p.bpp:.4f}",
            f"{p.psnr_db:.2f}",
            f"{p.ssim:.4f}",
            f"{p.ms_ssim:.4f}",
            f"{metrics.decibels(p.ms_ssim):.2f}",
            *("" if (value := getattr(p, metric)) is None else f"{value:.4f}" for metric in known),
        )
        for codec, p in points
        if p.psnr_db is not None and p.ms_ssim is not None and p.ssim is not None
    ]
    return table(("codec", "setting", "bpp", "PSNR dB", "SSIM", "MS-SSIM", "MS-SSIM dB", *(optional[metric] for metric in known)), body)


def bd_published(means: dict[str, Measured], name: str) -> str:
    """BD-rate of everything measured here against published curves."""
    known = curves.published(name)
    if not known:
        return f"There are no published curves of this very set ({name}); see the table against this machine's codecs."
    parts = []
    for title, metric, low, high in (
        ("PSNR", "psnr", -np.inf, np.inf),
        ("PSNR, 37 to 44 dB", "psnr", *HIGH_DB),
        ("MS-SSIM", "ms_ssim", -np.inf, np.inf),
    ):
        body = [(f"{c.name}, here", *(percent(known[a], c, metric, low, high) for a in ANCHORS)) for c in lossy(means).values()]
        parts.append(f"{title}:\n\n" + table(("rate against published", *ANCHOR_NAMES), body))
    return "\n\n".join(parts)


def bd_here(means: dict[str, Measured], name: str) -> str:
    """BD-rate of photoarc against the codecs measured here, and against itself tuned for the squared error."""
    ours = [c for c in lossy(means).values() if c.name.startswith("photoarc")]
    peers = [c for c in lossy(means).values() if not c.name.startswith("photoarc")]
    peers += [c for c in ours if c.name == "photoarc-psnr"]
    parts = []
    for title, metric, low, high in (
        ("PSNR", "psnr", -np.inf, np.inf),
        ("PSNR, 37 to 44 dB", "psnr", *HIGH_DB),
        ("MS-SSIM", "ms_ssim", -np.inf, np.inf),
        ("LPIPS (AlexNet)", "lpips", -np.inf, np.inf),
        ("Butteraugli, 3-norm", "butteraugli_3norm", -np.inf, np.inf),
        ("Butteraugli, largest difference", "butteraugli_max", -np.inf, np.inf),
        ("SSIMULACRA 2", "ssimulacra2", -np.inf, np.inf),
    ):
        if not any(c.curve(metric) for c in ours):
            continue
        body = [(c.name, *("" if p is c else percent(p, c, metric, low, high) for p in peers)) for c in ours]
        parts.append(f"{title}:\n\n" + table(("rate against", *(p.name for p in peers)), body))
    return "\n\n".join(parts)


def efforts(means: dict[str, Measured], name: str) -> str:
    """What efforts 7 to 9 save, by what photographs are tuned for, and what they cost."""
    found = rows.measured(name)
    ranges = (
        ("PSNR", "psnr", ()),
        ("PSNR, 37 to 44 dB", "psnr", HIGH_DB),
        ("MS-SSIM", "ms_ssim", ()),
        ("LPIPS", "lpips", ()),
        ("Butteraugli, 3-norm", "butteraugli_3norm", ()),
        ("SSIMULACRA 2", "ssimulacra2", ()),
    )
    parts = []
    for base, title in (("photoarc-fast", "`--tune ssim`, the default"), ("photoarc-psnr", "`--tune psnr`")):
        known = [codec for codec in means if codec.startswith(f"{base}-")]
        if not known:
            parts.append(f"{title}: not measured yet: `python -m bench.run PICTURES --set {name} --codecs {base}-7,{base}-8,{base}-9`.")
            continue
        body = []
        told = [kind for kind in ranges if all(means[codec].curve(kind[1]) for codec in (base, *known))]
        for codec in (base, *known):
            changes = (percent(means[base], means[codec], metric, *limits) if codec != base else "" for _, metric, limits in told)
            seconds = rows.seconds_per_megapixel(found, codec, "enc_cpu_s")
            body.append((codec.removeprefix(base).lstrip("-") or "0 to 6", *changes, f"{seconds:.2f}"))
        head = ("effort", *(f"rate, equal {metric}" for metric, _, _ in told), "encode, CPU s/MP")
        parts.append(f"{title}:\n\n{table(head, body)}")
    return "\n\n".join(parts)


def check(means: dict[str, Measured], name: str) -> str:
    """Our rows of JPEG and WebP beside the published curves, at settings common to both, and the BD-rate between them."""
    known = curves.published(name)
    if not known:
        return "There are no published curves of this set."
    parts = []
    for codec in CHECKED:
        if codec not in means:
            continue
        ours, theirs = means[codec], known[codec]
        body = []
        for point in ours.points:
            at = round(point.quality / 5) - 1
            if point.quality != 5 * (at + 1):
                continue
            other = theirs.points[at]
            body.append(
                (
                    f"{point.quality:g}", f"{point.bpp:.4f}", f"{other.bpp:.4f}", f"{(point.bpp / other.bpp - 1) * 100:+.2f} %",
                    f"{point.psnr_db:.3f}", f"{other.psnr_db:.3f}", f"{point.ms_ssim:.5f}", f"{other.ms_ssim:.5f}",
                )
            )  # fmt: skip
        head = (f"{codec} quality", "bpp", "published", "difference", "PSNR dB", "published", "MS-SSIM", "published")
        total = f"BD-rate to the published curve: PSNR {percent(theirs, ours)}, MS-SSIM {percent(theirs, ours, 'ms_ssim')}."
        parts.append(table(head, body) + "\n\n" + total)
    return "\n\n".join(parts)


def field(means: dict[str, Measured], name: str) -> str:
    """Every published curve with PSNR, and ours, against VTM, best first."""
    known = curves.published(name)
    if not known:
        return "There are no published curves of this set."
    vtm = known["vtm"]
    theirs, ours = complexity.published(name), complexity.here(rows.timed(name))
    body = []
    everything = [(c, c.name, theirs.get(c.name, {})) for c in known.values()]
    everything += [(c, f"**{c.name}, here**", ours.get(c.name, {})) for c in lossy(means).values()]
    for found, label, cost in everything:
        a, b = vtm.curve("psnr"), found.curve("psnr")
        delta = bd_rate(a, b) if a and b else None
        if a is None or b is None or delta is None:
            continue
        gain = bd_quality(a, b)
        cells = (
            label, f"{delta.rate:+.1f} %", f"{gain:+.2f}" if gain is not None else "", percent(vtm, found, "psnr", *HIGH_DB),
            percent(vtm, found, "ms_ssim"), f"{delta.low_db:.1f}-{delta.high_db:.1f}",
            *(cost.get(column, "") for column in complexity.COLUMNS), found.source.partition(" @")[0],
        )  # fmt: skip
        body.append((delta.rate, cells))
    head = (
        "curve", "BD-rate to VTM", "BD-PSNR dB", "37 to 44 dB", "MS-SSIM", "dB in common", "parameters, M", "decode kMAC/px", "encode s",
        "decode s", "measured by",
    )  # fmt: skip
    return f"{COST}\n\n{table(head, [cells for _, cells in sorted(body)])}"


def lossless(means: dict[str, Measured], name: str) -> str:
    """Bit-exact codecs: size against raw pixels."""
    body = [
        (found.name, f"{p.bpp:.3f}", f"{p.bpp / 24 * 100:.1f} %", f"{24 / p.bpp:.2f}", f"{p.bytes:,}")
        for found in sorted((f for f in means.values() if f.name in LOSSLESS), key=lambda f: f.points[0].bpp)
        for p in found.points
    ]
    return table(("codec", "bpp", "of raw pixels", "ratio", "bytes of the set"), body)


def times(means: dict[str, Measured], name: str) -> str:
    """Wall seconds and megapixels a second, one thread."""
    timed = rows.timed(name)
    if not timed:
        return f"Not measured yet: `python -m bench.run PICTURES --set {name} --times`."
    body = []
    for (codec, quality), (enc_s, dec_s, pixels) in curves.medians(timed).items():
        mega = pixels / 1e6
        body.append((codec, f"{quality:g}", f"{enc_s:.3f}", f"{dec_s:.3f}", f"{mega / enc_s:.2f}", f"{mega / dec_s:.2f}"))
    return table(("codec", "setting", "encode s", "decode s", "encode MP/s", "decode MP/s"), body)


TABLES: dict[str, tuple[str, Callable[[dict[str, Measured], str], str]]] = {
    "bd": ("Rate at equal quality against published curves", bd_published),
    "here": ("Rate at equal quality against the codecs measured here", bd_here),
    "efforts": ("Efforts 7 to 9 against the ones below", efforts),
    "check": ("Our JPEG and WebP against the published curves", check),
    "times": ("Time of one picture, one thread, in turn", times),
    "lossless": ("Bit-exact codecs", lossless),
    "rd": ("Rate and quality, means over the set", rd),
    "field": ("The field: rate against VTM at equal PSNR, best first", field),
}


def _took(what: str, run: dict[str, Any]) -> str:
    """One line on the last run of a kind: `rates` or `times`."""
    return (
        f"- last run of {what}: {run['codecs']} codecs, {run['pictures']} pictures, {run['workers']} at a time, {run['seconds']} s; "
        f"load before {run['load']:g}; {run['machine']}"
    )


def load(name: str) -> dict[str, Measured]:
    """Mean curves of a set. Raises FileNotFoundError if it was not measured."""
    return curves.means(rows.measured(name))


def text(name: str, wanted: Sequence[str] = ()) -> str:
    """The Markdown of a set: machines, versions, all tables or those wanted. Raises FileNotFoundError if the set was not measured."""
    means = load(name)
    about = json.loads((rows.RESULTS / photoarc.__version__ / f"{name}.json").read_text())
    pictures = next(iter(means.values())).points[0].pictures
    lines = [_took(what, run) for what, run in about.get("runs", {}).items()]
    lines += [f"- {codec}: {version}" for codec, version in about["codecs"].items()]
    parts = [f"# {name}: {pictures} pictures\n\nMade by `python -m bench.tables {name}`.\n\n" + "\n".join(lines) + "\n"]
    parts += [f"\n## {title}\n\n{make(means, name)}\n" for key, (title, make) in TABLES.items() if not wanted or key in wanted]
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables from the raw rows.")
    parser.add_argument("set", help="name of a measured set")
    parser.add_argument("tables", nargs="*", metavar="NAME", help=f"only these: {', '.join(TABLES)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        sys.exit(f"unknown table {', '.join(sorted(unknown))}; known: {', '.join(TABLES)}")
    made = text(arguments.set, arguments.tables)
    print(made)
    if not arguments.tables:
        (rows.RESULTS / photoarc.__version__ / f"{arguments.set}.md").write_text(made)


if __name__ == "__main__":
    main()
