"""`photoarc dups ARCHIVE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, Json, Names
from photoarc.cli.console import end, exit_codes, show, warn
from photoarc.units import count, size

if TYPE_CHECKING:
    from photoarc.jobs.duplicates import Group


def dups(archive: ArchivePath, names_only: Names = False, as_json: Json = False) -> None:
    """Show which files in an archive are identical, or alike but for a piece; nothing is deleted, here or on the disk."""
    with exit_codes("interrupted", as_json):
        from photoarc.jobs import duplicates, overview

        with open_archive(archive) as opened:
            found = {"groups": duplicates.groups(opened.members), "alike": duplicates.alike(opened.members)}
            failures, warnings = overview.damaged(opened), opened.warnings
        value = {name: [asdict(group) for group in groups] for name, groups in found.items()}
        lines = (dups_names if names_only else dups_lines)(**found)
        shown = show({"archive": archive, **value, "warnings": warnings}, lines, as_json, quiet=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


def dups_names(groups: Sequence[Group], alike: Sequence[Group]) -> list[str]:
    """Names only, an empty line between groups."""
    return "\n\n".join("\n".join(group.names) for group in (*alike, *groups)).splitlines()


def dups_lines(groups: Sequence[Group], alike: Sequence[Group]) -> list[str]:
    """Groups of identical files and what the copies take outside the archive; files that have all but a piece in common."""
    lines = []
    for group in alike:
        lines += [f"{count(len(group.names), 'file')} alike but for a piece (metadata, as a rule):", *(f"  {name}" for name in group.names)]
    for group in groups:
        lines += [f"{count(len(group.names), 'file')} of {size(group.size_bytes)}:", *(f"  {name}" for name in group.names)]
    if not groups:
        return [*lines, "no identical files"]
    copies = sum(len(group.names) - 1 for group in groups)
    spare = sum(group.size_bytes * (len(group.names) - 1) for group in groups)
    return [*lines, f"{count(len(groups), 'group')} of identical files; {count(copies, 'copy', 'copies')} could go, {size(spare)}"]
