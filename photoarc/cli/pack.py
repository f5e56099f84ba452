"""`photoarc pack SRC... ARCHIVE`, and the deletion that may follow it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from photoarc.cli.arguments import Force, IgnoreCase, Jobs, Json, Memory, Quiet, number, sources_and_archive, whole
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.errors import UsageError
from photoarc.jobs.machine import size
from photoarc.options import EFFORT, MIN_GAIN_PERCENT, MODE, QUALITY, TUNE, PackOptions

if TYPE_CHECKING:
    from photoarc.jobs.deletion import DeleteSummary
    from photoarc.progress import Failure


def pack(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SRC... ARCHIVE", help="Files and folders to pack; the archive to write comes last.", show_default=False),
    ],
    mode: Annotated[
        Literal["fast", "lzma", "lossless"],
        typer.Option(help="fast, lzma: photographs lossily by the learned codec. lossless: every file comes back bit for bit."),
    ] = MODE,
    quality: Annotated[
        float | None,
        typer.Option(parser=number(0, 100), metavar="0..100", help=f"Of lossy photographs. [default: {QUALITY:g}]"),
    ] = None,
    tune: Annotated[
        Literal["ssim", "psnr"] | None,
        typer.Option(help=f"Lossy photographs: for eyes, or for the smallest squared error. [default: {TUNE}]"),
    ] = None,
    effort: Annotated[
        int,
        typer.Option(
            parser=whole(0, 9),
            metavar="0..9",
            help="How hard pictures are squeezed: 0..2 fast, 7..9 smallest, and slow. Photographs of mode fast: 7..9.",
        ),
    ] = EFFORT,
    min_gain: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 99),
            metavar="PERCENT",
            help="Code what was lossy (JPEG) lossily once more only if that is smaller than bit-exact by this much. "
            f"[default: {MIN_GAIN_PERCENT:g}]",
            show_default=False,
        ),
    ] = None,
    recode: Annotated[
        bool,
        typer.Option("--recode", help="Also HEIC (with pillow-heif), AVIF, JPEG XL, lossy WebP lossily; unpacked as JPEG but for WebP."),
    ] = False,
    strip: Annotated[Literal["gps"] | None, typer.Option(help="Take the place out of the metadata of lossy photographs.")] = None,
    jobs: Jobs = None,
    memory: Memory = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    exclude_from: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Patterns from a file; repeatable.")] = None,
    ignore_case: IgnoreCase = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be packed, and how; write nothing.")] = False,
    delete: Annotated[
        bool,
        typer.Option("--delete-after-verify", help="Read the archive back, compare, ask; then delete files that it holds bit for bit."),
    ] = False,
    delete_lossy: Annotated[
        bool, typer.Option("--delete-lossy", help="With --delete-after-verify: also photographs that were coded lossily.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --delete-after-verify: do not ask.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pack files and folders into one archive.

    Photographs are coded lossily unless --mode lossless is given; everything else is kept bit for bit.
    """
    with exit_codes("interrupted, nothing was written", as_json):
        from photoarc.cli import text
        from photoarc.jobs import pack as packing
        from photoarc.jobs import patterns, rehearsal
        from photoarc.options import CodingOptions, deletion
        from photoarc.progress import failure

        sources, archive = sources_and_archive(paths)
        excludes = patterns.excludes(exclude or (), exclude_from or (), ignore_case)
        lossy = {"strip_gps": strip == "gps", "min_gain_percent": min_gain, "recode": recode}
        coding = CodingOptions.asked(mode, tuning=tune, quality=quality, effort=effort, **lossy)
        options = PackOptions(coding, jobs, excludes, force, size(memory))
        failures: Sequence[Failure]
        deletion(mode, wanted=delete, lossy_too=delete_lossy, unasked=yes, dry_run=dry_run)
        if delete and not yes and _nobody_can_answer():
            raise UsageError("--delete-after-verify asks before it deletes, and nobody can answer here; --yes deletes without asking")
        if delete and os.path.lexists(archive):
            raise UsageError(
                f"{archive}: exists already, and may be the only place of files that an earlier --delete-after-verify deleted; "
                "choose another name"
            )
        if dry_run:
            files, errors = packing.find(sources, Path(archive), options)
            outlooks, unread = rehearsal.rehearse(files, coding)
            failures = [failure(error) for error in (*errors, *unread)]
            lines = text.dry_run_lines(files, outlooks)
            shown = show(text.dry_run_json(archive, files, outlooks, failures), lines, as_json, quiet, fold=False)
            end(failures, "packed", not shown)
            return
        with progress("packing", quiet or as_json) as callback:
            done = packing.pack(sources, archive, options, callback)
    with exit_codes(f"interrupted; {archive} is complete" + (", some files may be deleted already" if delete else ""), as_json):
        value, failures = asdict(done), done.failures
        shown = as_json or show(value, text.pack_lines(done), as_json, quiet)
        doubtful = False
        warn((*done.warnings, *(() if quiet else done.remarks)))
        if delete:
            gone = _delete_sources(sources, archive, excludes, delete_lossy, yes, jobs, quiet or as_json)
            value["deletion"] = asdict(gone)
            shown &= show(value, text.delete_lines(gone), False, quiet or as_json)
            failures, doubtful = (*failures, *gone.failures), bool(gone.doubts)
        if as_json:
            shown = show(value, (), as_json, quiet)
        end(failures, "packed or deleted" if delete else "packed", doubtful or not shown or bool(done.coding_failed))


def _nobody_can_answer() -> bool:
    return not sys.stdin.isatty()


def _delete_sources(
    sources: Sequence[str], archive: str, excludes: Sequence[str], lossy_too: bool, yes: bool, jobs: int | None, hidden: bool
) -> DeleteSummary:
    """Verifies, asks, deletes."""
    from photoarc.cli import text
    from photoarc.jobs import deletion

    with progress("verifying", hidden) as callback:
        todo = deletion.plan(sources, archive, excludes, lossy_too=lossy_too, jobs=jobs, progress=callback)
    if todo.files and not yes and not typer.confirm(text.delete_question(todo), err=True):
        todo = deletion.declined(todo)
    return deletion.carry_out(todo)
