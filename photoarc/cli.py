"""The command line: arguments in, one call, text or JSON out, errors to exit codes. No logic.

    0  all well        1  some members failed, the rest is done        2  nothing usable        130  interrupted

Results go to stdout, everything else to stderr. What a command needs is imported inside it: `--help` loads no codec, `list` no NumPy.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import photoarc
from photoarc.errors import MemberError, PhotoarcError, UsageError

if TYPE_CHECKING:
    from photoarc.progress import Callback, Failure

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A folder archiver for photographs: learned image coding for pictures, bit-exact storage for everything else.",
)

Jobs = Annotated[int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Worker processes. [default: every usable core]")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace what exists.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no summary.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ArchivePath = Annotated[str, typer.Argument(metavar="ARCHIVE", show_default=False, help="The .pha file.")]


@app.command()
def pack(
    sources: Annotated[list[str], typer.Argument(metavar="SRC", help="Files and folders to pack.")],
    archive: Annotated[str, typer.Argument(metavar="ARCHIVE", help="The archive to write; its name comes last.")],
    mode: Annotated[
        Literal["fast", "lzma", "lossless"],
        typer.Option(help="fast, lzma: photographs lossily by the learned codec. lossless: every file comes back bit for bit."),
    ] = "fast",
    quality: Annotated[float, typer.Option(min=0, max=100, metavar="0..100", help="Of lossy photographs.")] = 70,
    jobs: Jobs = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    exclude_from: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Patterns from a file; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be packed; write nothing.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pack files and folders into one archive.

    Photographs are coded lossily unless --mode lossless is given; everything else is kept bit for bit.
    """
    with _exit_codes("interrupted, nothing was written", as_json):
        from photoarc import pack as packing
        from photoarc import report
        from photoarc.pipeline import CodingOptions, Mode
        from photoarc.progress import failure

        excludes = (*(exclude or ()), *_lines(exclude_from or ()))
        options = packing.PackOptions(CodingOptions(Mode(mode), quality), jobs or 0, excludes, force)
        failures: Sequence[Failure]
        if dry_run:
            files, errors = packing.find(sources, Path(archive), options)
            failures = [failure(error) for error in errors]
            _show(report.dry_run_json(archive, files, failures), report.dry_run_lines(files), as_json, quiet)
        else:
            with _progress("packing", quiet or as_json) as callback:
                done = packing.pack(sources, archive, options, callback)
            _show(asdict(done), report.pack_lines(done), as_json, quiet)
            failures = done.failures
            _warn(done.warnings)
        _end(failures, "packed")


