"""A folder of other people's files through whole programs, and everything that comes back looked at: `python -m bench.strangers FOLDER`.

Per mode the folder is packed, tested, unpacked. Bit-exact files must be the same in bytes and time, lossy ones be opened by Pillow in their
size; after --strip gps, exiftool (if it is installed) must find no place in those. Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw, ImageOps

from bench.tables import table
from photoarc.folderbench import childprocess, tools

MODES = {"lossless": ("--mode", "lossless"), "default": (), "strip": ("--strip", "gps"), "recode": ("--recode",)}
USUAL, LOWEST, TILE_PX = ("lossless", "default", "strip"), 10, 320
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # that photographs are coded from and written in
# Names of tags, without the group, that tell a place; a creator's address and what the maker wrote of the time zone are none.
_PLACE = re.compile(r"GPS(?!Version)|Lat(it|$)|Long?(t?it|$)|City|Country|Province|^State$|^(Sub-?)?[Ll]ocation|Geo(tag|loc|hash)|Venue")
_NO_PLACE = re.compile(r"Creator|^Composite:|^MakerNotes:")
_TO_FILE = ("sh", "-c", 'exec "$@" > "$0"')


@dataclass(slots=True)
class Found:
    """What one mode did: sizes in bytes, CPU seconds and peak bytes of (pack, test, unpack), lossy members lowest PSNR first."""

    mode: str
    files: int
    size_bytes: int
    archive_bytes: int = 0
    cpu_s: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    lossy: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)  # (kind, what)


def run(found: Found, command: Sequence[str], work: Path, what: str) -> dict[str, Any]:
    """One command as a whole process; its failures become faults. Returns the JSON document that it wrote."""
    before, answer = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), work / f"{what}.json"
    done = childprocess.run([*_TO_FILE, str(answer), *command, "--json"], work, work / f"{what}.txt")
    found.cpu_s.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before)
    found.peaks.append(done.peak_bytes or 0)
    said = (work / f"{what}.txt").read_text(errors="replace")
    if done.code or "Traceback" in said or "internal error" in said:
        found.faults.append((f"exit code {done.code}", f"{what}: {said[-300:]}"))
    try:
        value: dict[str, Any] = json.loads(answer.read_text())
    except ValueError:
        found.faults.append(("no JSON", f"{what}: {said[-300:]}"))
        return {}
    found.faults += [("failed", f"{what}: {failure}") for failure in value.get("failures", ())]
    found.remarks += [f"{what}: {warning}" for warning in value.get("warnings", ())]
    return value


def measure(photoarc: Sequence[str], folder: Path, work: Path, mode: str, jobs: str) -> Found:
    """One mode of the folder, with all its checks."""
    sources = {path.relative_to(folder.parent).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    found = Found(mode, len(sources), sum(path.stat().st_size for path in sources.values()))
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    packed = run(found, [*photoarc, "pack", *MODES[mode], "-j", jobs, str(folder), "all.pha"], work, "pack")
    found.remarks += [f"kept: {reason}" for reason in packed.get("kept_reasons", ())]
    if (work / "all.pha").exists():
        found.archive_bytes = (work / "all.pha").stat().st_size
        run(found, [*photoarc, "test", "-j", jobs, "all.pha"], work, "test")
        run(found, [*photoarc, "unpack", "-j", jobs, "all.pha", "back"], work, "unpack")
        listed = json.loads(subprocess.run([*photoarc, "list", "--json", "all.pha"], cwd=work, check=True, capture_output=True).stdout)
        check(found, sources, {member["name"]: member for member in listed["members"] if member["kind"] == "file"}, work)
    return found


def check(found: Found, sources: dict[str, Path], members: dict[str, dict[str, Any]], work: Path) -> None:
    """Every file that came back against its source; what is wrong is added to the faults."""
    back = {path.relative_to(work / "back").as_posix(): path for path in (work / "back").rglob("*") if path.is_file()}
    exact = {name for name, member in members.items() if not member["lossy"]}
    found.faults += [("not packed", name) for name in sorted(sources.keys() - members.keys())]
    found.faults += [("not unpacked", name) for name in sorted(exact - back.keys())]
    for name in sorted(exact & back.keys()):
        if not filecmp.cmp(sources[name], back[name], shallow=False):
            found.faults.append(("different bytes", name))
        if sources[name].stat().st_mtime_ns != back[name].stat().st_mtime_ns:
            found.faults.append(("different time", name))
    found.lossy = sorted((member for member in members.values() if member["lossy"]), key=lambda member: member["photo"]["psnr_db"] or 99.0)
    written = {name: path for name, path in back.items() if name not in exact}
    stems = {os.path.splitext(name)[0]: path for name, path in written.items()}
    for member in found.lossy:
        name = member["name"]
        member["source"], member["back"] = sources[name], written.get(name) or stems.get(os.path.splitext(name)[0]) or stems.get(name)
        found.faults += _looked_at(member)
    found.faults += [("extra", name) for name, path in written.items() if path not in [member["back"] for member in found.lossy]]
    if found.mode == "lossless":
        found.faults += [("lossy", member["name"]) for member in found.lossy]
    if found.mode == "strip" and shutil.which("exiftool"):
        before, after = (places([member[side] for member in found.lossy if member[side]], work) for side in ("source", "back"))
        found.remarks.append(f"tags of places before: {len(before)}, left: {len(after)}")
        found.faults += [("place", place) for place in after]


def _looked_at(member: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Faults of one lossy member: Pillow must open it and find the size, orientation, profile and transparency of its source."""
    if not member["back"]:
        yield "not unpacked", member["name"]
        return
    try:
        seen, photo = [_seen(member[side]) for side in ("source", "back")], member["photo"]
        if seen[0] != seen[1] or seen[0][0] != (photo["width_px"], photo["height_px"]):
            yield "different picture", f"{member['name']}: size, orientation, bytes of profile, transparency: {seen}, listed: {photo}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        yield "cannot be opened", f"{member['name']}: {error}"


