"""Bubbles: a folder through whole programs, rate against quality, a bubble's area the seconds of packing and unpacking together.

In the manner of Johnson & Avasthi 2019, figures 4 and 5, from `<set>-folder.json` (`photoarc bench PICTURES --json`); drawn by
bench.figures. Archivers that keep every bit have no PSNR: they stand in a panel of their own, a row each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import photoarc
from bench import rows
from photoarc.folderbench import metrics
from photoarc.folderbench.plots import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PEER, EXACT = "#A6A6A6", "#E69F00"  # colours as in the report of `photoarc bench`
MODES = {"photoarc fast": ("#0072B2", "-"), "photoarc lzma": ("#56B4E9", "--")}
TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
LEAST_DB = 4.0  # of a panel: less would make a tenth of a dB look like much
LARGEST = 1500.0  # area of the slowest tool's bubble in square points


@dataclass(frozen=True, slots=True)
class Bubble:
    """One tool: bits a pixel, mean PSNR and MS-SSIM in dB (None: every bit came back), seconds of packing and unpacking."""

    name: str
    bpp: float
    psnr_db: float | None
    ms_ssim_db: float | None
    seconds: float


def read(name: str) -> list[Bubble]:
    """The bubbles of a set; none if its folder was not measured, or holds no photographs."""
    path = rows.RESULTS / photoarc.__version__ / f"{name}-folder.json"
    found = json.loads(path.read_text()) if path.exists() else {"folder": {"pixels": 0}}
    pixels = found["folder"]["pixels"]
    if not pixels:
        return []
    return [
        Bubble(
            tool["tool"],
            8 * tool["archive_bytes"] / pixels,
            tool["mean_psnr_db"],
            None if tool["mean_ms_ssim"] is None else metrics.decibels(tool["mean_ms_ssim"]),
            tool["pack_s"] + tool["unpack_s"],
        )
        for tool in found["results"]
    ]


def figure(found: Sequence[Bubble], plt: Any) -> Figure:
    """PSNR and MS-SSIM of the lossy modes, and the archivers that keep every bit; `plt`: pyplot."""
    drawn, axes = plt.subplots(1, 3, figsize=(13.5, 4.4))
    area = LARGEST / max(bubble.seconds for bubble in found)
    _lossy(axes[0], "PSNR", [(b, b.psnr_db) for b in found if b.psnr_db is not None], area)
    _lossy(axes[1], "MS-SSIM", [(b, b.ms_ssim_db) for b in found if b.ms_ssim_db is not None], area)
    _exact(axes[2], [b for b in found if b.psnr_db is None], area)
    drawn.supxlabel("bits a pixel of the whole archive; a bubble's area: seconds of packing and unpacking together", fontsize=9)
    return drawn


def _lossy(axis: Axes, what: str, found: Sequence[tuple[Bubble, float]], area: float) -> None:
    """One line a mode; every bubble says its mode, quality setting and seconds."""
    if not found:
        axis.set_axis_off()
        return
    for mode, (colour, line) in MODES.items():
        points = sorted(((b, db) for b, db in found if b.name.startswith(mode)), key=lambda point: point[0].bpp)
        x, y = [b.bpp for b, _ in points], [db for _, db in points]
        axis.plot(x, y, color=colour, linestyle=line, linewidth=1, zorder=1)
        axis.scatter(x, y, [b.seconds * area for b, _ in points], color=colour, edgecolors="#333", linewidths=0.6, zorder=2)
        above = mode == "photoarc fast"
        for bubble, db in points:
            label = f"{bubble.name.removeprefix('photoarc ')}, {seconds(bubble.seconds)} s"
            gap = (bubble.seconds * area) ** 0.5 / 2 + 4
            axis.annotate(
                label, (bubble.bpp, db), (0, gap if above else -gap), textcoords="offset points", ha="right" if above else "left",
                va="bottom" if above else "top", fontsize=8, color="#222",
            )  # fmt: skip
    axis.set_axisbelow(True)
    values = [db for _, db in found]
    middle, span = (min(values) + max(values)) / 2, max(LEAST_DB, 1.5 * (max(values) - min(values)))  # room for the labels
    axis.set_ylim(middle - span / 2, middle + span / 2)
    rates = [bubble.bpp for bubble, _ in found]
    low, high = min(rates) / 2.5, max(rates) * 2.6
    axis.set_xscale("log")
    axis.set_xticks([tick for tick in TICKS if low <= tick <= high], [f"{tick:g}" for tick in TICKS if low <= tick <= high])
    axis.minorticks_off()
    axis.set_xlim(low, high)
    axis.set(title=f"{what} of photographs nearly as they were", ylabel=f"{what}, dB")


def _exact(axis: Axes, found: Sequence[Bubble], area: float) -> None:
    """A row each, in the order of size; seconds beside the bubble."""
    if not found:
        axis.set_axis_off()
        return
    ordered = sorted(found, key=lambda bubble: -bubble.bpp)
    for row, bubble in enumerate(ordered):
        colour = EXACT if bubble.name.startswith("photoarc") else PEER
        axis.scatter(bubble.bpp, row, bubble.seconds * area, color=colour, edgecolors="#333", linewidths=0.6, zorder=2)
        gap = (bubble.seconds * area) ** 0.5 / 2 + 4
        axis.annotate(
            f"{seconds(bubble.seconds)} s", (bubble.bpp, row), (-gap, 0), textcoords="offset points", ha="right", va="center", fontsize=8
        )
    axis.set_axisbelow(True)
    axis.set_yticks(range(len(ordered)), [bubble.name for bubble in ordered])
    axis.set_ylim(-0.7, len(ordered) - 0.3)
    axis.set_xlim(0, max(bubble.bpp for bubble in ordered) * 1.1)
    axis.set_title("every bit back")
