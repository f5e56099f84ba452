"""What long jobs tell their caller: how far they are, and which members failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from photoarc.errors import MemberError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; `name` is the printable name of the member that was finished last, or of one that takes long."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    pixels_done: int = 0
    name: str = ""


Callback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """The callback of callers who do not want to know."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One member that could not be packed, unpacked or checked."""

    name: str
    kind: str
    reason: str


def failure(error: MemberError) -> Failure:
    """A MemberError as a record for summaries; `kind` is the name of its class."""
    return Failure(error.name, type(error).__name__, error.reason)
