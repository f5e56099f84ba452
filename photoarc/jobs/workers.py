"""A crew of spawned processes that maps one function over a list and hands the results back in the list's order.

Not `concurrent.futures`: there a dying worker breaks the whole pool without saying which item it held, and large items can
deadlock its call queue (CPython gh-94777). Here every worker has its own pipe and holds one item at a time, so exactly the item
to blame is known, the others never notice, and no helper threads are left behind.

    items -> window (bounded by count and bytes, in order) -> idle worker with room (photoarc.jobs.room) -> Outcome -> caller, in order

Workers are spawned, never forked: JPEG codecs deadlock in forked children, ONNX Runtime's threads do not survive a fork.

A worker has a time for each item and a limit of memory, because decoders of others work in it: a damaged or hostile file can make
one loop for ever or ask for more than the machine has. Without workers everything runs in this process and there is neither.
"""

from __future__ import annotations

import functools
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from photoarc import options
from photoarc.codecs.costs import Cost
from photoarc.errors import PhotoarcError
from photoarc.jobs.machine import address_limit_bytes, usable_cores
from photoarc.jobs.room import WINDOW_SHARE, Budget, Room
from photoarc.jobs.serving import call, serve
from photoarc.jobs.spawning import safe_start
from photoarc.progress import heard_by

Item = TypeVar("Item")
Value = TypeVar("Value")

WINDOW_BYTES = 256 << 20
WINDOW_ITEMS_PER_WORKER = 64
# To end hangs, never honest work: 24 megapixels in a JPEG of 1.7 MB took 61 s to code on a busy core and get 1,320.
LEAST_SECONDS, SECONDS_PER_MB = 300.0, 600.0
# Signals that no decoder causes by itself: the system sends them where memory is short, or a person.
_BY_OTHERS, _WHO = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"), "by the system if memory is short; try -j 1"


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Value]):
    """What became of one item: a value, an error raised on purpose, a crash (in words), or none of them if the caller does the item.

    `blameless`: the crash is not the item's own; its worker was killed by somebody else, or memory was short.
    """

    item: Item
    value: Value | None = None
    error: PhotoarcError | None = None
    crash: str = ""
    blameless: bool = False


def nobody(item: object, share: float) -> None:
    """Hears nothing."""


def crew_size(most: int | None, items: int, worth: float) -> int:
    """Workers for so many items that are worth so many: at least one if there is an item, `most` at most (None: every usable core).

    Raises UsageError for a `most` that is no number of processes.
    """
    options.jobs(most)
    return min(usable_cores() if most is None else most, items, max(1, int(worth)))


def time_limit_s(cost_bytes: int, patience: float = 1) -> float:
    """Seconds that a worker may take for an item of this cost; `patience`: times as many as usual."""
    return patience * (LEAST_SECONDS + SECONDS_PER_MB * cost_bytes / 1e6)


