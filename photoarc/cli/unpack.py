"""`photoarc unpack ARCHIVE [DEST]`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from photoarc.cli.arguments import ArchivePath, IgnoreCase, Jobs, Json, Memory, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.cli.text import counted
from photoarc.jobs import machine
from photoarc.options import UnpackOptions, existing
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
    skip: Annotated[bool, typer.Option("--skip-existing", help="Leave every file that exists as it is, whatever it holds.")] = False,
    newer: Annotated[bool, typer.Option("--newer", help="Replace files that are older than their members; leave the others.")] = False,
    overwrite: Annotated[bool, typer.Option("-f", "--force", "--overwrite", help="Replace files and links that exist.")] = False,
    jobs: Jobs = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the files of an archive into a folder.

    What is there already, and is the same, is not written again: an unpacking that was interrupted is finished by another one.
    """
    with exit_codes("interrupted; what is under its final name is complete, unpack into the same folder again for the rest", as_json):
        from photoarc.jobs import unpack as unpacking

        options = UnpackOptions(
            tuple(only or ()),
            as_format,
            jobs,
            ignore_case=ignore_case,
            memory_bytes=machine.size(memory),
            existing=existing(skip=skip, newer=newer, overwrite=overwrite),
        )
        with progress("unpacking", quiet or as_json) as callback:
            done = unpacking.unpack(archive, dest or unpacking.default_destination(archive), options, callback)
        shown = show(asdict(done), unpack_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "unpacked", bool(done.warnings) or not shown)


def unpack_lines(done: UnpackSummary) -> list[str]:
    """What was written where."""
    lossy = f"  {count(done.photographs, 'photograph')} lossy: close to the originals, not identical" if done.photographs else ""
    lines = [f"unpacked {counted(done.files, done.directories, done.symlinks)}, {size(done.size_bytes)}, into {done.destination}"]
    there = f"  {count(done.same, 'member')} there already, not written again" if done.same else ""
    others = f"  {count(done.others, 'member')} not written: something else is there, and was left as asked" if done.others else ""
    return [*lines, *filter(None, (lossy, there, others)), f"  in {duration(done.seconds)}"]
