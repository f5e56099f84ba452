"""Deleting what was packed: the last step of `pack --delete-after-verify`. Any doubt, and a file stays.

    archive read back from the disk -> every member decoded -> files compared with its digests -> (the user is asked) -> compared again,
    deleted one by one

Only regular files go; folders, links and everything that is not in the archive byte for byte stay where they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc.archive import open_archive
from photoarc.disk.reading import in_parts
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, UnreadableSource, explained
from photoarc.jobs import test
from photoarc.jobs.verify import difference
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.progress import Callback, Failure, failure, silent


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be deleted, each file with its member. With `doubts` nothing may."""

    files: tuple[tuple[SourceFile, Member], ...]
    lossy_kept: int
    doubts: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Size of the files that may be deleted."""
        return sum(member.size_bytes for _, member in self.files)


@dataclass(frozen=True, slots=True)
class DeleteSummary:
    """What was deleted; with `doubts` nothing was. `lossy_kept` files stay, as the archive holds near-identical pictures of them only."""

    deleted: int
    size_bytes: int
    lossy_kept: int
    doubts: tuple[str, ...]
    failures: tuple[Failure, ...]


def plan(
    sources: Sequence[str | Path],
    archive_path: str | Path,
    excludes: Sequence[str] = (),
    *,
    lossy_too: bool = False,
    jobs: int | None = None,
    memory_bytes: int | None = None,
    progress: Callback = silent,
) -> Plan:
    """Reads the finished archive back, decodes every member, and compares the sources with it.

    One damaged member, one file that differs or cannot be read is a doubt about the whole. Raises FormatError, UsageError.
    """
    doubts = _forget_cached(archive_path)
    checked = test.test(archive_path, jobs, progress, memory_bytes)
    doubts += [f"{failed.name}: {failed.reason}" for failed in checked.failures] + list(checked.warnings)
    files: list[tuple[SourceFile, Member]] = []
    lossy_kept = 0
    with open_archive(archive_path) as archive:
        members = {member.name: member for member in archive.members}
        found, errors = scan(sources, excludes=excludes, skip=(Path(archive_path),))
        doubts += map(str, errors)
        for file in found:
            member = members.get(file.name)
            try:
                if member is None:
                    doubts.append(f"{display(file.name)}: is not in the archive")
                elif why := difference(file, member):
                    doubts.append(f"{member.display_name}: {why}")
                elif file.kind is not Kind.FILE:
                    continue
                elif member.lossy and not lossy_too:
                    lossy_kept += 1
                else:
                    files.append((file, member))
            except MemberError as error:
                doubts.append(str(error))
    return Plan(() if doubts else tuple(files), lossy_kept, tuple(doubts))


def declined(todo: Plan) -> Plan:
    """The plan of a user who says no."""
    return Plan((), todo.lossy_kept, ())


def carry_out(todo: Plan) -> DeleteSummary:
    """Deletes the files of a plan, each compared once more directly before. What changed meanwhile stays and is a failure."""
    deleted = size_bytes = 0
    failures = []
    for file, member in todo.files if not todo.doubts else ():
        try:
            _delete(file, member)
        except MemberError as error:
            failures.append(failure(error))
        else:
            deleted += 1
            size_bytes += member.size_bytes
    return DeleteSummary(deleted, size_bytes, todo.lossy_kept, todo.doubts, tuple(failures))


def _delete(file: SourceFile, member: Member) -> None:
    """Removes the very file that was compared: the name must still lead to it when it goes. Raises UnreadableSource."""
    name = member.display_name
    with in_parts(file) as opened:
        if opened.digest != member.digest or opened.stamp.size_bytes != member.size_bytes:
            raise UnreadableSource(name, "it is not what was packed any more; it was not deleted")
        before = os.fstat(opened.file.fileno())
        if os.name == "nt":  # an open file cannot be deleted there
            opened.file.close()
        try:
            now = os.lstat(file.path)
            same = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
                before.st_dev,
                before.st_ino,
                before.st_size,
                before.st_mtime_ns,
            )
            if not same or not stat.S_ISREG(now.st_mode):
                raise UnreadableSource(name, "it was replaced while it was compared; it was not deleted")
            os.unlink(file.path)
        except OSError as error:
            raise UnreadableSource(name, f"cannot be deleted: {explained(error)}") from error


def _forget_cached(archive_path: str | Path) -> list[str]:
    """Asks the system to read the archive from the disk and not from its memory. Returns doubts whether it is there."""
    doubts = []
    if hasattr(os, "posix_fadvise"):
        fd = os.open(archive_path, os.O_RDONLY)
        try:
            os.fsync(fd)  # done before, but some file systems refuse
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            doubts.append(f"{archive_path}: this file system does not say whether the archive is on the disk ({error.strerror})")
        finally:
            os.close(fd)
    return doubts
