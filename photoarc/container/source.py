"""Where the bytes of an archive come from: a file, a file object that somebody else has opened, memory.

    path | binary file object that can seek (open, io.BytesIO, fsspec) | bytes  --source_of-->  Source

Whoever opens closes: a path is closed with its source, a file object that was given stays open, as zipfile does it.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from photoarc.errors import FormatError, Truncated, UsageError, explained

BLOCK_BYTES = 1 << 20
Place = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class Source(Protocol):
    """Bytes of known length that can be read at any offset, from any thread. `name` is for messages."""

    name: str

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes; raises Truncated where there are fewer."""

    def close(self) -> None:
        """Reading afterwards raises UsageError."""


class FileSource:
    """A binary file object as a Source. Its position is moved; who reads it elsewhere at the same time gets nonsense."""

    def __init__(self, file: BinaryIO, name: str, *, ours: bool = False) -> None:
        self.name = name
        self._file, self._ours, self._closed = file, ours, False
        self._lock = threading.Lock()
        try:
            file.seek(0, os.SEEK_END)
            self.size_bytes = file.tell()
        except Exception as error:
            raise UsageError(f"{name}: the file object cannot seek ({_words(error)}); read it into an io.BytesIO first") from error

    def read_at(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes; raises Truncated before anything is allocated, FormatError when the disk or the file object fails."""
        if offset < 0 or offset + count > self.size_bytes:
            raise Truncated(f"{count} bytes expected, {max(self.size_bytes - offset, 0)} are left in the file", offset=offset)
        pieces = []
        with self._lock:
            if self._closed or getattr(self._file, "closed", False):
                raise UsageError(f"{self.name}: the archive is closed")
            try:
                self._file.seek(offset)
                while count > 0 and (piece := self._file.read(count)):  # which may be short
                    pieces.append(bytes(piece))
                    count -= len(piece)
            except MemoryError:
                raise
            except Exception as error:  # file objects of others raise what they like
                raise FormatError(f"the archive cannot be read: {_words(error)}", offset=offset) from error
        if count:
            raise Truncated(f"the file became shorter while it was read, {count} bytes are missing", offset=offset)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Closes the file, unless it was given; reading afterwards raises UsageError."""
        self._closed = True
        if self._ours:
            self._file.close()


def source_of(place: Place) -> FileSource:
    """Opens a path; takes bytes and a binary file object as they are, from their first byte on. Raises UsageError."""
    if isinstance(place, str | os.PathLike):
        return _opened(place)
    if isinstance(place, bytes | bytearray | memoryview):
        return FileSource(io.BytesIO(place), "<bytes>", ours=True)
    name = _name(place)
    if isinstance(place, io.TextIOBase) or not all(hasattr(place, method) for method in ("read", "seek")):
        raise UsageError(f"{name}: an archive is a path, bytes or a binary file object; open it with mode 'rb'")
    return FileSource(place, name)


def _opened(path: str | os.PathLike[str]) -> FileSource:
    name = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for ever
            raise UsageError(f"{name}: an archive is a regular file, this is not; name the .pha file")
        file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed by close)
    except OSError as error:
        raise UsageError(f"{name}: cannot open the archive: {explained(error)}") from error
    return FileSource(cast(BinaryIO, file), name, ours=True)


def path_of(place: Place) -> str:
    """Path of what is opened, empty where that is no file on this disk: a remote file object may be called like one that is."""
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    try:
        name = _name(place)
        return name if os.path.samestat(os.fstat(place.fileno()), os.stat(name)) else ""  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return ""


def _name(file: object) -> str:
    """What messages call a file object: its path where it knows one (fsspec: `path`)."""
    known = (getattr(file, attribute, None) for attribute in ("name", "path"))
    return next((name for name in known if isinstance(name, str) and name), f"<{type(file).__name__}>")


def _words(error: Exception) -> str:
    return explained(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def blocks_at(source: Source, offset: int, count: int) -> Iterator[bytes]:
    """Bytes of a source in blocks of at most 1 MiB; raises what read_at raises."""
    for start in range(offset, offset + count, BLOCK_BYTES):
        yield source.read_at(start, min(BLOCK_BYTES, offset + count - start))
