"""What may be replaced: `pack -f` replaces photoarc archives (finished, cut, damaged) and empty files, nothing else.

A symbolic link stays, and what it leads to is replaced, as a shell's `>` does it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from photoarc.container.foreign import what_it_is
from photoarc.container.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC, FOOTER_BYTES, parse_footer
from photoarc.disk.folders import SPECIAL
from photoarc.errors import REPLACE, FormatError, UsageError

_MOST_LINKS = 40  # as Linux
_LAST = "the archive's name comes last: photoarc pack SRC... ARCHIVE"


def place(path: Path, force: bool) -> Path:
    """Where an archive called `path` is to be written: there, or where its symbolic links lead. Nothing is changed.

    Raises UsageError: something is there that must not be replaced (without `force`: anything).
    """
    target = follow(path)
    info = _lstat(target)
    if info is None:
        if target != path and not force:
            raise UsageError(f"{path}: is a symbolic link to {target}, which does not exist; name that file, or write it with -f")
        return target
    if stat.S_ISDIR(info.st_mode):
        raise UsageError(f"{path}: is a folder, the archive would replace it; {_LAST}")
    if not stat.S_ISREG(info.st_mode):
        what = SPECIAL.get(stat.S_IFMT(info.st_mode), "special file")
        raise UsageError(f"{path}: is a {what}, no file to write an archive to; {_LAST}")
    if (other := _what_else(target)) is not None:
        raise UsageError(f"{path}: exists already and is no photoarc archive{other}; only archives are replaced, and {_LAST}")
    if not force:
        raise UsageError(f"{path}: exists already; {REPLACE}, or choose another name")
    return target


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no archive can be written there: {getattr(error, 'strerror', None) or error}") from error


def follow(path: Path) -> Path:
    """The first thing on the way that is no symbolic link. Raises UsageError."""
    at = path
    for _ in range(_MOST_LINKS):
        info = _lstat(at)
        if info is None or not stat.S_ISLNK(info.st_mode):
            return at
        if _is_planted(at, info):
            raise UsageError(f"{path}: {at} is a symbolic link that another user made in a folder open to all; name a file of your own")
        at = at.parent / os.readlink(at)
    raise UsageError(f"{path}: symbolic links lead in a circle; choose another name")


def _is_planted(link: Path, info: os.stat_result) -> bool:
    """The rule of Linux' protected_symlinks: in a sticky folder that all may write to, links of others are not followed."""
    if os.name != "posix":
        return False
    folder = os.stat(link.parent)
    open_to_all = bool(folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH)
    return open_to_all and info.st_uid not in (os.geteuid(), folder.st_uid)


def _what_else(path: Path) -> str | None:
    """None: an archive, whole or not, or an empty file. Else " but a ..." if it is known what the file is. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
            size_bytes = os.fstat(file.fileno()).st_size
            file.seek(max(size_bytes - FOOTER_BYTES, 0))
            tail = file.read(FOOTER_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read, so it may be anything: {error.strerror}; choose another name") from error
    if head[: len(FILE_MAGIC)] == FILE_MAGIC[: len(head)] or _is_without_start(head, tail, size_bytes):
        return None
    found = what_it_is(head)
    return f" but {found}" if found else ""


def _is_without_start(head: bytes, tail: bytes, size_bytes: int) -> bool:
    """Whether it is an archive with a damaged header, or one that lost its first bytes. One that follows other bytes is not."""
    if CHUNK_MAGIC in (head[: len(CHUNK_MAGIC)], head[FILE_HEADER_BYTES : FILE_HEADER_BYTES + len(CHUNK_MAGIC)]):
        return True
    try:
        return parse_footer(tail).archive_bytes >= size_bytes
    except FormatError:
        return False
