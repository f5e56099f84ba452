"""Files -> an archive that exists: what is new is added, what has changed is replaced (`update`), what is the same is not touched.

scan -> comparison with the members of the same names: size and date, then the digest, of lossy photographs what unpack writes
     -> new | changed -> Filling -> ArchiveAppender
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoarc.archive import open_archive
from photoarc.container.appending import ArchiveAppender
from photoarc.container.ends import read_coding
from photoarc.container.wishes import pack_wishes, parse_wishes
from photoarc.disk.reading import in_parts
from photoarc.disk.scan import SourceFile
from photoarc.disk.targets import no_room_as_jpeg
from photoarc.errors import MemberError, UnreadableSource, UsageError
from photoarc.jobs import workers
from photoarc.jobs.coding import code_source
from photoarc.jobs.comparing import Suspect, foreseen, is_as_unpacked, written_names
from photoarc.jobs.filling import Filling
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.pack import look_up
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.room import Budget
from photoarc.jobs.tally import PackSummary
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.options import LOSSY_ONLY, CodingOptions, Mode, PackOptions
from photoarc.progress import Callback, failure, silent

DIFFERS = "is in the archive already, and differs; photoarc update replaces it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done with files: `same` ones are in the archive as they are. Folders whose date or mode changed are among `changed`."""

    new: tuple[SourceFile, ...]
    changed: tuple[SourceFile, ...]
    same: int
    failures: tuple[MemberError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSummary:
    """What `add` or `update` did: members that are new, replaced, and the same as before; what became of the first two is in `packed`.

    `interrupted`: the job was ended by a signal, and what was done by then is in the archive.
    """

    archive: str
    new: int
    replaced: int
    same: int
    before_bytes: int
    packed: PackSummary
    interrupted: bool = False


def coding_like(archive: str | os.PathLike[str], mode: Mode | str | None = None, **wishes: Any) -> CodingOptions:
    """How an archive was coded last, but for what is asked for otherwise (None: nothing). Raises UsageError, FormatError."""
    before = parse_wishes(read_coding(archive)) or CodingOptions()
    mode = mode or before.mode
    usual: dict[str, Any] = {"effort": before.effort}
    if mode == before.mode != Mode.LOSSLESS:
        usual = {name: getattr(before, name) for name in (*LOSSY_ONLY, "effort")}
    return CodingOptions.asked(mode, **usual | {name: value for name, value in wishes.items() if value is not None})


def rehearse(sources: Sequence[str | Path], archive: Path, options: PackOptions, *, replace: bool) -> Plan:
    """What `add`, or `update` (`replace`), would do; nothing is written. Raises UsageError, FormatError."""
    with open_archive(archive) as opened:
        return plan(sources, archive, options, opened.members, replace=replace)[0]


def plan(
    sources: Sequence[str | Path], archive: Path, options: PackOptions, members: Sequence[Member], *, replace: bool
) -> tuple[Plan, list[SourceFile]]:
    """What `add`, or `update` (`replace`), would do. Reads files whose date has changed and whose size has not. Raises UsageError."""
    if not sources:
        raise UsageError("nothing to add: name at least one file or folder behind the archive")
    files, errors = look_up(sources, archive, options.excludes)
    comparison = _Comparison(archive, members, files)
    comparison.look_at_all(files, options)
    changed = [file for file in files if file.name in comparison.changed or (replace and file.name in comparison.touched)]
    refused = [] if replace else [file for file in changed if file.kind is not Kind.DIRECTORY]
    errors += [UnreadableSource(display(file.name), DIFFERS) for file in refused]
    kept = tuple(file for file in changed if replace or file.kind is Kind.DIRECTORY)
    new = tuple(file for file in files if file.name in comparison.new)
    same = len(files) - len(changed) - len(new) - len(comparison.errors)
    found = Plan(new=new, changed=kept, same=same, failures=(*errors, *comparison.errors))
    return found, _with_room((*new, *kept), members)


def _with_room(files: Iterable[SourceFile], members: Iterable[Member]) -> list[SourceFile]:
    """Files in the order of their names, each with what the names of all say about the ending that some photographs get."""
    ordered = sorted(files, key=lambda file: file.name)
    names = {member.name for member in members} | {file.name for file in ordered}
    of_files = {member.name for member in members if member.kind is Kind.FILE} | {file.name for file in ordered if file.kind is Kind.FILE}
    why = no_room_as_jpeg(names, of_files)
    return [dataclasses.replace(file, no_jpeg=why.get(file.name, "")) for file in ordered]


class _Comparison:
    """Files against the members of their names."""

    def __init__(self, archive: Path, members: Sequence[Member], files: Sequence[SourceFile]) -> None:
        self._archive = archive
        self._members = {member.name: member for member in members}
        self._written = written_names(members)
        self.new: set[bytes] = set()
        self.changed: set[bytes] = set()
        self.touched: set[bytes] = set()  # the contents are the same, date or mode are not
        self.errors: list[MemberError] = []

    def look_at_all(self, files: Iterable[SourceFile], options: PackOptions) -> None:
        """Sorts files into new and changed ones, and those that are the same."""
        suspects = [(file, member) for file in files if (member := self._look_at(file)) is not None]
        if suspects:
            self._decode(suspects, options)

    def _look_at(self, file: SourceFile) -> Member | None:
        """Returns the lossy member that a file may have been unpacked from."""
        member = self._members.get(file.name)
        written = member or self._written.get(file.name)
        if member is not None and _is_same(file, member):
            return None
        try:
            if member is not None and _has_same_contents(file, member):
                self.touched.add(file.name)
                return None
        except MemberError as error:
            self.errors.append(error)
            return None
        (self.new if member is None else self.changed).add(file.name)
        came_back = written is not None and written.lossy and file.kind is Kind.FILE and file.mtime_ns == written.mtime_ns
        return written if came_back else None

    def _decode(self, suspects: Sequence[tuple[SourceFile, Member]], options: PackOptions) -> None:
        """Takes out what has the date of a lossy member and is what `unpack` makes of it: nobody changed it, and it is not coded again."""
        with open_archive(self._archive) as archive:
            found = (Suspect(file, member, archive.payload(member), "") for file, member in suspects)
            crew = workers.run(
                is_as_unpacked,
                found,
                workers=workers.crew_size(options.workers, len(suspects), len(suspects)),
                cost=lambda suspect: len(suspect.payload) + 2 * suspect.file.size_bytes,
                budget=Budget(budget_bytes(options.memory_bytes), foreseen),
            )
            with closing(crew) as outcomes:
                for outcome in outcomes:
                    if outcome.value:
                        self.new.discard(outcome.item.file.name)
                        self.changed.discard(outcome.item.file.name)


def _is_same(file: SourceFile, member: Member) -> bool:
    """Whether a file seems to be the member, without a look into it."""
    if file.kind is not member.kind:
        return False
    if file.kind is Kind.SYMLINK:
        return file.link_target == member.link_target
    same = file.mtime_ns == member.mtime_ns and file.mode == member.mode
    return same and (file.kind is Kind.DIRECTORY or file.size_bytes == member.size_bytes)


def _has_same_contents(file: SourceFile, member: Member) -> bool:
    """Whether it is by its digest. Raises UnreadableSource."""
    if (file.kind, member.kind) != (Kind.FILE, Kind.FILE) or file.size_bytes != member.size_bytes:
        return False
    with in_parts(file) as read:
        return read.digest == member.digest


def add(
    sources: Sequence[str | Path],
    archive_path: str | os.PathLike[str],
    options: PackOptions,
    progress: Callback = silent,
    *,
    replace: bool = False,
) -> AddSummary:
    """Adds files to an archive, and with `replace` puts those that changed in the place of the old ones.

    Whatever happens, the archive is whole: a signal ends it with what was done by then. Raises UsageError (sources, an archive that is
    damaged, or that another one is writing to, disk full), FormatError (no archive), ModelError, PhotoarcError (no workers).
    """
    started = time.monotonic()
    archive = Path(archive_path)
    with ArchiveAppender(archive, coding=pack_wishes(options.coding)) as writer:
        before_bytes, members = writer.size_bytes, writer.members
        found, files = plan(sources, archive, options, members, replace=replace)
        repeats = Repeats(files, _reusable(writer, options.coding))
        filling = Filling(files, options, progress, repeats)
        filling.tally.failures.extend(failure(error) for error in found.failures)
        interrupted = False
        try:
            filling.run(writer, code_source)
        except KeyboardInterrupt:
            interrupted = True
    names = {member.name for member in writer.members}
    written = {file.name for file in files if writer.is_new(file.name)}
    return AddSummary(
        archive=str(archive),
        new=sum(file.name in written for file in found.new),
        replaced=sum(file.name in written & names for file in found.changed),
        same=found.same,
        before_bytes=before_bytes,
        packed=filling.summary(str(archive), writer, time.monotonic() - started),
        interrupted=interrupted,
    )


def _reusable(writer: ArchiveAppender, coding: CodingOptions) -> list[Member]:
    """Members whose payloads do for new files with their contents: bit-exact ones, and lossy ones that would come out the same."""
    mine = pack_wishes(coding)
    usable = ((member, how) for member, how in writer.coded() if member.kind is Kind.FILE and not member.needs_extension)
    return [dataclasses.replace(member, hard_link=b"") for member, how in usable if not member.lossy or how == mine]
