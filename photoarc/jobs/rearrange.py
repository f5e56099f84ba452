"""Members of an archive taken out (`rm`) or called otherwise (`mv`): a list, an index and a footer behind what is there."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from photoarc.archive import Archive
from photoarc.container.appending import ArchiveAppender
from photoarc.errors import FormatError, MemberError, UsageError
from photoarc.jobs.selection import select
from photoarc.member import Kind, Member
from photoarc.names import display, safe_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSummary:
    """What `rm` did, or would do; `names` are printable, `size_bytes` is of the files."""

    archive: str
    names: tuple[str, ...]
    files: int
    size_bytes: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSummary:
    """What `mv` did, or would do: printable names before and after."""

    archive: str
    names: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()


def remove(archive: str | os.PathLike[str], globs: Sequence[str], *, ignore_case: bool = False, dry_run: bool = False) -> RemoveSummary:
    """Takes the members out that match, and what is below them. Raises UsageError (nothing matches), FormatError (no archive)."""
    if not globs:
        raise UsageError("nothing to remove: name at least one member or pattern")
    if dry_run:
        with Archive(archive) as opened:
            return _removed(archive, select(opened.members, globs, ignore_case=ignore_case), opened.warnings)
    with ArchiveAppender(archive) as writer:
        chosen = select(writer.members, globs, ignore_case=ignore_case)
        for member in chosen:
            writer.remove(member.name)
    return _removed(archive, chosen, writer.warnings)


def _removed(archive: str | os.PathLike[str], chosen: Sequence[Member], warnings: Sequence[str]) -> RemoveSummary:
    files = [member for member in chosen if member.kind is Kind.FILE]
    return RemoveSummary(
        archive=os.fspath(archive),
        names=tuple(member.display_name for member in chosen),
        files=len(files),
        size_bytes=sum(member.size_bytes for member in files),
        warnings=tuple(warnings),
    )


def move(archive: str | os.PathLike[str], old: str, new: str, *, dry_run: bool = False) -> MoveSummary:
    """Calls a member otherwise; of a folder, also what is in it. Raises UsageError (no such member, a name that is taken or unsafe)."""
    wanted = os.fsencode(old.rstrip("/")), os.fsencode(new.rstrip("/")), os.fspath(archive)
    if dry_run:
        with Archive(archive) as opened:
            names, warnings = _new_names(opened.members, *wanted), opened.warnings
    else:
        with ArchiveAppender(archive) as writer:
            names = _new_names(writer.members, *wanted)
            _rename(writer, names)
        warnings = [*writer.warnings]
    shown = tuple((display(name), display(called)) for name, called in names.items())
    return MoveSummary(archive=os.fspath(archive), names=shown, warnings=tuple(warnings))


def _new_names(members: Sequence[Member], old: bytes, new: bytes, archive: str) -> dict[bytes, bytes]:
    """By name, what each member is to be called. Raises UsageError."""
    if old == new:
        raise UsageError(f"{display(old)} is called so already; choose another name")
    taken = {member.name for member in members}
    below = old + b"/"
    names = {member.name: new + member.name[len(old) :] for member in members if member.name == old or member.name.startswith(below)}
    if not names:
        raise UsageError(f"{archive}: no member is called {display(old)}; `photoarc list` shows the names")
    if new.startswith(below):
        raise UsageError(f"{display(old)} cannot be moved into itself; choose another name")
    for called in names.values():
        try:
            safe_parts(called, windows=False)
        except MemberError as error:
            raise UsageError(f"{display(new)}: {error.reason}; choose another name") from error
        if called in taken and called not in names:
            raise UsageError(f"{archive}: a member is called {display(called)} already; remove it first, or choose another name")
    kinds = {member.name: member.kind for member in members}
    folder = new.rpartition(b"/")[0]
    if kinds.get(folder, Kind.DIRECTORY) is not Kind.DIRECTORY:
        raise UsageError(f"{archive}: {display(folder)} is no folder; choose another name")
    return names


def _rename(writer: ArchiveAppender, names: dict[bytes, bytes]) -> None:
    """Gives members their new names, and tells those that were the same file on the disk as one of them. Raises UsageError."""
    try:
        for name, called in names.items():
            writer.rename(name, called)
        for member in writer.members:
            if member.hard_link in names and not member.needs_extension:
                writer.replace_record(dataclasses.replace(member, hard_link=names[member.hard_link]))
    except (FormatError, MemberError) as error:
        raise UsageError(f"{writer.path}: {error}") from error
