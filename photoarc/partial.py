"""A file that gets its name only when it is whole.

The bytes go to `<path>.partial-<pid hex>` in the same folder; `commit` makes them durable, gives them the name in one step and
makes the folder durable. A process that dies leaves the partial file and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from photoarc.errors import UsageError

_JOINED_BYTES = 1 << 16  # pieces that together are smaller go out in one system call


class PartialFile:
    """Append-only file under a temporary name. What the destination refuses becomes UsageError."""

    def __init__(self, path: Path, force: bool) -> None:
        self.path, self.size_bytes = path, 0
        self._force, self._fd = force, -1
        self._partial: Path | None = None

    def create(self) -> None:
        """Find a name beside the destination that nobody uses: a dead process may have left one with our process id."""
        if os.path.lexists(self.path) and (self.path.is_dir() or not self._force):
            raise self._exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        for attempt in range(100):
            suffix = f".partial-{os.getpid():x}" + (f"-{attempt}" if attempt else "")
            partial = self.path.with_name(self.path.name + suffix)
            try:
                self._fd = os.open(partial, flags, 0o666)
            except FileExistsError:
                continue
            except OSError as error:
                raise self._refused("cannot create", error) from error
            self._partial = partial
            return
        raise UsageError(f"{self.path}: 100 unfinished archives lie beside it; remove the *.partial-* files")

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append; raises UsageError (disk full and the like)."""
        if sum(map(len, pieces)) < _JOINED_BYTES:
            pieces = [b"".join(pieces)]
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    done = os.write(self._fd, view)
                    self.size_bytes += done
                    view = view[done:]
        except OSError as error:
            raise self._refused("cannot write", error) from error

    @property
    def partial(self) -> Path:
        """The name it has until it is whole."""
        assert self._partial is not None
        return self._partial

    def truncate(self, size_bytes: int) -> None:
        """Take back what was appended last. Called while an exception is on its way; if it fails, so does the next write."""
        try:
            os.ftruncate(self._fd, size_bytes)
            os.lseek(self._fd, size_bytes, os.SEEK_SET)
            self.size_bytes = size_bytes
        except OSError:
            self.discard()

    def commit(self) -> None:
        """Durable first, then the name, then the folder. Refuses to overwrite without force, even what appeared meanwhile."""
        assert self._partial is not None
        try:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            if self._force:
                os.replace(self._partial, self.path)
            else:
                _rename_new(self._partial, self.path)
            if sys.platform != "win32":
                folder = os.open(self.path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise self._refused("cannot finish", error) from error

    def discard(self) -> None:
        """Remove the temporary name; after a commit there is nothing left to remove."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._partial is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._partial)
            self._partial = None

    def _exists(self) -> UsageError:
        if self.path.is_dir():
            return UsageError(f"{self.path}: is a folder; name a file for the archive")
        return UsageError(f"{self.path}: exists already; choose another name, or overwrite it with --force")

    def _refused(self, what: str, error: OSError) -> UsageError:
        return UsageError(f"{self.path}: {what} the archive: {error.strerror}; free some space or choose another folder, then try again")


def _rename_new(partial: Path, path: Path) -> None:
    """Rename without overwriting. A hard link does that in one step; on file systems without them (FAT) the name is reserved first."""
    if sys.platform == "win32":
        os.rename(partial, path)
        return
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(partial, path)
