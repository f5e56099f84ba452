"""Byte-exact archives of a folder, part by part and kind by kind: `python -m bench.bitexact folder --measure DIR`.

Writes results/<version>/<name>-exact.tsv (columns: bench/README.md) and .md. A part is a folder directly below DIR, a kind what the
first bytes say. Every tool gets the files of one part and kind alone; what it packed is unpacked again and compared. Seconds are those
of whole processes, one round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import photoarc
from bench import rows, tables
from photoarc.codecs import jpegxl
from photoarc.errors import PayloadError
from photoarc.folderbench import tools
from photoarc.folderbench.measure import compare
from photoarc.folderbench.tools import Tool

EFFORTS = (5, 9)
JPEG_XL = "JPEG XL, file by file"
_STARTS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"GIF8": "GIF", b"BM": "BMP",
}  # fmt: skip
_BOXES = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"jxl ": "JPEG XL"}


@dataclass(frozen=True, slots=True)
class Exact:
    """One tool on the files of one part and kind; `codecs` says how photoarc kept how many, `same` how many came back bit for bit.

    JPEG XL makes no archive: the sum of its files, nothing is unpacked.
    """

    part: str
    kind: str
    files: int
    size_bytes: int
    tool: str
    archive_bytes: int
    pack_s: float
    unpack_s: float
    same: int
    codecs: str


def kind_of(path: Path) -> str:
    """What the first bytes of a file say."""
    head = path.read_bytes()[:16]
    if head[4:8] == b"ftyp":
        return _BOXES.get(head[8:12], "MP4, MOV")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for start, name in _STARTS.items() if head.startswith(start)), "other")


def grouped(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Files below the folder by (part, kind)."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[path.relative_to(folder).parts[0], kind_of(path)].append(path)
    return dict(sorted(found.items()))


def archivers() -> list[Tool]:
    """Every effort of photoarc, then its peers as hard as they try."""
    ours = [tools.photoarc(f"photoarc --effort {effort}", "--mode", "lossless", "--effort", str(effort)) for effort in EFFORTS]
    xz, zstd = tools.tar_with("xz -9", "xz -9 -T0", "xz", ".tar.xz"), tools.tar_with("zstd -19", "zstd -19 -T0", "zstd", ".tar.zst")
    return [*ours, tools.sevenzip("7z -mx9", "-mx9"), xz, zstd]


def _jpeg_xl(path: Path) -> int:
    """Bytes of the JPEG XL file, or of the file itself where libjxl refuses it."""
    data = path.read_bytes()
    try:
        return len(jpegxl.encode(data)) if data[:2] == b"\xff\xd8" else len(data)
    except PayloadError:
        return len(data)


def _codecs(archive: Path) -> str:
    """How many files photoarc kept by which codec."""
    command = [*tools.PHOTOARC, "list", "--json", archive]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    members = [member for member in json.loads(listing)["members"] if member["kind"] == "file"]
    found = Counter("duplicate" if member["duplicate"] else member["codec"] for member in members)
    return ", ".join(f"{count} {name}" for name, count in found.most_common())


def measure(folder: Path) -> list[Exact]:
    """All tools on all parts and kinds of the folder. Raises RuntimeError for a tool that fails, with its reason."""
    result = []
    for (part, kind), paths in grouped(folder).items():
        size = sum(path.stat().st_size for path in paths)
        with tempfile.TemporaryDirectory() as scratch:
            source, work = Path(scratch, "files"), Path(scratch, "work")
            for path in paths:
                copy = source / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            about = (part, kind, len(paths), size)
            for tool in archivers():
                (work / "back").mkdir(parents=True)
                packed, unpacked, why = tools.once(tool, source, work)
                if why:
                    raise RuntimeError(f"{tool.name}: {why}")
                archive = work / f"archive{tool.ending}"
                same = compare(source, work / "back" / source.name).exact
                codecs = _codecs(archive) if tool.name.startswith("photoarc") else ""
                result.append(Exact(*about, tool.name, archive.stat().st_size, packed.seconds, unpacked.seconds, same, codecs))
                shutil.rmtree(work)
            started = time.monotonic()
            total = sum(_jpeg_xl(path) for path in paths)
            result.append(Exact(*about, JPEG_XL, total, time.monotonic() - started, 0.0, 0, ""))
        print(
            part,
            kind,
            len(paths),
            size,
            *(f"{row.tool}: {row.archive_bytes}" for row in result if (row.part, row.kind) == about[:2]),
            flush=True,
        )
    return result


def load(path: Path) -> list[Exact]:
    """Rows as they were written."""
    return rows.read(path, Exact)


def text(found: Sequence[Exact]) -> str:
    """The rows as Markdown: sizes of all tools, then how photoarc kept the files and how fast."""
    cells: dict[tuple[str, str], dict[str, Exact]] = defaultdict(dict)
    for row in found:
        cells[row.part, row.kind][row.tool] = row
    names = list(dict.fromkeys(row.tool for row in found))
    sizes, speeds = [], []
    for (part, kind), by_tool in cells.items():
        one = next(iter(by_tool.values()))
        best = min(by_tool[name].archive_bytes for name in names if "7z" in name or "tar" in name)
        shares = [f"{100 * by_tool[name].archive_bytes / one.size_bytes:.1f} %" for name in names]
        most = by_tool[f"photoarc --effort {EFFORTS[-1]}"]
        against = f"{100 * (most.archive_bytes / best - 1):+.1f} %"
        sizes.append((f"{part}, {kind}", str(one.files), f"{one.size_bytes:,}", *shares, against))
        for effort in EFFORTS:
            row = by_tool[f"photoarc --effort {effort}"]
            speed = [f"{row.size_bytes / 1e6 / seconds:.2f}" for seconds in (row.pack_s, row.unpack_s)]
            speeds.append((f"{part}, {kind}", str(effort), f"{row.same} of {row.files}", row.codecs, *speed))
    return "\n\n".join([
        "# Byte-exact archives, kind by kind",
        "Made by `python -m bench.bitexact`. Every archive holds the files of one part and kind; percentages are of their bytes.\n"
        f"The last column compares photoarc at effort {EFFORTS[-1]} with the best of 7z, xz and zstd. JPEG XL, file by file: libjxl's\n"
        "JPEG transcoding, files that it refuses counted as they are, no archive round them.",
        tables.table(("part, kind", "files", "bytes", *names, "against the best"), sizes),
        "How photoarc kept them; MB/s of whole processes, one round, start included, which is most of the time for small rows.",
        tables.table(("part, kind", "effort", "bit for bit", "files by codec", "pack MB/s", "unpack MB/s"), speeds),
    ]) + "\n"  # fmt: skip


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name", help="of the results")
    p.add_argument("--measure", type=Path, metavar="DIR", help="write new rows first")
    a = p.parse_args()
    path = rows.RESULTS / photoarc.__version__ / f"{a.name}-exact.tsv"
    if a.measure:
        rows.write(path, measure(a.measure), Exact)
    path.with_suffix(".md").write_text(text(load(path)), encoding="utf-8")


if __name__ == "__main__":
    main()
