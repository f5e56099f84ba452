"""Archive -> files, and the check of every member: decode in a crew of workers, write in order.

Archive.payload -> workers: pipeline.decode_payload -> Extractor (or nothing, for `test`)
stored members, folders, links: this process, stored members streamed part by part
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from photoarc import codecs, workers
from photoarc.errors import CannotWrite, DecodeFailed, MemberError, UsageError
from photoarc.inspection import damaged, open_archive
from photoarc.names import display, safe_parts
from photoarc.partway import heard_by
from photoarc.progress import Callback, Failure, Meter, failure, silent
from photoarc.records import Kind, Member
from photoarc.selection import select
from photoarc.targets import targets

if TYPE_CHECKING:
    from photoarc.archive import Archive
    from photoarc.extract import Extractor

ARCHIVE_ENDING = ".pha"
# What a core decodes in the 0.5 s that a worker takes to start.
WORTH_A_WORKER_PX = 1_500_000
WORTH_A_WORKER_BYTES = {codecs.JPEGXL: 4_000_000, codecs.COMPOSITE: 4_000_000, codecs.PNG: 100_000, codecs.LZMA: 25_000_000}


@dataclass(frozen=True, slots=True)
class UnpackOptions:
    """What the user asked for; `only` are globs (photoarc.selection), `as_format` is "png", "jpeg", "webp" or None.

    `workers` None means every usable core, 0 this process.
    """

    only: tuple[str, ...] = ()
    as_format: str | None = None
    workers: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class UnpackSummary:
    """What `unpack` wrote; `photographs` counts the files that were coded lossily, `size_bytes` what was written.

    `remarks` say what the destination has no place for: no fault of the archive, which keeps it.
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


@dataclass(frozen=True, slots=True)
class Job:
    """One member on its way; without a payload this process does it. `target` is the name to write, `error` what stopped it already."""

    member: Member
    target: bytes
    payload: bytes | None = None
    as_format: str | None = None
    error: MemberError | None = None


def default_destination(archive_path: str | Path) -> Path:
    """Folder in the current one, named after the archive."""
    name = Path(archive_path).name
    stem = name.removesuffix(ARCHIVE_ENDING)
    return Path(stem if stem and stem != name else f"{name}.unpacked")


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
        members = select(archive.members, options.only)
        tally = _Tally(members, progress, damaged(archive, options.only))
        jobs = _jobs(archive, members, options, folder)
        crew = workers.run(decode, jobs, workers=_crew_size(members, options.workers), cost=_cost, heard=tally.hear)
        written: dict[bytes, tuple[bytes, bytes]] = {}
        with Extractor(folder, options.force) as extractor, closing(crew) as outcomes:
            for outcome in outcomes:
                try:
                    with heard_by(functools.partial(tally.hear, outcome.item)):
                        size_bytes = _extract(archive, extractor, outcome, written)
                    tally.add(outcome.item.member, size_bytes)
                except MemberError as error:
                    tally.fail(outcome.item.member, error)
            tally.take_back(extractor.finish(), members)
        done = tally.done
        return UnpackSummary(
            str(archive_path), str(folder), done[Kind.FILE], done[Kind.DIRECTORY], done[Kind.SYMLINK], tally.photographs, tally.size_bytes,
            round(time.monotonic() - started, 3), tuple(tally.failures), tuple(archive.warnings), _remarks(extractor),
        )  # fmt: skip


def _remarks(extractor: Extractor) -> tuple[str, ...]:
    """What could not be restored and is no failure, each kind once."""
    found = []
    if lost := extractor.attributes_lost:
        name, why = lost[0]
        found.append(f"extended attributes of {len(lost):,} members could not be set, first {name}: {why}; the archive keeps them")
    if extractor.births_lost:
        found.append(f"times of birth of {extractor.births_lost:,} members cannot be set on this system; the archive keeps them")
    return tuple(found)


def test(archive_path: str | Path, jobs: int | None = None, progress: Callback = silent) -> CheckSummary:  # noqa: PT028 (not a pytest test)
    """Decodes every member and compares every digest; nothing is written. Raises FormatError (no archive), PhotoarcError (no workers)."""
    started = time.monotonic()
    with open_archive(archive_path) as archive:
        members = list(archive.members)
        tally = _Tally(members, progress, damaged(archive))
        todo = _jobs(archive, members, UnpackOptions(), None)
        crew = workers.run(check, todo, workers=_crew_size(members, jobs), cost=_cost, heard=tally.hear)
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
            round(time.monotonic() - started, 3), tuple(tally.failures), tuple(archive.warnings),
        )  # fmt: skip


