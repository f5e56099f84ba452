"""`photoarc verify ARCHIVE --against DIR`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from photoarc.cli.arguments import ArchivePath, IgnoreCase, Jobs, Json, Memory
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.jobs.machine import size
from photoarc.units import count

if TYPE_CHECKING:
    from photoarc.jobs.verify import VerifySummary


def verify(
    archive: ArchivePath,
    against: Annotated[
        list[str],
        typer.Option("--against", metavar="DIR", help="What was packed, or where it was unpacked; repeatable.", show_default=False),
    ],
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    ignore_case: IgnoreCase = False,
    jobs: Jobs = None,
    memory: Memory = None,
    names_only: Annotated[bool, typer.Option("-q", "--quiet", help="No progress; the names of what differs only.")] = False,
    as_json: Json = False,
) -> None:
    """Compare files on the disk with an archive: what is changed, missing, extra.

    Photographs that are lossy in it may be as they were packed or as they were unpacked. Only these are decoded; `test` decodes all.
    """
    with exit_codes("interrupted", as_json):
        from photoarc.jobs import patterns
        from photoarc.jobs import verify as verifying

        excludes, memory_bytes = patterns.excludes(exclude or (), (), ignore_case), size(memory)
        with progress("verifying", names_only or as_json) as callback:
            done = verifying.verify(archive, against, excludes, callback, jobs=jobs, memory_bytes=memory_bytes)
        shown = show(asdict(done), (differing_names if names_only else verify_lines)(done), as_json, quiet=False)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "compared", done.differs or not shown)


def differing_names(done: VerifySummary) -> list[str]:
    """Names only, of everything that differs or could not be compared."""
    return sorted({*done.missing, *done.extra, *(failed.name for failed in (*done.changed, *done.failures))})


def verify_lines(done: VerifySummary) -> list[str]:
    """What differs, by name, and the count of what does not."""
    lines = [f"  missing  {name}" for name in done.missing]
    lines += [f"  extra    {name}" for name in done.extra]
    lines += [f"  changed  {changed.name}: {changed.reason}" for changed in done.changed]
    lines += [f"  skipped  {name}: no file, folder or link, so no archive can hold it" for name in done.skipped]
    known = done.missing or done.extra or done.changed
    verdict = "DIFFERS" if known else "agrees" if not done.differs else "agrees as far as it could be compared"
    lossy = f", {done.lossy:,} of them lossy in the archive" if done.lossy else ""
    unpacked = f"; {done.as_unpacked:,} as unpacked (lossy)" if done.as_unpacked else ""
    return [*lines, f"{' '.join(done.against)} {verdict}: {done.same:,} of {count(done.members, 'member')} the same{lossy}{unpacked}"]
