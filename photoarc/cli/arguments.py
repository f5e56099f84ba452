"""Arguments of the command line, refused in words that say what is expected."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from photoarc.errors import UsageError
from photoarc.options import MOST_RECOVERY_PERCENT

Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="For all processes together, as 2G, 512M. [default: 3/4 of all]")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace an archive that exists.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no summary.")]
Names = Annotated[bool, typer.Option("-q", "--quiet", help="Names only.")]
IgnoreCase = Annotated[bool, typer.Option("--ignore-case", help="Patterns take upper and lower case alike: *.jpg also IMG.JPG.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ArchivePath = Annotated[str, typer.Argument(metavar="ARCHIVE", show_default=False, help="The .pha file.")]


def number(least: float, most: float) -> Callable[[str], float]:
    """Parser of an option that takes any number of a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:  # NaN is not, either
            raise typer.BadParameter(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return parse


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Parser of an option that takes a whole number of a range, which may have no upper end."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            upto = f"of {least} or more" if most is None else f"from {least} to {most}"
            raise typer.BadParameter(f"{text!r} is not a whole number {upto}")
        return value

    return parse


Recovery = Annotated[
    float | None,
    typer.Option(
        parser=number(0, MOST_RECOVERY_PERCENT),
        metavar="PERCENT",
        help="Recovery data, with which repair mends damage of up to this much of the archive: 3 to 5 are usual, 0 is none.",
        show_default=False,
    ),
]


def sources_and_archive(paths: Sequence[str]) -> tuple[list[str], str]:
    """Of what `pack` is given, the last one is the archive. Raises UsageError where only one is named."""
    *sources, archive = paths
    if not sources:
        stem = archive.rstrip("/") if os.path.exists(archive) else "photos"
        raise UsageError(f"only {archive} is named; the archive to write comes last: photoarc pack {stem} {os.path.basename(stem)}.pha")
    return sources, archive


Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", metavar="N", parser=whole(0), help="Worker processes; 0: none, and no limits. [default: every usable core]"
    ),
]
