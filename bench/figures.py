"""Figures from the raw rows, as SVG beside them; needs Matplotlib (extra `bench`).

    python -m bench.figures kodak [--png FOLDER]
    -> bench/results/<version>/kodak-psnr.svg  kodak-ms-ssim.svg  kodak-lpips.svg  kodak-butteraugli.svg  kodak-speed.svg, and
       kodak-bubbles.svg from kodak-folder.json (bench/bubbles.py), as far as they were measured; --png writes PNG files to look at instead

Left of a rate-distortion figure: the codecs measured here; right: published curves, photoarc again between them. Colours are Okabe &
Ito's (2008), which the colour-blind tell apart, and every codec measured here has its own marker, every published curve its own dashes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import photoarc
from bench import bubbles, curves, rows, tables
from bench.bdrate import bd_rate
from bench.curves import Measured
from photoarc.folderbench import labels, metrics
from photoarc.folderbench.plots import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Style:
    """How a curve looks and what it is called."""

    label: str
    colour: str
    marker: str = ""
    dashes: tuple[float, ...] = ()
    width: float = 1.4


HERE = {
    "photoarc-fast": Style("photoarc fast", "#0072B2", "o", width=2.6),
    "photoarc-fast-9": Style("photoarc fast, effort 9", "#0072B2", "p", dashes=(5, 1), width=1.8),
    "photoarc-psnr": Style("photoarc psnr", "#0072B2", "o", dashes=(4, 2)),
    "photoarc-psnr-9": Style("photoarc psnr, effort 9", "#0072B2", "d", dashes=(1, 1.5), width=1.8),
    "photoarc-lzma": Style("photoarc lzma", "#56B4E9", "s", width=2.2),
    "jpeg": Style("JPEG", "#000000", "x"),
    "webp": Style("WebP", "#009E73", "^"),
    "avif": Style("AVIF", "#E69F00", "D"),
    "jpeg2000": Style("JPEG 2000", "#CC79A7", "v"),
    "jpegxl": Style("JPEG XL", "#D55E00", "P"),
    "heic": Style("HEIC", "#7F7F7F", "*"),
}
# One of each kind: standards, the first learned codecs, better and slower ones, a shallow decoder; each trained for what is drawn.
_COMMON = {
    "vtm": Style("VTM (VVC)", "#000000", dashes=(6, 1)),
    "bpg_444_x265_ycbcr": Style("BPG 4:4:4", "#B58900", dashes=(4, 2)),
    "jpeg": Style("JPEG", "#7F7F7F", dashes=(1, 2)),
}
PUBLISHED = {
    "psnr": _COMMON
    | {
        "cool-chic-v5.0": Style("Cool-Chic 5", "#009E73", dashes=(5, 1, 1, 1)),
        "paper-elic2022_mse": Style("ELIC 2022", "#D55E00", dashes=(8, 2, 2, 2)),
        "compressai-bmshj2018-hyperprior_mse": Style("hyperprior 2018", "#E69F00", dashes=(2, 1)),
        "shallow-ntc-2-layer-syn": Style("two-layer decoder 2023", "#CC79A7", dashes=(1, 1)),
    },
    "ms_ssim": _COMMON
    | {
        "compressai-cheng2020-attn_ms-ssim": Style("cheng2020, for MS-SSIM", "#D55E00", dashes=(8, 2, 2, 2)),
        "compressai-bmshj2018-hyperprior_ms-ssim": Style("hyperprior 2018, for MS-SSIM", "#E69F00", dashes=(2, 1)),
        "compressai-bmshj2018-hyperprior_mse": Style("hyperprior 2018, for MSE", "#009E73", dashes=(5, 1, 1, 1)),
        "shallow-ntc-2-layer-syn": Style("two-layer decoder 2023", "#CC79A7", dashes=(1, 1)),
    },
}
AXES = {
    "psnr": "PSNR, dB", "ms_ssim": "MS-SSIM, dB", "lpips": "LPIPS (AlexNet), less is better",
    "butteraugli_3norm": "Butteraugli (3-norm), less is better",
}  # fmt: skip
FILES = {"psnr": "psnr", "ms_ssim": "ms-ssim", "lpips": "lpips", "butteraugli_3norm": "butteraugli"}
# Distances are drawn in dB, so that up is better, and labelled with themselves.
DISTANCE_TICKS = {"lpips": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5), "butteraugli_3norm": (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)}
BPP_TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3)
ANCHOR = "jpeg"
INK = "#222222"
CHARACTER_PT, LINE_PT, RADIUS_PT = 5.4, 12, 6  # of a name in a figure, and of a marker


def plots() -> Any:
    """Matplotlib's pyplot with our settings. Ends the program if it is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("figures need Matplotlib: pip install matplotlib")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {
        "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#E4E4E4",
        "svg.hashsalt": "photoarc", "figure.constrained_layout.use": True,
    }  # fmt: skip
    return plt


