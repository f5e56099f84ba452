"""`photoarc bench DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photoarc.cli.arguments import Json, number, whole
from photoarc.cli.console import end, exit_codes, say, show
from photoarc.options import QUALITY


def bench(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Any folder; it is only read.")],
    modes: Annotated[
        list[str] | None, typer.Option("--mode", metavar="fast|lzma|lossless", help="As for pack; repeatable. [default: all]")
    ] = None,
    qualities: Annotated[
        list[float] | None,
        typer.Option("--quality", parser=number(0, 100), metavar="0..100", help=f"Repeatable. [default: {QUALITY:g}]"),
    ] = None,
    rounds: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="Times are medians of so many rounds.")] = 3,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Also write a page with plots.")] = None,
    temporary: Annotated[str | None, typer.Option("--temp", metavar="FOLDER", help="Place for archives and unpacked folders.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Pack and unpack a folder with photoarc and other archivers, and compare size, time, memory and what comes back."""
    with exit_codes("interrupted", as_json):
        from photoarc.folderbench import measure as folderbench
        from photoarc.folderbench import page
        from photoarc.folderbench import report as benchreport

        if html:
            folderbench.check_place(html)
        options = folderbench.BenchOptions(
            tuple(modes or folderbench.MODES), tuple(qualities or (QUALITY,)), rounds, Path(temporary) if temporary else None
        )
        found = folderbench.bench(folder, options, (lambda _: None) if quiet or as_json else say)
        shown = show(benchreport.value(found), benchreport.lines(found), as_json, quiet=False)
        if html:
            folderbench.save(html, page.page(found))
        end((), "", not shown)
