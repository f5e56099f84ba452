from __future__ import annotations

import dataclasses
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from containers import TIME_NS, folder, link, stored

from photoarc.disk import extractor as extract
from photoarc.disk.extractor import Extractor
from photoarc.errors import CannotWrite, MemberError, PayloadCorrupt, UnsafeName, UnsupportedCodec, UsageError
from photoarc.member import Kind, Member

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links")


@pytest.fixture(params=[True, False], ids=["dir_fd", "paths"])
def use_dir_fd(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def data_into(data: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def put(extractor: Extractor, member: Member, data: bytes = b"data") -> None:
    if member.kind == Kind.FILE:
        extractor.file(member, data_into(data))
    elif member.kind == Kind.DIRECTORY:
        extractor.directory(member)
    else:
        extractor.symlink(member)


def everything(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Path -> mode, time, contents, of all below a folder: what nothing may change."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


def test_round_trip(tmp_path: Path, use_dir_fd: bool) -> None:
    members = [
        folder(b"in", 0o555), folder(b"in/empty", 0o700), stored(b"in/a", b"data", mode=0o6640),
        stored(b"in/deep/er/b", b"data", mode=0o400),
        link(b"in/link", b"deep/er/b"), link(b"in/deep/up", b"../a"), link(b"top", b"in"), stored(b"last", b"", mtime_ns=-5),
    ]  # fmt: skip
    extractor = Extractor(tmp_path / "new" / "out", False, use_dir_fd=use_dir_fd)
    for member in members:
        put(extractor, member, b"" if member.name == b"last" else b"data")
    assert extractor.finish() == []
    out = tmp_path / "new" / "out"
    assert stat.S_IMODE((out / "in").stat().st_mode) == 0o555
    assert stat.S_IMODE((out / "in/empty").stat().st_mode) == 0o700
    assert stat.S_IMODE((out / "in/a").stat().st_mode) == 0o640
    assert stat.S_IMODE((out / "in/deep/er/b").stat().st_mode) == 0o400
    for name in ("in", "in/empty", "in/a", "in/deep/er/b", "in/link", "top"):
        assert (out / name).lstat().st_mtime_ns == TIME_NS
    assert (out / "last").stat().st_mtime_ns == -5
    assert os.readlink(out / "in/link") == "deep/er/b"
    assert (out / "in/link").read_bytes() == (out / "in/deep/up").read_bytes() == b"data"
    assert not list(out.rglob(".photoarc-*"))
    os.chmod(out / "in", 0o755)


def test_another_name(tmp_path: Path) -> None:
    with Extractor(tmp_path, False) as extractor:
        extractor.file(stored(b"a/p.jpg", b"x"), data_into(b"x"), name=b"a/p.png")
        with pytest.raises(UnsafeName):
            extractor.file(stored(b"a/p.jpg", b"x"), data_into(b"x"), name=b"../p.png")
    assert [path.name for path in tmp_path.rglob("*.p*")] == ["p.png"]


@pytest.mark.parametrize("name", [b"", b"/abs", b"../x", b"a/../../x", b"a/..", b".", b"a//b", b"a\0b", b"x" * 256, b"/", b".."])
def test_unsafe_names_touch_nothing(tmp_path: Path, use_dir_fd: bool, name: bytes) -> None:
    (tmp_path / "outside").write_text("untouched")
    out = tmp_path / "dest" / "out"
    with Extractor(out, True, use_dir_fd=use_dir_fd) as extractor:
        before = everything(tmp_path)
        for member in (stored(name, b"x"), folder(name), link(name, b"a")):
            with pytest.raises(UnsafeName):
                put(extractor, member)
        assert extractor.finish() == []
    assert everything(tmp_path) == before


@pytest.mark.parametrize("force", [False, True])
def test_links_that_lie_in_wait_are_not_followed(tmp_path: Path, use_dir_fd: bool, force: bool) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "victim").write_text("untouched")
    (out / "dir").symlink_to(outside)
    (out / "sub").mkdir()
    (out / "sub/dir").symlink_to("../../outside")
    (out / "final").symlink_to("../outside/victim")
    before = everything(outside)
    extractor = Extractor(out, force, use_dir_fd=use_dir_fd)
    for member in (stored(b"dir/victim", b"x"), stored(b"sub/dir/new", b"x"), folder(b"dir"), folder(b"sub/dir/x")):
        with pytest.raises(CannotWrite, match="links are not followed"):
            put(extractor, member)
    if force:
        put(extractor, stored(b"final", b"mine"), b"mine")  # the link is replaced, not what it points to
    else:
        with pytest.raises(CannotWrite, match="exists already"):
            put(extractor, stored(b"final", b"mine"))
    put(extractor, link(b"dir/l", b"x"))
    assert [str(error).split(";")[0].startswith("dir/l: a folder of its path") for error in extractor.finish()] == [True]
    assert everything(outside) == before
    assert (out / "final").is_symlink() != force


def test_no_member_is_written_through_a_link_of_the_archive(tmp_path: Path, use_dir_fd: bool) -> None:
    extractor = Extractor(tmp_path, True, use_dir_fd=use_dir_fd)
    put(extractor, link(b"a", b"b"))
    put(extractor, stored(b"a/x", b"1"))
    (error,) = extractor.finish()
    assert "a folder of this name exists" in str(error)
    assert (tmp_path / "a").is_dir()
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (b"l", b"/etc/passwd"), (b"l", b".."), (b"l", b"../x"), (b"a/l", b"../../x"), (b"a/l", b"b/../../x"), (b"a/l", b"./../../x"),
        (b"a/b/l", b"c/../x"), (b"l", b"a/.."), (b"l", b""), (b"l", b"a\0b"), (b"l", b"//x"), (b"l", b".//..//x"),
    ],
)  # fmt: skip
def test_links_that_may_leave_are_not_made(tmp_path: Path, use_dir_fd: bool, name: bytes, target: bytes) -> None:
    extractor = Extractor(tmp_path, True, use_dir_fd=use_dir_fd)
    with pytest.raises(UnsafeName):
        put(extractor, link(name, target))
    assert extractor.finish() == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "target"), [(b"a/l", b"../x"), (b"a/b/l", b"../.."), (b"l", b"./x/./y"), (b"l", b"..x/...")])
