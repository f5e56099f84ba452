"""Free space, looked at before a long job begins: what surely has no room is refused before anything is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from photoarc import codecs
from photoarc.disk.scan import SourceFile
from photoarc.errors import UsageError
from photoarc.jobs.rehearsal import rehearse
from photoarc.member import Kind, Member
from photoarc.options import CodingOptions
from photoarc.units import size

LOSSY_SHARE = 0.5  # of the original's size: what a lossy photograph takes at least, as a rule
SURE_SHARE = 0.25  # of what `pack --dry-run` estimates: where so little is not free, no luck helps


def free_bytes(folder: Path) -> int | None:
    """What this user may still write in a folder, or in the nearest one above it that exists; None if the system does not tell."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def refuse_without_room(folder: Path, members: Sequence[Member], names: Mapping[bytes, bytes]) -> None:
    """Raises UsageError if members do not fit below `folder`. What has its name there already needs no room."""
    free = free_bytes(folder)
    if free is None or sum(map(_least_bytes, members)) <= free:
        return
    root = os.fsencode(folder)
    needed = sum(_least_bytes(member) for member in members if not os.path.lexists(os.path.join(root, names[member.name])))
    if needed > free:
        raise UsageError(
            f"{folder}: the members take at least {size(needed)} more, {size(free)} are free there; nothing was written: "
            "free some space, choose another disk, or unpack a part with --only"
        )


def _least_bytes(member: Member) -> int:
    """What a member takes on a disk at least: not of a hard link, nor of the holes of a file in blocks, which the record does not tell."""
    if member.kind is not Kind.FILE or member.hard_link:
        return 0
    if member.codec_id == codecs.BLOCKS:
        return min(member.payload_bytes, member.size_bytes)
    return round(member.size_bytes * LOSSY_SHARE) if member.lossy else member.size_bytes


def refuse_without_room_to_pack(archive: Path, files: Sequence[SourceFile], coding: CodingOptions) -> None:
    """Raises UsageError if an archive of these files surely does not fit where it is to be written."""
    free = free_bytes(archive.parent)
    if free is None or sum(file.size_bytes for file in files) <= free:
        return
    estimate = sum(outlook.packed_bytes for outlook in rehearse(files, coding)[0])
    if round(estimate * SURE_SHARE) > free:
        raise UsageError(
            f"{archive}: would take about {size(estimate)}, {size(free)} are free there; nothing was written: "
            "free some space, or name the archive on another disk"
        )
