"""What members are called on the disk: photographs that are written in another format get its ending."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence

from photoarc.errors import UsageError
from photoarc.member import AS_JPEG, Member
from photoarc.names import MAX_PART_BYTES, shortened
from photoarc.options import FORMATS

ENDINGS = {"png": (b".png",), "jpeg": (b".jpg", b".jpeg", b".jpe", b".jfif"), "webp": (b".webp",), "bmp": (b".bmp",)}


def targets(members: Sequence[Member], as_format: str | None) -> dict[bytes, bytes]:
    """Name to write for each member's name: all different. Who keeps his name has it, of others the first; then `x (2).png` follows."""
    wanted = {member.name: target(member, as_format) for member in members}
    taken = {name for name, found in wanted.items() if found == name}
    named = {name: name for name in taken}
    for member in members:
        if member.name not in named:
            named[member.name] = _free(wanted[member.name], taken)
            taken.add(named[member.name])
    return named


def numbered(name: bytes, number: int) -> bytes:
    """`a/x (2).png` for `a/x.png`, short enough for a file system."""
    folder, last = os.path.split(name)
    stem, ending = os.path.splitext(last)
    return os.path.join(folder, shortened(stem, b" (%d)" % number + ending))


def _free(name: bytes, taken: set[bytes]) -> bytes:
    number, found = 1, name
    while found in taken:
        number += 1
        found = numbered(name, number)
    return found


def no_room_as_jpeg(names: Collection[bytes], files: Collection[bytes]) -> dict[bytes, str]:
    """Files of a job that could not be unpacked as JPEG beside the others, by name, with the reason in a few words.

    `names` are all of the job, `files` those of files. What a file holds is not known yet: every other file is thought to become a JPEG,
    too, so that no order in which they are coded can leave two with one name.
    """
    everything = frozenset(names)
    wanted = {name: b"".join(_parts(name, "jpeg")) for name in files}
    asked = Counter(wanted.values())
    found = {}
    for name, called in wanted.items():
        if called == name:
            continue
        if len(called) - called.rfind(b"/") - 1 > MAX_PART_BYTES:
            found[name] = f"unpacked as JPEG, its name would be longer than {MAX_PART_BYTES} bytes"
        elif called in everything or asked[called] > 1:
            found[name] = "unpacked as JPEG, it would have the name of another file"
    return found


def target(member: Member, as_format: str | None) -> bytes:
    """Name to write for one member; only lossy photographs can have another format. Raises UsageError for an unknown one."""
    if member.photo is None:
        return member.name
    if as_format is None and member.photo.source_format in AS_JPEG:
        as_format = "jpeg"
    if as_format not in (None, *FORMATS):
        raise UsageError(f"{as_format}: photographs are written as {', '.join(FORMATS)} or as they came; choose one of these")
    return member.name if as_format is None else _with_ending(member.name, as_format)


def _with_ending(name: bytes, as_format: str) -> bytes:
    """Short enough for a file system; what `pack` accepts is so anyway."""
    stem, ending = _parts(name, as_format)
    folder, last = os.path.split(stem)
    return os.path.join(folder, shortened(last, ending))


def _parts(name: bytes, as_format: str) -> tuple[bytes, bytes]:
    """Name without and its ending of a format; the name as it is where it has one."""
    stem, ending = os.path.splitext(name)
    if ending.lower() in ENDINGS[as_format]:
        return stem, ending
    known = any(ending.lower() in endings for endings in ENDINGS.values())
    return stem if known else name, ENDINGS[as_format][0]
