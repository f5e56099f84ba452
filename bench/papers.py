"""Our rows in the form of the papers' tables: `python -m bench.papers kodak` prints them and writes results/<version>/<set>-papers.md.

It also writes folders.md there: every folder that went through `photoarc bench` (<name>-folder.json).

    archives      Johnson & Avasthi 2019, tables 1-4: whole archives of a set beside 7-Zip and TAR
    coefficient   how many times smaller than raw pixels at SSIM 0.97
    seconds       of a picture on one thread, warm, without file I/O, JPEG 2000 in the same run; published seconds below
    levels        CPU seconds, rate, PSNR, MS-SSIM and LPIPS against the quality setting
    vtm           BD-rate, BD-PSNR, parameters, MACs and seconds, beside the published curves of reference/: table `field` of bench.tables

A published figure stands beside ours where its source could be read and named (bench/reference/). The texts behind the first three forms
could not be found: see bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

import photoarc
from bench import bdrate, complexity, curves, rows, tables
from bench.curves import Measured
from photoarc.folderbench.report import busy

SSIM = 0.97
RAW_BPP = 24
TIMED = ("photoarc-fast", "photoarc-lzma", "jpeg2000")


def archives(name: str) -> str:
    """The set as a folder through whole programs, from `photoarc bench PICTURES --json`."""
    path = rows.RESULTS / photoarc.__version__ / f"{name}-folder.json"
    if not path.exists():
        return f"Not measured yet: `photoarc bench PICTURES --json > {path.name}`."
    found = json.loads(path.read_text())
    pixels, size = found["folder"]["pixels"], found["folder"]["size_bytes"]
    body = [
        (
            tool["tool"], f"{tool['archive_bytes']:,}", f"{100 * tool['archive_bytes'] / size:.1f} %",
            f"{8 * tool['archive_bytes'] / pixels:.3f}" if pixels else "", _value(tool["mean_psnr_db"], "{:.2f}"),
            _value(tool["mean_ms_ssim"], "{:.4f}"), f"{tool['pack_s']:.2f}", f"{tool['unpack_s']:.2f}",
            f"{tool['pack_s'] + tool['unpack_s']:.2f}",
        )
        for tool in found["results"]
    ]  # fmt: skip
    head = ("archiver", "bytes", "of the folder", "bits a pixel", "PSNR dB", "MS-SSIM", "pack s", "unpack s", "total s")
    warning = ""
    if busy(found["load"], found["cores"]):
        warning = f" The machine was busy before (load {found['load']:g} on {found['cores']} cores): times are too long."
    about = f"{found['folder']['files']} files, {size:,} bytes; {found['machine']}; rounds: {found['rounds']}.{warning}"
    return f"{about}\n\n{tables.table(head, body)}"


def folders() -> str:
    """Every folder measured with whole programs, as Markdown."""
    names = sorted(path.name.removesuffix("-folder.json") for path in (rows.RESULTS / photoarc.__version__).glob("*-folder.json"))
    parts = [f"## {name}\n\n{archives(name)}\n" for name in names]
    return "\n".join(["# Folders through whole programs: `photoarc bench`\n\nMade by `python -m bench.papers kodak`.\n", *parts])


def _value(value: float | None, form: str) -> str:
    return "exact" if value is None else form.format(value)


def coefficient(means: dict[str, Measured]) -> str:
    """Raw bytes over coded bytes where a codec's mean SSIM is 0.97, between its settings by monotone cubic interpolation."""
    body = []
    for found in tables.lossy(means).values():
        similar = [(p.bpp, p.ssim) for p in found.points if p.ssim is not None]
        rates, ssims = bdrate.rising(tuple(zip(*similar, strict=True)))
        if not ssims[0] <= SSIM <= ssims[-1]:
            continue
        rate = float(PchipInterpolator(ssims, rates)(SSIM))
        log_rates, psnrs = bdrate.rising(found.curve("psnr") or ((), ()))
        bpp = math.exp(rate)
        body.append((bpp, (found.name, f"{RAW_BPP / bpp:.1f}", f"{bpp:.3f}", f"{float(PchipInterpolator(log_rates, psnrs)(rate)):.2f}")))
    return tables.table((f"at SSIM {SSIM:g}", "times smaller", "bpp", "PSNR dB"), [cells for _, cells in sorted(body)])


