"""Reading source files while somebody else may be changing them: whole, or in parts of bounded size."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from blake3 import blake3

from photoarc.disk import attributes
from photoarc.disk.scan import SourceFile
from photoarc.errors import UnreadableSource, explained
from photoarc.member import Attributes
from photoarc.names import display
from photoarc.pictures import kinds
from photoarc.pictures.size import PictureSize, picture_size

PART_BYTES = 32 << 20  # of a large stored file; what a writer has in memory at most
MAX_WHOLE_BYTES = 1 << 30  # of a picture; the decoders need it in one piece

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the file system said about a file while it was read. `mode` holds permission bits only.

    Extended attributes are None if there are some that cannot be kept.
    """

    size_bytes: int
    mtime_ns: int
    mode: int
    birth_ns: int | None = None
    attributes: Attributes | None = ()


@contextmanager
def readable(source: SourceFile) -> Iterator[None]:
    """Turns every OSError of a reading into UnreadableSource."""
    try:
        yield
    except FileNotFoundError:
        raise UnreadableSource(display(source.name), "it disappeared after the folder was listed") from None
    except OSError as error:
        raise UnreadableSource(display(source.name), f"cannot be read: {explained(error)}") from error


def open_source(source: SourceFile) -> BinaryIO:
    """The open file, surely a regular one: it may have been replaced since the scan."""
    with readable(source):
        try:
            fd = os.open(source.path, _FLAGS)
        except BlockingIOError:  # somebody has a lease on it (Samba), which he gives up if one waits; a FIFO never says this
            fd = os.open(source.path, _FLAGS & ~os.O_NONBLOCK)
        file = open(fd, "rb", buffering=0)  # noqa: SIM115 (the callers close it)
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise UnreadableSource(display(source.name), "it was a file when the folder was listed and is not any more")


def stamp_of(file: BinaryIO) -> Stamp:
    """Of an open file. Raises OSError."""
    found = os.fstat(file.fileno())
    extended = attributes.read(file.fileno())
    return Stamp(found.st_size, attributes.mtime_ns(found), stat.S_IMODE(found.st_mode), attributes.birth_ns(found), extended)


def check_unchanged(source: SourceFile, file: BinaryIO, before: Stamp, size_bytes: int) -> None:
    """Raises UnreadableSource unless so many bytes were read of a file that is as it was before."""
    after = os.fstat(file.fileno())
    if (size_bytes, attributes.mtime_ns(after)) != (before.size_bytes, before.mtime_ns):
        changed = f"{before.size_bytes} bytes, then {max(size_bytes, after.st_size)}" if size_bytes != before.size_bytes else "new date"
        raise UnreadableSource(display(source.name), f"it changed while it was read ({changed}); pack it again when it is finished")


def read_whole(source: SourceFile, limit_bytes: int = MAX_WHOLE_BYTES) -> tuple[bytes, Stamp]:
    """All bytes of a file and its stamp, which may be newer than the scan's. Raises UnreadableSource."""
    with open_source(source) as file, readable(source):
        before = stamp_of(file)
        if before.size_bytes > limit_bytes:
            raise UnreadableSource(display(source.name), f"it grew to {before.size_bytes} bytes after the folder was listed; pack it again")
        data = b"".join(_blocks(file, before.size_bytes))
        check_unchanged(source, file, before, len(data))
    return data, before


def _blocks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The file in pieces of at most PART_BYTES; reads at most one byte beyond `size_bytes`, which shows that it grew."""
    left = size_bytes + 1
    while left and (block := file.read(min(PART_BYTES, left))):
        left -= len(block)
        yield block


def starts_like_picture(source: SourceFile) -> bool:
    """Whether the first bytes are those of a JPEG, PNG, WebP, BMP, TIFF or PNM file; False if it cannot be read."""
    try:
        with open_source(source) as file, readable(source):
            return kinds.starts_like_picture(file.read(16))
    except UnreadableSource:
        return False


def picture_of(source: SourceFile) -> PictureSize | None:
    """What the header of a file says of its picture; None if it is none, or cannot be read."""
    try:
        with open_source(source) as file, readable(source):
            return picture_size(file)
    except UnreadableSource:
        return None


@dataclass(frozen=True, slots=True)
class InParts:
    """A file that was read once for its digest, to be read once more for its bytes."""

    source: SourceFile
    file: BinaryIO
    stamp: Stamp
    digest: bytes

    @property
    def count(self) -> int:
        """Number of parts; an empty file has one, which is empty."""
        return max(1, -(-self.stamp.size_bytes // PART_BYTES))

    def parts(self) -> Iterator[bytes]:
        """PART_BYTES each, the last one shorter and held back until the whole is known to be what the first reading saw.

        Raises UnreadableSource.
        """
        hasher, left = blake3(), self.stamp.size_bytes
        for number in range(self.count):
            with readable(self.source):
                self.file.seek(self.stamp.size_bytes - left)
                part = b"".join(exactly(self.file, min(PART_BYTES, left)))
                left -= len(part)
                hasher.update(part)
                if len(part) < PART_BYTES:
                    check_unchanged(self.source, self.file, self.stamp, self.stamp.size_bytes - left)
            if number == self.count - 1 and hasher.digest() != self.digest:
                raise UnreadableSource(display(self.source.name), "two readings of it differ; pack it again when it is finished")
            yield part


def exactly(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """So many bytes from here on, in pieces; fewer if the file ends."""
    while size_bytes and (block := file.read(size_bytes)):
        size_bytes -= len(block)
        yield block


@contextmanager
def in_parts(source: SourceFile) -> Iterator[InParts]:
    """Opens a file of any size and takes its digest. Raises UnreadableSource."""
    with open_source(source) as file:
        with readable(source):
            stamp, hasher, size_bytes = stamp_of(file), blake3(), 0
            for block in _blocks(file, stamp.size_bytes):
                hasher.update(block)
                size_bytes += len(block)
            check_unchanged(source, file, stamp, size_bytes)
        yield InParts(source, file, stamp, hasher.digest())
