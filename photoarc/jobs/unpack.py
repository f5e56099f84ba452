"""Archive -> files, and the check of every member: decode in a crew of workers, write in order.

Archive.payload -> workers: pipeline.decode_payload -> Extractor (or nothing, for `test`)
stored members and those in blocks, folders, links: this process, members of several parts streamed part by part
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from photoarc.archive import open_archive
from photoarc.container.source import Place
from photoarc.disk import standing
from photoarc.disk.targets import targets
from photoarc.errors import CannotWrite, MemberError, NoRoom, UsageError
from photoarc.jobs import workers
from photoarc.jobs.decoding import Job, cost_bytes, crew_for, decode, foreseen, jobs_of, raise_failure
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.overview import damaged
from photoarc.jobs.room import Budget
from photoarc.jobs.selection import select
from photoarc.jobs.space import refuse_without_room
from photoarc.jobs.unpacked import LeftBehind, UnpackTally, no_photographs, remarks, renamed_by_format
from photoarc.member import Kind
from photoarc.options import Existing, UnpackOptions
from photoarc.progress import Callback, Failure, heard_by, silent

if TYPE_CHECKING:
    from photoarc.archive import Archive
    from photoarc.disk.extractor import Extractor

ARCHIVE_ENDING = ".pha"
REPLACING = (Existing.OVERWRITE, Existing.NEWER)  # what is left is known before anything is replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackSummary:
    """What `unpack` wrote; `photographs` counts the files that were coded lossily, `size_bytes` what was written.

    `remarks` say what the destination has no place for: no fault of the archive, which keeps it. `renamed` has printable names of members
    and on the disk, of those that could not have their own beside the others. `same` members were there already, in the place of `others`
    something else was, and was left.
    """

    archive: str
    destination: str
    files: int
    directories: int
    symlinks: int
    photographs: int
    size_bytes: int
    seconds: float
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    same: int = 0
    others: int = 0


def default_destination(archive_path: str | Path) -> Path:
    """Folder in the current one, named after the archive, that does not exist or is empty.

    What has this name is often what was packed: nothing is written into it, also with `force`.
    """
    name = Path(archive_path).name
    stem = name.removesuffix(ARCHIVE_ENDING)
    wanted = stem if stem and stem != name else f"{name}.unpacked"
    numbers = itertools.chain(["", "-unpacked"], (f"-unpacked-{number}" for number in itertools.count(2)))
    return next(folder for folder in (Path(wanted + number) for number in numbers) if _is_free(folder))


def _is_free(folder: Path) -> bool:
    try:
        return not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not os.listdir(folder))
    except OSError:  # may be full of anything
        return False


def unpack(
    place: Place, destination: str | os.PathLike[str], options: UnpackOptions | None = None, progress: Callback = silent
) -> UnpackSummary:
    """Writes the chosen members below `destination`. Members that fail are listed in the summary, the others are written.

    Raises FormatError (no archive), UsageError (a glob that matches nothing, a destination that is a file or has no room), PhotoarcError
    (no workers).
    """
    from photoarc.disk.extractor import Extractor

    started = time.monotonic()
    options = options or UnpackOptions()
    folder = Path(destination)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder to unpack into")
    with open_archive(place) as archive:
        members = select(archive.members, options.only, ignore_case=options.ignore_case)
        crew_size = crew_for(members, options.workers)
        tally = UnpackTally(members, progress, damaged(archive, options.only, ignore_case=options.ignore_case), crew_size)
        tally.remarks += no_photographs(members, options.as_format)
        names = targets(members, options.as_format)
        refuse_without_room(folder, members, names)
        budget = Budget(budget_bytes(options.memory_bytes), foreseen, tally.too_dear)
        left = LeftBehind()
        written: dict[bytes, tuple[bytes, bytes]] = {}
        with Extractor(folder, options.existing in REPLACING, keep=archive.path or None, mark=archive.mark) as extractor:
            extractor.spare(member.name for member in archive.members)
            jobs = left.seen(jobs_of(archive, members, names, extractor, options))
            crew = workers.run(decode, jobs, workers=crew_size, cost=cost_bytes, heard=tally.hear, budget=budget)
            with closing(crew) as outcomes:
                for outcome in outcomes:
                    if outcome.item.left:
                        tally.leave(outcome.item.member, outcome.item.left)
                        continue
                    try:
                        with heard_by(functools.partial(tally.hear, outcome.item)):
                            size_bytes = _extract(archive, extractor, outcome, written)
                        tally.add(outcome.item.member, size_bytes)
                    except MemberError as error:
                        tally.fail(outcome.item.member, error)
                        if isinstance(error, NoRoom):
                            break
            tally.take_back(extractor.finish(), members)
        done, renamed = tally.done, (*renamed_by_format(members, names, options.as_format), *extractor.renamed)
        return UnpackSummary(
            archive=archive.name,
            destination=str(folder),
            files=done[Kind.FILE],
            directories=done[Kind.DIRECTORY],
            symlinks=done[Kind.SYMLINK],
            photographs=tally.photographs,
            size_bytes=tally.size_bytes,
            seconds=round(time.monotonic() - started, 3),
            failures=tally.reported(len(members), folder),
            warnings=tuple(archive.warnings),
            same=tally.left[standing.SAME] + tally.left[standing.ORIGINAL],
            others=tally.left[standing.OTHER],
            remarks=(*tally.remarks, *left.remarks(options.as_format), *remarks(extractor, renamed)),
            renamed=renamed,
        )


def _extract(
    archive: Archive, extractor: Extractor, outcome: workers.Outcome[Job, bytes], written: dict[bytes, tuple[bytes, bytes]]
) -> int:
    """Writes one member, returns the bytes written. Raises MemberError.

    `written`, by member name, has digest and name on the disk of the files so far: what a hard link can lead to.
    """
    raise_failure(outcome)
    job, member = outcome.item, outcome.item.member
    if member.kind is Kind.DIRECTORY:
        extractor.directory(member)
        return 0
    if member.kind is Kind.SYMLINK:
        extractor.symlink(member)
        return 0
    digest, first = written.get(member.hard_link, (b"", b""))
    if first and digest == member.digest:
        with contextlib.suppress(CannotWrite):  # no links on this file system, or too many: a file of its own is as good
            extractor.hard_link(member, job.target, first)
            return member.size_bytes
    value = outcome.value
    if value is not None:
        on_disk = extractor.file(member, functools.partial(_write, value), name=job.target)
    else:
        on_disk = extractor.file(member, lambda file: archive.write_into(member, file), name=job.target)
    written[member.name] = member.digest, on_disk
    return member.size_bytes if value is None else len(value)


def _write(data: bytes, file: BinaryIO) -> None:
    file.write(data)
