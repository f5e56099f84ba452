"""A member as a file object that only reads and seeks, as zipfile's ZipExtFile is one."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from blake3 import blake3

from photoarc.container.pieces import Piece
from photoarc.errors import PayloadCorrupt

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class MemberFile(io.RawIOBase):
    """Contents of a member; `digest` is of all of them, None where whoever made them has compared it.

    It is compared once everything has been read in order, whatever was read a second time between: the read that ends at the last byte
    raises PayloadCorrupt if it does not fit.
    """

    def __init__(self, name: str, contents: Piece, digest: bytes | None) -> None:
        super().__init__()
        self.name, self.mode = name, "rb"
        self._contents, self._expected = contents, digest
        self._digest, self._digested_bytes, self._at = blake3(), 0, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to a place, which may lie behind the end; raises ValueError for one before the start."""
        self._check_open()
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise ValueError(f"whence {whence}: is none of 0, 1, 2")
        start = 0 if whence == os.SEEK_SET else self._at if whence == os.SEEK_CUR else self._contents.size_bytes
        if start + offset < 0:
            raise ValueError(f"{self.name}: cannot seek to {start + offset}, before the start")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Reads as much as there is room for; 0 at the end. Raises MemberError."""
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Everything up to the end, at once. Raises MemberError."""
        return self._read(self._contents.size_bytes)

    def _read(self, most: int) -> bytes:
        self._check_open()
        count = max(min(most, self._contents.size_bytes - self._at), 0)
        data = self._contents.read_at(self._at, count) if count else b""
        self._check(self._at, data)
        self._at += len(data)
        return data

    def _check(self, at: int, data: bytes) -> None:
        """Adds to the digest what follows on what it has; raises PayloadCorrupt once that is everything and does not fit."""
        if self._expected is None or not at <= self._digested_bytes <= at + len(data):
            return
        self._digest.update(memoryview(data)[self._digested_bytes - at :])
        self._digested_bytes = at + len(data)
        if self._digested_bytes == self._contents.size_bytes and self._digest.digest() != self._expected:
            found, expected = self._digest.hexdigest(), self._expected.hex()
            raise PayloadCorrupt(self.name, f"its BLAKE3 is {found}, {expected} expected; the archive is damaged here")

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(f"{self.name}: the file is closed")
