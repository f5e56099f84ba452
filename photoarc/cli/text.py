"""Words that several commands say; what only one says stands beside it (photoarc.cli.list and others). No rich: `list` must be quick.

Plain ASCII apart from the names, so that no terminal is too old. Sizes are decimal (1 MB = 10^6 bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from photoarc.member import Kind
from photoarc.units import count, size

if TYPE_CHECKING:
    from photoarc.progress import Failure

MOST_ALIKE, MOST_LINES = 10, 200  # of failures: with one reason, of all
KIND_WORDS = {Kind.FILE: "file", Kind.DIRECTORY: "folder", Kind.SYMLINK: "link"}


def speed(count_bytes: int, seconds: float) -> str:
    """`3.20 MB/s`, `640 B/s`."""
    return f"{size(count_bytes / seconds)}/s"


def named(name: bytes, shown: str) -> dict[str, str]:
    """JSON for a name: printable always, exact bytes in hexadecimal if they are not UTF-8."""
    try:
        return {"name": name.decode()}
    except UnicodeDecodeError:
        return {"name": shown, "name_hex": name.hex()}


def failure_lines(failures: Sequence[Failure], what: str) -> list[str]:
    """Failed members with their reasons, of equal reasons the first ten."""
    if not failures:
        return []
    by_reason: dict[str, list[Failure]] = {}
    for failed in failures:
        by_reason.setdefault(failed.reason, []).append(failed)
    lines = [f"{count(len(failures), 'member')} could not be {what}:"]
    for reason, alike in by_reason.items():
        lines += [f"  {failed.name}: {reason}" for failed in alike[:MOST_ALIKE]]
        more = len(alike) - MOST_ALIKE
        lines += [f"  and {more:,} more: {reason}"] if more > 0 else []
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"  and {len(lines) - MOST_LINES:,} lines more; --json lists every one"]
    return lines


def counted(files: int, directories: int, symlinks: int) -> str:
    """`2 files, 1 folder`."""
    words = [count(files, "file")]
    words += [count(directories, "folder")] if directories else []
    words += [count(symlinks, "link")] if symlinks else []
    return ", ".join(words)
