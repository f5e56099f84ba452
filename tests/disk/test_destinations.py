"""Destinations that refuse things: contents are written all the same, two names that are one there lose nothing."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import folder, link, stored, write
from typer.testing import CliRunner

from photoarc.cli import app
from photoarc.disk import extractor, folders
from photoarc.disk.folders import Folder
from photoarc.jobs import unpack
from photoarc.options import UnpackOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links")
HERE = UnpackOptions(workers=0)
FORCED = UnpackOptions(workers=0, force=True)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def archive_of(tmp_path: Path, *names: bytes) -> Path:
    return write(tmp_path / "out.pha", [(stored(name, name), name) for name in names])


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.fixture(params=[True, False], ids=["dir_fd", "paths"])
def use_dir_fd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(extractor.Extractor.__init__, "__kwdefaults__", {"keep": None, "use_dir_fd": False})


@pytest.fixture
def no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that keeps the case of names and takes no notice of it."""
    real = Folder.at

    def at(self: Folder, part: bytes) -> bytes:
        return real(self, next((name for name in os.listdir(self.path) if name.lower() == part.lower()), part))

    monkeypatch.setattr(Folder, "at", at)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.EROFS, errno.ENOSYS, errno.EACCES])
@pytest.mark.parametrize(("call", "what"), [("chmod", "modes"), ("utime", "dates")])
@pytest.mark.usefixtures("use_dir_fd")
def test_what_cannot_be_set_is_counted_and_contents_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, what: str, code: int
) -> None:
    private = stored(b"in/a", b"data", mode=0o640)
    members = [(folder(b"in", 0o750), b""), (private, b"data"), (stored(b"in/b", b"more", mode=0o604), b"more"), (link(b"in/l", b"a"), b"")]
    write(tmp_path / "out.pha", members)
    monkeypatch.setattr(os, call, refusing(code))
    os.umask(previous := os.umask(0o077))
    try:
        os.umask(0o077)  # so that modes differ from what files are made with
        done = CliRunner().invoke(app.app, ["unpack", str(tmp_path / "out.pha"), str(tmp_path / "to"), "-j", "0"])
    finally:
        os.umask(previous)
    assert done.exit_code == 0
    assert contents(tmp_path / "to") == {"in/a": b"data", "in/b": b"more", "in/l": b"data"}
    assert done.stderr == (
        f"photoarc: warning: {what} of 3 members could not be set, first in/a: {os.strerror(code)}; the archive keeps them\n"
    )


def test_modes_that_are_right_need_no_chmod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out.pha", [(stored(b"a", b"data", mode=0o600), b"data"), (folder(b"f", 0o700), b"")])
    monkeypatch.setattr(os, "chmod", refusing(errno.EPERM))
    assert unpack.unpack(tmp_path / "out.pha", tmp_path / "to", HERE).remarks == ()
    assert stat.S_IMODE((tmp_path / "to" / "f").stat().st_mode) == 0o700


def test_what_is_set_and_not_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out.pha", [(stored(b"a", b"data", mode=0o604), b"data")])
    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)  # FAT mounted with "quiet"
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    os.umask(previous := os.umask(0o077))
    try:
        os.umask(0o077)
        done = unpack.unpack(tmp_path / "out.pha", tmp_path / "to", HERE)
    finally:
        os.umask(previous)
    assert [remark.split(" could")[0] for remark in done.remarks] == ["modes of 1 members", "dates of 1 members"]


def test_dates_beyond_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*_: object, **__: object) -> None:
        raise OverflowError("timestamp out of range for platform time_t")

    write(tmp_path / "out.pha", [(stored(b"a", b"data"), b"data"), (link(b"l", b"a"), b"")])
    monkeypatch.setattr(os, "utime", overflow)
    monkeypatch.setattr(os, "supports_follow_symlinks", os.supports_follow_symlinks | {overflow})
    done = unpack.unpack(tmp_path / "out.pha", tmp_path / "to", HERE)
    assert done.failures == ()
    assert done.remarks[0].startswith("dates of 2 members could not be set, first a: beyond what this system can store")


@pytest.mark.usefixtures("use_dir_fd")
def test_neither_link_nor_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive_of(tmp_path, b"a", b"b")
    for call in ("link", "rename", "replace"):
        monkeypatch.setattr(os, call, refusing(errno.EPERM))
    done = unpack.unpack(path, tmp_path / "to", HERE)
    assert (done.failures, done.remarks) == ((), ())
    assert contents(tmp_path / "to") == {"a": b"a", "b": b"b"}
    assert (tmp_path / "to" / "a").stat().st_mtime_ns == stored(b"a", b"").mtime_ns
    (tmp_path / "to" / "a").write_bytes(b"old")
    assert unpack.unpack(path, tmp_path / "to", FORCED).failures == ()
    assert contents(tmp_path / "to") == {"a": b"a", "b": b"b"}


