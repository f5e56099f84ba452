"""`photoarc verify ARCHIVE --against DIR`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from photoarc.cli.arguments import ArchivePath, IgnoreCase, Jobs, Json
from photoarc.cli.console import end, exit_codes, progress, show, warn


def verify(
    archive: ArchivePath,
    against: Annotated[
        list[str],
        typer.Option("--against", metavar="DIR", help="What was packed, or where it was unpacked; repeatable.", show_default=False),
    ],
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    ignore_case: IgnoreCase = False,
    jobs: Jobs = None,
    names_only: Annotated[bool, typer.Option("-q", "--quiet", help="No progress; the names of what differs only.")] = False,
    as_json: Json = False,
) -> None:
    """Compare files on the disk with an archive: what is changed, missing, extra.

    Photographs that are lossy in it may be as they were packed or as they were unpacked. Only these are decoded; `test` decodes all.
    """
    with exit_codes("interrupted", as_json):
        from photoarc.cli import text
        from photoarc.jobs import patterns
        from photoarc.jobs import verify as verifying

        with progress("verifying", names_only or as_json) as callback:
            done = verifying.verify(archive, against, patterns.excludes(exclude or (), (), ignore_case), callback, jobs=jobs)
        shown = show(asdict(done), (text.differing_names if names_only else text.verify_lines)(done), as_json, quiet=False)
        warn(done.warnings)
        end(done.failures, "compared", done.differs or not shown)
