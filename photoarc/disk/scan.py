"""Folders -> sorted list of what to pack. No file is opened and no link is followed.

Only names, `lstat` and the extended attributes of folders are looked at.

A folder keeps its own name (`pack photos` and `pack /home/me/photos` give `photos/...`); `.`, `..` and the root give their contents.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from photoarc.disk import attributes, brackets
from photoarc.disk.folders import SPECIAL
from photoarc.disk.targets import no_room_as_jpeg
from photoarc.errors import MemberError, SpecialFile, UnreadableSource, UsageError, explained
from photoarc.member import MAX_NAME_BYTES, Attributes, Kind
from photoarc.names import display, partial_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One thing to pack. `path` opens it from here, `name` is its name in the archive; both are bytes, exact.

    `inode` is (device, number) of a file that has several names. Extended attributes are those of folders (None: they cannot be kept);
    those of files are read with the file. `no_jpeg` says why a photograph in it must not be one that is unpacked as JPEG under a name
    with that ending (photoarc.disk.targets); "": it may.
    """

    path: bytes
    name: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    size_bytes: int
    link_target: bytes = b""
    inode: tuple[int, int] | None = None
    birth_ns: int | None = None
    attributes: Attributes | None = ()
    no_jpeg: str = ""


@dataclass(slots=True)
class _Scan:
    """Results so far, and what to leave out."""

    is_excluded: Callable[[bytes, bool], bool]
    skip: frozenset[bytes]
    files: list[SourceFile]
    errors: list[MemberError]


def scan(
    sources: Sequence[str | Path], *, excludes: Sequence[str] = (), skip: Collection[Path] = ()
) -> tuple[list[SourceFile], list[MemberError]]:
    """What to pack, sorted by name bytes, and what cannot be packed (unreadable folders, FIFOs, devices, sockets).

    `excludes` are gitignore lines, applied below each source. `skip` names archives being written: they and their partial files
    are left out. Raises UsageError: a source is missing or a link to a folder, two sources give one name, a bad exclude line.
    """
    paths = [os.fsencode(path) for path in skip]
    skipped = frozenset([*map(_resolved, paths), *map(os.path.realpath, paths)])  # a link to an archive, and the archive
    state = _Scan(_matcher(excludes), skipped, [], [])
    for source in sources:
        _add_source(os.fsencode(source), state)
    state.files.sort(key=lambda file: file.name)
    for file, following in zip(state.files, state.files[1:], strict=False):
        if file.name == following.name:
            raise UsageError(
                f"{display(file.path)} and {display(following.path)} would both be called {display(file.name)} in the archive; "
                "pack a common parent folder instead"
            )
    return _with_room(state.files), state.errors


def _with_room(files: list[SourceFile]) -> list[SourceFile]:
    """The files, each with what their names say about the ending that some photographs get."""
    why = no_room_as_jpeg([file.name for file in files], [file.name for file in files if file.kind is Kind.FILE])
    return [replace(file, no_jpeg=why[file.name]) if file.name in why else file for file in files] if why else files


def _add_source(path: bytes, state: _Scan) -> None:
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode) and os.path.isdir(path):
            target = display(os.path.realpath(path))
            raise UsageError(f"{display(path)}: is a symbolic link to a folder, links are not followed; to pack the folder, name {target}")
    except OSError as error:
        raise UsageError(f"{display(path)}: cannot be read: {explained(error)}") from error
    if not stat.S_ISDIR(info.st_mode):
        name = os.path.basename(path)
        if not state.is_excluded(name, False) and not _is_skipped(path, name, state):
            _add(path, name, info, state)
        return
    name = os.path.basename(path.rstrip(b"/" if os.altsep is None else b"/\\"))
    if name in (b"", b".", b".."):
        name = b""
    else:
        _add(path, name, info, state)
    _walk(path, name, b"", state)