@pytest.mark.parametrize("options", [HERE, FORCED])
@pytest.mark.usefixtures("use_dir_fd", "no_case")
def test_names_that_differ_in_case_only(tmp_path: Path, options: UnpackOptions) -> None:
    path = archive_of(tmp_path, b"IMG_1.JPG", b"Img_1.jpg", b"img_1.jpg", b"other.jpg")
    done = unpack.unpack(path, tmp_path / "to", options)
    assert done.failures == ()
    assert contents(tmp_path / "to") == {
        "IMG_1.JPG": b"IMG_1.JPG", "Img_1 (2).jpg": b"Img_1.jpg", "img_1 (3).jpg": b"img_1.jpg", "other.jpg": b"other.jpg",
    }  # fmt: skip
    assert done.renamed == (("Img_1.jpg", "Img_1 (2).jpg"), ("img_1.jpg", "img_1 (3).jpg"))
    assert done.remarks == (
        "2 members could not keep their names beside those of others, first Img_1.jpg: it was written as Img_1 (2).jpg",
    )
    before = contents(tmp_path / "to")
    assert unpack.unpack(path, tmp_path / "to", FORCED).failures == ()
    assert contents(tmp_path / "to") == before  # the same names again


@pytest.mark.usefixtures("no_case")
def test_links_and_hard_links_that_differ_in_case_only(tmp_path: Path) -> None:
    second = dataclasses.replace(stored(b"a.JPG", b"x"), hard_link=b"A.jpg")
    path = write(tmp_path / "out.pha", [(stored(b"A.jpg", b"x"), b"x"), (link(b"A.JPG", b"A.jpg"), b""), (second, b"x")])
    done = unpack.unpack(path, tmp_path / "to", FORCED)
    assert (done.failures, len(done.renamed)) == ((), 2)
    assert contents(tmp_path / "to") == {"A.jpg": b"x", "a (2).JPG": b"x", "A (3).JPG": b"x"}
    assert (tmp_path / "to" / "A (3).JPG").is_symlink()
    assert (tmp_path / "to" / "A.jpg").stat().st_nlink == 2


