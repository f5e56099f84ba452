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
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc.errors import UsageError
from photoarc.folderbench import metrics, tools
from photoarc.folderbench.childprocess import Finished
from photoarc.jobs.machine import usable_cores
from photoarc.options import QUALITY, Mode, choice, keeps_every_bit, number, whole
from photoarc.pictures.image import photograph

MODES = tuple(Mode)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What the user asked for; `temporary` is where archives and unpacked folders go (None: the system's place for such)."""

    modes: tuple[str, ...] = MODES
    qualities: tuple[float, ...] = (QUALITY,)
    rounds: int = 3
    temporary: Path | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be measured, and for a quality of modes that have none."""
        for mode in self.modes:
            choice("mode", mode, MODES)
        for quality in self.qualities:
            number("quality", quality, 0, 100)
        whole("rounds", self.rounds, 1)
        if set(self.modes) == {Mode.LOSSLESS}:
            keeps_every_bit({"quality": self.qualities != (QUALITY,)})


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder; `pixels` counts those of the `photographs` that photoarc could code."""

    path: str
    files: int
    size_bytes: int
    photographs: int
    pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


def bench(folder: str | Path, options: BenchOptions, say: Say) -> Bench:
    """Measure. `say` hears a line of progress before each process.

    Raises UsageError for something that is no folder or holds no file, and for a place that cannot hold archives.
    """
    source = Path(folder).resolve()
    if not source.is_dir():
        raise UsageError(f"{folder}: not a folder; bench packs and unpacks a whole folder")
    if source.parent == source:
        raise UsageError(f"{folder}: the whole file system is too much for a bench; name a folder in it")
    if source.name.startswith(("-", "@")):  # 7-Zip reads names from a file @name
        raise UsageError(f"{folder}: the archivers would take this name for an option; rename the folder or name its parent")
    say(f"reading {source}")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    about = _look(source, str(folder))
    chosen = tools.tools(options.modes, options.qualities)
    usable = [tool for tool in chosen if tool.installed()]
    missing = tuple((tool.name, tool.hint) for tool in chosen if tool not in usable)
    runs: dict[str, list[tuple[Finished, Finished]]] = {tool.name: [] for tool in usable}
    checks: dict[str, tuple[int, Comparison]] = {}
    failed: dict[str, str] = {}
    with _temporary(options.temporary, source) as temporary:
        for turn in range(options.rounds):
            for tool in usable:
                if tool.name in failed:
                    continue
                say(f"round {turn + 1} of {options.rounds}: {tool.name}")
                work = Path(temporary) / "work"
                (work / "back").mkdir(parents=True)
                packed, unpacked, why = tools.once(tool, source, work)
                if why:
                    failed[tool.name] = why
                else:
                    runs[tool.name].append((packed, unpacked))
                    if turn == 0:
                        say(f"comparing what {tool.name} gave back")
                        root = work / "back" / source.name
                        checks[tool.name] = ((work / f"archive{tool.ending}").stat().st_size, compare(source, root))
                shutil.rmtree(work)
    results = tuple(_result(tool.name, runs[tool.name], *checks[tool.name]) for tool in usable if tool.name not in failed)
    commands = tuple((tool.name, *tools.typed(tool, source.name)) for tool in usable)
    day = time.strftime("%Y-%m-%d")
    return Bench(
        folder=about,
        machine=machine(),
        cores=usable_cores(),
        load=load,
        rounds=options.rounds,
        results=results,
        missing=missing,
        failed=tuple(failed.items()),
        commands=commands,
        day=day,
    )


def _temporary(wanted: Path | None, source: Path) -> tempfile.TemporaryDirectory[str]:
    """A new folder that vanishes. Raises UsageError if it cannot be made, or lies in the folder that is measured."""
    place = (wanted or Path(tempfile.gettempdir())).resolve()
    if place.is_relative_to(source):
        raise UsageError(f"{place}: lies in the folder that is measured; name another place with --temp")
    try:
        return tempfile.TemporaryDirectory(prefix="photoarc-bench-", dir=place)
    except OSError as error:
        raise UsageError(f"{place}: cannot hold the archives: {error.strerror}; name another place with --temp") from error


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
class Comparison:
    """Counts of files, and the quality of every picture that came back changed."""

    exact: int
    changed: int
    lost: int
    qualities: tuple[metrics.Quality, ...]


def compare(source: Path, back: Path) -> Comparison:
    """What came back of the files in a folder."""
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
    return Comparison(exact, changed, lost, tuple(qualities))


def _quality(original: bytes, copy: bytes) -> metrics.Quality | None:
    """None if one of them is no photograph, or their sizes differ."""
    a, b = photograph(original), photograph(copy)
    if isinstance(a, str) or isinstance(b, str) or a.pixels.shape != b.pixels.shape:
        return None
    return metrics.compare(metrics.reference(a.pixels), b.pixels)


def _result(name: str, runs: Sequence[tuple[Finished, Finished]], archive_bytes: int, found: Comparison) -> Result:
    packs, unpacks = zip(*runs, strict=True)
    psnrs = [quality.psnr_db for quality in found.qualities if math.isfinite(quality.psnr_db)]
    similar = [quality.ms_ssim for quality in found.qualities if math.isfinite(quality.ms_ssim)]
    return Result(
        tool=name,
        archive_bytes=archive_bytes,
        pack_s=round(statistics.median(run.seconds for run in packs), 3),
        unpack_s=round(statistics.median(run.seconds for run in unpacks), 3),
        pack_peak_bytes=max((run.peak_bytes for run in packs if run.peak_bytes), default=None),
        unpack_peak_bytes=max((run.peak_bytes for run in unpacks if run.peak_bytes), default=None),
        exact=found.exact,
        changed=found.changed,
        lost=found.lost,
        mean_psnr_db=round(statistics.fmean(psnrs), 2) if psnrs else None,
        min_psnr_db=round(min(psnrs), 2) if psnrs else None,
        mean_ms_ssim=round(statistics.fmean(similar), 5) if similar else None,
    )


_TITLE_BYTES = 4096  # a report has its title in these


def check_place(path: str) -> None:
    """Before the long work: raises UsageError if no report can be written there."""
    place = Path(path)
    if place.is_dir() or not os.access(place.resolve().parent, os.W_OK):
        raise UsageError(f"{path}: cannot write the report there")
    if place.exists() and not _is_report(place):
        raise UsageError(f"{path}: exists and is no report of photoarc bench, the only thing that is replaced; choose another name")


def _is_report(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(_TITLE_BYTES)
        return not start or b": photoarc bench</title>" in start
    except OSError:
        return False


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
