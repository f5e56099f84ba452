"""Members -> files below a destination folder, and never anywhere else.

Every folder on the way is opened relative to the one above it, without following links (`dir_fd`, O_NOFOLLOW), so neither a name
nor a link that lies in wait can lead out. A file is written under a temporary name beside its own and renamed when it is whole;
symbolic links are made last, folder times and modes at the very end. Where the system has no `dir_fd` (Windows), paths are
checked component by component instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from photoarc import attributes
from photoarc.errors import CannotWrite, MemberError, UnsafeName, UnsupportedCodec, UsageError
from photoarc.names import display, safe_parts
from photoarc.records import Member

_MODE = 0o777  # set-user-id, set-group-id and sticky bits are not restored: an archive must not plant them
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
USE_DIR_FD = {os.open, os.mkdir, os.unlink, os.rename, os.stat} <= os.supports_dir_fd and os.utime in os.supports_fd


class _Folder:
    """An open folder: a descriptor, or only a path where there are no descriptors of folders."""

    def __init__(self, path: bytes, fd: int | None) -> None:
        self.path, self.fd = path, fd

    @classmethod
    def open(cls, path: bytes, use_dir_fd: bool) -> _Folder:
        """The destination itself; links in its own path are the user's and are followed."""
        return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY) if use_dir_fd else None)

    def at(self, part: bytes) -> bytes:
        """What to hand to a system call together with dir_fd=self.fd."""
        return part if self.fd is not None else os.path.join(self.path, part)

    def lstat(self, part: bytes) -> os.stat_result | None:
        """None: there is no such entry."""
        try:
            return os.stat(self.at(part), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def enter(self, part: bytes, *, create: bool = True) -> _Folder:
        """Folder one level below; raises OSError, ENOTDIR or ELOOP when something else is there."""
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.at(part), 0o777, dir_fd=self.fd)
        if self.fd is not None:
            return _Folder(os.path.join(self.path, part), os.open(part, _FOLDER, dir_fd=self.fd))
        info = self.lstat(part)
        reparse = getattr(info, "st_file_attributes", 0) & 0x400  # junctions are not symbolic links to `stat`
        if info is None or not stat.S_ISDIR(info.st_mode) or reparse:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return _Folder(self.at(part), None)

    def rename(self, temporary: bytes, final: bytes, force: bool) -> None:
        """Give a finished entry its name; raises FileExistsError without `force`."""
        if force:
            os.replace(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd)
            return
        try:
            os.link(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # a file system without hard links
            if self.lstat(final) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(self.at(temporary), self.at(final), src_dir_fd=self.fd, dst_dir_fd=self.fd)
            return
        os.unlink(self.at(temporary), dir_fd=self.fd)

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class Extractor:
    """Writes members below `dest`, which is made if it is missing; a context manager, or call `finish` (or `close`) at the end.

    A member that cannot be written raises MemberError (UnsafeName, CannotWrite), and the others go on.
    """

    def __init__(self, dest: Path, force: bool, *, use_dir_fd: bool = USE_DIR_FD) -> None:
        self.dest, self._force = dest, force
        try:
            os.makedirs(dest, exist_ok=True)
            self._root = _Folder.open(os.fsencode(os.path.abspath(dest)), use_dir_fd)
        except OSError as error:
            raise UsageError(f"{dest}: cannot extract here: {error.strerror}; choose another folder") from error
        self._parent: tuple[tuple[bytes, ...], _Folder] | None = None  # the last one used: archives are sorted
        self._links: list[tuple[Member, tuple[bytes, ...]]] = []
        self._folders: list[tuple[Member, tuple[bytes, ...]]] = []
        self._count = self.births_lost = 0
        self.attributes_lost: list[tuple[str, str]] = []  # printable name, why not all of them could be set

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def file(self, member: Member, write_into: Callable[[BinaryIO], None], name: bytes | None = None) -> None:
        """Write one file; `write_into` gets it open for binary writing and may raise: then nothing is left behind.

        `name` replaces the member's own (another extension). Mode and time are set before the file gets its name.
        """
        shown, parts = _begin(member, name)
        with self._wrapped(shown):
            folder = self._open_parent(parts[:-1])
            self._refuse_existing(shown, folder, parts[-1])
            temporary = self._temporary()
            fd = os.open(folder.at(temporary), _NEW_FILE, 0o600, dir_fd=folder.fd)
            try:
                with os.fdopen(fd, "wb") as file:
                    write_into(file)
                    file.flush()
                    if folder.fd is not None:
                        self._dress(member, fd)
                if folder.fd is None:
                    self._dress(member, folder.at(temporary))
                folder.rename(temporary, parts[-1], self._force)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(folder.at(temporary), dir_fd=folder.fd)
                raise

    def hard_link(self, member: Member, name: bytes, first: bytes) -> None:
        """Give a file that this extractor has written, `first`, a further name. Raises MemberError, also where the system has no links."""
        shown, parts = _begin(member, name)
        with self._wrapped(shown):
            written = self._open_parent(safe_parts(first)[:-1])
            fd = None if written.fd is None else os.dup(written.fd)  # opening the other folder closes this one
            try:
                folder = self._open_parent(parts[:-1])
                self._refuse_existing(shown, folder, parts[-1])
                temporary = self._temporary()
                source = written.at(safe_parts(first)[-1])
                follow = os.link not in os.supports_follow_symlinks  # Windows cannot be told
                os.link(source, folder.at(temporary), src_dir_fd=fd, dst_dir_fd=folder.fd, follow_symlinks=follow)
                try:
                    folder.rename(temporary, parts[-1], self._force)
                finally:
                    with contextlib.suppress(OSError):  # renaming over another name of the same file does nothing
                        os.unlink(folder.at(temporary), dir_fd=folder.fd)
            finally:
                if fd is not None:
                    os.close(fd)

    def directory(self, member: Member) -> None:
        """Make one folder (one that exists is kept); its mode and time follow in `finish`, when its contents are there."""
        shown, parts = _begin(member)
        with self._wrapped(shown):
            self._open_parent(parts)
        self._folders.append((member, parts))

    def symlink(self, member: Member) -> None:
        """Check one symbolic link; it is made in `finish`, so that no member can be written through it."""
        shown, parts = _begin(member)
        _refuse_leaving(shown, parts, member.link_target)
        self._links.append((member, parts))

    def finish(self) -> list[MemberError]:
        """Make the links, then set times and modes of folders, the deepest first. Returns what failed; the rest was done."""
        errors: list[MemberError] = []
        for member, parts in self._links:
            try:
                self._make_link(member, parts)
            except MemberError as error:
                errors.append(error)
        for member, parts in sorted(self._folders, key=lambda item: len(item[1]), reverse=True):
            try:
                self._finish_folder(member, parts)
            except MemberError as error:
                errors.append(error)
        self.close()
        return errors

    def close(self) -> None:
        """Close the descriptors; `finish` does it too."""
        if self._parent is not None:
            self._parent[1].close()
            self._parent = None
        self._root.close()

    def _make_link(self, member: Member, parts: tuple[bytes, ...]) -> None:
        with self._wrapped(member.display_name):
            folder = self._open_parent(parts[:-1])
            self._refuse_existing(member.display_name, folder, parts[-1])
            temporary = self._temporary()
            os.symlink(member.link_target, folder.at(temporary), dir_fd=folder.fd)
            try:
                if os.utime in os.supports_follow_symlinks:
                    os.utime(folder.at(temporary), ns=(member.mtime_ns, member.mtime_ns), dir_fd=folder.fd, follow_symlinks=False)
                folder.rename(temporary, parts[-1], self._force)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(folder.at(temporary), dir_fd=folder.fd)
                raise

    def _finish_folder(self, member: Member, parts: tuple[bytes, ...]) -> None:
        with self._wrapped(member.display_name):
            folder = self._open_parent(parts)
            what: int | bytes = folder.path if folder.fd is None else folder.fd
            self._dress(member, what)

    def _dress(self, member: Member, what: int | bytes) -> None:
        """Extended attributes first, which a mode may forbid to set, times last. What cannot be set is counted; a mode and time must be."""
        if why := attributes.write(what, member.attributes):
            self.attributes_lost.append((member.display_name, why))
        os.chmod(what, member.mode & _MODE)
        self.births_lost += not attributes.set_times(what, member.mtime_ns, member.birth_ns)

    def _open_parent(self, parts: tuple[bytes, ...]) -> _Folder:
        """Folder of these components, made where missing. Raises OSError."""
        if not parts:
            return self._root
        if self._parent is not None and self._parent[0] == parts:
            return self._parent[1]
        folder = self._root
        for part in parts:
            try:
                below = folder.enter(part)
            finally:
                if folder is not self._root:
                    folder.close()
            folder = below
        if folder.fd is not None:  # a path must be checked again each time
            if self._parent is not None:
                self._parent[1].close()
            self._parent = (parts, folder)
        return folder

    def _refuse_existing(self, shown: str, folder: _Folder, part: bytes) -> None:
        info = folder.lstat(part)
        if info is None:
            return
        if stat.S_ISDIR(info.st_mode):
            raise CannotWrite(shown, f"a folder of this name exists in {self.dest}; extract somewhere else")
        if not self._force:
            raise CannotWrite(shown, f"exists already in {self.dest}; overwrite with --force, or extract somewhere else")

    def _temporary(self) -> bytes:
        self._count += 1
        return b".photoarc-%x-%x" % (os.getpid(), self._count)

    @contextmanager
    def _wrapped(self, shown: str) -> Iterator[None]:
        """Turns what the system refuses into CannotWrite."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                why = f"a folder of its path is a file or a symbolic link in {self.dest}; links are not followed, extract somewhere else"
            elif isinstance(error, FileExistsError):
                why = f"exists already in {self.dest}; overwrite with --force, or extract somewhere else"
            else:
                why = f"cannot be written in {self.dest}: {error.strerror or error}; free some space or choose another folder"
            raise CannotWrite(shown, why) from error
        except OverflowError as error:
            raise CannotWrite(shown, "its date is beyond what this system can store") from error


def _begin(member: Member, name: bytes | None = None) -> tuple[str, tuple[bytes, ...]]:
    """Printable name and safe components; raises UnsafeName or UnsupportedCodec."""
    if member.needs_extension:
        raise UnsupportedCodec(
            member.display_name, f"its record needs extension {member.needs_extension:#06x}, unknown here; use a newer photoarc"
        )
    final = member.name if name is None else name
    return display(final), safe_parts(final)


def _refuse_leaving(shown: str, parts: tuple[bytes, ...], target: bytes) -> None:
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
