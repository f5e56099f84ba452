"""`photoarc repair ARCHIVE OUT`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from photoarc.cli.arguments import Json, Quiet
from photoarc.cli.console import end, exit_codes, progress, show, warn
from photoarc.units import count, duration, size

if TYPE_CHECKING:
    from photoarc.jobs.repair import RepairSummary


def repair(
    archive: Annotated[str, typer.Argument(metavar="ARCHIVE", show_default=False, help="The damaged .pha file, which stays as it is.")],
    out: Annotated[str, typer.Argument(metavar="OUT", show_default=False, help="The .pha file to write.")],
    merge: Annotated[
        list[str] | None, typer.Option(metavar="OTHER", help="Take what is damaged from this other copy of the archive; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace an archive that exists.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a damaged archive whole in a new file, by its recovery data (pack --recovery) or by other copies of it."""
    with exit_codes("interrupted, nothing was written", as_json):
        from photoarc.jobs import repair as repairing

        with progress("repairing", quiet or as_json) as callback:
            done = repairing.repair([archive, *(merge or ())], out, force=force, progress=callback)
        shown = show(asdict(done), repair_lines(done), as_json, quiet)
        warn(done.warnings)
        end((), "repaired", bool(done.lost or done.warnings) or not done.opens or not shown)


def repair_lines(done: RepairSummary) -> list[str]:
    """What was found, what came of it, and what to do next."""
    if not done.out:
        return [f"{done.archive} is whole: nothing to repair, nothing was written ({size(done.archive_bytes)} in {duration(done.seconds)})"]
    piece = "block" if done.recovery_bytes else "chunk"
    lines = [f"{done.archive}: {count(done.damaged, piece)} damaged, {count(done.damaged - done.lost, piece)} mended"]
    lines.append(f"{done.out}: {size(done.archive_bytes)} in {duration(done.seconds)}; photoarc test {done.out} decodes every file of it")
    if done.lost:
        lines.append(f"{count(done.lost, piece)} could not be mended: photoarc unpack {done.out} gives back all that is whole")
    elif not done.opens:
        lines.append(f"its index is still damaged: photoarc unpack {done.out} gives back all that is whole")
    return lines