def _jobs(archive: Archive, members: Sequence[Member], options: UnpackOptions, folder: Path | None) -> Iterator[Job]:
    """Reads payloads only when the crew has room for them; refuses before decoding what could not be written (`folder` None: test)."""
    names = targets(members, options.as_format)
    for member in members:
        target = names[member.name]
        try:
            if isinstance(target, MemberError):
                raise target
            if folder is not None:
                parts = safe_parts(target)
                if member.kind is Kind.FILE and not options.force and os.path.lexists(os.path.join(os.fsencode(folder), *parts)):
                    raise CannotWrite(display(target), "exists already; -f replaces it")
            if _for_crew(member):
                yield Job(member, target, archive.payload(member), options.as_format if member.lossy else None)
            else:
                yield Job(member, target)
        except MemberError as error:
            yield Job(member, member.name, error=error)


def _for_crew(member: Member) -> bool:
    known = member.codec_id in codecs.CODECS and not member.needs_extension
    return member.kind is Kind.FILE and known and member.codec_id not in (codecs.STORE, codecs.SOLID)


def _cost(job: Job) -> int | None:
    """Bytes that a member takes in memory: its payload and, until it is written, its file."""
    if job.payload is None:
        return None
    photo = job.member.photo
    decoded = photo.width_px * photo.height_px * 3 if photo and job.as_format else job.member.size_bytes
    return len(job.payload) + decoded


def _crew_size(members: Iterable[Member], most: int | None) -> int:
    """Workers that are worth their start (see workers.crew_size); what has no codec to run needs none."""
    worth, crew = 0.0, 0
    for member in members:
        if _for_crew(member):
            crew += 1
            if member.photo:
                worth += member.photo.width_px * member.photo.height_px / WORTH_A_WORKER_PX
            else:
                worth += member.size_bytes / WORTH_A_WORKER_BYTES.get(member.codec_id, WORTH_A_WORKER_PX)
    return workers.crew_size(most, crew, worth)


def _raise_failure(outcome: workers.Outcome[Job, bytes] | workers.Outcome[Job, int]) -> None:
    name = outcome.item.member.display_name
    if outcome.item.error is not None:
        raise outcome.item.error
    if isinstance(outcome.error, MemberError):
        raise outcome.error
    if outcome.error is not None:  # a model that is missing, a limit: the file cannot be had, the others can
        raise DecodeFailed(name, str(outcome.error)) from outcome.error
    if outcome.crash:
        raise DecodeFailed(name, f"decoding it failed ({outcome.crash})")


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
        extractor.file(member, functools.partial(_write, value), name=job.target)
    else:
        extractor.file(member, lambda file: archive.chunks_into(member, file.write), name=job.target)
    written[member.name] = member.digest, job.target
    return member.size_bytes if value is None else len(value)


def _write(data: bytes, file: BinaryIO) -> None:
    file.write(data)


class _Tally:
    """Counts what was done and tells the caller how far the job is."""

    def __init__(self, members: Sequence[Member], progress: Callback, damaged: Iterable[Failure]) -> None:
        self.meter = Meter(progress, sum(member.kind is Kind.FILE for member in members), sum(member.size_bytes for member in members))
        self.done = dict.fromkeys(Kind, 0)
        self.photographs = self.size_bytes = 0
        self.failures = list(damaged)

    def add(self, member: Member, size_bytes: int) -> None:
        self.done[member.kind] += 1
        self.size_bytes += size_bytes
        self.photographs += bool(member.photo)
        self.meter.finish(member.name, member.kind, member.size_bytes, member.photo)

    def fail(self, member: Member, error: MemberError) -> None:
        self.failures.append(failure(error))
        self.meter.finish(member.name, member.kind, member.size_bytes)

    def hear(self, job: Job, share: float) -> None:
        """A share of a member is decoded."""
        self.meter.begin(job.member.name, int(share * job.member.size_bytes))

    def take_back(self, errors: Sequence[MemberError], members: Sequence[Member]) -> None:
        """Links and folders that turned out at the very end to be impossible."""
        kinds = {member.display_name: member.kind for member in members} if errors else {}
        for error in errors:
            self.failures.append(failure(error))
            self.done[kinds[error.name]] -= 1
