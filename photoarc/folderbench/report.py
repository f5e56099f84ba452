"""What `photoarc bench` found out: as JSON, as lines of text, and as one HTML file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import photoarc
from photoarc.folderbench import plots as benchplots
from photoarc.folderbench.measure import Bench, Folder, Result
from photoarc.folderbench.plots import Group, Mark
from photoarc.report import count, size

GROUPS = (("", 3), ("pack", 3), ("unpack", 3), ("", 5))  # over so many columns each
HEAD = ("", "size", "rate", "s", "MB/s", "MP/s", "s", "MB/s", "MP/s", "memory", "exact", "alike", "PSNR dB", "MS-SSIM")
GAP = 2  # spaces between columns
BUSY = 0.5  # running processes a core, one minute's mean, above which other work takes its share of the times


def busy(load: float | None, cores: int) -> bool:
    """Whether other work took its share of the times."""
    return load is not None and load > BUSY * cores


def value(found: Bench) -> dict[str, Any]:
    """For --json: everything measured, and beside each tool the rate and speeds that follow from it."""
    results = [asdict(result) | derived(result, found.folder) for result in found.results]
    return asdict(found) | {"photoarc": photoarc.__version__, "results": results}


def derived(result: Result, folder: Folder) -> dict[str, float]:
    """Archive size over folder size; MB (10^6 bytes) of the folder and megapixels of its photographs in a second."""
    megabytes, megapixels = folder.size_bytes / 1e6, folder.pixels / 1e6
    figures = {
        "rate": result.archive_bytes / folder.size_bytes,
        "pack_mb_s": megabytes / result.pack_s,
        "pack_mp_s": megapixels / result.pack_s,
        "unpack_mb_s": megabytes / result.unpack_s,
        "unpack_mp_s": megapixels / result.unpack_s,
    }
    return {name: float(f"{figure:.5g}") for name, figure in figures.items()}


def lines(found: Bench) -> list[str]:
    """For the terminal."""
    rows = [HEAD, *(_cells(result, found.folder) for result in found.results)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    table = [
        (" " * GAP).join(cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    over, start = "", 0
    for word, span in GROUPS:
        width = sum(widths[start : start + span]) + GAP * (span - 1)
        over += (f" {word} ".center(width - 1, "-") if word else "").rjust(width) + " " * GAP
        start += span
    notes = _notes(found)
    return [*_about(found), "", over.rstrip(), *(line.rstrip() for line in table), *([""] if notes else []), *notes]


def page(found: Bench) -> str:
    """For people: table and plots."""
    over = "".join(f'<th colspan="{span}">{word}</th>' for word, span in GROUPS)
    head = "".join(f"<th>{cell}</th>" for cell in HEAD)
    rows = "".join(
        f'<tr class="{_group(result).name.lower()}">'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(result, found.folder))
        + "</tr>"
        for result in found.results
    )
    groups = [group for group in Group if any(_group(result) is group for result in found.results)]
    charts = "".join(f"<figure><figcaption>{title}</figcaption>{svg}</figure>" for title, svg in _charts(found.results))
    return _PAGE.format(
        title=html.escape(f"photoarc bench: {found.folder.path}"),
        about=_paragraphs(_about(found)),
        over=over,
        head=head,
        rows=rows,
        notes=_paragraphs(_notes(found)),
        legend=benchplots.legend(groups),
        charts=charts,
    )


def _charts(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """(title, SVG) of each plot."""

    def marks(values: Sequence[float], across: Sequence[float] = ()) -> list[Mark]:
        along = across or [0.0] * len(values)
        return [Mark(result.tool, _group(result), y, x) for result, y, x in zip(results, values, along, strict=True)]

    sizes = [result.archive_bytes / 1e6 for result in results]
    packs, unpacks = [result.pack_s for result in results], [result.unpack_s for result in results]
    yield "Size and time to pack: low and left is better", benchplots.points(marks(sizes, packs), "seconds to pack", "MB")
    yield "Size and time to unpack: low and left is better", benchplots.points(marks(sizes, unpacks), "seconds to unpack", "MB")
    yield "Archive size", benchplots.bars(marks(sizes), "MB")
    yield "Memory, the higher of pack and unpack", benchplots.bars(marks([_peak(result) / 1e6 for result in results]), "MB")
    yield "Time to pack", benchplots.bars(marks(packs), "s")
    yield "Time to unpack", benchplots.bars(marks(unpacks), "s")


def _group(result: Result) -> Group:
    if not result.tool.startswith("photoarc"):
        return Group.PEER
    return Group.LOSSY if result.changed else Group.EXACT


def _about(found: Bench) -> list[str]:
    folder = found.folder
    pictures = f"{count(folder.photographs, 'photograph')} of {folder.pixels / 1e6:.1f} megapixels"
    rounds = f"median of {found.rounds} rounds in turn" if found.rounds > 1 else "one round"
    return [
        f"{folder.path}: {count(folder.files, 'file')}, {size(folder.size_bytes)}, {pictures}",
        f"photoarc {photoarc.__version__}; {found.machine}; whole processes, {rounds}",
    ]


def _notes(found: Bench) -> list[str]:
    lost = [result for result in found.results if result.lost]
    notes = []
    if busy(found.load, found.cores):
        notes.append(
            f"the machine was busy before the bench began (load {found.load:.1f} on {count(found.cores, 'core')}): times are too long"
        )
    notes += [f"{result.tool}: {count(result.lost, 'file')} did not come back, or not as a picture of the same size" for result in lost]
    notes += [f"{tool}: left out, {what}" for tool, what in found.failed]
    notes += [f"{tool}: not installed ({hint})" for tool, hint in found.missing]
    if any(result.changed for result in found.results):
        notes.append(
            "exact: files that came back bit for bit; alike: pictures that came back nearly so; PSNR (RGB) and MS-SSIM: their means"
        )
    return notes


def _peak(result: Result) -> int:
    return max(result.pack_peak_bytes or 0, result.unpack_peak_bytes or 0)


def _cells(result: Result, folder: Folder) -> tuple[str, ...]:
    speeds = {name: benchplots.number(speed) for name, speed in derived(result, folder).items()}
    return (
        result.tool,
        size(result.archive_bytes),
        f"{100 * result.archive_bytes / folder.size_bytes:.1f}%",
        f"{result.pack_s:.2f}",
        speeds["pack_mb_s"],
        speeds["pack_mp_s"],
        f"{result.unpack_s:.2f}",
        speeds["unpack_mb_s"],
        speeds["unpack_mp_s"],
        size(_peak(result)) if _peak(result) else "-",
        str(result.exact),
        str(result.changed),
        f"{result.mean_psnr_db:.2f}" if result.mean_psnr_db is not None else "-",
        f"{result.mean_ms_ssim:.4f}" if result.mean_ms_ssim is not None else "-",
    )


def _paragraphs(words: Sequence[str]) -> str:
    return "".join(f"<p>{html.escape(line)}</p>" for line in words)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #fff }}
h1 {{ font-size: 1.5rem }} p {{ margin: .25rem 0 }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; margin: 1.2rem 0; font-size: 14px; font-variant-numeric: tabular-nums }}
th, td {{ padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }}
th[colspan] {{ text-align: center; border-bottom: none; padding-bottom: 0 }}
th:first-child, td:first-child {{ text-align: left }}
tr.lossy td:first-child {{ border-left: 5px solid #0072B2 }} tr.exact td:first-child {{ border-left: 5px solid #E69F00 }}
tr.peer td:first-child {{ border-left: 5px solid #A6A6A6 }}
figure {{ display: inline-block; margin: 1.2rem 1rem 0 0; vertical-align: top }}
figcaption {{ font-weight: 600; margin-bottom: .4rem }} svg {{ max-width: 100% }}
</style></head><body><h1>{title}</h1>{about}
<div class="wide"><table><thead><tr>{over}</tr><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
{notes}<p>{legend}</p>{charts}</body></html>
"""
