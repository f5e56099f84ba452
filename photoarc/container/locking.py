"""One writer at a time: a lock on an archive, which the system releases when its holder closes the file or dies."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from photoarc.errors import UsageError

_BUSY = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
_BYTE = 1 << 62  # that is locked on Windows: no archive is so long, and what is locked there cannot be read by others


def lock(fd: int, path: Path) -> bool:
    """Takes the lock on an open file, or raises UsageError at once. False where the file system has no locks."""
    try:
        if not _try(fd):
            return False
    except OSError as error:
        if error.errno not in _BUSY:
            return False
        raise UsageError(f"{path}: another photoarc is writing to it; wait until it is done") from error
    return True


def is_free(fd: int) -> bool:
    """Takes the lock, if nobody has it; whether this is known to be so."""
    try:
        return _try(fd)
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try(fd: int) -> bool:
        at = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            os.lseek(fd, _BYTE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(fd, at, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try(fd: int) -> bool:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
