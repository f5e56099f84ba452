"""`photoarc test ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from photoarc.cli.arguments import ArchivePath, Jobs, Json, Memory, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.jobs import machine
from photoarc.units import count, duration, size

if TYPE_CHECKING:
    from photoarc.jobs.test import CheckSummary

_NAME_FAILURES = ("UnsafeName", "CannotWrite")  # the contents are sound


def test(
    archive: ArchivePath,
    jobs: Jobs = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Decode everything and compare every checksum; write nothing."""
    with exit_codes("interrupted", as_json):
        from photoarc.jobs import test as testing

        with progress("testing", quiet or as_json) as callback:
            done = testing.test(archive, jobs, callback, machine.size(memory))
        shown = show(asdict(done), check_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "decoded", bool(done.warnings) or not shown)


def check_lines(done: CheckSummary) -> list[str]:
    """Whether the archive is sound."""
    unnamed = [failed for failed in done.failures if failed.kind in _NAME_FAILURES]
    if done.damaged:
        verdict = "is DAMAGED"
    elif unnamed:
        verdict = f"has {count(len(unnamed), 'member')} that cannot be written"
    else:
        verdict = "could not be checked completely" if done.failures else "is sound"
    return [
        f"{done.archive} {verdict}: {done.sound:,} of {count(done.members, 'member')} decoded and compared, "
        f"{size(done.size_bytes)} in {duration(done.seconds)}"
    ]
