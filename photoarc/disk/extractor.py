"""Members -> files below a destination folder, and never anywhere else.

Every folder on the way is opened relative to the one above it, without following links (photoarc.disk.folders), so neither a name nor a
link that lies in wait can lead out. A file is written under a temporary name beside its own and renamed when it is whole; symbolic
links are made last, folder times and modes at the very end. Contents come first: a mode, a date that the destination refuses is counted.
"""

from __future__ import annotations

import errno
import functools
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from photoarc.disk import attributes, origin
from photoarc.disk.attributes import Lost
from photoarc.disk.folders import NEW_FILE, REFUSED, SPECIAL, USE_DIR_FD, Folder, leftovers, refuse_leaving, temporary_name, why_refused
from photoarc.disk.originals import is_original
from photoarc.disk.standing import why_left
from photoarc.disk.taken import Parts, Taken
from photoarc.disk.targets import numbered
from photoarc.errors import REPLACE, CannotWrite, MemberError, NoRoom, UsageError, explained
from photoarc.member import Kind, Member
from photoarc.names import display, safe_parts
from photoarc.options import Existing

_MODE = 0o777  # the others are not restored: an archive must not plant them
_SET_BITS = "set-user-id, set-group-id and sticky bits"
_ELSEWHERE = "extract somewhere else"
_MARKS = "the archive's marks of the web"
_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.ENODEV, errno.ENOTCONN)  # full, read-only, gone


