"""Identical files: found before they are coded, so that each is coded and stored once; and reported from a finished archive.

A file is read ahead of its turn only if another one has its size. Of identical files the first in archive order is the one that is
stored, whatever the number of workers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from photoarc.member import Kind, Member


@dataclass(frozen=True, slots=True)
class Group:
    """Members with the same contents, or much of it, in printable names; digest and size are those of the first."""

    digest: str
    size_bytes: int
    names: tuple[str, ...]


def groups(members: Iterable[Member]) -> list[Group]:
    """Identical files, those that take most first; empty ones and further names of one file (hard links) are none."""
    by_digest: defaultdict[bytes, list[Member]] = defaultdict(list)
    for member in members:
        if member.kind is Kind.FILE and member.size_bytes and not member.hard_link:
            by_digest[member.digest].append(member)
    found = [
        Group(digest.hex(), same[0].size_bytes, tuple(member.display_name for member in same))
        for digest, same in by_digest.items()
        if len(same) > 1
    ]
    return sorted(found, key=_spared)


def alike(members: Iterable[Member]) -> list[Group]:
    """Files whose payloads share most bytes with that of the first named: the same picture, as a rule, with other metadata."""
    first: dict[bytes, Member] = {}
    pieces: defaultdict[bytes, list[Member]] = defaultdict(list)
    for member in members:
        if member.shared:
            pieces[member.shared.digest].append(member)
        elif not member.duplicate:
            first.setdefault(member.digest, member)
    found = [
        Group(digest.hex(), first[digest].size_bytes, tuple(member.display_name for member in (first[digest], *same)))
        for digest, same in pieces.items()
        if digest in first  # a damaged archive may have lost it
    ]
    return sorted(found, key=_spared)


def _spared(group: Group) -> tuple[int, tuple[str, ...]]:
    return -group.size_bytes * (len(group.names) - 1), group.names
