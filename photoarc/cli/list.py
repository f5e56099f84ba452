"""`photoarc list ARCHIVE [GLOB...]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, IgnoreCase, Json, Names
from photoarc.cli.console import end, exit_codes, show, warn


def list_members(
    archive: ArchivePath,
    globs: Annotated[list[str] | None, typer.Argument(metavar="GLOB", help="Only these members, and what is below them.")] = None,
    ignore_case: IgnoreCase = False,
    names_only: Names = False,
    as_json: Json = False,
) -> None:
    """Show what an archive holds, without unpacking it."""
    with exit_codes("interrupted", as_json):
        from photoarc.cli import text
        from photoarc.jobs import overview
        from photoarc.jobs.selection import select

        with open_archive(archive) as opened:
            members = sorted(select(opened.members, globs or (), ignore_case=ignore_case), key=lambda member: member.name)
            failures, warnings = overview.damaged(opened, globs or (), ignore_case=ignore_case), opened.warnings
        members_json = [text.member_json(member) for member in members]
        archive_bytes = Path(archive).stat().st_size
        value = {"archive": archive, "archive_bytes": archive_bytes, "members": members_json, "warnings": warnings}
        lines = (
            [member.display_name for member in members]
            if names_only
            else []
            if as_json
            else text.list_lines(members, None if globs else archive_bytes)
        )
        shown = show(value, lines, as_json, quiet=False, fold=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)
