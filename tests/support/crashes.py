"""A disk that dies: system calls that change files are counted, and from the n-th on none does anything any more.

    for disk in every_crash(monkeypatch):
        with disk:
            job()
        ...  # what is on the disk now, and after a power cut: disk.cut_power()

What a killed process leaves is what was written; what a power cut leaves is what was forced to the disk, and of the rest nothing or
zeros.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

CALLS = ("write", "fsync", "ftruncate", "replace", "rename", "link", "unlink")


class Dead(BaseException):
    """Nothing may catch this: the process is gone."""


class Disk:
    """Stops at the call of number `last`; `finished` says that the job came to its end before."""

    def __init__(self, last: int, monkeypatch: pytest.MonkeyPatch, *, torn: bool = False) -> None:
        self.left, self.finished, self._torn, self._patch = last, False, torn, monkeypatch
        self._forced: dict[tuple[int, int], bytes] = {}  # contents of files by inode at their last fsync

    def __enter__(self) -> Disk:
        self._context = self._patch.context()
        patch = self._context.__enter__()
        for name in CALLS:
            patch.setattr(os, name, self._counted(name, getattr(os, name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._context.__exit__(None, None, None)
        self.finished = kind is None
        return kind is Dead

    def _counted(self, name: str, call: Any) -> Any:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.left -= 1
            if self.left == 0 and name == "write" and self._torn:
                call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.left <= 0:
                raise Dead
            done = call(*arguments, **keywords)
            if name == "fsync":
                info = os.fstat(arguments[0])
                self._forced[info.st_dev, info.st_ino] = (
                    Path(f"/proc/self/fd/{arguments[0]}").read_bytes() if os.path.isfile(f"/proc/self/fd/{arguments[0]}") else b""
                )
            return done

        return counted

    def cut_power(self, path: Path, before: bytes, *, zeros: bool) -> None:
        """What of a file was not forced to the disk is gone, or zeros; `before` is what it was when the job began."""
        info, now = path.stat(), path.read_bytes()
        kept = self._forced.get((info.st_dev, info.st_ino), before)
        if zeros and len(now) > len(kept):
            kept += bytes(len(now) - len(kept))
        path.write_bytes(kept)


def every_crash(monkeypatch: pytest.MonkeyPatch, *, torn: bool = False) -> Iterator[Disk]:
    """Disks that die at the first call, the second, and so on, until the job comes to its end."""
    for last in range(1, 1000):
        disk = Disk(last, monkeypatch, torn=torn)
        yield disk
        if disk.finished:
            assert last > 2, "nothing was counted"
            return
    raise AssertionError("the job has no end")
