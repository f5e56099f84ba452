"""The commands as functions: what `photoarc.pack(...)` and its like do. Modules are loaded when they are called for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from photoarc.container.source import Place
    from photoarc.jobs.add import AddSummary
    from photoarc.jobs.compact import CompactSummary
    from photoarc.jobs.rearrange import MoveSummary, RemoveSummary
    from photoarc.jobs.repair import RepairSummary
    from photoarc.jobs.tally import PackSummary
    from photoarc.jobs.test import CheckSummary
    from photoarc.jobs.unpack import UnpackSummary
    from photoarc.jobs.verify import VerifySummary
    from photoarc.options import Existing, Mode, Tuning
    from photoarc.progress import Progress

_Path: TypeAlias = str | os.PathLike[str]
_Listener: TypeAlias = "Callable[[Progress], None] | None"


def pack(
    sources: _Path | Sequence[_Path],
    archive: _Path,
    *,
    mode: Mode | Literal["fast", "lzma", "lossless"] | None = None,
    quality: float | None = None,
    tuning: Tuning | Literal["ssim", "psnr"] | None = None,
    effort: int | None = None,
    min_gain_percent: float | None = None,
    recode: bool = False,
    strip_gps: bool = False,
    excludes: Sequence[str] = (),
    reuse: Sequence[_Path] = (),
    force: bool = False,
    recovery_percent: float = 0,
    workers: int | None = None,
    memory_bytes: int | None = None,
    progress: _Listener = None,
) -> PackSummary:
    """Packs files and folders into one archive, which appears under its name when it is complete.

    Options are those of `photoarc pack`, None is the usual: `mode` fast, lzma, lossless; `quality` 0..100, `tuning`, `min_gain_percent`,
    `recode`, `strip_gps` of lossy photographs; `effort` 0..9. `excludes` are lines as in .gitignore, `force` replaces an archive, `reuse`
    are archives whose payloads unchanged files keep, `workers` is the number of processes (0: none), `recovery_percent` how much of the
    archive may be lost and mended by `photoarc repair`. Files that cannot be read are in the summary's `failures`, the others are packed.
    Raises UsageError (sources, destination, conflicting options), ModelError, PhotoarcError (no workers).
    """
    from photoarc.jobs import pack as packing
    from photoarc.options import CodingOptions, PackOptions

    coding = CodingOptions.asked(
        mode, quality=quality, tuning=tuning, effort=effort, min_gain_percent=min_gain_percent, recode=recode, strip_gps=strip_gps
    )
    options = PackOptions(
        coding, workers=workers, excludes=excludes, force=force, memory_bytes=memory_bytes, recovery_percent=recovery_percent
    )
    return packing.pack(_paths(sources), os.fspath(archive), options, _heard(progress), reuse=_paths(reuse))


def add(
    archive: _Path,
    sources: _Path | Sequence[_Path],
    *,
    mode: Mode | Literal["fast", "lzma", "lossless"] | None = None,
    quality: float | None = None,
    tuning: Tuning | Literal["ssim", "psnr"] | None = None,
    effort: int | None = None,
    min_gain_percent: float | None = None,
    recode: bool | None = None,
    strip_gps: bool | None = None,
    excludes: Sequence[str] = (),
    replace: bool = False,
    workers: int | None = None,
    memory_bytes: int | None = None,
    progress: _Listener = None,
) -> AddSummary:
    """Adds files and folders to an archive, in place; what is there already and is the same is left.

    What differs is among the failures, or replaced with `replace`, which is what `photoarc update` does. Files are coded as the archive was
    coded last, but for what is asked for here. Raises UsageError (sources, a damaged archive, another writer, options), FormatError,
    ModelError, PhotoarcError (no workers); KeyboardInterrupt, when what was done by then is in the archive.
    """
    from photoarc.jobs import add as adding
    from photoarc.options import PackOptions

    wishes = {"tuning": tuning, "quality": quality, "effort": effort, "min_gain_percent": min_gain_percent}
    coding = adding.coding_like(archive, mode, **wishes, recode=recode, strip_gps=strip_gps)
    options = PackOptions(coding, workers=workers, excludes=excludes, memory_bytes=memory_bytes)
    done = adding.add(_paths(sources), archive, options, _heard(progress), replace=replace)
    if done.interrupted:
        raise KeyboardInterrupt
    return done


def remove(archive: _Path, globs: Sequence[str], *, ignore_case: bool = False) -> RemoveSummary:
    """Takes members out of an archive, with what is below them; `compact` makes it smaller. Raises UsageError, FormatError."""
    from photoarc.jobs import rearrange
    from photoarc.options import several

    return rearrange.remove(archive, several("globs", globs), ignore_case=ignore_case)


def move(archive: _Path, old: str, new: str) -> MoveSummary:
    """Calls a member of an archive otherwise, or a folder with what is in it. Raises UsageError, FormatError."""
    from photoarc.jobs import rearrange

    return rearrange.move(archive, old, new)


def compact(archive: _Path, *, recovery_percent: float | None = None, progress: _Listener = None) -> CompactSummary:
    """Writes an archive anew, without what was removed or replaced.

    `recovery_percent` of it come back by its recovery data then; None keeps to what it was packed with.
    Raises UsageError (damaged, no room, another writer), FormatError.
    """
    from photoarc.jobs import compact as compacting

    return compacting.compact(archive, _heard(progress), recovery_percent=recovery_percent)


def repair(archive: _Path, out: _Path, *, copies: Sequence[_Path] = (), force: bool = False, progress: _Listener = None) -> RepairSummary:
    """Makes a damaged archive whole in a new file, by its recovery data or by other copies of it; `force` replaces an archive that exists.

    Nothing is written if nothing is damaged. What cannot be mended is counted in the summary's `lost`. Raises UsageError, FormatError.
    """
    from photoarc.jobs import repair as repairing

    return repairing.repair([archive, *copies], out, force=force, progress=_heard(progress))


def unpack(
    archive: Place,
    destination: _Path,
    *,
    only: Sequence[str] = (),
    as_format: Literal["png", "jpeg", "webp"] | None = None,
    ignore_case: bool = False,
    force: bool = False,
    existing: Existing | Literal["refuse", "skip", "newer", "overwrite"] | None = None,
    workers: int | None = None,
    memory_bytes: int | None = None,
    progress: _Listener = None,
) -> UnpackSummary:
    """Writes the members of an archive below a folder, which is made if it is missing.

    `only` are globs of names, and of folders with all that is in them; `as_format` is for photographs that were coded lossily;
    `existing` says what to do about a file that stands where another belongs: it is an error, or left ("skip"), or replaced, if it is older
    ("newer") or always ("overwrite", as `force`). What is there already and is the same is not written again. Members that fail are in the
    summary's `failures`, the others are written.
    Raises FormatError (no archive), UsageError (a glob that matches nothing, a destination that is a file), PhotoarcError (no workers).
    """
    from photoarc.jobs import unpack as unpacking
    from photoarc.options import Existing, UnpackOptions

    options = UnpackOptions(
        only,
        as_format=as_format,
        workers=workers,
        force=force,
        ignore_case=ignore_case,
        memory_bytes=memory_bytes,
        existing=existing or Existing.REFUSE,  # type: ignore[arg-type]  # "skip" means Existing.SKIP, see UnpackOptions
    )
    return unpacking.unpack(archive, destination, options, _heard(progress))


def test(archive: Place, *, workers: int | None = None, memory_bytes: int | None = None, progress: _Listener = None) -> CheckSummary:
    """Decodes every member of an archive and compares every digest; writes nothing. What fails is in the summary's `failures`.

    In tests call it as `photoarc.test`: pytest takes what is imported as `test` for one of its own.
    Raises FormatError (no archive), UsageError, PhotoarcError (no workers).
    """
    from photoarc.jobs import test as testing

    return testing.test(archive, workers, _heard(progress), memory_bytes)


def verify(
    archive: Place,
    sources: _Path | Sequence[_Path],
    *,
    excludes: Sequence[str] = (),
    workers: int | None = None,
    memory_bytes: int | None = None,
    progress: _Listener = None,
) -> VerifySummary:
    """Compares files on the disk with an archive: what is changed, missing, extra. `sources` are what was packed, or where it is unpacked.

    Raises FormatError (no archive), UsageError (a folder that does not exist), PhotoarcError (no workers).
    """
    from photoarc.jobs import verify as verifying

    return verifying.verify(archive, _paths(sources), excludes, _heard(progress), jobs=workers, memory_bytes=memory_bytes)


def _heard(progress: _Listener) -> Callable[[Progress], None]:
    from photoarc.progress import silent

    return progress or silent


def _paths(given: _Path | Sequence[_Path]) -> list[str]:
    """One path or several as a list of several."""
    return [os.fspath(given)] if isinstance(given, str | os.PathLike) else [os.fspath(path) for path in given]
