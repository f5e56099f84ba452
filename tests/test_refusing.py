"""Destinations that refuse to remove, to cut, to rename: contents are there all the same, and nothing that is wanted is called rubbish."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import link, stored, write

from photoarc import extract, folders, unpack
from photoarc.records import Member
from photoarc.unpack import UnpackOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, removal of open files")
HERE = UnpackOptions(workers=0)
FORCED = UnpackOptions(workers=0, force=True)
NAMED = b".photoarc-0123456789abcdef"


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.fixture(params=[True, False], ids=["dir_fd", "paths"], autouse=True)
def use_dir_fd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(extract.Extractor.__init__, "__kwdefaults__", {"keep": None, "use_dir_fd": False, "mark": b""})


def members_called_as_temporary_files() -> list[tuple[Member, bytes]]:
    first = stored(b"in/" + NAMED, b"wanted")
    second = dataclasses.replace(stored(b"in/.photoarc-1123456789abcdef", b"wanted"), hard_link=first.name)
    return [
        (stored(NAMED, b"wanted"), b"wanted"), (stored(b".photoarc-00000000", b"short"), b"short"), (first, b"wanted"), (second, b"wanted"),
        (link(b"in/.photoarc-2123456789abcdef", NAMED), b""),
    ]  # fmt: skip


def test_a_member_is_never_called_left_over(tmp_path: Path) -> None:
    path = write(tmp_path / "out.pha", members_called_as_temporary_files())
    assert unpack.unpack(path, tmp_path / "to", HERE).remarks == ()
    again = unpack.unpack(path, tmp_path / "to", HERE)  # what was there before is the user's
    assert ({failed.kind for failed in again.failures}, again.remarks) == ({"CannotWrite"}, ())
    assert unpack.unpack(path, tmp_path / "to", FORCED).remarks == ()
    assert (tmp_path / "to" / os.fsdecode(NAMED)).read_bytes() == b"wanted"


def test_a_stranger_beside_such_a_member_is_mentioned(tmp_path: Path) -> None:
    path = write(tmp_path / "out.pha", members_called_as_temporary_files())
    (tmp_path / "to" / "in").mkdir(parents=True)
    (tmp_path / "to" / "in" / ".photoarc-fedcba9876543210").write_bytes(b"half")
    (tmp_path / "to" / ".photoarc-00000000000000ff").mkdir()
    (tmp_path / "to" / ".photoarc-notes.txt").write_bytes(b"somebody's")
    (remark,) = unpack.unpack(path, tmp_path / "to", HERE).remarks
    assert remark.startswith(f"1 files in {tmp_path / 'to'} have names of temporary files, first in/.photoarc-fedcba9876543210: perhaps")


def test_own_names_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "out.pha", [(stored(b"in/a", b"a"), b"a"), (stored(b"in/b", b"b"), b"b")])
    monkeypatch.setattr(folders.os, "unlink", refusing(errno.EPERM))
    done = unpack.unpack(path, tmp_path / "to", HERE)
    (remark,) = done.remarks
    assert done.failures == ()
    assert remark.startswith(f"2 temporary files of this run could not be removed from {tmp_path / 'to'}, first in/.photoarc-")
    assert "killed" not in remark
