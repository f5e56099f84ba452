"""Names on the disk that one run has written: what a file system takes for one of them must not be replaced by another member.

exFAT, NTFS and APFS take IMG_1.JPG and img_1.jpg for one name, some take accents in one and in two characters for one. What exactly is the
same differs from system to system and from folder to folder, so the file system is asked: a folder that lists both names has both.
"""

from __future__ import annotations

import os
import stat

from photoarc.disk.folders import looks_temporary
from photoarc.names import folded

Parts = tuple[bytes, ...]


class Taken:
    """The names, by what is left of them without case and the like; about 150 bytes each."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._names: dict[int, bytes] = {}  # hash of the folded name -> the name
        self._inodes: set[int] = set()
        self._asked: set[int] = set()  # as in _names: members that look like temporary files, written or not

    def may_have(self, name: bytes) -> bool:
        """False: nothing that this run has written can stand under this name."""
        return hash(folded(name)) in self._names

    def add(self, parts: Parts, info: os.stat_result | None) -> None:
        """A file or link that is written; `info` is what the file system says about it."""
        name = b"/".join(parts)
        self._names[hash(folded(name))] = name
        if info is not None:
            self._inodes.add(info.st_dev << 64 | info.st_ino)

    def ask(self, name: bytes) -> None:
        """A member has this name. What stands under it is no temporary file, even if the member could not be written."""
        if looks_temporary(name.rpartition(b"/")[2]):
            self._asked.add(hash(folded(name)))

    def is_left_over(self, name: bytes) -> bool:
        """Whether a file of a temporary name is nothing that this run wrote, and has the name of no member that it saw."""
        try:
            info = os.lstat(os.path.join(self._root, name))
        except OSError:
            return False
        known = hash(folded(name)) in self._asked or self.may_have(name) or info.st_dev << 64 | info.st_ino in self._inodes
        return not known and not stat.S_ISDIR(info.st_mode)

    def has(self, parts: Parts, info: os.stat_result) -> bool:
        """Whether what stands there, `info`, was written by this run, under this name or one that leads to the same file."""
        name = b"/".join(parts)
        mine = self._names.get(hash(folded(name)))
        if mine is None:
            return info.st_dev << 64 | info.st_ino in self._inodes  # short names, dropped characters
        if mine == name:
            return not stat.S_ISDIR(info.st_mode)  # one archive with `a` and `a/b`: such a file is refused
        return not self._are_two(tuple(mine.split(b"/")), parts)

    def _are_two(self, mine: Parts, other: Parts) -> bool:
        at = next((at for at, (one, two) in enumerate(zip(mine, other, strict=False)) if one != two), None)
        if at is None or len(mine) != len(other):
            return True
        try:
            listed = set(os.listdir(os.path.join(self._root, *mine[:at])))
        except OSError:
            return False
        return {mine[at], other[at]} <= listed
