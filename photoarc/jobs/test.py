"""Everything is decoded and compared; nothing is written."""

from __future__ import annotations

import functools
import time
from contextlib import closing
from dataclasses import dataclass

from photoarc.archive import open_archive
from photoarc.container.source import Place
from photoarc.disk.targets import targets
from photoarc.errors import CannotWrite, MemberError, NotDecoded, UnsafeName, UnsupportedCodec
from photoarc.jobs import workers
from photoarc.jobs.decoding import check, cost_bytes, crew_for, foreseen, jobs_of, raise_failure
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.overview import damaged
from photoarc.jobs.room import Budget
from photoarc.jobs.unpacked import UnpackTally
from photoarc.progress import Callback, Failure, heard_by, silent

# Failures of `test` that say nothing against the archive.
_NO_DAMAGE = {error.__name__ for error in (NotDecoded, UnsupportedCodec, CannotWrite, UnsafeName)}


@dataclass(frozen=True, slots=True, kw_only=True)
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


def test(
    place: Place,
    jobs: int | None = None,
    progress: Callback = silent,
    memory_bytes: int | None = None,
) -> CheckSummary:
    """Decodes every member and compares every digest; nothing is written. Raises FormatError (no archive), PhotoarcError (no workers)."""
    started = time.monotonic()
    with open_archive(place) as archive:
        members = list(archive.members)
        crew_size = crew_for(members, jobs)
        tally = UnpackTally(members, progress, damaged(archive), crew_size)
        todo = jobs_of(archive, members, targets(members, None))
        budget = Budget(budget_bytes(memory_bytes), foreseen, tally.too_dear)
        crew = workers.run(check, todo, workers=crew_size, cost=cost_bytes, heard=tally.hear, budget=budget)
        with closing(crew) as outcomes:
            for outcome in outcomes:
                member = outcome.item.member
                try:
                    raise_failure(outcome)
                    if outcome.value is None:
                        with heard_by(functools.partial(tally.hear, outcome.item)):
                            archive.test(member)
                    tally.add(member, member.size_bytes)
                except MemberError as error:
                    tally.fail(member, error)
        return CheckSummary(
            archive=archive.name,
            members=len(members) + len(archive.damaged),
            sound=sum(tally.done.values()),
            photographs=tally.photographs,
            size_bytes=tally.size_bytes,
            seconds=round(time.monotonic() - started, 3),
            failures=tuple(tally.failures),
            warnings=tuple(archive.warnings),
            remarks=tuple(tally.remarks),
        )
