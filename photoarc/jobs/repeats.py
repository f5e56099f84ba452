"""What was packed before, and need not be packed again."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from photoarc.disk.reading import Stamp, in_parts
from photoarc.disk.scan import SourceFile
from photoarc.errors import UnreadableSource
from photoarc.member import AS_JPEG, Kind, Member
from photoarc.names import display
from photoarc.options import BY_CHOICE

# Below, a copy of its own costs less than losing both with one damaged byte.
LEAST_BYTES = 512


class Repeats:
    """Files of a job whose contents are those of an earlier one."""

    def __init__(self, files: Iterable[SourceFile], known: Iterable[Member] = ()) -> None:
        """`known` members are in the archive already."""
        sizes = Counter(file.size_bytes for file in files if file.kind is Kind.FILE)
        self._stored: dict[bytes, tuple[Member, str]] = {}  # digest -> the member that has the payload, the note about it
        for member in known:
            sizes[member.size_bytes] += 2
            self._stored.setdefault(member.digest, (member, BY_CHOICE))
        self._sizes = {size for size, files_n in sizes.items() if files_n > 1 and size >= LEAST_BYTES}
        self._coming: set[bytes] = set(self._stored)
        self._firsts: set[bytes] = set()  # names that were asked about and are no twins
        self._twins: dict[bytes, tuple[bytes, Stamp]] = {}  # name -> digest, stamp of that reading
        self.attributes_lost: list[str] = []  # printable names of twins with extended attributes that cannot be kept
        self._inodes: dict[tuple[int, int], Member] = {}

    def is_twin(self, source: SourceFile) -> bool:
        """Whether an earlier file had the same contents; to be asked in archive order. Reads it the first time."""
        if source.name in self._twins:
            return True
        if source.kind is not Kind.FILE or source.size_bytes not in self._sizes or source.name in self._firsts:
            return False
        self._firsts.add(source.name)
        try:
            with in_parts(source) as file:
                digest, stamp = file.digest, file.stamp
        except UnreadableSource:
            return False  # its own turn will say so
        if stamp.size_bytes >= LEAST_BYTES and digest in self._coming:
            self._firsts.discard(source.name)
            self._twins[source.name] = digest, stamp
            self.attributes_lost += [display(source.name)] if stamp.attributes is None else []
            return True
        self._coming.add(digest)
        return False

    def linked(self, source: SourceFile, member: Member) -> Member:
        """The record, naming the first member that was the same file on the disk (and had these bytes), if there is one."""
        if source.inode is None:
            return member
        first = self._inodes.setdefault(source.inode, member)
        same = first is not member and first.digest == member.digest
        return dataclasses.replace(member, hard_link=first.name) if same else member

    def remember(self, member: Member, note: str, found: bytes = b"") -> None:
        """A member that was stored with a payload of its own; `found` is the digest of its file, if another one is recorded."""
        digest = found or member.digest
        if digest in self._coming:
            self._stored.setdefault(digest, (member, note))

    def twin(self, source: SourceFile) -> tuple[Member, str] | None:
        """Record and note of a file whose contents are stored already; None: it needs a payload of its own."""
        digest, stamp = self._twins.pop(source.name, (b"", None))
        if stamp is None or digest not in self._stored:
            return None
        first, note = self._stored[digest]
        if source.no_jpeg and first.photo is not None and first.photo.source_format in AS_JPEG:
            return None
        return dataclasses.replace(
            first,
            name=source.name,
            mode=stamp.mode,
            mtime_ns=stamp.mtime_ns,
            birth_ns=stamp.birth_ns,
            attributes=stamp.attributes or (),
            payload_bytes=0,
            parts=0,
            duplicate=True,
            grouped=False,
            shared=None,
        ), note