def test_links_that_stay_are_stored_verbatim(tmp_path: Path, name: bytes, target: bytes) -> None:
    extractor = Extractor(tmp_path, False)
    put(extractor, link(name, target))
    assert extractor.finish() == []
    assert os.readlink(os.path.join(os.fsencode(tmp_path), name)) == target


def test_existing_files_need_force(tmp_path: Path, use_dir_fd: bool) -> None:
    (tmp_path / "a").write_text("precious")
    (tmp_path / "l").write_text("precious")
    (tmp_path / "d").mkdir()
    extractor = Extractor(tmp_path, False, use_dir_fd=use_dir_fd)
    with pytest.raises(CannotWrite, match=r"exists already.*replace it with -f"):
        extractor.file(stored(b"a", b"new"), lambda _: pytest.fail("decoded for nothing"))
    put(extractor, link(b"l", b"a"))
    assert len(extractor.finish()) == 1
    assert (tmp_path / "a").read_text() == (tmp_path / "l").read_text() == "precious"
    extractor = Extractor(tmp_path, True, use_dir_fd=use_dir_fd)
    put(extractor, stored(b"a", b"new"), b"new")
    put(extractor, link(b"l", b"a"))
    with pytest.raises(CannotWrite, match="a folder of this name exists"):
        put(extractor, stored(b"d", b"new"))
    with pytest.raises(CannotWrite, match="is a file"):
        put(extractor, stored(b"a/below", b"new"))
    with pytest.raises(CannotWrite):
        put(extractor, folder(b"a"))
    assert extractor.finish() == []
    assert (tmp_path / "l").read_text() == "new"


def test_what_appears_meanwhile_is_not_overwritten(tmp_path: Path, use_dir_fd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(file: BinaryIO) -> None:
        file.write(b"new")
        (tmp_path / "a").write_text("precious")

    for links_work in (True, False):
        if not links_work:
            monkeypatch.setattr(extract.os, "link", failing(errno.EPERM))
        with Extractor(tmp_path, False, use_dir_fd=use_dir_fd) as extractor:
            with pytest.raises(CannotWrite, match="exists already"):
                extractor.file(stored(b"a", b"new"), meanwhile)
            put(extractor, stored(b"b", b"data"))
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"precious", "b": b"data"}
        (tmp_path / "a").unlink()
        (tmp_path / "b").unlink()


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("error", [PayloadCorrupt("a", "damaged"), KeyboardInterrupt(), MemoryError()])
def test_a_file_that_fails_leaves_nothing(tmp_path: Path, use_dir_fd: bool, error: BaseException) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"half of it")
        raise error

    with Extractor(tmp_path, False, use_dir_fd=use_dir_fd) as extractor, pytest.raises(type(error)):
        extractor.file(stored(b"a", b"x"), write)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "fdopen", "link", "mkdir"])
def test_what_the_system_refuses_is_said(tmp_path: Path, use_dir_fd: bool, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    with Extractor(tmp_path, False, use_dir_fd=use_dir_fd) as extractor:
        if call == "link":
            monkeypatch.setattr(extract.os, "rename", failing(errno.ENOSPC))
        monkeypatch.setattr(extract.os, call, failing(errno.ENOSPC))
        with pytest.raises(CannotWrite, match="No space left on device"):
            put(extractor, stored(b"d/a", b"x"))
        monkeypatch.undo()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_finished_is_reported(tmp_path: Path, use_dir_fd: bool) -> None:
    extractor = Extractor(tmp_path, False, use_dir_fd=use_dir_fd)
    put(extractor, folder(b"d"))
    put(extractor, folder(b"e"))
    (tmp_path / "d").rmdir()
    (tmp_path / "d").symlink_to("/")
    (error,) = extractor.finish()
    assert isinstance(error, MemberError)


def test_needed_extensions_are_refused(tmp_path: Path) -> None:
    with Extractor(tmp_path, False) as extractor:
        for member in (stored(b"a", b"x"), folder(b"a"), link(b"a", b"b")):
            with pytest.raises(UnsupportedCodec):
                put(extractor, dataclasses.replace(member, needs_extension=0x9001))


def test_a_destination_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="choose another folder"):
        Extractor(tmp_path / "out", True)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    extractor = Extractor(tmp_path, False)
    for n in range(20):
        put(extractor, stored(b"%d/%d/a" % (n % 5, n), b"x"))
        put(extractor, folder(b"%d/%d" % (n % 5, n)))
    (tmp_path / "link").symlink_to("/")
    for _ in range(5):
        with pytest.raises(CannotWrite):
            put(extractor, stored(b"0/0/a/b/c", b"x"))
        with pytest.raises(CannotWrite):
            put(extractor, stored(b"link/b/c", b"x"))
    extractor.finish()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_odd_names(tmp_path: Path, use_dir_fd: bool) -> None:
    names = [b"\xff\xfe", b"-rf", b"new\nline", b"x" * 255, "e\u0301".encode(), "\u00e9".encode(), b"back\\slash", b" trailing "]
    with Extractor(tmp_path, False, use_dir_fd=use_dir_fd) as extractor:
        for name in names:
            put(extractor, stored(name, name), name)
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted(names)
