"""Which members of an archive a user means by `--only` and `list GLOB`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from photoarc.disk import brackets
from photoarc.errors import UsageError
from photoarc.member import Member


def select(members: Iterable[Member], globs: Sequence[str], *, ignore_case: bool = False) -> list[Member]:
    """Members that match at least one glob, in archive order; all of them without globs.

    `*`, `?` and `[...]` as in a shell, none of them crosses a `/`, upper and lower case differ unless `ignore_case`; `**` is any number
    of folders.
    A glob without `/` is compared with every part of a name, one with `/` with the name from its start. Either takes everything
    below a folder that it matches: `--only 2024` and `--only 'photos/20*'` name folders. Printable names with escapes match too.
    Raises UsageError for a glob that matches nothing: a typing error must not look like an empty archive; and for one with a bracket
    expression that nobody understands.
    """
    if not globs:
        return list(members)
    matched: set[str] = set()
    chosen = []
    for member in members:
        name, shown = os.fsdecode(member.name), member.display_name
        hits = [glob for glob in globs if matches(name, glob, ignore_case) or (shown != name and matches(shown, glob, ignore_case))]
        matched.update(hits)
        if hits:
            chosen.append(member)
    if missing := [glob for glob in globs if glob not in matched]:
        _refuse_odd(missing)
        case = "" if ignore_case else ", upper and lower case differ without --ignore-case"
        raise UsageError(f"no member matches {' or '.join(map(repr, missing))}; `photoarc list -q` shows the names{case}")
    return chosen


def _refuse_odd(globs: Sequence[str]) -> None:
    """Raises UsageError for a bracket expression that nobody understands."""
    for glob in globs:
        try:
            brackets.plain(glob)
        except ValueError as error:
            raise UsageError(f"the pattern {glob!r} is not understood: {error}") from error


def matches(name: str, glob: str, ignore_case: bool = False) -> bool:
    """Whether one glob takes one name; the name itself is always a glob for it, brackets or not."""
    if ignore_case:
        name, glob = name.casefold(), glob.casefold()
    if name == glob:
        return True
    parts, pattern = name.split("/"), _plain(glob).strip("/").split("/")
    if len(pattern) == 1 and pattern[0] != "**":
        return any(fnmatchcase(part, pattern[0]) for part in parts)
    return _starts(parts, pattern)


@functools.lru_cache(256)
def _plain(glob: str) -> str:
    """Brackets as photoarc.disk.brackets writes them; one that nobody understands stays, for names that are spelled so."""
    try:
        return brackets.plain(glob)
    except ValueError:
        return glob


def _starts(parts: list[str], pattern: list[str]) -> bool:
    """Whether the first parts match the whole pattern."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_starts(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _starts(parts[1:], pattern[1:])