def _seen(path: Path) -> tuple[tuple[int, int], int, int, bool]:
    with Image.open(path, formats=FORMATS) as image:
        image.load()
        return image.size, image.getexif().get(0x0112, 1), len(image.info.get("icc_profile") or b""), image.has_transparency_data


def places(paths: Sequence[Path], work: Path) -> list[str]:
    """Every tag of these files that names a place, by exiftool; copies of a tag too. Composites say again what other tags say."""
    if not paths:
        return []
    (work / "names.txt").write_text("\n".join(map(str, paths)), encoding="utf-8")
    command = ["exiftool", "-a", "-G0:1:4", "-s", "-ee", "-j", "-struct", "-@", "names.txt"]
    found = json.loads(subprocess.run(command, cwd=work, capture_output=True, check=False).stdout or "[]")
    return [
        f"{file['SourceFile']}: {tag} = {str(value)[:60]}"
        for file in found
        for tag, value in file.items()
        if _PLACE.search(tag.split(":")[-1]) and not _NO_PLACE.search(tag) and str(value).strip()
    ]


def sheet(found: Found, path: Path) -> None:
    """The lowest PSNR to look at: source left, what came back right."""
    lowest = [member for member in found.lossy[:LOWEST] if member["back"]]
    drawn = Image.new("RGB", (4 * TILE_PX, (TILE_PX + 20) * max(1, -(-len(lowest) // 2))), "white")
    for number, member in enumerate(lowest):
        x, y = number % 2 * 2 * TILE_PX, number // 2 * (TILE_PX + 20)
        for side in ("source", "back"):
            with Image.open(member[side], formats=FORMATS) as image:
                drawn.paste(ImageOps.contain(image.convert("RGB"), (TILE_PX - 4, TILE_PX)), (x + TILE_PX * (side == "back"), y + 20))
        ImageDraw.Draw(drawn).text((x + 4, y + 4), f"{member['photo']['psnr_db']} dB  {member['name'][-80:]}", "black")
    drawn.save(path)


def text(found: Sequence[Found], budget_bytes: float) -> str:
    """The table, the faults by kind, the lowest PSNR."""
    head = ("mode", "files", "bytes", "archive", "lossy", "faults", "CPU s pack", "test", "unpack", "peak MB pack", "test", "unpack")
    body, lines = [], [""]
    for one in found:
        counts = (one.files, one.size_bytes, one.archive_bytes, len(one.lossy), len(one.faults))
        peaks = [f"{peak / 1e6:.0f}" + "!" * (peak > budget_bytes) for peak in one.peaks]
        body.append((one.mode, *(f"{count:,}" for count in counts), *(f"{seconds:.1f}" for seconds in one.cpu_s), *peaks))
        lines += [f"{one.mode}: {kind}: {what}" for kind, what in one.faults] + [f"{one.mode}: {remark}" for remark in one.remarks]
        lines += [f"{one.mode}: {member['photo']['psnr_db']:6} dB  {member['name']}" for member in one.lossy[:LOWEST]]
    return "\n".join([table(head, body), *lines])


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--work", type=Path, required=True, metavar="DIR", help="archives, unpacked files, MODE/lowest.png; kept, emptied first")
    p.add_argument("--mode", choices=MODES, action="append", help=f"repeatable (default: {', '.join(USUAL)})")
    p.add_argument("-j", "--jobs", default="1")
    p.add_argument("--budget", type=float, default=4000, metavar="MB", help="of memory, all processes together (default: 4000)")
    p.add_argument("--photoarc", metavar="CMD", help="another photoarc than that of this checkout")
    a = p.parse_args()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    pillow_heif.register_heif_opener()
    photoarc = ["env", "-u", "PYTHONPATH", *shlex.split(a.photoarc)] if a.photoarc else tools.PHOTOARC
    found = [measure(photoarc, a.folder.resolve(), a.work.resolve() / mode, mode, a.jobs) for mode in a.mode or USUAL]
    for one in found:
        sheet(one, a.work / one.mode / "lowest.png")
    print(text(found, a.budget * 1e6))
    sys.exit(any(one.faults or max(one.peaks) > a.budget * 1e6 for one in found))


if __name__ == "__main__":
    main()
