"""`photoarc bench`: a folder through photoarc and the archivers that are installed, as whole processes, in turn.

    round 1: tar pack, tar unpack, zip pack, ..., photoarc unpack      round 2: ...      medians of the rounds
    after the first round: what came back is compared with the folder, byte by byte; pictures that differ by PSNR and MS-SSIM

Every command is one that a user would type; its start-up counts. The folder is read once before, so that nobody pays for a cold disk.
"""

from __future__ import annotations

import filecmp
import math
import os
import platform
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc.errors import UsageError
from photoarc.folderbench import childprocess, metrics
from photoarc.folderbench.childprocess import Finished
from photoarc.pictures.image import photograph
from photoarc.pipeline import Mode
from photoarc.workers import usable_cores

MODES = tuple(Mode)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tool:
    """An archiver. `{archive}`, `{name}` (the folder, seen from its parent), `{parent}` and `{dest}` are filled in."""

    name: str
    ending: str
    pack: tuple[str, ...]
    unpack: tuple[str, ...]
    programs: tuple[str, ...] = ()  # all must be installed
    hint: str = ""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What the user asked for; `temporary` is where archives and unpacked folders go (None: the system's place for such)."""

    modes: tuple[str, ...] = MODES
    qualities: tuple[float, ...] = (70.0,)
    rounds: int = 3
    temporary: Path | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder; `pixels` counts those of the `photographs` that photoarc could code."""

    path: str
    files: int
    size_bytes: int
    photographs: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Result:
    """One tool. Times are medians of `rounds`, memory is the highest of any round.

    `exact` files came back bit for bit, `changed` as pictures that differ (PSNR and MS-SSIM are their means, over RGB; None: there are
    none), `lost` not at all or unreadable.
    """

    tool: str
    archive_bytes: int
    pack_s: float
    unpack_s: float
    pack_peak_bytes: int | None
    unpack_peak_bytes: int | None
    exact: int
    changed: int
    lost: int
    mean_psnr_db: float | None
    min_psnr_db: float | None
    mean_ms_ssim: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that `photoarc bench` found out; `missing` and `failed` are (tool, what to do or what happened).

    `load` is the mean number of running processes in the minute before, None where the system does not tell. `commands` are (tool, how it
    packs, how it unpacks), `day` is when they ran.
    """

    folder: Folder
    machine: str
    cores: int
    load: float | None
    rounds: int
    results: tuple[Result, ...]
    missing: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str, str], ...]
    day: str


PHOTOARC = (sys.executable, "-P", "-m", "photoarc")


def tools(options: BenchOptions) -> list[Tool]:
    """The peers, then photoarc in each mode and, where it matters, quality."""
    sevenzip = next((program for program in ("7zz", "7z", "7za") if shutil.which(program)), "7zz")
    quiet = ("-y", "-bso0", "-bsp0", "-snl")  # links as links, as tar keeps them
    unpack_tar = ("tar", "-xf", "{archive}", "-C", "{dest}")
    peers = [
        Tool("tar", ".tar", ("tar", "-cf", "{archive}", "-C", "{parent}", "{name}"), unpack_tar, ("tar",), _install("tar", "gnu-tar")),
        Tool(
            "zip", ".zip", ("zip", "-q", "-r", "-y", "{archive}", "{name}"), ("unzip", "-q", "{archive}", "-d", "{dest}"),
            ("zip", "unzip"), _install("zip unzip"),
        ),
        Tool(
            "7-Zip", ".7z", (sevenzip, "a", *quiet, "{archive}", "{name}"), (sevenzip, "x", *quiet, "-o{dest}", "{archive}"),
            (sevenzip,), _install("7zip", "sevenzip") + ", or from 7-zip.org",
        ),
        _tar_with("zstd -19", "zstd -19 -T0", "zstd", ".tar.zst"),
        _tar_with("xz", "xz -T0", "xz", ".tar.xz"),
    ]  # fmt: skip
    ours = []
    for mode in options.modes:
        for quality in options.qualities if mode != "lossless" else (None,):
            name = f"photoarc {mode}" + (f" q{quality:g}" if quality is not None else "")
            asked = ("--quality", f"{quality:g}") if quality is not None else ()
            unpack = (*PHOTOARC, "unpack", "-q", "{archive}", "{dest}")
            ours.append(Tool(name, ".pha", (*PHOTOARC, "pack", "-q", "--mode", mode, *asked, "{name}", "{archive}"), unpack))
    return peers + ours