def run(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    workers: int,
    cost: Callable[[Item], int | None],
    window_bytes: int = WINDOW_BYTES,
    patience: float = 1,
    heard: Callable[[Item, float], None] = nobody,
    budget: Budget[Item] | None = None,
) -> Generator[Outcome[Item, Value], None, None]:
    """Outcomes in the order of `items`, which is read only as far as the window allows.

    `cost` is the memory in bytes that an item takes until its outcome is used; None leaves the item to the caller, in its turn.
    One item dearer than the window passes alone. With no workers (0) everything runs in this process.
    An item whose worker dies, or takes longer than `time_limit_s` with this `patience`, is tried once more with nothing beside it
    (the memory may have been taken by a neighbour, the time by a stopped job).
    `heard` is called, in this process, with an item and the share that is done: 0 and 1 too, and what `function` tells (photoarc.progress).
    `budget` bounds the memory of all workers together. Without workers it has no meaning.
    Close the generator (contextlib.closing) to end the workers at once.
    Raises PhotoarcError if no worker process can be started. `function` must be importable by the workers, its values picklable.
    """
    if workers:
        if budget is not None:
            window_bytes = min(window_bytes, budget.limit_bytes // WINDOW_SHARE)
        yield from _run_crew(_Crew(function, workers, patience, heard, budget), items, cost, window_bytes)
        return
    for item in items:
        if cost(item) is None:
            yield Outcome(item)
        else:
            heard(item, 0.0)
            with heard_by(functools.partial(heard, item)):
                value, error, crash = call(function, item)
            heard(item, 1.0)
            yield Outcome(item, value, error, crash, crash.startswith(MemoryError.__name__))


class _Slot(Generic[Item, Value]):
    """An item in the window, in its place in the order."""

    def __init__(self, item: Item, cost: int | None, foreseen: Cost | None = None) -> None:
        self.item, self.cost, self.foreseen = item, cost, foreseen
        self.deaths = 0
        self.outcome: Outcome[Item, Value] | None = Outcome(item) if cost is None else None


class _Worker(Generic[Item, Value]):
    """One spawned process, the pipe to it, and the slot that it works on."""

    def __init__(self, function: Callable[[Item], Value]) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, function, address_limit_bytes()), daemon=True)
        self.ready = False
        self.slot: _Slot[Item, Value] | None = None
        self.deadline = 0.0  # of the slot's item, on the monotonic clock
        try:
            with safe_start():
                self.process.start()
        except OSError as error:
            raise PhotoarcError(f"a worker process cannot be started: {error.strerror}; try -j 0") from error
        theirs.close()  # or the end of the worker would never be seen

    def end(self) -> str:
        """Ends the process if it still runs; says in words how it ended."""
        self.connection.close()
        self.process.join(0.2)  # time to be reaped with its own exit code
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        if code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"


