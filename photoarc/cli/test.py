"""`photoarc test ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict

from photoarc.cli.arguments import ArchivePath, Jobs, Json, Memory, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.jobs.machine import size


def test(
    archive: ArchivePath,
    jobs: Jobs = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Decode everything and compare every checksum; write nothing."""
    with exit_codes("interrupted", as_json):
        from photoarc.cli import text
        from photoarc.jobs import test as testing

        with progress("testing", quiet or as_json) as callback:
            done = testing.test(archive, jobs, callback, size(memory))
        shown = show(asdict(done), text.check_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "decoded", bool(done.warnings) or not shown)
