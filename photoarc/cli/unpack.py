"""`photoarc unpack ARCHIVE [DEST]`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from photoarc.cli.arguments import ArchivePath, Force, IgnoreCase, Jobs, Json, Memory, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.jobs.machine import size
from photoarc.options import UnpackOptions


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
        from photoarc.cli import text
        from photoarc.jobs import unpack as unpacking

        options = UnpackOptions(tuple(only or ()), as_format, jobs, force, ignore_case, size(memory))
        with progress("unpacking", quiet or as_json) as callback:
            done = unpacking.unpack(archive, dest or unpacking.default_destination(archive), options, callback)
        shown = show(asdict(done), text.unpack_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "unpacked", bool(done.warnings) or not shown)