class Extractor:
    """Writes members below `dest`, which is made if it is missing; a context manager, or call `finish` (or `close`) at the end.

    A member that cannot be written raises MemberError (UnsafeName, CannotWrite), and the others go on; NoRoom: they would fare no better.
    `force` replaces files and links, never anything else and never the file `keep`. Where the destination takes two names of the archive
    for one (case, accents), the second file gets another; `renamed` has the printable pairs.
    `mark`: photoarc.disk.origin's.
    """

    def __init__(
        self, dest: Path, force: bool, *, keep: str | os.PathLike[str] | None = None, use_dir_fd: bool = USE_DIR_FD, mark: bytes = b""
    ) -> None:
        self.dest, self._force, self._mark = dest, force, mark
        try:
            os.makedirs(dest, exist_ok=True)
            self._root = Folder.open(os.fsencode(os.path.abspath(dest)), use_dir_fd)
        except OSError as error:
            raise UsageError(f"{dest}: cannot extract here: {error.strerror}; choose another folder") from error
        self._keep = os.stat(keep) if keep and os.path.exists(keep) else None
        self._parent: tuple[Parts, Folder] | None = None  # the last one used: archives are sorted
        self._links: list[tuple[Member, Parts]] = []
        self._folders: list[tuple[Member, Parts]] = []
        self._taken = Taken(self._root.path)
        self._visited = {b""}
        self.lost: dict[str, Lost] = {}  # by photoarc.disk.attributes' words
        self.renamed: list[tuple[str, str]] = []

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def spare(self, names: Iterable[bytes]) -> None:
        """These are names of members, chosen or not: what bears them is never called left over."""
        for name in names:
            self._taken.ask(name)

    def standing(self, member: Member, target: bytes, existing: Existing, as_format: str | None) -> str:
        """Why what stands under a name is left there (photoarc.disk.standing), "" if the member is to be written; asked before decoding.

        Raises UnsafeName or CannotWrite if it could not, or must not, be written there.
        """
        path = os.path.join(self._root.path, *(parts := safe_parts(target)))
        self._taken.ask(target)
        if not os.path.lexists(path) or self._taken.may_have(target):
            return ""
        info = os.lstat(path)
        if left := why_left(path, info, member, existing, as_format):
            self._taken.add(parts, info)
            return left
        self._refuse(display(target), info)
        if is_original(path, member):
            raise CannotWrite(display(target), f"the original is in {self.dest}, and its lossy copy does not replace it; {_ELSEWHERE}")
        return ""

    def file(self, member: Member, write_into: Callable[[BinaryIO], None], name: bytes | None = None) -> bytes:
        """Write one file; `write_into` gets it open for binary writing and may raise: then nothing is left behind.

        `name` replaces the member's own (another extension). Mode and time are set before the file gets its name. Returns the name that
        it got.
        """
        shown, parts = self._begin(member, name)
        with self._wrapped(shown, parts):
            folder = self._open_parent(parts[:-1])
            wanted, parts = parts, self._free(shown, folder, parts)
            fd, temporary = folder.create(member.mode & _MODE | 0o600)
            try:
                lost = self._fill(member, folder, fd, temporary, write_into)
            except BaseException:
                folder.remove(temporary)
                raise
            with self._kept_if_alone(shown, folder, temporary, parts):
                lost = self._name(member, folder, temporary, parts[-1]) or lost
            self._lose(member, lost)
            self._remember(folder, wanted, parts)
        return b"/".join(parts)

    def hard_link(self, member: Member, name: bytes, first: bytes) -> bytes:
        """Give a file that this extractor has written, `first`, a further name, and return that.

        Raises MemberError, also where the system has no links.
        """
        shown, parts = self._begin(member, name)
        with self._wrapped(shown, parts):
            written = self._open_parent(safe_parts(first)[:-1])
            fd = None if written.fd is None else os.dup(written.fd)  # opening the other folder closes this one
            try:
                folder = self._open_parent(parts[:-1])
                wanted, parts = parts, self._free(shown, folder, parts)
                temporary = temporary_name()
                source = written.at(safe_parts(first)[-1])
                follow = os.link not in os.supports_follow_symlinks  # Windows cannot be told
                os.link(source, folder.at(temporary), src_dir_fd=fd, dst_dir_fd=folder.fd, follow_symlinks=follow)
                try:
                    folder.rename(temporary, parts[-1], self._force)
                finally:
                    folder.remove(temporary)  # renaming over another name of the same file does nothing
            finally:
                if fd is not None:
                    os.close(fd)
            self._remember(folder, wanted, parts)
        return b"/".join(parts)

    def directory(self, member: Member) -> None:
        """Make one folder (one that exists is kept); its mode and time follow in `finish`, when its contents are there."""
        shown, parts = self._begin(member)
        with self._wrapped(shown, parts):
            self._open_parent(parts, member.mode & _MODE | 0o700)
        self._folders.append((member, parts))

    def symlink(self, member: Member) -> None:
        """Check one symbolic link; it is made in `finish`, so that no member can be written through it."""
        shown, parts = self._begin(member)
        refuse_leaving(shown, parts, member.link_target)
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
                with self._wrapped(member.display_name, parts):
                    self._lose(member, self._dress(member, self._open_parent(parts).itself))
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

    def unfinished(self) -> list[str]:
        """Printable paths of temporary files in the folders that were written to: an earlier run was killed, or another one is going on.

        No member that this run saw is among them, however it is called, nor what this run could not remove.
        """
        root = self._root.path
        found = [os.path.join(place, name) for place in sorted(self._visited) for name in leftovers(os.path.join(root, place))]
        return [display(name) for name in found if self._taken.is_left_over(name) and os.path.join(root, name) not in self._root.stuck]

    def stuck(self) -> list[str]:
        """Printable paths of temporary files of this run that could not be removed."""
        return [display(os.path.relpath(path, self._root.path)) for path in sorted(self._root.stuck)]

    def _begin(self, member: Member, name: bytes | None = None) -> tuple[str, Parts]:
        """Printable name and safe components; raises UnsafeName or UnsupportedCodec."""
        self._taken.ask(member.name)
        member.refuse_unknown()
        final = member.name if name is None else name
        self._taken.ask(final)
        return display(final), safe_parts(final)

    def _make_link(self, member: Member, parts: Parts) -> None:
        with self._wrapped(member.display_name, parts):
            folder = self._open_parent(parts[:-1])
            wanted, parts = parts, self._free(member.display_name, folder, parts)
            temporary = temporary_name()
            try:
                os.symlink(member.link_target, folder.at(temporary), dir_fd=folder.fd)
            except OSError as error:
                if error.errno not in REFUSED:
                    raise
                raise CannotWrite(
                    member.display_name,
                    f"is a symbolic link, none can be made in {self.dest}: {error.strerror}; extract somewhere else",
                ) from error
            folder.name_link(temporary, parts[-1], member.link_target, self._force)
            self._lose(member, attributes.date_link(folder.at(parts[-1]), folder.fd, member.mtime_ns))
            self._remember(folder, wanted, parts)

    def _fill(self, member: Member, folder: Folder, fd: int, name: bytes, write_into: Callable[[BinaryIO], None]) -> dict[str, str]:
        """Contents, then everything else, of a file that is open for writing; closes it. Returns what could not be restored."""
        with os.fdopen(fd, "wb") as file:
            write_into(file)
            file.flush()
            if folder.fd is not None:
                return self._dress(member, fd)
        return self._dress(member, folder.at(name))

    @contextmanager
    def _kept_if_alone(self, shown: str, folder: Folder, temporary: bytes, parts: Parts) -> Iterator[None]:
        """Whatever happens inside, the file under its temporary name is removed, unless it replaces one that is gone by then."""
        stood = self._force and folder.lstat(parts[-1]) is not None
        try:
            yield
        except BaseException as error:
            half = os.path.join(folder.path, parts[-1]) in folder.stuck  # written once more, in part, and not to be removed
            if not stood or (folder.lstat(parts[-1]) is not None and not half):
                folder.remove(temporary)
                raise
            whole = os.path.join(*parts[:-1], temporary)
            self._taken.ask(whole)
            if not isinstance(error, OSError):
                raise
            kind = NoRoom if error.errno in _NO_ROOM else CannotWrite
            raise kind(
                shown, f"cannot get its name in {self.dest}: {explained(error)}. It is whole and lies there as {display(whole)}: rename it"
            ) from error

    def _name(self, member: Member, folder: Folder, temporary: bytes, final: bytes) -> dict[str, str] | None:
        """Give a whole file its name in one step; where neither link nor rename is allowed, write it once more under that name.

        Then returns what could not be restored.
        """
        try:
            folder.rename(temporary, final, self._force)
        except OSError as error:
            if error.errno not in REFUSED or folder.lstat(final) is not None:
                raise
            fd = os.open(folder.at(final), NEW_FILE, member.mode & _MODE | 0o600, dir_fd=folder.fd)
            try:
                with os.fdopen(os.open(folder.at(temporary), os.O_RDONLY, dir_fd=folder.fd), "rb") as whole:
                    lost = self._fill(member, folder, fd, final, functools.partial(shutil.copyfileobj, whole))
            except BaseException:
                folder.remove(final)
                raise
            folder.remove(temporary)
            return lost
        return None

    def _dress(self, member: Member, what: int | bytes) -> dict[str, str]:
        withheld = {_SET_BITS: "an archive must not plant them"} if member.mode & ~_MODE else {}
        if self._mark and isinstance(what, bytes) and member.kind is Kind.FILE and not origin.set_mark(what, self._mark):
            withheld[_MARKS] = "this file system has no place for them"  # tried before a mode forbids it, and a time is set
        return withheld | attributes.restore(what, member.mode & _MODE, member.mtime_ns, member.birth_ns, member.attributes)

    def _lose(self, member: Member, lost: dict[str, str]) -> None:
        for what, why in lost.items():
            self.lost.setdefault(what, Lost()).add(member.display_name, why)

    def _open_parent(self, parts: Parts, mode: int = 0o777) -> Folder:
        """Folder of these components, made where missing, the last one with `mode`. Raises OSError."""
        if not parts:
            return self._root
        if self._parent is not None and self._parent[0] == parts:
            return self._parent[1]
        folder = self._root
        for depth, part in enumerate(parts, 1):
            try:
                below = folder.enter(part, mode=mode if depth == len(parts) else 0o777)
            finally:
                if folder is not self._root:
                    folder.close()
            folder = below
        if folder.fd is not None:  # a path must be checked again each time
            if self._parent is not None:
                self._parent[1].close()
            self._parent = (parts, folder)
        if (name := b"/".join(parts)) not in self._visited:
            self._visited.add(name)
            self._taken.add(parts, None)
        return folder

    def _remember(self, folder: Folder, wanted: Parts, parts: Parts) -> None:
        self._taken.add(parts, folder.lstat(parts[-1]))
        if wanted != parts:
            self.renamed.append((display(b"/".join(wanted)), display(b"/".join(parts))))

    def _free(self, shown: str, folder: Folder, parts: Parts) -> Parts:
        """The name, or another one if this run has written a file that the file system gives for it. Raises CannotWrite."""
        info = folder.lstat(parts[-1])
        if info is None:
            return parts
        if not self._taken.has(parts, info):
            self._refuse(shown, info)
            return parts
        for number in range(2, 1000):
            name = numbered(b"/".join(parts), number)
            other = tuple(name.split(b"/"))
            info = folder.lstat(other[-1])
            if info is None or (self._force and stat.S_ISREG(info.st_mode) and not self._taken.has(other, info)):
                return other
        raise self._exists(shown)

    def _refuse(self, shown: str, info: os.stat_result) -> None:
        """Raises CannotWrite unless what exists may be replaced."""
        if stat.S_ISDIR(info.st_mode):
            raise CannotWrite(shown, f"a folder of this name exists in {self.dest}; extract somewhere else")
        if not stat.S_ISREG(info.st_mode) and not stat.S_ISLNK(info.st_mode):
            what = SPECIAL.get(stat.S_IFMT(info.st_mode), "special file")
            raise CannotWrite(shown, f"a {what} of this name exists in {self.dest} and is never replaced; extract somewhere else")
        if self._keep is not None and (info.st_dev, info.st_ino) == (self._keep.st_dev, self._keep.st_ino):
            raise CannotWrite(shown, "it would replace the archive that it comes from; extract somewhere else")
        if not self._force:
            raise self._exists(shown)

    def _exists(self, shown: str) -> CannotWrite:
        return CannotWrite(shown, f"exists already in {self.dest}; {REPLACE}, or unpack into another folder")

    @contextmanager
    def _wrapped(self, shown: str, parts: Parts) -> Iterator[None]:
        """Turns what the system refuses into CannotWrite."""
        try:
            yield
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise self._exists(shown) from error
            if error.errno in _NO_ROOM:
                raise NoRoom(shown, f"cannot be written in {self.dest}: {explained(error)}") from error
            raise CannotWrite(shown, why_refused(error, self.dest, b"".join(parts))) from error