def _tar_with(name: str, command: str, program: str, ending: str) -> Tool:
    pack = ("tar", "--use-compress-program", command, "-cf", "{archive}", "-C", "{parent}", "{name}")
    unpack = ("tar", "--use-compress-program", program, "-xf", "{archive}", "-C", "{dest}")
    return Tool(f"tar + {name}", ending, pack, unpack, ("tar", program), _install({"xz": "xz-utils"}.get(program, program), program))


def _install(package: str, brew: str = "") -> str:
    """What to type for a Debian package, or what Homebrew calls it."""
    return f"brew install {brew or package}" if sys.platform == "darwin" else f"apt install {package}"


def bench(folder: str | Path, options: BenchOptions, say: Say) -> Bench:
    """Measure. `say` hears a line of progress before each process.

    Raises UsageError for something that is no folder or holds no file, for an unknown mode and for a place that cannot hold archives.
    """
    source = Path(folder).resolve()
    if not source.is_dir():
        raise UsageError(f"{folder}: not a folder; bench packs and unpacks a whole folder")
    if source.parent == source:
        raise UsageError(f"{folder}: the whole file system is too much for a bench; name a folder in it")
    if unknown := set(options.modes) - set(MODES):
        raise UsageError(f"{', '.join(sorted(unknown))}: unknown mode; choose {', '.join(MODES)}")
    if source.name.startswith(("-", "@")):  # 7-Zip reads names from a file @name
        raise UsageError(f"{folder}: the archivers would take this name for an option; rename the folder or name its parent")
    say(f"reading {source}")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    about = _look(source, str(folder))
    chosen = tools(options)
    usable = [tool for tool in chosen if all(shutil.which(program) for program in tool.programs)]
    missing = tuple((tool.name, tool.hint) for tool in chosen if tool not in usable)
    runs: dict[str, list[tuple[Finished, Finished]]] = {tool.name: [] for tool in usable}
    checks: dict[str, tuple[int, _Comparison]] = {}
    failed: dict[str, str] = {}
    with _temporary(options.temporary, source) as temporary:
        for turn in range(options.rounds):
            for tool in usable:
                if tool.name in failed:
                    continue
                say(f"round {turn + 1} of {options.rounds}: {tool.name}")
                work = Path(temporary) / "work"
                (work / "back").mkdir(parents=True)
                packed, unpacked, why = _once(tool, source, work)
                if why:
                    failed[tool.name] = why
                else:
                    runs[tool.name].append((packed, unpacked))
                    if turn == 0:
                        say(f"comparing what {tool.name} gave back")
                        root = work / "back" / source.name
                        checks[tool.name] = ((work / f"archive{tool.ending}").stat().st_size, _compare(source, root))
                shutil.rmtree(work)
    results = tuple(_result(tool.name, runs[tool.name], *checks[tool.name]) for tool in usable if tool.name not in failed)
    commands = tuple((tool.name, typed(tool.pack, tool, source.name), typed(tool.unpack, tool, source.name)) for tool in usable)
    day = time.strftime("%Y-%m-%d")
    return Bench(about, machine(), usable_cores(), load, options.rounds, results, missing, tuple(failed.items()), commands, day)


def typed(command: Sequence[str], tool: Tool, name: str) -> str:
    """A command as one would type it beside the folder of that name."""
    own = command[: len(PHOTOARC)] == PHOTOARC
    words = ("photoarc", *command[len(PHOTOARC) :]) if own else command
    return shlex.join(word.format(archive=f"{name}{tool.ending}", name=name, parent=".", dest="back") for word in words)


def _temporary(wanted: Path | None, source: Path) -> tempfile.TemporaryDirectory[str]:
    """A new folder that vanishes. Raises UsageError if it cannot be made, or lies in the folder that is measured."""
    place = (wanted or Path(tempfile.gettempdir())).resolve()
    if place.is_relative_to(source):
        raise UsageError(f"{place}: lies in the folder that is measured; name another place with --temp")
    try:
        return tempfile.TemporaryDirectory(prefix="photoarc-bench-", dir=place)
    except OSError as error:
        raise UsageError(f"{place}: cannot hold the archives: {error.strerror}; name another place with --temp") from error


