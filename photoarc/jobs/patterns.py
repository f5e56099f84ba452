"""Patterns of what to leave out: lines of .gitignore, given one by one or in files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from photoarc.disk import brackets
from photoarc.errors import UsageError, explained

_PIECES = re.compile(r"\[\]?[^\]]*\]|\\.|.", re.DOTALL)  # of a pattern: plain brackets, an escaped letter, a letter


def excludes(lines: Sequence[str], files: Sequence[str], ignore_case: bool) -> tuple[str, ...]:
    """All patterns, those of the files last. Raises UsageError for a file that cannot be read."""
    every = (*lines, *_lines(files))
    return tuple(map(in_any_case, every)) if ignore_case else every


def _lines(files: Sequence[str]) -> list[str]:
    """Whichever editor wrote them: UTF-8 or UTF-16, byte order marks and carriage returns taken off."""
    found: list[str] = []
    for path in files:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot read the patterns: {explained(error)}") from error
        coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
        text = data.decode(coding, "replace" if coding == "utf-16" else "surrogateescape").removeprefix("\ufeff")
        found += [line.removesuffix("\r") for line in text.split("\n")]
    return found


def in_any_case(pattern: str) -> str:
    """An exclude pattern that takes upper and lower case alike: `*.jpg` as `*.[jJ][pP][gG]`, `[a-c]` as `[a-cA-C]`. Raises UsageError."""
    try:
        plain = brackets.plain_line(pattern, ignore_case=True)
    except ValueError as error:
        raise UsageError(f"an exclude pattern is not understood: {pattern!r} ({error}); the patterns are those of .gitignore") from error
    return "".join(map(_in_any_case, _PIECES.findall(plain)))


def _in_any_case(piece: str) -> str:
    """A letter, an escaped one, or anything else as it is."""
    letter = piece[-1]
    other = letter.swapcase()
    return f"[{letter}{other}]" if len(piece) <= 2 and other != letter and len(other) == 1 else piece
