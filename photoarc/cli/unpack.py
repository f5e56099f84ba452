"""`photoarc unpack ARCHIVE [DEST]`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from photoarc.cli.arguments import ArchivePath, Force, IgnoreCase, Jobs, Json, Memory, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.cli.text import counted
from photoarc.jobs import machine
from photoarc.options import UnpackOptions
from photoarc.units import count, duration, size

if TYPE_CHECKING:
    from photoarc.jobs.unpack import UnpackSummary


def unpack(
    archive: ArchivePath,
    dest: Annotated[
        str | None, typer.Argument(metavar="DEST", help="Folder to write into. [default: a new one, called as ARCHIVE]")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only these members, and what is below them; repeatable.")] = None,
    as_format: Annotated[
        Literal["png", "jpeg", "webp"] | None, typer.Option("--as", help="Write photographs that were coded lossily in this format.")
    ] = None,
    ignore_case: IgnoreCase = False,
    jobs: Jobs = None,
    memory: Memory = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the files of an archive into a folder."""
    with exit_codes("interrupted; what is under its final name is complete, the rest was not written", as_json):
        from photoarc.jobs import unpack as unpacking

        options = UnpackOptions(tuple(only or ()), as_format, jobs, force, ignore_case, machine.size(memory))
        with progress("unpacking", quiet or as_json) as callback:
            done = unpacking.unpack(archive, dest or unpacking.default_destination(archive), options, callback)
        shown = show(asdict(done), unpack_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "unpacked", bool(done.warnings) or not shown)


def unpack_lines(done: UnpackSummary) -> list[str]:
    """What was written where."""
    lossy = f"  {count(done.photographs, 'photograph')} lossy: close to the originals, not identical" if done.photographs else ""
    lines = [f"unpacked {counted(done.files, done.directories, done.symlinks)}, {size(done.size_bytes)}, into {done.destination}"]
    return [*lines, *([lossy] if lossy else []), f"  in {duration(done.seconds)}"]