def _walk(folder: bytes, prefix: bytes, below: bytes, state: _Scan) -> None:
    """Everything in a folder; `prefix` leads in the archive, `below` is the path from the source (for the excludes).

    A list of folders to do instead of recursion: depth is limited by the disk, not by Python.
    """
    todo = [(folder, prefix, below)]
    while todo:
        folder, prefix, below = todo.pop()
        found = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:  # what was listed before an error is packed
                    found.append(entry)
        except OSError as error:
            how = "cannot be listed to its end" if found else "cannot be listed"
            state.errors.append(UnreadableSource(display(prefix or folder), f"the folder {how}: {explained(error)}"))
        for entry in found:
            name = prefix + b"/" + entry.name if prefix else entry.name
            inner = below + b"/" + entry.name if below else entry.name
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError as error:
                state.errors.append(UnreadableSource(display(name), f"cannot be examined: {explained(error)}"))
                continue
            is_folder = stat.S_ISDIR(info.st_mode)
            if state.is_excluded(inner, is_folder) or _is_skipped(entry.path, entry.name, state):
                continue
            _add(entry.path, name, info, state)
            if is_folder:
                todo.append((entry.path, name, inner))


def _add(path: bytes, name: bytes, info: os.stat_result, state: _Scan) -> None:
    mode, size_bytes, target = stat.S_IMODE(info.st_mode), 0, b""
    extended: Attributes | None = ()
    inode = (info.st_dev, info.st_ino) if info.st_nlink > 1 and stat.S_ISREG(info.st_mode) else None
    if stat.S_ISREG(info.st_mode):
        kind, size_bytes = Kind.FILE, info.st_size
    elif stat.S_ISDIR(info.st_mode):
        kind = Kind.DIRECTORY
        extended = attributes.read(path)
    elif stat.S_ISLNK(info.st_mode):
        kind = Kind.SYMLINK
        try:
            target = os.readlink(path)
        except OSError as error:
            state.errors.append(UnreadableSource(display(name), f"the link cannot be read: {explained(error)}"))
            return
    else:
        what = SPECIAL.get(stat.S_IFMT(info.st_mode), "special file")
        state.errors.append(SpecialFile(display(name), f"is a {what}; only files, folders and symbolic links can be packed"))
        return
    if len(name) > MAX_NAME_BYTES:
        state.errors.append(UnreadableSource(display(name[:80]) + "...", f"the name has {len(name)} bytes; the limit is {MAX_NAME_BYTES}"))
        return
    mtime_ns, born_ns = attributes.mtime_ns(info), attributes.birth_ns(info)
    state.files.append(
        SourceFile(
            path=path,
            name=name,
            kind=kind,
            mode=mode,
            mtime_ns=mtime_ns,
            size_bytes=size_bytes,
            link_target=target,
            inode=inode,
            birth_ns=born_ns,
            attributes=extended,
        )
    )


def _matcher(excludes: Sequence[str]) -> Callable[[bytes, bool], bool]:
    """Predicate: (path below the source, whether it is a folder) -> whether it is excluded."""
    if not excludes:
        return lambda path, is_folder: False
    import pathspec  # 20 ms that most calls can save

    try:
        spec = pathspec.GitIgnoreSpec.from_lines(map(brackets.plain_line, excludes))
    except (ValueError, re.error) as error:
        bad = next((line for line in excludes if not _is_pattern(line)), "")
        raise UsageError(f"an exclude pattern is not understood: {bad!r} ({error}); the patterns are those of .gitignore") from error
    return lambda path, is_folder: spec.match_file(os.fsdecode(path) + ("/" if is_folder else ""))


def _is_pattern(line: str) -> bool:
    import pathspec

    try:
        pathspec.GitIgnoreSpec.from_lines([brackets.plain_line(line)])
    except (ValueError, re.error):
        return False
    return True


def _resolved(path: bytes) -> bytes:
    """Absolute path with links resolved, except in the last component."""
    parent, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(parent), name)


def _is_skipped(path: bytes, name: bytes, state: _Scan) -> bool:
    for skipped in state.skip:
        folder, base = os.path.split(skipped)
        if name == base or _is_partial(name, base):
            parent, last = os.path.split(_resolved(path))
            if parent == folder and (last == base or _is_partial(last, base)):
                return True
    return False


def _is_partial(name: bytes, archive: bytes) -> bool:
    """Whether an archive of this name has such a name while it is written; a photograph whose name only starts so is packed."""
    prefix = partial_prefix(archive)
    return name.startswith(prefix) and re.fullmatch(rb"[0-9a-f]{8}", name[len(prefix) :]) is not None
