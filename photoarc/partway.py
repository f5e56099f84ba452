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


def _nobody(share: float) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)


def tell(share: float) -> None:
    """Share of the file, 0..1, that is done."""
    _listener.get()(share)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Until the block ends, `listener` gets what is told."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def now_and_then(listener: Listener) -> Listener:
    """The same listener, spared what is told within PAUSE_S of what it heard last."""
    last = time.monotonic()

    def hear(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE_S:
            last = time.monotonic()
            listener(share)

    return hear