def measured(means: dict[str, Measured]) -> list[str]:
    """The metrics of FILES that all rows know: a figure with half of the curves says nothing."""
    return [metric for metric in FILES if all(found.curve(metric) for codec, found in means.items() if codec in HERE)]


def rd(means: dict[str, Measured], name: str, metric: str) -> Figure:
    """Rate-distortion curves of one of FILES, rate logarithmic; of LPIPS and Butteraugli no curves are published for our sets."""
    from matplotlib.ticker import MaxNLocator

    known = curves.published(name)
    ours = {codec: found for codec, found in means.items() if codec in HERE and codec.startswith("photoarc")}
    panels = [("Measured here; up and left is better", {codec: means[codec] for codec in HERE if codec in means}, HERE)]
    if known and metric in PUBLISHED:
        styles = PUBLISHED[metric] | {codec: HERE[codec] for codec in ours}
        panels.append(("Published curves, photoarc between them", ours | known, styles))
    rates = [point.bpp for found in ours.values() for point in found.points]
    limits = (min(rates) / 1.3, max(rates) * 1.3)  # where photoarc is
    figure, axes = plots().subplots(1, len(panels), figsize=(5.6 * len(panels), 4.6), sharey=True, squeeze=False)
    pictures = next(iter(means.values())).points[0].pictures
    for axis, (title, found, styles) in zip(axes[0], panels, strict=True):
        _frame(axis, [tick for tick in BPP_TICKS if limits[0] <= tick <= limits[1]])
        axis.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        axis.set(title=title, xlim=limits, xlabel=f"bits per pixel, mean of {pictures} pictures")
        _lines(axis, [(curve, styles[label]) for label, one in found.items() if label in styles and (curve := one.curve(metric))], limits)
    axes[0][0].set_ylabel(f"{AXES[metric]}, {name}")
    if metric in DISTANCE_TICKS:
        low, high = axes[0][0].get_ylim()
        ticks = {db: tick for tick in DISTANCE_TICKS[metric] if low <= (db := metrics.decibels(1 - tick)) <= high}
        axes[0][0].set_yticks(list(ticks), [f"{tick:g}" for tick in ticks.values()])
    return figure


