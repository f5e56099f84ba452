"""`photoarc rm ARCHIVE GLOB...`, `photoarc mv ARCHIVE OLD NEW` and `photoarc compact ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from photoarc.cli.arguments import ArchivePath, IgnoreCase, Json, Quiet, Recovery
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.errors import UsageError
from photoarc.units import count, duration, ratio, size

if TYPE_CHECKING:
    from photoarc.jobs.compact import CompactSummary
    from photoarc.jobs.rearrange import MoveSummary, RemoveSummary

UNCHANGED = "interrupted; the archive is as it was before"
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")]


def remove(
    archive: ArchivePath,
    globs: Annotated[list[str] | None, typer.Argument(metavar="GLOB...", help="Members to remove, and what is below them.")] = None,
    ignore_case: IgnoreCase = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take members out of an archive.

    Their contents stay in the file, unused, until `compact` writes it anew.
    """
    with exit_codes(UNCHANGED, as_json):
        from photoarc.jobs import rearrange

        if not globs:
            raise UsageError("nothing to remove: name at least one member or pattern behind the archive")
        done = rearrange.remove(archive, globs, ignore_case=ignore_case, dry_run=dry_run)
        shown = show(asdict(done) | {"dry_run": dry_run}, remove_lines(done, dry_run=dry_run), as_json, quiet, fold=False)
        warn(done.warnings)
        end((), "removed", not shown)


def move(
    archive: ArchivePath,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A member; of a folder, also what is in it.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name, from the start.", show_default=False)],
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Call a member of an archive otherwise, or a folder with what is in it."""
    with exit_codes(UNCHANGED, as_json):
        from photoarc.jobs import rearrange

        done = rearrange.move(archive, old, new, dry_run=dry_run)
        shown = show(asdict(done) | {"dry_run": dry_run}, move_lines(done, dry_run=dry_run), as_json, quiet, fold=False)
        warn(done.warnings)
        end((), "moved", not shown)


def compact(archive: ArchivePath, recovery: Recovery = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Write an archive anew, without what was removed or replaced."""
    with exit_codes(UNCHANGED, as_json):
        from photoarc.jobs import compact as compacting

        with progress("copying", quiet or as_json) as callback:
            done = compacting.compact(archive, callback, recovery_percent=recovery)
        shown = show(asdict(done), compact_lines(done), as_json, quiet)
        warn(done.warnings)
        end((), "copied", not shown)


def remove_lines(done: RemoveSummary, *, dry_run: bool) -> list[str]:
    """Names, and how many they are."""
    verb, rest = ("would remove", "nothing was written") if dry_run else ("removed", "compact makes the archive smaller")
    return [*done.names, "", f"{verb} {count(len(done.names), 'member')} of {size(done.size_bytes)}; {rest}"]


def move_lines(done: MoveSummary, *, dry_run: bool) -> list[str]:
    """Names before and after."""
    verb = "would move" if dry_run else "moved"
    return [*(f"{old} -> {new}" for old, new in done.names), "", f"{verb} {count(len(done.names), 'member')}"]


def compact_lines(done: CompactSummary) -> list[str]:
    """What it saved."""
    saved = done.before_bytes - done.after_bytes
    if saved < 0:
        grown = f"{size(done.before_bytes)} -> {size(done.after_bytes)} with its recovery data in {duration(done.seconds)}"
        return [f"{done.archive} with {count(done.members, 'member')}: {grown}"]
    if not saved:
        return [f"{done.archive} is compact: nothing was added to it or removed from it since it was written"]
    share = f"{size(done.before_bytes)} -> {size(done.after_bytes)} ({ratio(done.after_bytes, done.before_bytes)})"
    return [f"{done.archive} with {count(done.members, 'member')}: {share}, {size(saved)} saved in {duration(done.seconds)}"]
