"""`photoarc pack SRC... ARCHIVE`, and the deletion that may follow it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photoarc.cli.arguments import Force, IgnoreCase, Jobs, Json, Memory, Quiet, Recovery, sources_and_archive
from photoarc.cli.coding import (
    EffortOption,
    Exclude,
    ExcludeFrom,
    MinGainOption,
    ModeOption,
    QualityOption,
    RecodeOption,
    StripOption,
    TuneOption,
)
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.cli.text import KIND_WORDS, counted, named, speed
from photoarc.errors import UsageError
from photoarc.jobs import machine
from photoarc.member import Kind
from photoarc.names import display
from photoarc.options import BY_CHOICE, EFFORT, MODE, PackOptions
from photoarc.units import count, duration, psnr, ratio, size

if TYPE_CHECKING:
    from photoarc.disk.scan import SourceFile
    from photoarc.jobs.deletion import DeleteSummary, Plan
    from photoarc.jobs.rehearsal import Outlook
    from photoarc.jobs.tally import PackSummary
    from photoarc.progress import Failure

MOST_REASONS = 4
MOST_DOUBTS = 20
SUFFIXES = {Kind.FILE: "", Kind.DIRECTORY: "/", Kind.SYMLINK: " (link)"}


Paths = Annotated[
    list[str],
    typer.Argument(metavar="SRC... ARCHIVE", help="Files and folders to pack; the archive to write comes last.", show_default=False),
]
Reuse = Annotated[
    list[str] | None, typer.Option(metavar="ARCHIVE", help="Take over payloads of unchanged files from this archive; repeatable.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be packed, and how; write nothing.")]
Delete = Annotated[
    bool, typer.Option("--delete-after-verify", help="Read the archive back, compare, ask; then delete files that it holds bit for bit.")
]
DeleteLossy = Annotated[bool, typer.Option("--delete-lossy", help="With --delete-after-verify: also photographs that were coded lossily.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --delete-after-verify: do not ask.")]


def pack(
    paths: Paths,
    mode: ModeOption = MODE,
    quality: QualityOption = None,
    tune: TuneOption = None,
    effort: EffortOption = EFFORT,
    min_gain: MinGainOption = None,
    recode: RecodeOption = False,
    strip: StripOption = None,
    recovery: Recovery = None,
    jobs: Jobs = None,
    memory: Memory = None,
    exclude: Exclude = None,
    exclude_from: ExcludeFrom = None,
    ignore_case: IgnoreCase = False,
    reuse: Reuse = None,
    dry_run: DryRun = False,
    delete: Delete = False,
    delete_lossy: DeleteLossy = False,
    yes: Yes = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pack files and folders into one archive.

    Photographs are coded lossily unless --mode lossless is given; everything else is kept bit for bit.
    """
    with exit_codes("interrupted, no archive was written; the same command goes on with what was packed, if that was much", as_json):
        from photoarc.jobs import pack as packing
        from photoarc.jobs import patterns
        from photoarc.options import CodingOptions, deletion

        sources, archive = sources_and_archive(paths)
        excludes = patterns.excludes(exclude or (), exclude_from or (), ignore_case)
        lossy = {"strip_gps": strip == "gps", "min_gain_percent": min_gain, "recode": recode}
        coding = CodingOptions.asked(mode, tuning=tune, quality=quality, effort=effort, **lossy)
        options = PackOptions(coding, jobs, excludes, force, machine.size(memory), recovery or 0)
        deletion(mode, wanted=delete, lossy_too=delete_lossy, unasked=yes, dry_run=dry_run)
        if dry_run:
            _rehearse(sources, archive, options, quiet, as_json)
            return
        if delete:
            _refuse_deletion_in_doubt(archive, yes)
        with progress("packing", quiet or as_json) as callback:
            done = packing.pack(sources, archive, options, callback, reuse=reuse or ())
    with exit_codes(f"interrupted; {archive} is complete" + (", some files may be deleted already" if delete else ""), as_json):
        _tell(done, sources, options, quiet, as_json, delete=(delete_lossy, yes) if delete else None)


def _rehearse(sources: Sequence[str], archive: str, options: PackOptions, quiet: bool, as_json: bool) -> None:
    """--dry-run."""
    from photoarc.jobs import pack as packing
    from photoarc.jobs import rehearsal
    from photoarc.progress import failure

    files, errors = packing.find(sources, Path(archive), options)
    outlooks, unread = rehearsal.rehearse(files, options.coding)
    failures = [failure(error) for error in (*errors, *unread)]
    shown = show(dry_run_json(archive, files, outlooks, failures), dry_run_lines(files, outlooks), as_json, quiet, fold=False)
    end(failures, "packed", not shown)