class _Crew(Generic[Item, Value]):
    """The workers, the slots that wait for one, and the suspects: slots whose worker died."""

    def __init__(
        self,
        function: Callable[[Item], Value],
        workers: int,
        patience: float,
        heard: Callable[[Item, float], None],
        budget: Budget[Item] | None = None,
    ) -> None:
        self.function = function
        self.budget = budget
        self.room = Room(budget.limit_bytes) if budget is not None else None
        self.patience = patience
        self.heard = heard
        self.waiting: deque[_Slot[Item, Value]] = deque()
        self.suspects: deque[_Slot[Item, Value]] = deque()
        self.failed_starts = 0
        self.workers: list[_Worker[Item, Value]] = [_Worker(function) for _ in range(workers)]

    def slot(self, item: Item, cost: int | None) -> _Slot[Item, Value]:
        """Place of an item in the window."""
        return _Slot(item, cost, self.budget.foreseen(item) if self.budget is not None and cost is not None else None)

    def dispatch(self) -> None:
        """Gives waiting slots to idle workers; a suspect goes alone, before everything else."""
        idle = [worker for worker in self.workers if worker.ready and worker.slot is None]
        busy = [worker for worker in self.workers if worker.slot is not None]
        if self.suspects or any(worker.slot.deaths for worker in busy if worker.slot is not None):
            if self.suspects and idle and not busy and not self._let_go(idle):
                self._give_alone(idle[0], self.suspects.popleft())
            return
        while self.waiting and (worker := self._with_room(self.waiting[0])) is not None:
            self._give(worker, self.waiting.popleft())

    def _with_room(self, slot: _Slot[Item, Value]) -> _Worker[Item, Value] | None:
        """An idle worker that may have the slot now; None: it has to wait."""
        idle = [worker for worker in self.workers if worker.ready and worker.slot is None]
        if self.room is None or self.budget is None or slot.foreseen is None or not idle:
            return idle[0] if idle else None
        by_process = {worker.process.pid or 0: worker for worker in idle}
        busy = [worker.process.pid or 0 for worker in self.workers if worker.slot is not None]
        if (chosen := self.room.give(slot.foreseen, [*by_process], busy)) is not None:
            return by_process[chosen]
        may_fit = not busy or self.room.would_fit(slot.foreseen, [*by_process], busy)
        if (may_fit and self._let_go(idle)) or busy:  # once they hold nothing
            return None
        if slot.foreseen.memory_bytes > self.room.limit_bytes:
            self.budget.too_dear(slot.item, slot.foreseen)
        self.room.note(idle[0].process.pid or 0, slot.foreseen)
        return idle[0]

    def _let_go(self, idle: list[_Worker[Item, Value]]) -> bool:
        """Puts new workers in the place of idle ones that hold much memory; whether there were any."""
        hoarding = [worker for worker in idle if self.room is not None and self.room.hoards(worker.process.pid or 0)]
        for worker in hoarding:
            worker.end()
            self.workers[self.workers.index(worker)] = _Worker(self.function)
        return bool(hoarding)

    def _give_alone(self, worker: _Worker[Item, Value], slot: _Slot[Item, Value]) -> None:
        if self.room is not None and slot.foreseen is not None:
            self.room.note(worker.process.pid or 0, slot.foreseen)
        self._give(worker, slot)

    def collect(self, *, block: bool) -> None:
        """Takes what workers have to say; blocks until there is something if `block`."""
        from multiprocessing.connection import wait

        talking = {worker.connection: worker for worker in self.workers if worker.slot is not None or not worker.ready}
        deadlines = [worker.deadline for worker in self.workers if worker.slot is not None]
        timeout = max(min(deadlines) - time.monotonic(), 0) if deadlines else None
        for connection in wait(list(talking), timeout if block else 0):
            worker = talking[connection]  # type: ignore[index]  # `wait` returns what it was given
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if worker.slot is None:
                worker.ready = True
            elif isinstance(message, float):
                self.heard(worker.slot.item, message)
            else:
                value, error, crash = message
                worker.slot.outcome = Outcome(worker.slot.item, value, error, crash, crash.startswith(MemoryError.__name__))
                self.heard(worker.slot.item, 1.0)
                worker.slot = None
        for worker in list(self.workers):
            if worker.slot is not None and time.monotonic() >= worker.deadline and not worker.connection.poll():
                self._bury(worker, f"no result in {time_limit_s(worker.slot.cost or 0, self.patience):.0f} s")

    def end(self) -> None:
        """Ends every worker now."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.end()

    def _give(self, worker: _Worker[Item, Value], slot: _Slot[Item, Value]) -> None:
        worker.slot = slot
        worker.deadline = time.monotonic() + time_limit_s(slot.cost or 0, self.patience)
        self.heard(slot.item, 0.0)
        try:
            worker.connection.send(slot.item)
        except OSError:  # died while idle
            self._bury(worker)

    def _bury(self, worker: _Worker[Item, Value], why: str = "") -> None:
        """Replaces a dead worker, or one that is to end for a reason; its slot becomes a suspect, or a crash the second time."""
        end, slot, crew = worker.end(), worker.slot, len(self.workers)
        self.workers.remove(worker)  # whatever is raised from here on: it has no process to end any more
        if slot is None:
            self.failed_starts += 1
            if self.failed_starts > crew:
                raise PhotoarcError(f"worker processes cannot be started (the last one ended with {end}); try -j 0")
        else:
            slot.deaths += 1
            if slot.deaths < 2:
                self.suspects.append(slot)
            else:
                killed = not why and end in _BY_OTHERS
                crash = f"its worker process {f'was killed twice ({end}; {_WHO})' if killed else f'died twice ({why or end})'}"
                slot.outcome = Outcome(slot.item, crash=crash, blameless=killed)
        self.workers.append(_Worker(self.function))


def _run_crew(
    crew: _Crew[Item, Value], items: Iterable[Item], cost: Callable[[Item], int | None], window_bytes: int
) -> Generator[Outcome[Item, Value], None, None]:
    source = (crew.slot(item, cost(item)) for item in items)
    upcoming: _Slot[Item, Value] | None = None
    window: deque[_Slot[Item, Value]] = deque()
    held_bytes, exhausted = 0, False
    try:
        while True:
            while not exhausted and len(window) < WINDOW_ITEMS_PER_WORKER * len(crew.workers):
                if upcoming is None:
                    upcoming = next(source, None)
                    if upcoming is None:
                        exhausted = True
                        break
                if held_bytes and held_bytes + (upcoming.cost or 0) > window_bytes:
                    break
                held_bytes += upcoming.cost or 0
                window.append(upcoming)
                if upcoming.outcome is None:
                    crew.waiting.append(upcoming)
                upcoming = None
            if not window:
                return
            crew.dispatch()
            crew.collect(block=window[0].outcome is None)
            crew.dispatch()
            if (outcome := window[0].outcome) is not None:
                held_bytes -= window.popleft().cost or 0
                yield outcome
    finally:
        crew.end()
