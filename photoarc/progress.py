"""What long jobs tell their caller: how far they are, how long it will take, and which members failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from photoarc.errors import MemberError
from photoarc.member import Kind, PhotoInfo
from photoarc.names import display

Listener = Callable[[float], None]
PAUSE_S = 0.5
CODING = 2 / 3  # of the time of a coder of JPEG files; the rest goes to decoding what it wrote

# Predicted seconds of a kind after which what it has really taken weighs more than the prediction.
TRUST_S = 4.0
# What takes longer than predicted is expected to take so much longer, in shares of the time that has passed.
OVERDUE = 0.5
# A share from which on what a member tells of itself is all that counts.
SURE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is; `name` is the printable name of the member that was finished last, or of one that takes long.

    `share` 0..1 is of the predicted work, which bytes are no measure of; `left_s` how long the rest will take, None if nobody knows.
    """

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    pixels_done: int = 0
    name: str = ""
    share: float = 0.0
    left_s: float | None = None


Callback = Callable[[Progress], None]


class _Counted(Protocol):
    """What a job counts of each thing that it goes over (Member, SourceFile)."""

    @property
    def kind(self) -> Kind: ...
    @property
    def size_bytes(self) -> int: ...


def silent(_: Progress) -> None:
    """The callback of callers who do not want to know."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Work of one member as it was predicted: seconds of a core. What is of one kind is wrong by the same factor, more or less."""

    name: bytes
    kind: str
    seconds: float


@dataclass(slots=True)
class _Kind:
    """Predicted seconds that are left, and, of what was done, those predicted and those taken."""

    left_s: float = 0.0
    predicted_s: float = 0.0
    taken_s: float = 0.0


@dataclass(slots=True)
class _Begun:
    """A member that is being worked on: since when, how much of it is done (as far as it told), and its bytes."""

    expected: Expected
    since: float
    share: float
    size_bytes: int

    def rest_s(self, whole_s: float, now: float) -> float:
        """Seconds that the rest takes, if it was thought to take `whole_s`; what it tells is believed the more, the further it is.

        What tells nothing and takes longer than thought takes longer still.
        """
        passed_s = now - self.since
        silent_s = max(whole_s - passed_s, OVERDUE * passed_s)
        if not self.share:
            return silent_s
        trust = min(self.share / SURE, 1.0)
        return trust * passed_s * (1 - self.share) / self.share + (1 - trust) * silent_s


