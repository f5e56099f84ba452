"""Checks of what users ask for; options call them when they are made, so that the command line and Python refuse the same."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Mapping

from photoarc.errors import UsageError

# Options that mean something for lossy photographs only, as the command line calls them.
LOSSY_ONLY = {
    "quality": "--quality",
    "strip_gps": "--strip",
    "min_gain_percent": "--min-gain",
    "recode": "--recode",
    "tuning": "--tune",
}


def number(name: str, value: object, least: float, most: float) -> None:
    """Raises UsageError for anything but a number in a range: text, NaN, infinity."""
    try:
        given = math.nan if isinstance(value, str | bytes | bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        given = math.nan
    if not least <= given <= most:
        raise UsageError(f"{name} {value}: is not a number from {least:g} to {most:g}")


def whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raises UsageError for anything but an integer in a range."""
    try:
        given = least - 1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        given = least - 1
    if given < least or (most is not None and given > most):
        where = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name} {value}: is not a whole number {where}")


def jobs(value: object) -> None:
    """Raises UsageError for anything but a number of worker processes, 0 (none) or None (one for each core)."""
    if value is not None:
        whole("jobs", value, 0)


def choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raises UsageError for anything that cannot be chosen."""
    if value not in choices:
        raise UsageError(f"{name} {value}: unknown; choose {', '.join(str(each) for each in choices if each is not None)}")


def several(name: str, value: object) -> None:
    """Raises UsageError for one pattern where a sequence is asked for: its letters would be taken for patterns."""
    if isinstance(value, str | bytes):
        raise UsageError(f"{name} {value!r}: is one pattern where several are expected; write [{value!r}]")


def keeps_every_bit(asked: Mapping[str, bool]) -> None:
    """Raises UsageError if anything was asked for that a lossless archive ignores; `asked` is by names of fields."""
    if wrong := [LOSSY_ONLY[name] for name, given in asked.items() if given]:
        verb = "is" if len(wrong) == 1 else "are"
        raise UsageError(f"{' and '.join(wrong)} {verb} about lossy photographs, and --mode lossless keeps every bit of them; choose one")
