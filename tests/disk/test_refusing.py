"""Destinations that refuse to remove, to cut, to rename: contents are there all the same, and nothing that is wanted is called rubbish."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import link, stored, write

import photoarc
from photoarc.disk import extractor, folders
from photoarc.jobs import unpack
from photoarc.jobs.pack import pack
from photoarc.member import Member
from photoarc.options import PackOptions, UnpackOptions

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
        monkeypatch.setattr(extractor.Extractor.__init__, "__kwdefaults__", {"keep": None, "use_dir_fd": False, "mark": b""})


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
    for name in members_called_as_temporary_files():
        (tmp_path / "to" / os.fsdecode(name[0].name)).unlink()
        (tmp_path / "to" / os.fsdecode(name[0].name)).write_bytes(b"the user's")
    again = unpack.unpack(path, tmp_path / "to", HERE)
    assert ({failed.kind for failed in again.failures}, again.remarks) == ({"CannotWrite"}, ())
    assert unpack.unpack(path, tmp_path / "to", FORCED).remarks == ()
    assert (tmp_path / "to" / os.fsdecode(NAMED)).read_bytes() == b"wanted"


def test_a_member_that_was_not_chosen_is_none_either(tmp_path: Path) -> None:
    path = write(tmp_path / "out.pha", members_called_as_temporary_files())
    unpack.unpack(path, tmp_path / "to", HERE)
    chosen = UnpackOptions(("in/.photoarc-2*",), workers=0, force=True)
    assert unpack.unpack(path, tmp_path / "to", chosen).remarks == ()


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


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EINVAL])
@pytest.mark.skipif(not hasattr(os, "truncate"), reason="needs a file that can be all hole")
def test_holes_where_no_file_is_cut_or_lengthened(tmp_path: Path, code: int) -> None:
    """The refusal is made by the file, as a file object calls the system by itself."""

    class Refusing(io.FileIO):
        def truncate(self, size: int | None = None) -> int:
            raise OSError(code, os.strerror(code), size)

    (tmp_path / "in").mkdir()
    expected = {"behind": b"data" + bytes(9 << 20), "before": bytes(9 << 20) + b"data", "empty": b"", "small": b"data"}
    for name, data in expected.items():
        (tmp_path / "in" / name).write_bytes(data.rstrip(b"\0"))
        os.truncate(tmp_path / "in" / name, len(data))
    pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(workers=0))
    with photoarc.open(tmp_path / "out.pha") as archive:
        for name, data in expected.items():
            with io.BufferedRandom(Refusing(tmp_path / name, "w+")) as file:
                archive.write_into(archive.info(f"in/{name}"), file)
            assert (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EINVAL])
@pytest.mark.parametrize("links", [True, False])
def test_replacing_where_no_rename_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, links: bool) -> None:
    path = write(tmp_path / "out.pha", [(stored(b"a", b"new"), b"new"), (stored(b"b", b"new"), b"new"), (link(b"l", b"a"), b"")])
    (tmp_path / "to").mkdir()
    (tmp_path / "other").write_bytes(b"old")
    os.link(tmp_path / "other", tmp_path / "to" / "a")  # a backup of links: its other names keep their contents
    (tmp_path / "to" / "b").symlink_to("../other")
    (tmp_path / "to" / "l").symlink_to("b")
    for call in ("rename", "replace") if links else ("rename", "replace", "link"):
        monkeypatch.setattr(os, call, refusing(code))
    done = unpack.unpack(path, tmp_path / "to", FORCED)
    assert (done.failures, done.remarks) == ((), ())
    assert {name: (tmp_path / "to" / name).read_bytes() for name in sorted(os.listdir(tmp_path / "to"))} == dict.fromkeys("abl", b"new")
    assert os.readlink(tmp_path / "to" / "l") == "a"
    assert (tmp_path / "other").read_bytes() == b"old"


def test_a_whole_file_that_gets_no_name_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "out.pha", [(stored(b"in/a", b"new"), b"new")])
    (tmp_path / "to" / "in").mkdir(parents=True)
    (tmp_path / "to" / "in" / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", refusing(errno.EPERM))
    monkeypatch.setattr(os, "link", refusing(errno.ENOSPC))
    monkeypatch.setattr(os, "rename", refusing(errno.ENOSPC))
    done = unpack.unpack(path, tmp_path / "to", FORCED)
    (whole,) = (tmp_path / "to" / "in").iterdir()
    assert whole.read_bytes() == b"new"
    assert f"It is whole and lies there as in/{whole.name}: rename it" in done.failures[0].reason
    assert done.remarks == ()


def test_what_can_be_neither_renamed_nor_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "out.pha", [(stored(b"a", b"new"), b"new")])
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a").write_bytes(b"old")
    for call in ("replace", "unlink"):
        monkeypatch.setattr(os, call, refusing(errno.EPERM))
    done = unpack.unpack(path, tmp_path / "to", FORCED)
    assert [failed.kind for failed in done.failures] == ["CannotWrite"]
    assert (tmp_path / "to" / "a").read_bytes() == b"old"