def _once(tool: Tool, source: Path, work: Path) -> tuple[Finished, Finished, str]:
    """Pack and unpack, and what went wrong in words ("": nothing)."""
    values = {"archive": str(work / f"archive{tool.ending}"), "name": source.name, "parent": str(source.parent), "dest": str(work / "back")}
    done = []
    for what, command, place in (("pack", tool.pack, source.parent), ("unpack", tool.unpack, work)):
        filled = [part.format(**values) for part in command]
        try:
            finished = childprocess.run(filled, place, work / "errors")
        except OSError as error:
            finished = Finished(0, 127, None, str(error))
        done.append(finished)
        if finished.code:
            return done[0], done[-1], f"{what} ended with code {finished.code}: {finished.message or 'it says nothing more'}"
    return done[0], done[1], ""


def _files(root: Path) -> Iterator[tuple[Path, Path]]:
    """(file, path below root) of every regular file, by name."""
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path, path.relative_to(root)


def _look(source: Path, shown: str) -> Folder:
    """Reads everything once: what there is, and how many pixels of photographs."""
    files = size = photographs = pixels = 0
    for path, _ in _files(source):
        try:
            data = path.read_bytes()
        except (OSError, MemoryError):
            continue
        files += 1
        size += len(data)
        photo = photograph(data)
        if not isinstance(photo, str):
            photographs += 1
            pixels += photo.pixels.shape[0] * photo.pixels.shape[1]
    if not files:
        raise UsageError(f"{shown}: holds no file that can be read")
    return Folder(shown, files, size, photographs, pixels)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Counts of files, and the quality of every picture that came back changed."""

    exact: int
    changed: int
    lost: int
    qualities: tuple[metrics.Quality, ...]


def _compare(source: Path, back: Path) -> _Comparison:
    exact = changed = lost = 0
    qualities = []
    for path, below in _files(source):
        other = back / below
        if not other.is_file():
            lost += 1
        elif filecmp.cmp(path, other, shallow=False):
            exact += 1
        elif (quality := _quality(path.read_bytes(), other.read_bytes())) is None:
            lost += 1
        else:
            changed += 1
            qualities.append(quality)
    return _Comparison(exact, changed, lost, tuple(qualities))


def _quality(original: bytes, copy: bytes) -> metrics.Quality | None:
    """None if one of them is no photograph, or their sizes differ."""
    a, b = photograph(original), photograph(copy)
    if isinstance(a, str) or isinstance(b, str) or a.pixels.shape != b.pixels.shape:
        return None
    return metrics.compare(metrics.reference(a.pixels), b.pixels)


def _result(name: str, runs: Sequence[tuple[Finished, Finished]], archive_bytes: int, found: _Comparison) -> Result:
    packs, unpacks = zip(*runs, strict=True)
    psnrs = [quality.psnr_db for quality in found.qualities if math.isfinite(quality.psnr_db)]
    similar = [quality.ms_ssim for quality in found.qualities if math.isfinite(quality.ms_ssim)]
    return Result(
        name,
        archive_bytes,
        round(statistics.median(run.seconds for run in packs), 3),
        round(statistics.median(run.seconds for run in unpacks), 3),
        max((run.peak_bytes for run in packs if run.peak_bytes), default=None),
        max((run.peak_bytes for run in unpacks if run.peak_bytes), default=None),
        found.exact,
        found.changed,
        found.lost,
        round(statistics.fmean(psnrs), 2) if psnrs else None,
        round(min(psnrs), 2) if psnrs else None,
        round(statistics.fmean(similar), 5) if similar else None,
    )


def check_place(path: str) -> None:
    """Before the long work: raises UsageError if no report can be written there."""
    if Path(path).is_dir() or not os.access(Path(path).resolve().parent, os.W_OK):
        raise UsageError(f"{path}: cannot write the report there")


def save(path: str, text: str) -> None:
    """Write a report. Raises UsageError if that is not possible."""
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")  # names may be no UTF-8
    except OSError as error:
        raise UsageError(f"{path}: cannot write the report: {error.strerror}") from error


def machine() -> str:
    """Processor, cores, memory, system, Python, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    parts = [name, f"{usable_cores()} cores"]
    if hasattr(os, "sysconf"):
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB")
    parts += [f"{platform.system()} {platform.release().partition('-')[0]}", f"Python {platform.python_version()}"]
    return ", ".join(parts)
