"""Files on the disk against an archive: what is the same, as unpacked, changed, missing, extra. Nothing is written.

A digest in the archive is of the file that was packed, for lossy photographs too, so either kind can be compared with its source.
Where that differs, a lossy photograph is decoded and compared as `unpack` would write it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from photoarc import options
from photoarc.archive import open_archive
from photoarc.codecs.costs import Cost
from photoarc.container.source import Place
from photoarc.disk import attributes
from photoarc.disk.reading import in_parts
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, SpecialFile, UsageError
from photoarc.jobs import decoding, workers
from photoarc.jobs.comparing import Suspect, foreseen, is_as_unpacked, written_names
from photoarc.jobs.expectation import of_verifying
from photoarc.jobs.machine import budget_bytes, usable_cores
from photoarc.jobs.overview import damaged
from photoarc.jobs.room import Budget, too_dear
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.progress import Callback, Failure, Meter, failure, silent

if TYPE_CHECKING:
    from photoarc.archive import Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySummary:
    """What `verify` found, in printable names.

    `same` counts files, folders and links that are as they were packed; `lossy` those of them that the archive gives back as
    near-identical pictures only; `as_unpacked` files that are such pictures themselves. `failures` could not be compared.
    `skipped` are FIFOs, sockets and devices, which no archive holds: no difference. `remarks` say nothing about files either.
    """

    archive: str
    against: tuple[str, ...]
    members: int
    same: int
    lossy: int
    as_unpacked: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[Failure, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything at all is neither as it was packed nor as it is unpacked."""
        return bool(self.missing or self.extra or self.changed or self.failures or self.warnings)


def verify(
    place: Place,
    against: Sequence[str | Path],
    excludes: Sequence[str] = (),
    progress: Callback = silent,
    *,
    jobs: int | None = None,
    memory_bytes: int | None = None,
) -> VerifySummary:
    """Compares every file below `against` with the member of its name, and reports members without a file.

    `against` names what `pack` was given, or the folder that holds it (where the archive was unpacked). Contents of files and targets
    of links count, and extended attributes where this system has them; times and modes do not.
    Raises FormatError (no archive), UsageError (a folder that does not exist), PhotoarcError (no workers).
    """
    options.several("against", against)
    options.several("excludes", excludes)
    if not against:
        raise UsageError("nothing to compare with: name what was packed with --against")
    with open_archive(place) as archive:
        found, errors = scan(_sources(against, archive.members), excludes=excludes, skip=[Path(archive.path)] if archive.path else [])
        comparison = _Comparison(archive, found, progress, jobs)
        comparison.failures += damaged(archive)
        for error in errors:
            comparison.leave_out(error)
        suspects = [suspect for file in found if (suspect := comparison.look_at(file)) is not None]
        comparison.decode(suspects, jobs, Budget(budget_bytes(memory_bytes), foreseen, comparison.too_dear))
        return comparison.summary(archive.name, tuple(map(str, against)))