class Meter:
    """Counts what is done of a job, members that are begun in part, and tells its caller.

    The remaining seconds of each kind are scaled by what that kind has really taken in this job; of a kind that has not been seen, by
    what the others have. `workers` do it side by side.
    """

    def __init__(
        self,
        callback: Callback,
        files_total: int,
        bytes_total: int,
        expected: Iterable[Expected] = (),
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files_total, self.bytes_total, self.workers = files_total, bytes_total, max(workers, 1)
        self.files_done = self.bytes_done = self.pixels_done = 0
        self._callback, self._clock = callback, clock
        self._waiting = {item.name: item for item in expected}
        self._begun: dict[bytes, _Begun] = {}
        self._kinds: dict[str, _Kind] = {}
        for item in self._waiting.values():
            self._kinds.setdefault(item.kind, _Kind()).left_s += item.seconds
        self._all_s = sum(kind.left_s for kind in self._kinds.values())
        self._longest = sorted(self._waiting.values(), key=lambda item: item.seconds)

    @classmethod
    def over(cls, callback: Callback, items: Iterable[_Counted], expected: Iterable[Expected] = (), workers: int = 1) -> Meter:
        """A meter of a job that goes over these items, members or files on the disk."""
        sizes = [(item.kind is Kind.FILE, item.size_bytes) for item in items]
        files_total, bytes_total = sum(is_file for is_file, _ in sizes), sum(size_bytes for _, size_bytes in sizes)
        return cls(callback, files_total, bytes_total, expected, workers)

    def begin(self, name: bytes, share: float, size_bytes: int) -> None:
        """A share of a member is done; less than it told before, where it is tried once more, counts as that."""
        begun = self._begun.get(name)
        if begun is None:
            expected = self._waiting.pop(name, Expected(name, "", 0.0))
            begun = self._begun[name] = _Begun(expected, self._clock(), 0.0, size_bytes)
        if share >= 1 > begun.share:
            self._learn(begun)
        begun.share = max(begun.share, share)
        self._tell(name)

    def finish(self, name: bytes, kind: Kind, size_bytes: int, photo: PhotoInfo | None = None) -> None:
        """A member is done, or given up."""
        begun, waiting = self._begun.pop(name, None), self._waiting.pop(name, None)
        if begun is not None and begun.share < 1:
            self._learn(begun)
        if waiting is not None:  # nothing was to be done: contents that are known from another file
            self._kinds[waiting.kind].left_s -= waiting.seconds
            self._all_s -= waiting.seconds
        self.files_done += kind is Kind.FILE
        self.bytes_done += size_bytes
        self.pixels_done += photo.width_px * photo.height_px if photo else 0
        self._tell(name)

    def _learn(self, begun: _Begun) -> None:
        kind = self._kinds.setdefault(begun.expected.kind, _Kind())
        kind.left_s -= begun.expected.seconds
        kind.predicted_s += begun.expected.seconds
        kind.taken_s += self._clock() - begun.since

    def _factors(self) -> dict[str, float]:
        """By kind, how many times as long as predicted it takes."""
        kinds = self._kinds.values()
        general = (sum(kind.taken_s for kind in kinds) + TRUST_S) / (sum(kind.predicted_s for kind in kinds) + TRUST_S)
        return {name: (kind.taken_s + TRUST_S * general) / (kind.predicted_s + TRUST_S) for name, kind in self._kinds.items()}

    def _work(self) -> tuple[float, float]:
        """(share of the work that is done, seconds that are left)."""
        factors, now = self._factors(), self._clock()
        left_s = sum(factors[name] * max(kind.left_s, 0.0) for name, kind in self._kinds.items())
        done_s = sum(factors[name] * kind.predicted_s for name, kind in self._kinds.items())
        longest_s = 0.0
        for begun in self._begun.values():
            if begun.share < 1:
                whole_s = factors.get(begun.expected.kind, 1.0) * begun.expected.seconds
                rest_s = begun.rest_s(whole_s, now)
                left_s += rest_s - whole_s
                done_s += now - begun.since
                longest_s = max(longest_s, rest_s)
        while self._longest and self._longest[-1].name not in self._waiting:
            self._longest.pop()
        if self._longest:
            longest_s = max(longest_s, factors[self._longest[-1].kind] * self._longest[-1].seconds)
        left_s = max(left_s, 0.0)
        return done_s / (done_s + left_s) if done_s + left_s else 0.0, max(left_s / self.workers, longest_s)

    def _tell(self, name: bytes) -> None:
        bytes_done = self.bytes_done + sum(int(begun.share * begun.size_bytes) for begun in self._begun.values())
        share, left_s = self._work() if self._kinds else (bytes_done / self.bytes_total if self.bytes_total else 1.0, None)
        self._callback(
            Progress(
                files_done=self.files_done,
                files_total=self.files_total,
                bytes_done=bytes_done,
                bytes_total=self.bytes_total,
                pixels_done=self.pixels_done,
                name=display(name),
                share=share,
                left_s=left_s,
            )
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """One member that could not be packed, unpacked or checked."""

    name: str
    kind: str
    reason: str


def failure(error: MemberError) -> Failure:
    """A MemberError as a record for summaries; `kind` is the name of its class."""
    return Failure(error.name, type(error).__name__, error.reason)


def _nobody(share: float) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)


def tell(share: float) -> None:
    """Share of the file, 0..1, that is done."""
    _listener.get()(share)


class _Thrown(BaseException):
    """What a listener raised: no `except Exception` between it and its block is meant for that."""

    def __init__(self, listener: Listener, error: Exception) -> None:
        self.listener, self.error = listener, error


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Until the block ends, `listener` gets what is told. What it raises ends the block, whatever the work does about errors."""

    def hear(share: float) -> None:
        try:
            listener(share)
        except Exception as error:
            raise _Thrown(listener, error) from error

    before = _listener.set(hear)
    try:
        yield
    except _Thrown as thrown:
        if thrown.listener is not listener:
            raise
        raise thrown.error from None
    finally:
        _listener.reset(before)


@contextmanager
def part(start: float, end: float) -> Iterator[None]:
    """Until the block ends, shares that are told are those of this part of the work."""
    listener = _listener.get()
    with heard_by(lambda share: listener(start + share * (end - start))):
        yield


def now_and_then(listener: Listener) -> Listener:
    """The same listener, spared what is told within PAUSE_S of what it heard last."""
    last = time.monotonic()

    def hear(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE_S:
            last = time.monotonic()
            listener(share)

    return hear
