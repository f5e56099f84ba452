"""What `photoarc bench` found out, as JSON and as lines of text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import photoarc
from photoarc.folderbench.measure import Bench, Folder, Result
from photoarc.folderbench.plots import number
from photoarc.units import count, size

GROUPS = (("", 3), ("pack", 3), ("unpack", 3), ("", 5))  # over so many columns each
HEAD = ("", "size", "rate", "s", "MB/s", "MP/s", "s", "MB/s", "MP/s", "memory", "exact", "changed", "PSNR dB", "MS-SSIM")
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


def _about(found: Bench) -> list[str]:
    folder = found.folder
    pictures = f"{count(folder.photographs, 'photograph')} of {folder.pixels / 1e6:.1f} megapixels"
    rounds = f"median of {found.rounds} rounds in turn" if found.rounds > 1 else "one round"
    return [
        f"{folder.path}: {count(folder.files, 'file')}, {size(folder.size_bytes)}, {pictures}",
        f"photoarc {photoarc.__version__}; {found.machine}; whole processes, {rounds}",
    ]


def warnings(found: Bench) -> list[str]:
    """What spoils the figures, and what is missing from them."""
    notes = []
    if busy(found.load, found.cores):
        notes.append(
            f"the machine was busy before the bench began (load {found.load:.1f} on {count(found.cores, 'core')}): times are too long"
        )
    notes += [
        f"{result.tool}: {count(result.lost, 'file')} did not come back, or not as a picture of the same size"
        for result in found.results
        if result.lost
    ]
    notes += [f"{tool}: left out, {what}" for tool, what in found.failed]
    return notes + [f"{tool}: not installed ({hint})" for tool, hint in found.missing]


def _notes(found: Bench) -> list[str]:
    if not any(result.changed for result in found.results):
        return warnings(found)
    words = "exact: files that came back bit for bit; changed: pictures that came back nearly so; PSNR (RGB) and MS-SSIM: their means"
    return [*warnings(found), words]


def peak_bytes(result: Result) -> int:
    """The higher of packing and unpacking; 0 where the system does not tell."""
    return max(result.pack_peak_bytes or 0, result.unpack_peak_bytes or 0)


def _cells(result: Result, folder: Folder) -> tuple[str, ...]:
    speeds = {name: number(speed) for name, speed in derived(result, folder).items()}
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
        size(peak_bytes(result)) if peak_bytes(result) else "-",
        str(result.exact),
        str(result.changed),
        f"{result.mean_psnr_db:.2f}" if result.mean_psnr_db is not None else "-",
        f"{result.mean_ms_ssim:.4f}" if result.mean_ms_ssim is not None else "-",
    )
