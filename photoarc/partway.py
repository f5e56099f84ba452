"""How much of a file is done, told from deep inside a codec to whoever waits for it: at effort 9 one photograph takes minutes.

    with heard_by(listener):   whoever starts the work
        ...
            tell(0.4)          whoever does it; without a listener nothing happens

Listeners belong to a context (contextvars), so that threads of one process do not hear each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float], None]
PAUSE_S = 0.5
CODING = 2 / 3  # of the time of a coder of JPEG files; the rest goes to decoding what it wrote


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