def _refuse_deletion_in_doubt(archive: str, yes: bool) -> None:
    """Raises UsageError where nobody can be asked, or an archive would be replaced."""
    if not yes and _nobody_can_answer():
        raise UsageError("--delete-after-verify asks before it deletes, and nobody can answer here; --yes deletes without asking")
    if os.path.lexists(archive):
        raise UsageError(
            f"{archive}: exists already, and may be the only place of files that an earlier --delete-after-verify deleted; "
            "choose another name"
        )


def _tell(
    done: PackSummary, sources: Sequence[str], options: PackOptions, quiet: bool, as_json: bool, *, delete: tuple[bool, bool] | None
) -> None:
    """What was packed; with `delete` (lossy ones too, without a question), delete it and tell that as well. Ends the program."""
    value: dict[str, Any] = asdict(done)
    failures: Sequence[Failure] = done.failures
    shown = as_json or show(value, pack_lines(done), as_json, quiet)
    doubtful = False
    warn((*done.warnings, *(() if quiet else done.remarks)))
    if delete:
        gone = _delete_sources(sources, done.archive, options, *delete, quiet or as_json)
        value["deletion"] = asdict(gone)
        shown &= show(value, delete_lines(gone), False, quiet or as_json)
        failures, doubtful = (*failures, *gone.failures), bool(gone.doubts)
    if as_json:
        shown = show(value, (), as_json, quiet)
    end(failures, "packed or deleted" if delete else "packed", doubtful or not shown or bool(done.coding_failed))


def _nobody_can_answer() -> bool:
    return not sys.stdin.isatty()


def _delete_sources(sources: Sequence[str], archive: str, options: PackOptions, lossy_too: bool, yes: bool, hidden: bool) -> DeleteSummary:
    """Verifies, asks, deletes."""
    from photoarc.jobs import deletion

    with progress("verifying", hidden) as callback:
        crew = {"jobs": options.workers, "memory_bytes": options.memory_bytes}
        todo = deletion.plan(sources, archive, options.excludes, lossy_too=lossy_too, progress=callback, **crew)
    if todo.files and not yes and not typer.confirm(delete_question(todo), err=True):
        todo = deletion.declined(todo)
    return deletion.carry_out(todo)


def pack_lines(done: PackSummary) -> list[str]:
    """What a person wants to know after packing: how much, how good, what is not a copy any more."""
    photos = done.photographs
    speeds = f", {speed(done.size_bytes, done.seconds)}" if done.seconds > 0 else ""
    speeds += f", {photos.pixels / 1e6 / done.seconds:.2g} MP/s" if photos.pixels and done.seconds > 0 else ""
    return [
        f"packed {counted(done.files, done.directories, done.symlinks)} into {done.archive}",
        *content_lines(done),
        f"  {size(done.size_bytes)} -> {size(done.archive_bytes)} ({ratio(done.archive_bytes, done.size_bytes)}) "
        f"in {duration(done.seconds)}{speeds}",
    ]


