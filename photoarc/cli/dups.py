"""`photoarc dups ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict

from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, Json, Names
from photoarc.cli.console import end, exit_codes, show, warn


def dups(archive: ArchivePath, names_only: Names = False, as_json: Json = False) -> None:
    """Show which files in an archive are identical, or alike but for a piece; nothing is deleted, here or on the disk."""
    with exit_codes("interrupted", as_json):
        from photoarc.cli import text
        from photoarc.jobs import duplicates, overview

        with open_archive(archive) as opened:
            found = {"groups": duplicates.groups(opened.members), "alike": duplicates.alike(opened.members)}
            failures, warnings = overview.damaged(opened), opened.warnings
        value = {name: [asdict(group) for group in groups] for name, groups in found.items()}
        lines = (text.dups_names if names_only else text.dups_lines)(**found)
        shown = show({"archive": archive, **value, "warnings": warnings}, lines, as_json, quiet=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)
