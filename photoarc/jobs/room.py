"""Room for the workers of a job: which of them may have the next item, so that together they stay within a budget of memory.

A worker that has an item counts with the peak that was foreseen for it (photoarc.codecs.costs), an idle one with what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from photoarc.codecs.costs import Cost
from photoarc.names import display

Item = TypeVar("Item")

PARENT_BYTES = 130 << 20  # of this process and of Python's resource tracker, without results that wait for their turn
WINDOW_SHARE = 8  # this part of the budget at most is for those
_UNKNOWN_BYTES = 100 << 20  # of an item that nobody could foresee
# What a worker holds for itself: 8 MiB when it is new, 40 once modules are loaded, 40 to 420 after its first item. One that holds more is
# worth a start of a new one (half a second) if nothing else makes room; to trim its heap would take as long.
_HOARD_BYTES = 32 << 20


def unheard(item: object, cost: Cost) -> None:
    """Does nothing about an item that is dearer than the budget."""


@dataclass(frozen=True, slots=True)
class Budget(Generic[Item]):
    """Memory for a job, all processes together; what an item will take of it (None: too little to count); who hears of what is dearer.

    What does not fit beside the others waits, and so does everything behind it; what does not fit at all runs alone.
    """

    limit_bytes: int
    foreseen: Callable[[Item], Cost | None]
    too_dear: Callable[[Item, Cost], None] = unheard


def too_dear(name: bytes, cost: Cost) -> str:
    """What the user is told of a file that does not fit."""
    gigabytes = cost.memory_bytes / 1e9
    return f"{display(name)}: may take {gigabytes:.1f} GB of memory, more than all workers are to have; it is done with none beside it"


class Room:
    """Budget of a crew. Processes are known by their numbers."""

    def __init__(self, limit_bytes: int) -> None:
        """`limit_bytes`: of all processes of the job together."""
        self.limit_bytes = max(limit_bytes - PARENT_BYTES - limit_bytes // WINDOW_SHARE, 0)
        self._foreseen: dict[int, int] = {}  # by process: peak of what it has or had last
        self._kept: dict[int, int] = {}

    def give(self, cost: Cost, idle: Sequence[int], busy: Collection[int]) -> int | None:
        """The idle process that may have an item of this cost now; None: it has to wait.

        Of several the one that holds most: what networks hold is used again by the next photograph.
        """
        held = {process: self._held(process) for process in idle}
        together = sum(held.values()) + self._expected(busy)
        for process in sorted(idle, key=lambda process: -held[process]):
            peak = cost.memory_bytes + max(held[process] - cost.kept_bytes, 0)
            if together - held[process] + peak <= self.limit_bytes:
                self.note(process, cost, peak)
                return process
        return None

    def would_fit(self, cost: Cost, idle: Sequence[int], busy: Collection[int]) -> bool:
        """Whether an item of this cost has room beside the busy ones once new processes are in the place of idle ones that hoard."""
        return cost.memory_bytes + (len(idle) - 1) * _HOARD_BYTES + self._expected(busy) <= self.limit_bytes

    def note(self, process: int, cost: Cost, peak_bytes: int = 0) -> None:
        """A process gets an item."""
        self._foreseen[process] = peak_bytes or cost.memory_bytes
        self._kept[process] = cost.kept_bytes

    def hoards(self, process: int) -> bool:
        """Whether a new process in the place of an idle one, which has had an item, would hold clearly less."""
        return process in self._foreseen and self._held(process) > _HOARD_BYTES

    def _expected(self, busy: Collection[int]) -> int:
        return sum(self._foreseen.get(process, _UNKNOWN_BYTES) for process in busy)

    def _held(self, process: int) -> int:
        """Memory that an idle process has for itself (libraries are shared): as Linux tells, else a guess."""
        try:
            _, resident, of_files, *_ = map(int, Path(f"/proc/{process}/statm").read_text().split())
            return (resident - of_files) * _page_bytes()
        except (OSError, ValueError):
            return self._kept.get(process, _HOARD_BYTES // 2)


def _page_bytes() -> int:
    import resource

    return resource.getpagesize()
