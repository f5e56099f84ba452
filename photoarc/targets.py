"""What members are called on the disk: photographs that are written in another format get its ending."""

from __future__ import annotations

import os
from collections.abc import Sequence

from photoarc.errors import UsageError
from photoarc.names import shortened
from photoarc.records import AS_JPEG, Member

FORMATS = ("png", "jpeg", "webp")  # that every photograph can be written in
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
    stem, ending = os.path.splitext(name)
    if ending.lower() in ENDINGS[as_format]:
        return name
    known = any(ending.lower() in endings for endings in ENDINGS.values())
    folder, last = os.path.split(stem if known else name)
    return os.path.join(folder, shortened(last, ENDINGS[as_format][0]))
