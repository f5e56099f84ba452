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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from photoarc import codecs, costs, wishes, workers
from photoarc.costs import Cost
from photoarc.errors import CannotWrite, DecodeFailed, MemberError, NoRoom, NotDecoded, UnsafeName, UnsupportedCodec, UsageError
from photoarc.inspection import damaged, open_archive
from photoarc.machine import budget_bytes
from photoarc.names import safe_parts
from photoarc.origin import mark_of
from photoarc.partway import heard_by
from photoarc.progress import Callback, Failure, silent
from photoarc.records import Kind, Member
from photoarc.room import Budget
from photoarc.selection import select
from photoarc.targets import FORMATS, targets
from photoarc.unpacked import Tally, remarks, renamed_by_format

if TYPE_CHECKING:
    from photoarc.archive import Archive
    from photoarc.extract import Extractor

ARCHIVE_ENDING = ".pha"
# Failures of `test` that say nothing against the archive.
_NO_DAMAGE = {error.__name__ for error in (NotDecoded, UnsupportedCodec, CannotWrite, UnsafeName)}
# What a core decodes in the 0.5 s that a worker takes to start.
WORTH_A_WORKER_PX = 1_500_000
WORTH_A_WORKER_BYTES = {codecs.JPEGXL: 4_000_000, codecs.COMPOSITE: 4_000_000, codecs.PNG: 100_000, codecs.LZMA: 25_000_000}


@dataclass(frozen=True, slots=True)
class UnpackOptions:
    """What the user asked for; `only` are globs (photoarc.selection), `as_format` is "png", "jpeg", "webp" or None.

    `workers` None means every usable core, 0 this process. `ignore_case`: upper and lower case of `only` are the same.
    `memory_bytes` is for all processes together, None the usual share (photoarc.machine).
    """

    only: tuple[str, ...] = ()
    as_format: str | None = None
    workers: int | None = None
    force: bool = False
    ignore_case: bool = False
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError."""
        wishes.several("only", self.only)
        wishes.choice("as_format", self.as_format, (None, *FORMATS))
        wishes.jobs(self.workers)


@dataclass(frozen=True, slots=True)
class UnpackSummary:
    """What `unpack` wrote; `photographs` counts the files that were coded lossily, `size_bytes` what was written.

    `remarks` say what the destination has no place for: no fault of the archive, which keeps it. `renamed` has printable names of members
    and on the disk, of those that could not have their own beside the others.
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


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """What `test` found; `size_bytes` is the size of the sound files before they were packed."""

    archive: str
    members: int
    sound: int
    photographs: int
    size_bytes: int
    seconds: float
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether anything is wrong with the archive itself, as far as it could be looked at."""
        return bool(self.warnings) or any(failed.kind not in _NO_DAMAGE for failed in self.failures)


@dataclass(frozen=True, slots=True)
class Job:
    """One member on its way; without a payload this process does it. `target` is the name to write, `error` what stopped it already."""

    member: Member
    target: bytes
    payload: bytes | None = None
    as_format: str | None = None
    error: MemberError | None = None


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


def decode(job: Job) -> bytes:
    """Worker's part of unpacking: the file's bytes. Raises MemberError, ModelError."""
    from photoarc import pipeline

    member = job.member
    assert job.payload is not None
    name = member.display_name
    return pipeline.decode_payload(name, member.codec_id, job.payload, member.size_bytes, member.digest, job.as_format)


def check(job: Job) -> int:
    """Worker's part of testing: the size of the decoded file in bytes."""
    return len(decode(job))


def unpack(
    archive_path: str | Path, destination: str | Path, options: UnpackOptions | None = None, progress: Callback = silent
) -> UnpackSummary:
    """Writes the chosen members below `destination`. Members that fail are listed in the summary, the others are written.

    Raises FormatError (no archive), UsageError (a glob that matches nothing, a destination that is a file), PhotoarcError (no workers).
    """
    from photoarc.extract import Extractor

    started = time.monotonic()
    options = options or UnpackOptions()
    folder = Path(destination)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder to unpack into")
    with open_archive(archive_path) as archive:
        members = select(archive.members, options.only, ignore_case=options.ignore_case)
        crew_size = _crew_size(members, options.workers)
        tally = Tally(members, progress, damaged(archive, options.only, ignore_case=options.ignore_case), crew_size)
        names = targets(members, options.as_format)
        budget = Budget(budget_bytes(options.memory_bytes), _foresee, tally.too_dear)
        written: dict[bytes, tuple[bytes, bytes]] = {}
        with Extractor(folder, options.force, keep=archive_path, mark=mark_of(archive_path)) as extractor:
            extractor.spare(member.name for member in archive.members)
            jobs = _jobs(archive, members, names, options.as_format, extractor)
            crew = workers.run(decode, jobs, workers=crew_size, cost=_cost, heard=tally.hear, budget=budget)
            with closing(crew) as outcomes:
                for outcome in outcomes:
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
            str(archive_path), str(folder), done[Kind.FILE], done[Kind.DIRECTORY], done[Kind.SYMLINK], tally.photographs, tally.size_bytes,
            round(time.monotonic() - started, 3), tally.reported(len(members), folder), tuple(archive.warnings),
            (*tally.remarks, *remarks(extractor, renamed)), renamed,
        )  # fmt: skip


