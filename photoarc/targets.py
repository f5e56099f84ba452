"""What members are called on the disk: photographs that are written in another format get its ending."""

from __future__ import annotations

import os
from collections.abc import Sequence

from photoarc.errors import CannotWrite, MemberError, UsageError
from photoarc.names import display
from photoarc.records import AS_JPEG, Member

FORMATS = ("png", "jpeg", "webp")  # that every photograph can be written in
ENDINGS = {"png": (b".png",), "jpeg": (b".jpg", b".jpeg", b".jpe", b".jfif"), "webp": (b".webp",), "bmp": (b".bmp",)}


def targets(members: Sequence[Member], as_format: str | None) -> dict[bytes, bytes | MemberError]:
    """Name to write for each member's name, an error where that name is taken."""
    wanted = {member.name: target(member, as_format) for member in members}
    taken = {name for name, found in wanted.items() if found == name}
    named: dict[bytes, bytes | MemberError] = {name: name for name in taken}
    for member in members:
        if member.name not in named:
            found = wanted[member.name]
            clash = CannotWrite(member.display_name, f"it would be called {display(found)}, the name of another file; see --as")
            named[member.name] = clash if found in taken else found
            taken.add(found)
    return named


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
    return (stem if known else name) + ENDINGS[as_format][0]
