"""`photoarc add ARCHIVE SRC...` and `photoarc update ARCHIVE SRC...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photoarc.cli.arguments import ArchivePath, IgnoreCase, Jobs, Json, Memory, Quiet
from photoarc.cli.coding import Exclude, ExcludeFrom, LikeEffort, LikeMode, LikeQuality, LikeTune
from photoarc.cli.console import end, exit_codes, progress, say, show, warn
from photoarc.cli.text import KIND_WORDS, counted, named
from photoarc.errors import UsageError
from photoarc.jobs import machine
from photoarc.names import display
from photoarc.options import PackOptions
from photoarc.units import count, duration, size

if TYPE_CHECKING:
    from photoarc.disk.scan import SourceFile
    from photoarc.jobs.add import AddSummary, Plan

INTERRUPTED = "interrupted; the archive is whole and has what was done by then, the same command does the rest"
Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SRC...", help="Files and folders, named as they were for `pack`.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")]


def add(
    archive: ArchivePath,
    sources: Sources = None,
    mode: LikeMode = None,
    quality: LikeQuality = None,
    tune: LikeTune = None,
    effort: LikeEffort = None,
    jobs: Jobs = None,
    memory: Memory = None,
    exclude: Exclude = None,
    exclude_from: ExcludeFrom = None,
    ignore_case: IgnoreCase = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Add files and folders to an archive.

    What is in it already and is the same is left. What differs is named; `update` replaces it.
    """
    coding = {"mode": mode, "quality": quality, "tuning": tune, "effort": effort}
    patterns = (exclude or (), exclude_from or (), ignore_case)
    _run(archive, sources or (), coding, patterns, (jobs, memory), (dry_run, quiet, as_json), replace=False)


def update(
    archive: ArchivePath,
    sources: Sources = None,
    mode: LikeMode = None,
    quality: LikeQuality = None,
    tune: LikeTune = None,
    effort: LikeEffort = None,
    jobs: Jobs = None,
    memory: Memory = None,
    exclude: Exclude = None,
    exclude_from: ExcludeFrom = None,
    ignore_case: IgnoreCase = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Add what is new to an archive, and replace what has changed.

    A file is the same if its size and date are, or else its digest. What is missing on the disk stays in the archive.
    """
    coding = {"mode": mode, "quality": quality, "tuning": tune, "effort": effort}
    patterns = (exclude or (), exclude_from or (), ignore_case)
    _run(archive, sources or (), coding, patterns, (jobs, memory), (dry_run, quiet, as_json), replace=True)


def _run(
    archive: str,
    sources: Sequence[str],
    coding: dict[str, Any],
    given_patterns: tuple[Sequence[str], Sequence[str], bool],
    crew: tuple[int | None, str | None],
    how: tuple[bool, bool, bool],
    *,
    replace: bool,
) -> None:
    dry_run, quiet, as_json = how
    with exit_codes("interrupted, nothing was written", as_json):
        from photoarc.jobs import add as adding
        from photoarc.jobs import patterns
        from photoarc.progress import failure

        if not sources:
            raise UsageError("nothing to add: name at least one file or folder behind the archive")
        options = PackOptions(
            adding.coding_like(archive, **coding), crew[0], patterns.excludes(*given_patterns), memory_bytes=machine.size(crew[1])
        )
        if dry_run:
            found = adding.rehearse(sources, Path(archive), options, replace=replace)
            failures = [failure(error) for error in found.failures]
            shown = show(_plan_json(archive, found), _plan_lines(found), as_json, quiet, fold=False)
            end(failures, "added", not shown)
            return
        with progress("adding", quiet or as_json) as callback:
            done = adding.add(sources, archive, options, callback, replace=replace)
        shown = show(asdict(done), add_lines(done), as_json, quiet)
        warn((*done.packed.warnings, *(() if quiet else done.packed.remarks)))
        if done.interrupted:
            say(INTERRUPTED)
            raise typer.Exit(130)
        end(done.packed.failures, "added", not shown or bool(done.packed.coding_failed))


def add_lines(done: AddSummary) -> list[str]:
    """What was added, replaced, left, and what it cost."""
    from photoarc.cli.pack import content_lines

    packed = done.packed
    lines = [f"added {count(done.new, 'member')} to {done.archive}, replaced {done.replaced:,}, {done.same:,} were there already"]
    if packed.files:
        lines += content_lines(packed)
    grown = packed.archive_bytes - done.before_bytes
    return [*lines, f"  the archive grew by {size(grown)} to {size(packed.archive_bytes)} in {duration(packed.seconds)}"]


def _plan_json(archive: str, found: Plan) -> dict[str, Any]:
    def members(files: Sequence[SourceFile]) -> list[dict[str, Any]]:
        return [named(file.name, display(file.name)) | {"kind": KIND_WORDS[file.kind], "size_bytes": file.size_bytes} for file in files]

    failures = [{"name": error.name, "reason": error.reason} for error in found.failures]
    return {"archive": archive, "new": members(found.new), "changed": members(found.changed), "same": found.same, "failures": failures}


def _plan_lines(found: Plan) -> list[str]:
    from photoarc.cli.pack import SUFFIXES
    from photoarc.member import Kind

    rows = sorted([(file, "new") for file in found.new] + [(file, "changed") for file in found.changed], key=lambda row: row[0].name)
    kinds = [sum(file.kind is kind for file, _ in rows) for kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)]
    total = sum(file.size_bytes for file, _ in rows)
    return [
        *(f"{word:7}  {display(file.name)}{SUFFIXES[file.kind]}" for file, word in rows),
        *([""] if rows else []),
        f"would add {counted(*kinds)}, {size(total)}; {found.same:,} are there already; nothing was written",
    ]
