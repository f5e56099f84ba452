"""The command line: arguments in, one call, text or JSON out. No logic.

What a command needs is imported inside it: `--help` loads no codec, `list` no NumPy.
"""

from __future__ import annotations

from typing import Annotated

import typer

import photoarc
from photoarc.cli import add, bench, dups, info, pack, rearrange, repair, test, unpack, verify
from photoarc.cli import list as list_command
from photoarc.cli.console import help_written, set_up, show

EXIT_CODES = "Exit codes: 0 all is well; 1 something failed or differs, and is named; 2 nothing could be done; 130 interrupted."
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    help="A folder archiver for photographs: learned image coding for pictures, bit-exact storage for everything else.",
)


app.command()(pack.pack)
app.command()(add.add)
app.command()(add.update)
app.command("rm")(rearrange.remove)
app.command("mv")(rearrange.move)
app.command()(rearrange.compact)
app.command()(unpack.unpack)
app.command("list")(list_command.list_members)
app.command()(test.test)
app.command()(verify.verify)
app.command()(repair.repair)
app.command()(dups.dups)
app.command()(info.info)
app.command()(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        raise typer.Exit(0 if show({}, [f"photoarc {photoarc.__version__}"], as_json=False, quiet=False) else 2)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Entry point of the `photoarc` command."""
    set_up()
    with help_written():
        app()