def content_lines(done: PackSummary) -> list[str]:
    """How files were coded."""
    photos, lines = done.photographs, list[str]()
    if photos.files:
        quality = f"mean PSNR {psnr(photos.mean_psnr_db)}" + ("" if photos.min_psnr_db is None else f" (lowest {psnr(photos.min_psnr_db)})")
        lines += [
            f"  {count(photos.files, 'photograph')} coded by the learned codec, {quality}, "
            f"{size(photos.size_bytes)} -> {size(photos.payload_bytes)} ({ratio(photos.payload_bytes, photos.size_bytes)})",
            "    lossy: close to the originals, not identical; keep the originals or use --mode lossless if every bit matters",
        ]
        left_out = ", ".join(f"{number:,} {what}" for what, number in done.left_out)
        lines += [f"    will not come back: {left_out}"] if left_out else []
    if done.kept:
        kinds = Counter[str]()  # what stands behind a colon is of one file
        for reason, number in done.kept_reasons:
            kinds[reason.partition(":")[0]] += number
        reasons = [f"{number:,} {reason}" for reason, number in kinds.most_common(MOST_REASONS)]
        more = kinds.total() - sum(number for _, number in kinds.most_common(MOST_REASONS))
        reasons += [f"{more:,} for other reasons"] if more else []
        if [reason for reason, _ in done.kept_reasons] == [BY_CHOICE]:
            reasons = [f"{total.files:,} by {total.codec}" for total in done.codecs]
        kept_bytes = sum(total.size_bytes for total in done.codecs) - photos.size_bytes
        kept_packed = sum(total.payload_bytes for total in done.codecs) - photos.payload_bytes
        lines += [
            f"  {count(done.kept, 'file')} kept bit-exact, {size(kept_bytes)} -> {size(kept_packed)} ({ratio(kept_packed, kept_bytes)})",
            "    " + ", ".join(reasons),
        ]
    lines += [f"  {count(done.reused, 'file')} unchanged, taken over as packed before"] if done.reused else []
    lines += [f"  {count(done.duplicates, 'file')} identical to others, stored once"] if done.duplicates else []
    lines += [f"  {count(done.alike, 'file')} like others but for a piece, which alone was stored"] if done.alike else []
    return lines


def dry_run_json(archive: str, files: Sequence[SourceFile], outlooks: Sequence[Outlook], failures: Sequence[Failure]) -> dict[str, Any]:
    """What would be packed, and what is likely to become of it."""
    members = [named(file.name, display(file.name)) | {"kind": KIND_WORDS[file.kind], "size_bytes": file.size_bytes} for file in files]
    kinds = [asdict(outlook) for outlook in outlooks]
    estimate = sum(outlook.packed_bytes for outlook in outlooks)
    failed = [asdict(failed) for failed in failures]
    return {"archive": archive, "members": members, "kinds": kinds, "estimated_bytes": estimate, "failures": failed}


def dry_run_lines(files: Sequence[SourceFile], outlooks: Sequence[Outlook]) -> list[str]:
    """What would be packed, and what is likely to become of it."""
    total = sum(file.size_bytes for file in files)
    rows = [(size(file.size_bytes) if file.kind is Kind.FILE else "-", display(file.name) + SUFFIXES[file.kind]) for file in files]
    width = max((len(row[0]) for row in rows), default=0)
    kinds = Counter(file.kind for file in files)
    estimate = sum(outlook.packed_bytes for outlook in outlooks)
    return [
        *(f"{cell.rjust(width)}  {name}" for cell, name in rows),
        "",
        f"would pack {counted(kinds[Kind.FILE], kinds[Kind.DIRECTORY], kinds[Kind.SYMLINK])}, {size(total)}; nothing was written",
        *(f"  {outlook.files:,} {outlook.kind}, {size(outlook.size_bytes)}: {_fate(outlook)}" for outlook in outlooks),
        *([f"  an estimate from typical shares: about {_rough(estimate)} ({_percent(estimate, total)})"] if total else []),
    ]


def _fate(outlook: Outlook) -> str:
    if not outlook.lossy:
        return f"bit-exact, {outlook.why}"
    return "would be tried lossily; drawings, and what gains too little, stay bit-exact"


def _rough(count_bytes: int) -> str:
    """Two digits: an estimate is not known to more."""
    digits = max(len(str(count_bytes)) - 2, 0)
    return size(round(count_bytes, -digits))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%"


def delete_question(todo: Plan) -> str:
    """What the user is asked before files are deleted."""
    lossy = sum(member.lossy for _, member in todo.files)
    warning = f", {count(lossy, 'photograph')} of them LOSSY in the archive" if lossy else ""
    return f"the archive was read back and agrees. Delete {count(len(todo.files), 'file')}, {size(todo.size_bytes)}{warning}?"


def delete_lines(gone: DeleteSummary) -> list[str]:
    """What was deleted, or why nothing was."""
    if gone.doubts:
        shown = [f"  {doubt}" for doubt in gone.doubts[:MOST_DOUBTS]]
        more = [f"  and {len(gone.doubts) - MOST_DOUBTS:,} more"] if len(gone.doubts) > MOST_DOUBTS else []
        return ["nothing was deleted, because sources and archive do not agree:", *shown, *more]
    kept = f"; {count(gone.lossy_kept, 'photograph')} stay, because the archive holds them lossily" if gone.lossy_kept else ""
    return [f"deleted {count(gone.deleted, 'file')}, {size(gone.size_bytes)}{kept}"]