def seconds(means: dict[str, Measured], name: str) -> str:
    """Wall seconds a picture of photoarc and JPEG 2000, warm, without file I/O, from the times; then published ones of the same set."""
    timed = curves.medians(row for row in rows.timed(name) if row.codec in TIMED)
    if not timed:
        return f"Not measured yet: `python -m bench.run PICTURES --set {name} --times`."
    body = []
    for (codec, quality), (enc_s, dec_s, _) in timed.items():
        point = next((p for p in means[codec].points if p.quality == quality), None) if codec in means else None
        quality_cells = (f"{point.bpp:.3f}", _value(point.psnr_db, "{:.2f}"), _value(point.ms_ssim, "{:.4f}")) if point else ("", "", "")
        body.append((codec, f"{quality:g}", f"{enc_s:.3f}", f"{dec_s:.3f}", *quality_cells))
    for curve, cells in complexity.published(name).items():
        if "enc_s" in cells:
            body.append((f"{curve}, published", "", cells["enc_s"], cells["dec_s"], "", "", ""))
    about = "Published seconds (bench/reference/) are of other machines, see the table of the field: sizes of effort, not speed.\n\n"
    head = ("codec", "setting", "encode s", "decode s", "bpp", "PSNR dB", "MS-SSIM")
    return (about if complexity.published(name) else "") + tables.table(head, body)


def levels(means: dict[str, Measured], found: Sequence[rows.Row]) -> str:
    """Each setting of photoarc and JPEG 2000: CPU seconds a picture without file I/O, libraries and models warm."""
    body = []
    for codec in TIMED:
        for point in means[codec].points if codec in means else ():
            group = [row for row in found if row.codec == codec and row.quality == point.quality]
            cpu_s = [statistics.fmean(getattr(row, column) for row in group) for column in ("enc_cpu_s", "dec_cpu_s")]
            cells = (codec, f"{point.quality:g}", *(f"{s:.3f}" for s in cpu_s), f"{point.bpp:.3f}")
            lpips = "" if point.lpips is None else f"{point.lpips:.4f}"
            body.append((*cells, _value(point.psnr_db, "{:.2f}"), _value(point.ms_ssim, "{:.4f}"), lpips))
    return tables.table(("codec", "setting", "encode CPU s", "decode CPU s", "bpp", "PSNR dB", "MS-SSIM", "LPIPS"), body)


def text(name: str) -> str:
    """All tables of a set as Markdown. Raises FileNotFoundError if it was not measured."""
    found = rows.measured(name)
    means = tables.load(name)
    pixels = np.mean([row.width * row.height for row in found]) / 1e6
    return (
        f"# {name} in the form of the papers' tables\n\nMade by `python -m bench.papers {name}`.\n\n"
        f"## Whole archives, as in Johnson & Avasthi 2019, tables 1-4\n\n{archives(name)}\n\n"
        f"## Compression coefficient at SSIM {SSIM:g}\n\n{coefficient(means)}\n\n"
        f"## Seconds of a picture, one thread, warm, without file I/O\n\n{seconds(means, name)}\n\n"
        f"## Quality against the setting\n\nMeans over pictures of {pixels:.2f} megapixels.\n\n{levels(means, found)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Our rows in the form of the papers' tables.")
    parser.add_argument("set", help="name of a measured set")
    name = parser.parse_args().set
    made = text(name)
    print(made)
    folder = rows.RESULTS / photoarc.__version__
    (folder / f"{name}-papers.md").write_text(made)
    (folder / "folders.md").write_text(folders())


if __name__ == "__main__":
    main()
