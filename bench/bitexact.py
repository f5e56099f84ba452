"""Byte-exact archives of a folder, part by part and kind by kind: `python -m bench.bitexact folder --measure DIR`.

Writes results/<version>/<name>-exact.tsv (columns: bench/README.md) and .md. A part is a folder directly below DIR, a kind what the
first bytes say. Every tool gets the files of one part and kind alone; photoarc's are unpacked again and compared. Seconds are those of
whole processes, one round.
"""

from __future__ import annotations

import argparse
import csv
import filecmp
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import photoarc
from bench import rows, tables
from photoarc.codecs import jpegxl
from photoarc.errors import PayloadError

EFFORTS = (5, 9)
_STARTS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"GIF8": "GIF", b"BM": "BMP",
}  # fmt: skip
_BOXES = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"jxl ": "JPEG XL"}


@dataclass(frozen=True, slots=True)
class Exact:
    """One tool on the files of one part and kind; `codecs` says how photoarc kept how many, `same` how many came back bit for bit."""

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


def peers(here: Path) -> dict[str, Callable[[], int]]:
    """Tools by name; each packs `here`/files and returns its bytes."""

    def packed(command: str, archive: str) -> Callable[[], int]:
        def run() -> int:
            subprocess.run(command, shell=True, check=True, cwd=here, stdout=subprocess.DEVNULL)
            return (here / archive).stat().st_size

        return run

    return {
        "7z -mx9": packed("7zz a -mx9 -bso0 -bsp0 a.7z files", "a.7z"),
        "tar + xz -9": packed("tar -cf - files | xz -9 -T0 > a.xz", "a.xz"),
        "tar + zstd -19": packed("tar -cf - files | zstd -19 -T0 -q > a.zst", "a.zst"),
        "JPEG XL, file by file": lambda: sum(_jpeg_xl(path) for path in (here / "files").rglob("*") if path.is_file()),
    }


def _jpeg_xl(path: Path) -> int:
    """Bytes of the JPEG XL file, or of the file itself where libjxl refuses it."""
    data = path.read_bytes()
    try:
        return len(jpegxl.encode(data)) if data[:2] == b"\xff\xd8" else len(data)
    except PayloadError:
        return len(data)


def ours(here: Path, effort: int) -> tuple[int, float, float, int, str]:
    """Archive bytes, seconds to pack and to unpack, files that came back bit for bit, files by codec."""
    program = [sys.executable, "-m", "photoarc"]
    archive, out = here / "a.pha", here / "out"
    started = time.monotonic()
    subprocess.run([*program, "pack", "-q", "--mode", "lossless", "--effort", str(effort), here / "files", archive], check=True)
    packed = time.monotonic()
    subprocess.run([*program, "unpack", "-q", archive, out], check=True)
    unpacked = time.monotonic()
    same = sum(filecmp.cmp(path, out / path.relative_to(here), shallow=False) for path in (here / "files").rglob("*") if path.is_file())
    listing = subprocess.run([*program, "list", "--json", archive], check=True, capture_output=True, text=True).stdout
    members = [member for member in json.loads(listing)["members"] if member["kind"] == "file"]
    codecs = Counter("duplicate" if member["duplicate"] else member["codec"] for member in members)
    size = archive.stat().st_size
    archive.unlink()
    shutil.rmtree(out)
    return size, packed - started, unpacked - packed, same, ", ".join(f"{count} {name}" for name, count in codecs.most_common())


def measure(folder: Path) -> list[Exact]:
    """All tools on all parts and kinds of the folder."""
    result = []
    for (part, kind), paths in grouped(folder).items():
        size = sum(path.stat().st_size for path in paths)
        with tempfile.TemporaryDirectory() as scratch:
            here = Path(scratch)
            for path in paths:
                copy = here / "files" / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            about = (part, kind, len(paths), size)
            for effort in EFFORTS:
                total, pack_s, unpack_s, same, codecs = ours(here, effort)
                result.append(Exact(*about, f"photoarc --effort {effort}", total, pack_s, unpack_s, same, codecs))
            for name, run in peers(here).items():
                started = time.monotonic()
                total = run()
                result.append(Exact(*about, name, total, time.monotonic() - started, 0.0, 0, ""))
        print(part, kind, len(paths), size, *(f"{row.tool}: {row.archive_bytes}" for row in result[-len(EFFORTS) - 4 :]), flush=True)
    return result


def load(path: Path) -> list[Exact]:
    """Rows as they were written."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Exact(
                r["part"], r["kind"], int(r["files"]), int(r["size_bytes"]), r["tool"], int(r["archive_bytes"]), float(r["pack_s"]),
                float(r["unpack_s"]), int(r["same"]), r["codecs"],
            )
            for r in csv.DictReader(file, delimiter="\t")
        ]  # fmt: skip


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
        found = measure(a.measure)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(field.name for field in fields(Exact))
            writer.writerows([f"{v:.2f}" if isinstance(v, float) else v for v in asdict(row).values()] for row in found)
    path.with_suffix(".md").write_text(text(load(path)), encoding="utf-8")


if __name__ == "__main__":
    main()
