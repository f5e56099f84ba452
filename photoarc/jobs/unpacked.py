"""What `unpack` and `test` did, counted while they do it, and what is to be said about it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from photoarc import units
from photoarc.codecs.costs import Cost
from photoarc.disk.targets import target
from photoarc.errors import MemberError, NoRoom, PayloadError
from photoarc.jobs.expectation import of_unpacking
from photoarc.jobs.room import too_dear
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.progress import Callback, Failure, Meter, failure, silent

if TYPE_CHECKING:
    from photoarc.disk.extractor import Extractor
    from photoarc.jobs.decoding import Job


class UnpackTally:
    """Counts what was done and tells the caller how far the job is."""

    def __init__(self, members: Sequence[Member], progress: Callback, damaged: Iterable[Failure], workers: int) -> None:
        self.meter = Meter.over(progress, members, () if progress is silent else of_unpacking(members), workers)
        self.done = dict.fromkeys(Kind, 0)
        self.left = Counter[str]()  # by photoarc.disk.standing's words
        self.photographs = self.size_bytes = 0
        self.failures = list(damaged)
        self.remarks: list[str] = []
        self.ended = False  # the destination takes no more

    def add(self, member: Member, size_bytes: int) -> None:
        """A member that is written, or sound."""
        self.done[member.kind] += 1
        self.size_bytes += size_bytes
        self.photographs += bool(member.photo)
        self.meter.finish(member.name, member.kind, member.size_bytes, member.photo)

    def leave(self, member: Member, why: str) -> None:
        """A member in whose place something stands that is left there."""
        self.left[why] += 1
        self.meter.finish(member.name, member.kind, member.size_bytes)

    def fail(self, member: Member, error: MemberError) -> None:
        """A member that is not."""
        self.failures.append(failure(error))
        self.ended = self.ended or isinstance(error, NoRoom)
        self.meter.finish(member.name, member.kind, member.size_bytes)

    def hear(self, job: Job, share: float) -> None:
        """A share of a member is decoded."""
        self.meter.begin(job.member.name, share, job.member.size_bytes)

    def too_dear(self, job: Job, cost: Cost) -> None:
        """A member needs more memory than there is for the job, and is decoded alone."""
        self.remarks.append(too_dear(job.member.name, cost))

    def take_back(self, errors: Sequence[MemberError], members: Sequence[Member]) -> None:
        """Links and folders that turned out at the very end to be impossible."""
        kinds = {member.display_name: member.kind for member in members} if errors else {}
        for error in errors:
            if not (isinstance(error, NoRoom) and self.ended):
                self.failures.append(failure(error))
            self.ended = self.ended or isinstance(error, NoRoom)
            self.done[kinds[error.name]] -= 1

    def reported(self, members: int, folder: Path) -> tuple[Failure, ...]:
        """The failures. The one that ended the run speaks for all that were not tried any more."""
        if not self.ended:
            return tuple(self.failures)
        at = next(at for at, failed in enumerate(self.failures) if failed.kind == NoRoom.__name__)
        failed = self.failures[at]
        missing = members - sum(self.done.values()) - self.left.total()
        why = f"{failed.reason}. Unpacking ended here, {missing:,} of {members:,} members are not in {folder}; then unpack into it again"
        return (*self.failures[:at], dataclasses.replace(failed, reason=why), *self.failures[at + 1 :])


def renamed_by_format(members: Iterable[Member], names: Mapping[bytes, bytes], as_format: str | None) -> list[tuple[str, str]]:
    """Members that could not have the name of their new format, for another has it, and the name that they have."""
    return [(member.display_name, display(names[member.name])) for member in members if names[member.name] != target(member, as_format)]


def no_photographs(members: Iterable[Member], as_format: str | None) -> list[str]:
    """What is to be said where a format is asked for that no member can be written in."""
    if as_format is None or any(member.lossy for member in members):
        return []
    return [f"--as {as_format} changed nothing: no member was coded lossily, each comes back bit for bit as it was"]


class LeftBehind:
    """What has no place in the format that was asked for, of how many members, and the first of them."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def seen(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The same jobs, each looked at on its way."""
        for job in jobs:
            if job.as_format is not None and job.payload is not None:
                self._look(job.member, job.payload, job.as_format)
            yield job

    def _look(self, member: Member, payload: bytes, as_format: str) -> None:
        from photoarc.codecs.photo.header import left_behind

        with suppress(PayloadError):  # decoding it will say so
            for what in left_behind(payload, as_format):
                count, first = self._found.get(what, (0, member.display_name))
                self._found[what] = count + 1, first

    def remarks(self, as_format: str | None) -> list[str]:
        """A sentence for each kind."""
        return [
            f"{what} of {units.count(count, 'photograph')}, first {first}: {as_format} has no place for that; the archive keeps it"
            for what, (count, first) in self._found.items()
        ]


def remarks(extractor: Extractor, renamed: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What could not be restored and is no failure, each kind once: contents are whole."""
    found = [
        f"{what} of {lost.count:,} members could not be set, first {lost.first}: {lost.why}; the archive keeps them"
        for what, lost in extractor.lost.items()
    ]
    if renamed:
        name, on_disk = renamed[0]
        found.append(
            f"{len(renamed):,} members could not keep their names beside those of others, first {name}: it was written as {on_disk}"
        )
    if stuck := extractor.stuck():
        found.append(
            f"{len(stuck):,} temporary files of this run could not be removed from {extractor.dest}, first {stuck[0]}: remove them by hand"
        )
    if left := extractor.unfinished():
        found.append(
            f"{len(left):,} files in {extractor.dest} have names of temporary files, first {left[0]}: perhaps left by a run that was "
            "killed; look at them before you remove them, and remove none while another photoarc is writing there"
        )
    return tuple(found)
