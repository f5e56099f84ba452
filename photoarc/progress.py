"""What long jobs tell their caller: how far they are, and which members failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from photoarc.errors import MemberError
from photoarc.names import display
from photoarc.records import Kind, PhotoInfo


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


class Meter:
    """Counts what is done of a job, files that are begun in part, and tells its caller."""

    def __init__(self, callback: Callback, files_total: int, bytes_total: int) -> None:
        self.files_total, self.bytes_total = files_total, bytes_total
        self.files_done = self.bytes_done = self.pixels_done = 0
        self._callback = callback
        self._begun_bytes: dict[bytes, int] = {}  # of files that are not done, what is

    def begin(self, name: bytes, size_bytes: int) -> None:
        """So much of a file is done; less than it was told before, where it is tried once more, counts as that."""
        self._begun_bytes[name] = max(size_bytes, self._begun_bytes.get(name, 0))
        self._tell(name)

    def finish(self, name: bytes, kind: Kind, size_bytes: int, photo: PhotoInfo | None = None) -> None:
        """A member is done, or given up."""
        self._begun_bytes.pop(name, None)
        self.files_done += kind is Kind.FILE
        self.bytes_done += size_bytes
        self.pixels_done += photo.width_px * photo.height_px if photo else 0
        self._tell(name)

    def _tell(self, name: bytes) -> None:
        bytes_done = self.bytes_done + sum(self._begun_bytes.values())
        self._callback(Progress(self.files_done, self.files_total, bytes_done, self.bytes_total, self.pixels_done, display(name)))


@dataclass(frozen=True, slots=True)
class Failure:
    """One member that could not be packed, unpacked or checked."""

    name: str
    kind: str
    reason: str


def failure(error: MemberError) -> Failure:
    """A MemberError as a record for summaries; `kind` is the name of its class."""
    return Failure(error.name, type(error).__name__, error.reason)
