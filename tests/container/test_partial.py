"""An archive written where removal, renaming and cutting are refused: it is whole, and so is the one that it would replace."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import ARCHIVE_ID, names, sample, stored, write

import photoarc
from photoarc.container import partial_file
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import UnreadableSource, UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links")


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EXDEV])
def test_an_archive_that_cannot_be_replaced_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = write(tmp_path / "out.pha", sample())
    before, info = path.read_bytes(), path.stat()
    for call in ("rename", "replace"):
        monkeypatch.setattr(partial_file.os, call, refusing(code))
    with pytest.raises(UsageError, match=r"complete and lies there as (.*): rename it, .*out\.pha is as it was before$") as caught:  # noqa: SIM117
        with ArchiveWriter(path, force=True, archive_id=ARCHIVE_ID) as writer:
            writer.add(stored(b"new", b"data"), [b"data"])
    assert (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) == (before, info.st_ino, info.st_mtime_ns)
    (whole,) = tmp_path.glob("*.partial-*")
    assert str(whole) in str(caught.value)
    assert names(whole) == ["new"]


def broken() -> Iterator[bytes]:
    yield bytes(1 << 20)
    raise UnreadableSource("broken", "two readings of it differ")


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EINVAL])
@pytest.mark.parametrize("later_bytes", [4, 3 << 20])
def test_a_member_is_taken_back_where_no_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, later_bytes: int) -> None:
    monkeypatch.setattr(partial_file.os, "ftruncate", refusing(code))
    with ArchiveWriter(tmp_path / "out.pha", archive_id=ARCHIVE_ID) as writer:
        writer.add(stored(b"a", b"data"), [b"data"])
        with pytest.raises(UnreadableSource):
            writer.add(stored(b"broken", bytes(2 << 20), parts=2), broken())
        writer.add(stored(b"later", bytes(later_bytes)), [bytes(later_bytes)])
    assert (writer.warnings, os.listdir(tmp_path)) == ([], ["out.pha"])
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.names() == ["a", "later"]
        assert (archive.read("a"), archive.read("later")) == (b"data", bytes(later_bytes))
        for member in archive:
            archive.test(member)


def test_what_is_called_unfinished(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.pha", sample()).read_bytes()
    beside = {"00000000": whole, "00000001": b"\xff\xd8\xff a photograph", "notes.txt": b"", "0000000g": b"", "00000002": whole[:-9]}
    for end, data in beside.items():
        (tmp_path / f"out.pha.partial-{end}").write_bytes(data)
    with ArchiveWriter(tmp_path / "out.pha", archive_id=ARCHIVE_ID) as writer:
        pass
    (warning,) = writer.warnings
    assert warning.startswith(f"1 unfinished archives lie beside {tmp_path / 'out.pha'}, first out.pha.partial-00000002: ")


def test_the_own_name_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_file.os, "unlink", refusing(errno.EPERM))
    with ArchiveWriter(tmp_path / "out.pha", archive_id=ARCHIVE_ID) as writer:
        pass
    (left,) = tmp_path.glob("*.partial-*")
    assert writer.warnings == [f"{left} of this run could not be removed: {os.strerror(errno.EPERM)}; remove it by hand"]
    assert names(tmp_path / "out.pha") == []


def test_a_longer_copy_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in ("unlink", "ftruncate"):
        monkeypatch.setattr(partial_file.os, call, refusing(errno.EPERM))
    with ArchiveWriter(tmp_path / "out.pha", archive_id=ARCHIVE_ID) as writer, pytest.raises(UnreadableSource):
        writer.add(stored(b"broken", bytes(2 << 20), parts=2), broken())
    assert names(tmp_path / "out.pha") == []
    said = {
        f"{left} of this run could not be removed: {os.strerror(errno.EPERM)}; remove it by hand" for left in tmp_path.glob("*.partial-*")
    }
    assert (set(writer.warnings), len(said)) == (said, 2)
