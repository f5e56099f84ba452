"""An archive that grows at its end, in place (docs/format.md section 5.4).

Nothing in front of the last footer is changed, so whatever happens the archive is what it was, or what it has become.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from photoarc.container import frames, locking
from photoarc.container.ends import Codings, Ends, read_ends
from photoarc.container.index import Index, read_index
from photoarc.container.partial_file import NO_FSYNC
from photoarc.container.replacing import follow
from photoarc.container.source import source_of
from photoarc.errors import IndexCorrupt, Truncated, UsageError, explained

_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class AppendedFile:
    """An archive that exists, open and locked. What the disk refuses becomes UsageError.

    `ends`, `index` and `codings` say what it held when it was opened; `begun_bytes` is its length then, without what an interrupted
    addition left.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size_bytes, self.begun_bytes = path, 0, 0
        self.warnings: list[str] = []
        self._fd = -1
        self.ends: Ends
        self.index: Index
        self.codings: Codings

    def create(self) -> None:
        """Opens, locks and reads it, and takes away what was not finished. Raises UsageError, FormatError."""
        target = follow(self.path)
        try:
            self._fd = os.open(target, _FLAGS)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be opened for writing: {explained(error)}") from error
        try:
            if not locking.lock(self._fd, self.path):
                self.warnings.append(f"{self.path}: this file system has no locks; take care that no other photoarc writes to it")
            now = os.stat(target)
            mine = os.fstat(self._fd)
            if (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino):
                raise UsageError(f"{self.path}: was replaced by another one meanwhile; do it again")
            self._read()
            self._clean()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        source = source_of(self.path)
        try:
            self.ends = read_ends(source)
            self.index = read_index(source, self.ends.header, self.ends.footer)
            self.codings = Codings.of(source, self.ends.footer)
        except (IndexCorrupt, Truncated) as error:
            raise UsageError(
                f"{self.path}: is damaged, and nothing is added to a damaged archive ({error}); unpack what is whole and pack it again"
            ) from error
        finally:
            source.close()

    def _clean(self) -> None:
        """The file ends with its last footer afterwards."""
        footer = self.ends.footer
        self.size_bytes = self.begun_bytes = footer.archive_bytes
        try:
            if self.ends.is_made:
                start = footer.archive_bytes - frames.FOOTER_BYTES
                os.lseek(self._fd, start, os.SEEK_SET)
                _write(self._fd, frames.pack_footer(footer))
            if os.fstat(self._fd).st_size != footer.archive_bytes:
                os.ftruncate(self._fd, footer.archive_bytes)
            if self.ends.remark:
                self.sync()
            os.lseek(self._fd, footer.archive_bytes, os.SEEK_SET)
        except OSError as error:
            raise self._refused(error) from error

    @property
    def readable(self) -> Path:
        """Where to read what was written."""
        return self.path

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append; raises UsageError."""
        try:
            data = b"".join(pieces)
            self.size_bytes += len(data)
            _write(self._fd, data)
        except OSError as error:
            raise self._refused(error) from error

    def rewrite(self, offset: int, data: bytes) -> None:
        """Put bytes in the place of as many that were appended before; raises UsageError."""
        assert offset >= self.begun_bytes
        try:
            os.lseek(self._fd, offset, os.SEEK_SET)
            _write(self._fd, data)
            os.lseek(self._fd, self.size_bytes, os.SEEK_SET)
        except OSError as error:
            raise self._refused(error) from error

    def truncate(self, size_bytes: int) -> None:
        """Take back what was appended last. Raises UsageError."""
        assert size_bytes >= self.begun_bytes
        try:
            os.ftruncate(self._fd, size_bytes)
            os.lseek(self._fd, size_bytes, os.SEEK_SET)
            self.size_bytes = size_bytes
        except OSError as error:
            raise self._refused(error) from error

    def sync(self) -> None:
        """What was written is on the disk then; a file system that does not say so gets a warning. Raises UsageError."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in NO_FSYNC:
                raise self._refused(error) from error
            if not self.warnings:
                self.warnings.append(
                    f"{self.path}: this file system does not say what is on the disk ({error.strerror}): do not pull it at once"
                )

    def commit(self) -> None:
        """Durable, index and footer included."""
        self.sync()
        self.close()

    def discard(self) -> None:
        """Leave the archive as it was, unless it was committed."""
        if self._fd < 0:
            return
        try:
            if os.fstat(self._fd).st_size > self.begun_bytes:
                os.ftruncate(self._fd, self.begun_bytes)
        except OSError as error:
            self.warnings.append(f"{self.path}: what was added in part could not be taken back ({explained(error)}); the next add does it")
        finally:
            self.close()

    def close(self) -> None:
        """Gives the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _refused(self, error: OSError) -> UsageError:
        return UsageError(f"{self.path}: cannot be added to: {explained(error)}; it is as it was before")


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