class _Comparison:
    """Counts what is found and tells the caller how far the job is."""

    def __init__(self, archive: Archive, found: Sequence[SourceFile], progress: Callback, jobs: int | None) -> None:
        self.archive = archive
        self.members = {member.name: member for member in archive.members}
        self.written = written_names(archive.members)
        most = usable_cores() if jobs is None else jobs
        expected = () if progress is silent else of_verifying(found, self.written | self.members)
        self.meter = Meter.over(progress, found, expected, most)
        self.unseen = dict(self.members)
        self.same = self.lossy = self.as_unpacked = 0
        self.extra: list[str] = []
        self.changed: list[Failure] = []
        self.failures: list[Failure] = []
        self.skipped: list[str] = []
        self.remarks: list[str] = []

    def leave_out(self, error: MemberError) -> None:
        """Notes what the scan found and could not be looked at."""
        if isinstance(error, SpecialFile):
            self.skipped.append(error.name)
        else:
            self.failures.append(failure(error))

    def too_dear(self, suspect: Suspect, cost: Cost) -> None:
        """A photograph needs more memory than there is for the job, and is compared alone."""
        self.remarks.append(too_dear(suspect.file.name, cost))

    def look_at(self, file: SourceFile) -> tuple[SourceFile, Member, str] | None:
        """Compares with the digest; returns what has to be decoded to know more."""
        member = self.members.get(file.name) or self.written.get(file.name)
        try:
            if member is None:
                self.extra.append(display(file.name))
            else:
                self.unseen.pop(member.name, None)
                why = difference(file, member)
                if why and member.lossy and file.kind is Kind.FILE:
                    return file, member, why
                if why:
                    self.changed.append(Failure(display(file.name), "Changed", why))
                else:
                    self.same += 1
                    self.lossy += member.lossy
        except MemberError as error:
            self.failures.append(failure(error))
        self.meter.finish(file.name, file.kind, file.size_bytes)
        return None

    def decode(self, found: Sequence[tuple[SourceFile, Member, str]], jobs: int | None, budget: Budget[Suspect]) -> None:
        """Compares files with what `unpack` makes of their members."""
        worth = sum(decoding.worth(member) for _, member, _ in found)
        crew = workers.run(
            is_as_unpacked,
            self._suspects(found),
            workers=workers.crew_size(jobs, len(found), worth),
            cost=lambda suspect: len(suspect.payload) + 2 * suspect.file.size_bytes,
            heard=lambda suspect, share: self.meter.begin(suspect.file.name, share, suspect.file.size_bytes),
            budget=budget,
        )
        with closing(crew) as outcomes:
            for outcome in outcomes:
                file, name = outcome.item.file, display(outcome.item.file.name)
                if outcome.value:
                    self.as_unpacked += 1
                elif outcome.value is None:
                    self.failures.append(_not_decoded(name, outcome.error, outcome.crash))
                else:
                    self.changed.append(Failure(name, "Changed", f"{outcome.item.why}, and is not what is unpacked either"))
                self.meter.finish(file.name, file.kind, file.size_bytes)

    def _suspects(self, found: Iterable[tuple[SourceFile, Member, str]]) -> Iterator[Suspect]:
        """Reads payloads only when the crew has room for them."""
        for file, member, why in found:
            try:
                yield Suspect(file, member, self.archive.payload(member), why)
            except MemberError as error:
                self.failures.append(failure(error))
                self.meter.finish(file.name, file.kind, file.size_bytes)

    def summary(self, archive: str, against: tuple[str, ...]) -> VerifySummary:
        """All of it."""
        missing = tuple(map(display, self.unseen))
        return VerifySummary(
            archive=archive,
            against=against,
            members=len(self.members),
            same=self.same,
            lossy=self.lossy,
            as_unpacked=self.as_unpacked,
            missing=missing,
            extra=tuple(self.extra),
            changed=tuple(self.changed),
            failures=tuple(self.failures),
            warnings=tuple(self.archive.warnings),
            skipped=tuple(self.skipped),
            remarks=tuple(self.remarks),
        )


def _not_decoded(name: str, error: Exception | None, crash: str) -> Failure:
    if isinstance(error, MemberError):
        return failure(error)
    return Failure(name, "DecodeFailed", f"its member cannot be decoded to compare it: {error or crash}")


def difference(file: SourceFile, member: Member) -> str:
    """What is different, in words; empty if nothing is. Raises UnreadableSource."""
    if file.kind is not member.kind:
        return f"is a {_WORDS[file.kind]} now, was a {_WORDS[member.kind]}"
    if file.kind is Kind.SYMLINK and file.link_target != member.link_target:
        return f"points to {display(file.link_target)} now, pointed to {display(member.link_target)}"
    if file.kind is not Kind.FILE:
        return _OTHER_ATTRIBUTES if attributes.differ(member.attributes, file.attributes) else ""
    with in_parts(file) as opened:
        if opened.stamp.size_bytes != member.size_bytes:
            return f"has {opened.stamp.size_bytes:,} bytes now, had {member.size_bytes:,}"
        if opened.digest != member.digest:
            return "has other contents of the same length"
        return _OTHER_ATTRIBUTES if attributes.differ(member.attributes, opened.stamp.attributes) else ""


_OTHER_ATTRIBUTES = "has other extended attributes"
_WORDS = {Kind.FILE: "file", Kind.DIRECTORY: "folder", Kind.SYMLINK: "symbolic link"}


def _sources(against: Sequence[str | Path], members: Iterable[Member]) -> list[str]:
    """What to scan: a folder whose own name does not start any member's stands for its contents."""
    tops = {member.name.split(b"/")[0] for member in members}
    sources = []
    for path in (str(each) for each in against):
        name = os.fsencode(os.path.basename(os.path.abspath(path)))
        sources.append(os.path.join(path, "") + "." if os.path.isdir(path) and name not in tops else path)
    return sources