def _frame(axis: Axes, ticks: Sequence[float]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def _lines(axis: Axes, found: Sequence[tuple[Any, Style]], limits: tuple[float, float]) -> None:
    """Curves within the limits of rate, each with its name at its right end; the names are pushed apart and tied to their curves."""
    ends = []
    for (bpp, quality), style in found:
        inside = sorted((b, q) for b, q in zip(bpp, quality, strict=True) if limits[0] <= b <= limits[1])
        if len(inside) < 2:
            continue
        x, y = zip(*inside, strict=True)
        axis.plot(x, y, **_drawn(style))
        ends.append((y[-1], x[-1], style))
    _name(axis, ends)


def _name(axis: Axes, ends: Sequence[tuple[float, float, Style]]) -> None:
    """Names in a column right of the axis, each behind a piece of its curve, for points (y, x)."""
    low, high = axis.get_ylim()
    ordered = sorted(ends, key=lambda end: (end[0], end[1]))
    at = spread([y for y, _, _ in ordered], (high - low) / 22, low, high)
    right = axis.get_xlim()[1]
    for (y, x, style), label_y in zip(ordered, at, strict=True):
        tie = {"arrowstyle": "-", "color": "#B0B0B0", "linewidth": 0.6, "shrinkB": 3, "relpos": (0, 0.5)}
        axis.annotate("", (x, y), (right * 1.06, label_y), annotation_clip=False, va="center", arrowprops=tie)
        piece = [right * 1.06, right * 1.2, right * 1.36]
        axis.plot(piece, [label_y] * 3, clip_on=False, markevery=[1], **_drawn(style))
        axis.annotate(style.label, (right * 1.43, label_y), annotation_clip=False, color=INK, va="center")
    axis.set_ylim(low, high)


def _drawn(style: Style) -> dict[str, Any]:
    """Matplotlib's words for a style."""
    dashes = {"dashes": style.dashes} if style.dashes else {}
    return {"color": style.colour, "marker": style.marker, "markersize": 4.5, "linewidth": style.width, **dashes}


def _beside(axis: Axes, found: Sequence[tuple[float, float, Style]]) -> None:
    """Names beside points (y, x), placed as on the page of `photoarc bench`; the figure must have been laid out."""
    points_px = 72 / axis.get_figure().dpi  # typographic points of a pixel; y grows downwards in labels
    places = [tuple(axis.transData.transform((x, y)) * (points_px, -points_px)) for y, x, _ in found]
    frame = axis.get_window_extent()
    area = labels.Box(frame.x0 * points_px, -frame.y1 * points_px, frame.x1 * points_px, -frame.y0 * points_px)
    boxes = labels.place(places, [(CHARACTER_PT * len(style.label), LINE_PT) for _, _, style in found], area, RADIUS_PT)
    for (y, x, style), place, box in zip(found, places, boxes, strict=True):
        if box:
            offset = (box.left + box.right) / 2 - place[0], place[1] - (box.top + box.bottom) / 2
            tie = {"arrowstyle": "-", "color": "#808080", "linewidth": 0.6, "shrinkA": 0} if labels.tied(place, box) else None
            axis.annotate(style.label, (x, y), offset, textcoords="offset points", color=INK, ha="center", va="center", arrowprops=tie)


def speed(means: dict[str, Measured], name: str) -> Figure:
    """Rate at equal PSNR against CPU time, encode and decode: low and left is better."""
    found = rows.measured(name)
    anchor = means[ANCHOR].curve("psnr")
    drawn = []
    figure, axes = plots().subplots(1, 2, figsize=(11.2, 4.2), sharey=True)
    for axis, (title, column) in zip(axes, (("encode", "enc_cpu_s"), ("decode", "dec_cpu_s")), strict=True):
        points = []
        for codec, style in HERE.items():
            curve = means[codec].curve("psnr") if codec in means else None
            delta = bd_rate(anchor, curve) if anchor and curve else None
            if delta is None:
                continue
            per_pixel = rows.seconds_per_megapixel(found, codec, column)
            points.append((delta.rate, per_pixel, style))
            axis.plot(per_pixel, delta.rate, linestyle="", marker=style.marker, color=style.colour, markersize=8)
        ticks = [tick for tick in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if _within(tick, [x for _, x, _ in points])]
        _frame(axis, ticks)
        axis.set(title=f"{title}: low and left is better", xlabel="CPU seconds a megapixel, median over pictures and settings")
        drawn.append((axis, points))
    axes[0].set_ylabel(f"% of rate against JPEG at equal PSNR, {name}")
    axes[0].margins(y=0.08)
    figure.canvas.draw()
    for axis, points in drawn:
        _beside(axis, sorted(points, key=lambda point: point[0]))  # from the crowd below upwards, so that ties do not cross
    return figure


def _within(tick: float, values: Sequence[float]) -> bool:
    return min(values) / 1.6 <= tick <= max(values) * 1.6


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures from the raw rows.")
    parser.add_argument("set", help="name of a measured set")
    parser.add_argument("--png", type=Path, metavar="FOLDER", help="PNG files into a folder instead of SVG beside the rows")
    arguments = parser.parse_args()
    means = tables.load(arguments.set)
    drawn = {FILES[metric]: (rd(means, arguments.set, metric), f"{arguments.set}.tsv") for metric in measured(means)}
    drawn["speed"] = speed(means, arguments.set), f"{arguments.set}.tsv"
    if whole := bubbles.read(arguments.set):
        drawn["bubbles"] = bubbles.figure(whole, plots()), f"{arguments.set}-folder.json"
    folder, ending = (arguments.png, "png") if arguments.png else (rows.RESULTS / photoarc.__version__, "svg")
    for what, (figure, source) in drawn.items():
        path = folder / f"{arguments.set}-{what}.{ending}"
        figure.savefig(path, dpi=120, metadata={"Date": None, "Source": rows.fingerprint(source)} if ending == "svg" else None)
        print(path)


if __name__ == "__main__":
    main()
