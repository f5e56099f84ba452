"""One open folder below a destination: every call names one entry in it, relative to a descriptor that no link can have led astray.

Where the system has no `dir_fd` (Windows), paths are checked component by component instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from photoarc.errors import UnsafeName, explained
from photoarc.names import display

SPECIAL = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device"}

NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
USE_DIR_FD = {os.open, os.mkdir, os.unlink, os.rename, os.stat} <= os.supports_dir_fd and os.utime in os.supports_fd
_FOLDER = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
# What file systems say that know no link, or no rename: FAT, FUSE, shares.
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EXDEV, errno.EMLINK)
_BAD_NAME = (errno.EINVAL, errno.EILSEQ, errno.ENOENT)
_ODD = frozenset(b'<>:"|?*\\') | frozenset(range(32))  # in names: what exFAT and Windows refuse
_TEMPORARY = re.compile(rb"\.photoarc-[0-9a-f]{16}")


class Folder:
    """An open folder: a descriptor, or only a path where there are no descriptors of folders."""

    def __init__(self, path: bytes, fd: int | None, *, readable: bool = True, stuck: set[bytes] | None = None) -> None:
        self.path, self.fd, self._readable = path, fd, readable
        self.stuck: set[bytes] = set() if stuck is None else stuck  # paths that could not be removed, here and in all folders entered

    @classmethod
    def open(cls, path: bytes, use_dir_fd: bool) -> Folder:
        """The destination itself; links in its own path are the user's and are followed."""
        if not use_dir_fd:
            return cls(path, None)
        fd, readable = _open(path, getattr(os, "O_DIRECTORY", 0), None)
        return cls(path, fd, readable=readable)

    def at(self, part: bytes) -> bytes:
        """What to hand to a system call together with dir_fd=self.fd."""
        return part if self.fd is not None else os.path.join(self.path, part)

    @property
    def itself(self) -> int | bytes:
        """What to hand to a system call that sets the folder's own mode and times."""
        if self.fd is None:
            return self.path
        return self.fd if self._readable else b"/proc/self/fd/%d" % self.fd  # fchmod refuses descriptors that only lead through

    def lstat(self, part: bytes) -> os.stat_result | None:
        """None: there is no such entry."""
        try:
            return os.stat(self.at(part), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def enter(self, part: bytes, *, mode: int = 0o777) -> Folder:
        """Folder one level below, made with `mode` if it is missing; raises OSError, ENOTDIR or ELOOP when something else is there."""
        try:
            return self._enter(part)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.at(part), mode, dir_fd=self.fd)
            return self._enter(part)

    def _enter(self, part: bytes) -> Folder:
        path = os.path.join(self.path, part)
        if self.fd is not None:
            fd, readable = _open(part, _FOLDER, self.fd)
            return Folder(path, fd, readable=readable, stuck=self.stuck)
        info = os.lstat(path)
        reparse = getattr(info, "st_file_attributes", 0) & 0x400  # junctions are not symbolic links to `stat`
        if not stat.S_ISDIR(info.st_mode) or reparse:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return Folder(path, None, stuck=self.stuck)

    def create(self, mode: int) -> tuple[int, bytes]:
        """A new file under a name that nobody else uses: a killed process may have had our process id. Returns descriptor and name."""
        while True:
            temporary = temporary_name()
            with contextlib.suppress(FileExistsError):
                return os.open(self.at(temporary), NEW_FILE, mode, dir_fd=self.fd), temporary

    def rename(self, temporary: bytes, final: bytes, force: bool) -> None:
        """Give a finished entry its name; raises FileExistsError without `force`.

        With it, where a rename is refused, what has the name is removed first: if an error follows, only the finished entry is there.
        """
        if force:
            try:
                os.replace(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd)
                return
            except OSError as error:
                if error.errno not in REFUSED or self.lstat(final) is None:
                    raise
                os.unlink(self.at(final), dir_fd=self.fd)
        try:
            os.link(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # a file system without hard links
            if self.lstat(final) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd)
            return
        self.remove(temporary)

    def name_link(self, temporary: bytes, final: bytes, target: bytes, force: bool) -> None:
        """The same for a symbolic link to `target`, which is made once more under its name where neither link nor rename is allowed."""
        try:
            self.rename(temporary, final, force)
        except BaseException as error:
            self.remove(temporary)
            if not isinstance(error, OSError) or error.errno not in REFUSED or self.lstat(final) is not None:
                raise
            os.symlink(target, self.at(final), dir_fd=self.fd)

    def remove(self, part: bytes) -> None:
        """Take a temporary name away. Where that is refused it stays, which is said at the end of the run (`stuck`)."""
        try:
            os.unlink(self.at(part), dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError:
            self.stuck.add(os.path.join(self.path, part))

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def temporary_name() -> bytes:
    """A name that nobody else uses."""
    return b".photoarc-" + os.urandom(8).hex().encode()


def looks_temporary(name: bytes) -> bool:
    """Whether a name is spelt as temporary ones are. A photographer's file may be called so, too."""
    return _TEMPORARY.fullmatch(name) is not None


def leftovers(folder: bytes) -> list[bytes]:
    """Names in a folder that look temporary: of runs that were killed, or are going on. Empty if it cannot be listed."""
    try:
        return sorted(filter(looks_temporary, os.listdir(folder)))
    except OSError:
        return []


def why_refused(error: OSError, dest: Path, name: bytes) -> str:
    """One sentence: why a member of this name cannot be written below `dest`."""
    said = error.strerror or str(error)
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"a folder of its path is a file or a symbolic link in {dest}; links are not followed, extract somewhere else"
    if error.errno in _BAD_NAME and (odd := _ODD.intersection(name)):
        return f"{dest} takes no names with {display(bytes(sorted(odd)))} ({said}); extract to another file system"
    return f"cannot be written in {dest}: {explained(error)}"


def refuse_leaving(shown: str, parts: tuple[bytes, ...], target: bytes) -> None:
    """A link may climb only by leading `..`, and not above the destination.

    `a/../..` is refused even where it stays inside by the letters: if `a` is itself a link, `..` starts from where `a` points to.
    A leading `..` starts from the link's folder, which is a real one, so this holds by induction over links to links.
    """
    steps = [step for step in target.split(b"/") if step not in (b"", b".")]
    climbs = 0
    while climbs < len(steps) and steps[climbs] == b"..":
        climbs += 1
    absolute = target.startswith(b"/") or (os.name == "nt" and (b":" in target or b"\\" in target))
    if not target or b"\0" in target:
        raise UnsafeName(shown, "the symbolic link has an empty target or one with a NUL byte")
    if absolute or climbs > len(parts) - 1 or b".." in steps[climbs:]:
        raise UnsafeName(
            shown,
            f"the symbolic link points to {display(target)}, which may leave the destination; it was not made, make it by hand if wanted",
        )


def _open(path: bytes, flags: int, dir_fd: int | None) -> tuple[int, bool]:
    """Descriptor of a folder, and whether it can be listed; one that can be written to may not be readable. Raises OSError."""
    try:
        return os.open(path, os.O_RDONLY | flags, dir_fd=dir_fd), True
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        return os.open(path, os.O_PATH | flags, dir_fd=dir_fd), False
