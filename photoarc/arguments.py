"""Numbers on the command line, refused in words that say what is expected."""

from __future__ import annotations

from collections.abc import Callable

import typer


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
