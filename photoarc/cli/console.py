"""What surrounds every command: signals, progress, text or JSON, errors to exit codes. The only place that catches PhotoarcError.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import typer

from photoarc.errors import MemberError, PhotoarcError

if TYPE_CHECKING:
    from photoarc.progress import Callback, Failure


_MOST_WARNINGS = 20
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def set_up() -> None:
    """Signals that end a program interrupt it, so that it cleans up; names that a terminal cannot show are escaped."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _interrupt(number: int, _: object) -> None:
    """The first signal interrupts, further ones must not disturb the cleaning up."""
    for same in _SIGNALS:
        signal.signal(same, signal.SIG_IGN)
    raise KeyboardInterrupt


def say(message: str) -> None:
    """One line on stderr, if anybody can hear it."""
    try:
        print(_folded(f"photoarc: {message}", sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def warn(warnings: Sequence[str]) -> None:
    """Each warning on stderr, as far as anybody reads them."""
    for warning in warnings[:_MOST_WARNINGS]:
        say(f"warning: {warning}")
    if more := warnings[_MOST_WARNINGS:]:
        say(f"warning: and {len(more):,} more; --json lists every one")


def _folded(text: str, stream: TextIO) -> str:
    """On a terminal, lines broken between words: it would break them inside."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(piece for line in text.split("\n") for piece in _fold(line, width))


def _fold(line: str, width: int) -> list[str]:
    """One line in pieces that are indented like it, names in one piece."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    if len(line) <= width or width < 2 * len(indent):
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def show(value: dict[str, Any], lines: Sequence[str], as_json: bool, quiet: bool, fold: bool = True) -> bool:
    """A result on stdout: JSON, or lines unless `quiet`. False if it cannot be written there, which it says.

    Tables are not to be folded.
    """
    try:
        if as_json:
            pieces = json.JSONEncoder(indent=1).iterencode(value)
            while text := "".join(islice(pieces, 10_000)):  # as one string, with all its pieces, `list` took 1.9 kB more a member
                print(text, end="")
            print()
        elif not quiet and lines:
            print(*(_folded(line, sys.stdout) if fold else line for line in lines), sep="\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `photoarc list | head`: the reader has seen enough
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        say(unwritten(error))
        return False
    return True


def unwritten(error: OSError) -> str:
    """What to say if stdout refuses."""
    return f"the result cannot be written to standard output: {'it is closed' if error.errno == errno.EBADF else error.strerror}"


def _drop(stream: TextIO) -> None:
    """What a stream holds, and what follows, goes nowhere: or Python would fail with it once more at its very end."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def end(failures: Sequence[Failure], what: str, damaged: bool = False) -> None:
    """Exit code 1 and the list of failures, if there are any, or if anything else is not as it should be (`damaged`)."""
    if failures:
        from photoarc.cli.text import failure_lines

        say("\n".join(failure_lines(failures, what)))
    if failures or damaged:
        raise typer.Exit(1)


@contextmanager
def progress(verb: str, hidden: bool) -> Iterator[Callback]:
    """A bar on a terminal, nothing elsewhere."""
    from photoarc.progress import silent

    if hidden or not sys.stderr.isatty():
        yield silent
        return
    from photoarc.cli.bar import Bar

    with Bar(verb) as bar:
        yield bar.update


@contextmanager
def exit_codes(interrupted: str, as_json: bool) -> Iterator[None]:
    """Errors become one line on stderr and an exit code. PHOTOARC_DEBUG=1 shows where they come from."""
    debug = bool(os.environ.get("PHOTOARC_DEBUG"))
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        say(interrupted)
        raise typer.Exit(130) from None
    except Exception as error:
        if debug:
            raise
        known = isinstance(error, PhotoarcError | MemoryError)
        message = (
            (str(error) or "not enough memory")
            if known
            else f"internal error: {type(error).__name__}: {error}; PHOTOARC_DEBUG=1 tells more"
        )
        say(message)
        if as_json:
            show({"error": message}, (), as_json, quiet=False)
        raise typer.Exit(1 if isinstance(error, MemberError) else 2) from None


@contextmanager
def help_written() -> Iterator[None]:
    """Round everything: help, version and errors of usage, which typer writes, may meet a stream that refuses them, too."""
    try:
        yield
    except OSError as error:
        _drop(sys.stdout)
        say(unwritten(error))
        sys.exit(2)
