"""What runs in a worker process (workers.py starts it): one item after the other, within a limit of memory, until the parent goes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from photoarc.errors import PhotoarcError
from photoarc.progress import heard_by, now_and_then

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
Value = TypeVar("Value")


def limit_address_space(limit_bytes: int) -> None:
    """What goes beyond fails in this process as MemoryError, instead of costing the machine its memory."""
    if not limit_bytes or sys.platform == "win32":
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard)
    with suppress(ValueError, OSError):  # macOS refuses
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))


def call(function: Callable[[Item], Value], item: Item) -> tuple[Value | None, PhotoarcError | None, str]:
    """(value, error, crash): what raises on purpose is told from what should never have been raised."""
    try:
        return function(item), None, ""
    except PhotoarcError as error:
        return None, error, ""
    except Exception as error:  # one odd file must not end the job; the caller reports it
        return None, None, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def serve(connection: Connection, function: Callable[[Item], Value], limit_bytes: int) -> None:
    """Body of a worker process: says that it is ready, then answers items until the parent goes."""
    import multiprocessing

    limit_address_space(limit_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there is no signal mask to inherit
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow_parent() -> None:
        parent.join()  # the parent was killed: do not finish a long picture for nobody
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()
    try:
        connection.send(None)
        with heard_by(now_and_then(connection.send)):
            while True:
                connection.send(call(function, connection.recv()))
    except (EOFError, OSError):
        return
