"""Files on the disk against the digests in an archive: what is the same, changed, missing, extra. Nothing is decoded or written.

A digest in the archive is of the file that was packed, for lossy photographs too, so either kind can be compared with its source.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc import attributes
from photoarc.errors import MemberError, SpecialFile, UsageError
from photoarc.inspection import damaged, open_archive
from photoarc.names import display
from photoarc.progress import Callback, Failure, Progress, failure, silent
from photoarc.records import Kind, Member
from photoarc.scan import SourceFile, scan
from photoarc.sources import in_parts


@dataclass(frozen=True, slots=True)
class VerifySummary:
    """What `verify` found, in printable names.

    `skipped` are FIFOs, sockets and devices, which no archive holds: no difference. `same` counts files, folders and links;
    `lossy` those of them that the archive gives back as near-identical pictures only;
    `failures` could not be compared.
    """

    archive: str
    against: tuple[str, ...]
    members: int
    same: int
    lossy: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[Failure, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything at all is not as it was packed."""
        return bool(self.missing or self.extra or self.changed or self.failures or self.warnings)


def verify(
    archive_path: str | Path, against: Sequence[str | Path], excludes: Sequence[str] = (), progress: Callback = silent
) -> VerifySummary:
    """Compares every file below `against` with the member of its name, and reports members without a file.

    `against` names what `pack` was given, or the folder that holds it (where the archive was unpacked). Contents of files and targets
    of links count, and extended attributes where this system has them; times and modes do not.
    Raises FormatError (no archive), UsageError (a folder that does not exist).
    """
    if not against:
        raise UsageError("nothing to compare with: name what was packed with --against")
    with open_archive(archive_path) as archive:
        found, errors = scan(_sources(against, archive.members), excludes=excludes, skip=(Path(archive_path),))
        skipped = tuple(error.name for error in errors if isinstance(error, SpecialFile))
        failures = [*damaged(archive), *(failure(error) for error in errors if not isinstance(error, SpecialFile))]
        members = {member.name: member for member in archive.members}
        unseen, extra, changed = dict(members), [], []
        same = lossy = files_done = bytes_done = 0
        files_total, bytes_total = sum(file.kind is Kind.FILE for file in found), sum(file.size_bytes for file in found)
        for file in found:
            unseen.pop(file.name, None)
            member = members.get(file.name)
            try:
                if member is None:
                    extra.append(display(file.name))
                elif why := difference(file, member):
                    changed.append(Failure(member.display_name, "Changed", why))
                else:
                    same += 1
                    lossy += member.lossy
            except MemberError as error:
                failures.append(failure(error))
            files_done += file.kind is Kind.FILE
            bytes_done += file.size_bytes
            progress(Progress(files_done, files_total, bytes_done, bytes_total, name=display(file.name)))
        return VerifySummary(
            str(archive_path), tuple(map(str, against)), len(members), same, lossy, tuple(map(display, unseen)), tuple(extra),
            tuple(changed), tuple(failures), tuple(archive.warnings), skipped,
        )  # fmt: skip


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
