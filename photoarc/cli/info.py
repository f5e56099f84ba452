"""`photoarc info ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict

import photoarc
from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, Json, Quiet
from photoarc.cli.console import end, exit_codes, show, warn


def info(archive: ArchivePath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Show what kind of archive it is: sizes, codecs, models, how much of it is lossy."""
    with exit_codes("interrupted", as_json):
        from photoarc.cli import text
        from photoarc.jobs import overview

        with open_archive(archive) as opened:
            found = overview.overview(archive, opened.members)
            failures, warnings = overview.damaged(opened), opened.warnings
        about = asdict(found) | {"photoarc": photoarc.__version__, "warnings": warnings}
        shown = show(about, text.info_lines(found), as_json, quiet=quiet)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)