@app.command()
def unpack(
    archive: ArchivePath,
    dest: Annotated[str | None, typer.Argument(metavar="DEST", help="Folder to write into. [default: ./ARCHIVE without .pha]")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only these members, and what is below them; repeatable.")] = None,
    as_format: Annotated[
        Literal["png", "jpeg", "webp"] | None, typer.Option("--as", help="Write photographs that were coded lossily in this format.")
    ] = None,
    jobs: Jobs = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the files of an archive into a folder."""
    with _exit_codes("interrupted; what is under its final name is complete, the rest was not written", as_json):
        from photoarc import report
        from photoarc import unpack as unpacking

        options = unpacking.UnpackOptions(tuple(only or ()), as_format, jobs or 0, force)
        with _progress("unpacking", quiet or as_json) as callback:
            done = unpacking.unpack(archive, dest or unpacking.default_destination(archive), options, callback)
        _show(asdict(done), report.unpack_lines(done), as_json, quiet)
        _warn(done.warnings)
        _end(done.failures, "unpacked", bool(done.warnings))


@app.command("list")
def list_members(
    archive: ArchivePath,
    globs: Annotated[list[str] | None, typer.Argument(metavar="GLOB", help="Only these members, and what is below them.")] = None,
    names_only: Annotated[bool, typer.Option("-q", "--quiet", help="Names only.")] = False,
    as_json: Json = False,
) -> None:
    """Show what an archive holds, without unpacking it."""
    with _exit_codes("interrupted", as_json):
        from photoarc import inspection, report
        from photoarc.selection import select

        with inspection.open_archive(archive) as opened:
            members = select(opened.members, globs or ())
            failures, warnings = inspection.damaged(opened, globs or ()), opened.warnings
        value = {"archive": archive, "members": [report.member_json(member) for member in members], "warnings": warnings}
        _show(value, [member.display_name for member in members] if names_only else report.list_lines(members), as_json, quiet=False)
        _warn(warnings)
        _end(failures, "read", bool(warnings))


@app.command()
def test(archive: ArchivePath, jobs: Jobs = None, quiet: Quiet = False, as_json: Json = False) -> None:  # noqa: PT028 (not pytest's)
    """Decode everything and compare every checksum; write nothing."""
    with _exit_codes("interrupted", as_json):
        from photoarc import report
        from photoarc import unpack as unpacking

        with _progress("testing", quiet or as_json) as callback:
            done = unpacking.test(archive, jobs or 0, callback)
        _show(asdict(done), report.check_lines(done), as_json, quiet)
        _warn(done.warnings)
        _end(done.failures, "decoded", bool(done.warnings))


@app.command()
def info(archive: ArchivePath, as_json: Json = False) -> None:
    """Show what kind of archive it is: sizes, codecs, models, how much of it is lossy."""
    with _exit_codes("interrupted", as_json):
        from photoarc import inspection, report

        with inspection.open_archive(archive) as opened:
            found = inspection.overview(archive, opened.members)
            failures, warnings = inspection.damaged(opened), opened.warnings
        _show(asdict(found) | {"photoarc": photoarc.__version__, "warnings": warnings}, report.info_lines(found), as_json, quiet=False)
        _warn(warnings)
        _end(failures, "read", bool(warnings))


@app.command()
def bench(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Any folder; it is only read.")],
    modes: Annotated[
        list[str] | None, typer.Option("--mode", metavar="fast|lzma|lossless", help="As for pack; repeatable. [default: all]")
    ] = None,
    qualities: Annotated[
        list[float] | None, typer.Option("--quality", min=0, max=100, metavar="0..100", help="Repeatable. [default: 70]")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Times are medians of so many rounds.")] = 3,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Also write a page with plots.")] = None,
    temporary: Annotated[str | None, typer.Option("--temp", metavar="FOLDER", help="Place for archives and unpacked folders.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Pack and unpack a folder with photoarc and other archivers, and compare size, time, memory and what comes back."""
    with _exit_codes("interrupted", as_json):
        from photoarc import benchreport, folderbench

        if html:
            folderbench.check_place(html)
        options = folderbench.BenchOptions(
            tuple(modes or folderbench.MODES), tuple(qualities or (70.0,)), rounds, Path(temporary) if temporary else None
        )
        found = folderbench.bench(folder, options, (lambda _: None) if quiet or as_json else _say)
        _show(benchreport.value(found), benchreport.lines(found), as_json, quiet=False)
        if html:
            folderbench.save(html, benchreport.page(found))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"photoarc {photoarc.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Options of the program itself."""


def _lines(paths: Sequence[str]) -> list[str]:
    try:
        return [line for path in paths for line in Path(path).read_text(errors="surrogateescape").splitlines()]
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot read the patterns: {error.strerror}") from error


def _say(message: str) -> None:
    print(f"photoarc: {message}", file=sys.stderr)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        _say(f"warning: {warning}")


def _show(value: dict[str, Any], lines: Sequence[str], as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(value, indent=1))
    elif not quiet:
        print(*lines, sep="\n")


def _end(failures: Sequence[Failure], what: str, damaged: bool = False) -> None:
    """Exit code 1 and the list of failures, if there are any."""
    if failures:
        from photoarc.report import failure_lines

        sys.stdout.flush()
        _say("\n".join(failure_lines(failures, what)))
    if failures or damaged:
        raise typer.Exit(1)


@contextmanager
def _progress(verb: str, hidden: bool) -> Iterator[Callback]:
    """A bar on a terminal, nothing elsewhere."""
    from photoarc.progress import silent

    if hidden or not sys.stderr.isatty():
        yield silent
        return
    from photoarc.bar import Bar

    with Bar(verb) as bar:
        yield bar.update


@contextmanager
def _exit_codes(interrupted: str, as_json: bool) -> Iterator[None]:
    """Errors become one line on stderr and an exit code. PHOTOARC_DEBUG=1 shows where they come from."""
    debug = bool(os.environ.get("PHOTOARC_DEBUG"))
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        _say(interrupted)
        raise typer.Exit(130) from None
    except BrokenPipeError:  # `photoarc list | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except Exception as error:
        if debug:
            raise
        known = isinstance(error, PhotoarcError | MemoryError)
        message = (
            (str(error) or "not enough memory")
            if known
            else f"internal error: {type(error).__name__}: {error}; PHOTOARC_DEBUG=1 tells more"
        )
        if as_json:
            print(json.dumps({"error": message}))
        _say(message)
        raise typer.Exit(1 if isinstance(error, MemberError) else 2) from None


def _interrupt(number: int, _: object) -> None:
    """The first signal interrupts, further ones must not disturb the cleaning up."""
    for same in _SIGNALS:
        signal.signal(same, signal.SIG_IGN)
    raise KeyboardInterrupt


_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main() -> None:
    """Entry point of the `photoarc` command."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