def test_a_file_that_would_stand_where_a_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat
    path = write(tmp_path / "out.pha", [(folder(b"q"), b""), (stored(b"q/x", b"1"), b"1"), (stored(b"Q", b"2"), b"2")])

    def no_case(self: Folder, part: bytes) -> os.stat_result | None:
        return real(os.path.join(self.path, b"q")) if part == b"Q" else lstat(self, part)

    lstat = Folder.lstat
    monkeypatch.setattr(Folder, "lstat", no_case)
    for options in (HERE, FORCED):
        done = unpack.unpack(path, tmp_path / str(options.force), options)
        assert (done.failures, done.renamed) == ((), (("Q", "Q (2)"),))
        assert contents(tmp_path / str(options.force)) == {"q/x": b"1", "Q (2)": b"2"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that tells cases apart")
def test_where_case_counts_every_name_is_kept(tmp_path: Path) -> None:
    names = (b"IMG_1.JPG", b"img_1.jpg", "\u00e9".encode(), "e\u0301".encode(), b"dot.", b"dot", b"P/a", b"p/a")
    path = archive_of(tmp_path, *names)
    for _ in range(2):  # into a new folder, then over what is there
        done = unpack.unpack(path, tmp_path / "to", FORCED)
        assert (done.failures, done.renamed) == ((), ())
        assert sorted(contents(tmp_path / "to").values()) == sorted(names)
        assert len(contents(tmp_path / "to")) == len(names)


@pytest.mark.parametrize("kind", ["fifo", "folder"])
@pytest.mark.parametrize("options", [HERE, FORCED])
@pytest.mark.usefixtures("use_dir_fd")
def test_special_files_and_folders_are_never_replaced(tmp_path: Path, kind: str, options: UnpackOptions) -> None:
    path = archive_of(tmp_path, b"a", b"b")
    (tmp_path / "to").mkdir()
    os.mkfifo(tmp_path / "to" / "a") if kind == "fifo" else (tmp_path / "to" / "a").mkdir()
    mode = (tmp_path / "to" / "a").lstat().st_mode
    done = unpack.unpack(path, tmp_path / "to", options)
    assert [failed.name for failed in done.failures] == ["a"]
    assert (tmp_path / "to" / "a").lstat().st_mode == mode
    assert (tmp_path / "to" / "b").read_bytes() == b"b"


def test_the_archive_is_never_replaced_by_what_it_holds(tmp_path: Path) -> None:
    path = archive_of(tmp_path, b"out.pha", b"x")
    before = path.read_bytes()
    done = unpack.unpack(path, tmp_path, FORCED)
    assert [failed.reason.partition(";")[0] for failed in done.failures] == ["it would replace the archive that it comes from"]
    assert (path.read_bytes(), (tmp_path / "x").read_bytes()) == (before, b"x")


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS, errno.ENOTSUP])
def test_where_no_links_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = write(tmp_path / "out.pha", [(stored(b"a", b"data"), b"data"), (link(b"l", b"a"), b"")])
    monkeypatch.setattr(os, "symlink", refusing(code))
    (failed,) = unpack.unpack(path, tmp_path / "to", HERE).failures
    assert (failed.name, failed.reason.partition(" in ")[0]) == ("l", "is a symbolic link, none can be made")
    assert contents(tmp_path / "to") == {"a": b"data"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_ends_the_run_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    members = [(folder(b"in"), b"")] + [(stored(b"in/%02d" % number, b"data"), b"data") for number in range(80)]
    path = write(tmp_path / "out.pha", [*members, *((link(b"in/l%d" % number, b"00"), b"") for number in range(3))])
    real, made = Folder.create, 0

    def create(self: Folder, mode: int) -> tuple[int, bytes]:
        nonlocal made
        made += 1
        if made > 12:
            raise OSError(code, os.strerror(code))
        return real(self, mode)

    monkeypatch.setattr(Folder, "create", create)
    done = unpack.unpack(path, tmp_path / "to", HERE)
    (failed,) = done.failures
    assert (failed.name, failed.kind, done.files, made) == ("in/12", "NoRoom", 12, 13)
    assert f"{os.strerror(code)}; " in failed.reason
    assert ". Unpacking ended here, " in failed.reason
    assert " of 84 members are not in" in failed.reason


@pytest.fixture
def same_names() -> Iterator[None]:
    """As in containers, where every run has the same process id: a name that is drawn twice."""
    drawn = iter([b"1" * 8, b"2" * 8, b"3" * 8])
    real = os.urandom
    folders.os.urandom = lambda _: next(drawn)
    yield
    folders.os.urandom = real


@pytest.mark.usefixtures("same_names")
def test_what_a_killed_run_left_blocks_nothing_and_is_mentioned(tmp_path: Path) -> None:
    path = archive_of(tmp_path, b"in/a")
    (tmp_path / "to" / "in").mkdir(parents=True)
    left = tmp_path / "to" / "in" / (".photoarc-" + (b"1" * 8).hex())
    left.write_bytes(b"half")
    done = unpack.unpack(path, tmp_path / "to", HERE)
    assert done.failures == ()
    assert (tmp_path / "to" / "in" / "a").read_bytes() == b"in/a"
    assert done.remarks == (
        f"1 files in {tmp_path / 'to'} have names of temporary files, first in/{left.name}: perhaps left by a run that was killed; "
        "look at them before you remove them, and remove none while another photoarc is writing there",
    )
    assert left.read_bytes() == b"half"


def test_the_default_destination_is_never_what_was_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("photos/a.txt").write_bytes(b"the original")
    for options, to in (((), "photos-unpacked"), (("-f",), "photos-unpacked-2")):
        assert CliRunner().invoke(app.app, ["pack", "-f", "photos", "photos.pha"]).exit_code == 0
        done = CliRunner().invoke(app.app, ["unpack", "photos.pha", "-j", "0", *options])
        assert done.exit_code == 0
        assert f"into {to}\n" in done.stdout
        assert contents(Path(to)) == {"photos/a.txt": b"the original"}
        assert contents(Path("photos")) == {"a.txt": b"the original"}
    Path("empty").mkdir()
    assert unpack.default_destination("empty.pha") == Path("empty")
    Path("link").symlink_to("empty")
    Path("file").touch()
    assert [unpack.default_destination(f"{name}.pha") for name in ("link", "file")] == [Path("link-unpacked"), Path("file-unpacked")]


def test_names_that_the_file_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive_of(tmp_path, b"10:30.txt", b"b")

    def rename(self: Folder, temporary: bytes, final: bytes, force: bool, real: Callable[..., None] = Folder.rename) -> None:
        if b":" in final:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(self, temporary, final, force)

    monkeypatch.setattr(Folder, "rename", rename)
    monkeypatch.setattr(extractor, "REFUSED", ())
    done = unpack.unpack(path, tmp_path / "to", HERE)
    assert [(failed.name, failed.reason.partition(" (")[0]) for failed in done.failures] == [
        ("10:30.txt", f"{tmp_path / 'to'} takes no names with :")
    ]
    assert contents(tmp_path / "to") == {"b": b"b"}
