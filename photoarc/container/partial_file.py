"""A file that gets its name only when it is whole.

The bytes go to `<path>.partial-<random hex>` in the same folder; `commit` makes them durable, gives them the name in one step and
makes the folder durable. A process that dies leaves the partial file and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from photoarc.container import locking
from photoarc.container.frames import FILE_HEADER_BYTES, FILE_MAGIC, FOOTER_BYTES, parse_file_header, parse_footer
from photoarc.container.replacing import place
from photoarc.errors import FormatError, UsageError, explained
from photoarc.names import partial_prefix

_COPIED_BYTES = 1 << 20
_JOINED_BYTES = 1 << 16  # pieces that together are smaller go out in one system call
# What file systems say that know no fsync (of folders, as a rule): shares, FUSE, DrvFs. Anything else is a fault of the disk.
NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EBADF, errno.EROFS, errno.ENOTTY)


class PartialFile:
    """File under a temporary name that grows at its end. What the destination refuses becomes UsageError.

    With `force` an archive that is there is replaced (photoarc.container.replacing) and leaves its mode and, where possible, its owner.
    `warnings` say what a `commit` could not make sure of.
    """

    def __init__(self, path: Path, force: bool) -> None:
        self.path, self.size_bytes = path, 0
        self.warnings: list[str] = []
        self._force, self._fd = force, -1
        self._guard_fd = -1  # of what is to be replaced
        self._target = path
        self._partial: Path | None = None
        self._stuck: set[str] = set()  # names of its own that could not be removed
        self.superseded: list[Path] = []  # unfinished archives that this one takes the place of

    def create(self) -> None:
        """Find a name beside the destination that nobody uses."""
        self._target = place(self.path, self._force)
        self._guard()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        prefix = os.fsdecode(partial_prefix(os.fsencode(self._target.name)))
        try:
            mode = stat.S_IMODE(os.stat(self._target).st_mode) & 0o666 | 0o600  # of what is replaced; exactly that comes at the end
        except OSError:
            mode = 0o666
        for _ in range(100):
            partial = self._target.with_name(prefix + os.urandom(4).hex())
            try:
                self._fd = os.open(partial, flags, mode)
            except FileExistsError:
                continue
            except OSError as error:
                raise self._refused("cannot create", error) from error
            self._partial = partial
            locking.is_free(self._fd)  # held while this process lives: what is left of a killed one can be told by that
            return
        raise UsageError(f"{self.path}: 100 unfinished archives lie beside it; remove the *.partial-* files")

    def _guard(self) -> None:
        """Nobody writes to what is to be replaced from here on. Raises UsageError if somebody does."""
        if self._guard_fd >= 0:
            return
        with contextlib.suppress(OSError):
            self._guard_fd = os.open(self._target, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        if self._guard_fd >= 0:
            locking.lock(self._guard_fd, self.path)

    def _unguard(self) -> None:
        if self._guard_fd >= 0:
            os.close(self._guard_fd)
            self._guard_fd = -1

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

    def rewrite(self, offset: int, data: bytes) -> None:
        """Put bytes in the place of as many that were appended before; raises UsageError."""
        try:
            os.lseek(self._fd, offset, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.lseek(self._fd, self.size_bytes, os.SEEK_SET)
        except OSError as error:
            raise self._refused("cannot write", error) from error

    @property
    def partial(self) -> Path:
        """The name it has until it is whole."""
        assert self._partial is not None
        return self._partial

    @property
    def readable(self) -> Path:
        """Where to read what was written."""
        return self.partial

    def truncate(self, size_bytes: int) -> None:
        """Take back what was appended last. Called while an exception is on its way; if it fails, so does the next write.

        Where no file can be cut, what is appended next overwrites it, and `commit` leaves out what still lies behind the end then.
        """
        try:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size_bytes)
            os.lseek(self._fd, size_bytes, os.SEEK_SET)
            self.size_bytes = size_bytes
        except OSError:
            self.discard()

    def commit(self) -> None:
        """Durable first, then the name, then the folder. Replaces nothing but archives, and without force nothing, whatever came meanwhile.

        A whole archive that cannot get its name is not thrown away: it stays under the temporary one, which the UsageError names.
        """
        self._leave_out_the_rest()
        try:
            self._make_durable(self._fd, "the archive")
            self._take_over_mode()
            os.close(self._fd)
            self._fd = -1
        except OSError as error:
            raise self._refused("cannot finish", error) from error
        if sys.platform == "win32":  # what is open cannot be replaced there
            self._unguard()
        try:
            if self._force and place(self.path, True) == self._target:
                os.replace(self.partial, self._target)
            else:
                _rename_new(self.partial, self._target)
        except (OSError, UsageError) as error:
            whole, self._partial = self.partial, None
            why = f"{self.path}: exists already, it came meanwhile" if isinstance(error, FileExistsError) else str(error)
            if isinstance(error, OSError) and not isinstance(error, FileExistsError):
                why = f"{self.path}: the archive cannot get this name: {error.strerror}"
            old = f", {self._target} is as it was before" if os.path.lexists(self._target) else ""
            raise UsageError(f"{why}. The archive is complete and lies there as {whole}: rename it{old}") from error
        if sys.platform != "win32":
            self._make_folder_durable()
        for unfinished in self.superseded:
            self._remove(unfinished)
        self._mention_leftovers()

    def keep(self) -> None:
        """Leave what is written under its temporary name, for another run (`unfinished_like`)."""
        self._partial = None

    def discard(self) -> None:
        """Remove the temporary name; after a commit there is nothing left to remove."""
        self._unguard()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._partial is not None:
            self._remove(self._partial)
            self._partial = None

    def _remove(self, partial: Path) -> None:
        try:
            os.unlink(partial)
        except FileNotFoundError:
            return
        except OSError as error:
            self._stuck.add(partial.name)
            self.warnings.append(f"{partial} of this run could not be removed: {error.strerror}; remove it by hand")

    def _leave_out_the_rest(self) -> None:
        """Copy the archive if bytes that were taken back still lie behind its end. Raises UsageError."""
        longer_fd, longer = self._fd, self.partial
        try:
            if os.fstat(longer_fd).st_size == self.size_bytes:
                return
            os.lseek(longer_fd, 0, os.SEEK_SET)
        except OSError as error:
            raise self._refused("cannot finish", error) from error
        left, self.size_bytes = self.size_bytes, 0
        self.create()
        try:
            while left:
                data = os.read(longer_fd, min(left, _COPIED_BYTES))
                if not data:
                    raise UsageError(f"{self.path}: what was written cannot be read back; choose another disk")
                self.write([data])
                left -= len(data)
        except OSError as error:
            raise self._refused("cannot finish", error) from error
        finally:
            os.close(longer_fd)
            self._remove(longer)

    def _make_durable(self, fd: int, what: str) -> None:
        """fsync; a file system that has none gets a warning. Raises OSError for what is wrong with the disk."""
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in NO_FSYNC:
                raise
            self._warn_of(what, error)

    def _make_folder_durable(self) -> None:
        """After this the name is on the disk, too. Raises UsageError if the disk fails; the archive has its name by then."""
        try:
            folder = os.open(self._target.parent, os.O_RDONLY)
        except OSError as error:  # a folder may be written to without being readable
            self._warn_of("its name", error)
            return
        try:
            self._make_durable(folder, "its name")
        except OSError as error:
            raise UsageError(
                f"{self.path}: is complete, but the disk failed as its folder was written: {error.strerror}; test it"
            ) from error
        finally:
            os.close(folder)

    def _warn_of(self, what: str, error: OSError) -> None:
        if not self.warnings:
            self.warnings.append(
                f"{self.path} is complete, but this file system does not say whether {what} is on the disk already ({error.strerror}): "
                "do not cut the power or pull the disk at once"
            )

    def _take_over_mode(self) -> None:
        """Mode and owner of the archive that is replaced. Raises OSError only if it cannot be looked at."""
        if not self._force or not hasattr(os, "fchown"):
            return
        try:
            old = os.stat(self._target)
        except FileNotFoundError:
            return
        with contextlib.suppress(OSError):  # only root can give files away
            os.fchown(self._fd, old.st_uid, old.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(self._fd, stat.S_IMODE(old.st_mode))

    def _mention_leftovers(self) -> None:
        prefix = os.fsdecode(partial_prefix(os.fsencode(self._target.name)))
        with contextlib.suppress(OSError):
            spelt = re.compile(re.escape(prefix) + "[0-9a-f]{8}")
            left = sorted(name for name in os.listdir(self._target.parent) if spelt.fullmatch(name))
            left = [name for name in left if name not in self._stuck | {self.partial.name} and _is_unfinished(self._target.with_name(name))]
            if left:
                self.warnings.append(
                    f"{len(left):,} unfinished archives lie beside {self.path}, first {left[0]}: "
                    "remove them if no other photoarc is writing there"
                )

    def _refused(self, what: str, error: OSError) -> UsageError:
        return UsageError(f"{self.path}: {what} the archive: {explained(error)}")


def unfinished_like(path: Path, archive_id: bytes) -> list[Path]:
    """What earlier runs left beside an archive that was to get this name and id, whole or not, and no process is writing to any more."""
    prefix = os.fsdecode(partial_prefix(os.fsencode(path.name)))
    spelt = re.compile(re.escape(prefix) + "[0-9a-f]{8}")
    try:
        names = sorted(name for name in os.listdir(path.parent) if spelt.fullmatch(name))
    except OSError:
        return []
    return [path.with_name(name) for name in names if _is_abandoned(path.with_name(name), archive_id)]


def _is_abandoned(path: Path, archive_id: bytes) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as file:
            header = parse_file_header(file.read(FILE_HEADER_BYTES))
            return header.archive_id == archive_id and locking.is_free(file.fileno())
    except (OSError, FormatError):
        return False


def _is_unfinished(path: Path) -> bool:
    """Whether it begins as an archive (or is empty) and does not end as one: a photograph may be called so, and a complete archive, too."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as file:
            head = file.read(len(FILE_MAGIC))
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(size_bytes - FOOTER_BYTES, 0))
            ends = parse_footer(file.read()).archive_bytes == size_bytes
    except FormatError:
        ends = False
    except OSError:
        return False
    return not ends and head == FILE_MAGIC[: len(head)]


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
        try:
            os.replace(partial, path)
        except BaseException:
            os.unlink(path)  # the reserved name, which is empty
            raise