def test(
    archive_path: str | Path,
    jobs: int | None = None,
    progress: Callback = silent,
    memory_bytes: int | None = None,
) -> CheckSummary:
    """Decodes every member and compares every digest; nothing is written. Raises FormatError (no archive), PhotoarcError (no workers)."""
    started = time.monotonic()
    with open_archive(archive_path) as archive:
        members = list(archive.members)
        crew_size = _crew_size(members, jobs)
        tally = Tally(members, progress, damaged(archive), crew_size)
        todo = _jobs(archive, members, targets(members, None), None, None)
        budget = Budget(budget_bytes(memory_bytes), _foresee, tally.too_dear)
        crew = workers.run(check, todo, workers=crew_size, cost=_cost, heard=tally.hear, budget=budget)
        with closing(crew) as outcomes:
            for outcome in outcomes:
                member = outcome.item.member
                try:
                    _raise_failure(outcome)
                    if outcome.value is None:
                        with heard_by(functools.partial(tally.hear, outcome.item)):
                            archive.test(member)
                    tally.add(member, member.size_bytes)
                except MemberError as error:
                    tally.fail(member, error)
        return CheckSummary(
            str(archive_path), len(members) + len(archive.damaged), sum(tally.done.values()), tally.photographs, tally.size_bytes,
            round(time.monotonic() - started, 3), tuple(tally.failures), tuple(archive.warnings), tuple(tally.remarks),
        )  # fmt: skip


def _jobs(
    archive: Archive, members: Sequence[Member], names: Mapping[bytes, bytes], as_format: str | None, extractor: Extractor | None
) -> Iterator[Job]:
    """Reads payloads only when the crew has room for them; refuses before decoding what could not be written (`extractor` None: test)."""
    for member in members:
        target = names[member.name]
        try:
            if extractor is None:
                safe_parts(target, windows=False)  # could be written, at least somewhere
            elif member.kind is Kind.FILE:
                extractor.refuse_early(target)
            if _for_crew(member):
                yield Job(member, target, archive.payload(member), as_format if member.lossy else None)
            else:
                yield Job(member, target)
        except MemberError as error:
            yield Job(member, member.name, error=error)


def _for_crew(member: Member) -> bool:
    known = member.codec_id in codecs.CODECS and not member.needs_extension
    return member.kind is Kind.FILE and known and member.codec_id not in codecs.STREAMED


def _cost(job: Job) -> int | None:
    """Bytes that a member takes in memory: its payload and, until it is written, its file."""
    if job.payload is None:
        return None
    photo = job.member.photo
    decoded = photo.width_px * photo.height_px * 3 if photo and job.as_format else job.member.size_bytes
    return len(job.payload) + decoded


def _foresee(job: Job) -> Cost:
    """What a worker will need for a member."""
    member = job.member
    pixels = member.photo.width_px * member.photo.height_px if member.photo else 0
    return costs.to_unpack(member.codec_id, member.size_bytes, len(job.payload or b""), pixels)


def _crew_size(members: Iterable[Member], most: int | None) -> int:
    """Workers that are worth their start (see workers.crew_size); what has no codec to run needs none."""
    crew = [member for member in members if _for_crew(member)]
    return workers.crew_size(most, len(crew), sum(map(worth, crew)))


def worth(member: Member) -> float:
    """How many workers could start in the time that one core takes to decode it."""
    if member.photo:
        return member.photo.width_px * member.photo.height_px / WORTH_A_WORKER_PX
    return member.size_bytes / WORTH_A_WORKER_BYTES.get(member.codec_id, WORTH_A_WORKER_PX)


def _raise_failure(outcome: workers.Outcome[Job, bytes] | workers.Outcome[Job, int]) -> None:
    name = outcome.item.member.display_name
    if outcome.item.error is not None:
        raise outcome.item.error
    if isinstance(outcome.error, MemberError):
        raise outcome.error
    if outcome.error is not None:  # a model that is missing, a limit: the file cannot be had, the others can
        raise NotDecoded(name, str(outcome.error)) from outcome.error
    if outcome.crash:
        raise (NotDecoded if outcome.blameless else DecodeFailed)(name, f"decoding it failed ({outcome.crash})")


def _extract(
    archive: Archive, extractor: Extractor, outcome: workers.Outcome[Job, bytes], written: dict[bytes, tuple[bytes, bytes]]
) -> int:
    """Writes one member, returns the bytes written. Raises MemberError.

    `written`, by member name, has digest and name on the disk of the files so far: what a hard link can lead to.
    """
    _raise_failure(outcome)
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
