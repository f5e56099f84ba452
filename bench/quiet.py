"""Quiet while something is timed: whoever times holds a lock, and training waits for it (training/keep.py).

By hand: `flock /tmp/photoarc-timing.lock COMMAND` (the temporary folder of the machine). The lock goes with the process that holds it.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "photoarc-timing.lock"
ASK_AGAIN_S = 2.0


@contextmanager
def timing(lock: Path = LOCK) -> Iterator[None]:
    """Holds the lock; waits for another one who times."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait(lock: Path = LOCK) -> float:
    """Returns when nobody times; the seconds that it took."""
    started = time.monotonic()
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(ASK_AGAIN_S)
            else:
                return time.monotonic() - started
