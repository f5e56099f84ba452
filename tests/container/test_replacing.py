"""What `pack -f` may replace, and how an archive gets its name: never anything but an archive, never lost for an fsync that is refused."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from containers import ARCHIVE_ID, names, sample, write

from photoarc.container import partial_file, replacing
from photoarc.container.replacing import place
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import UsageError
from photoarc.folderbench.measure import check_place
from photoarc.jobs import deletion
from photoarc.jobs.pack import find, pack
from photoarc.options import CodingOptions, Mode, PackOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links, devices")
FORCED = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0, force=True)
ASKED = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_bytes(b"a text")
    return tmp_path / "photos"


def failing(code: int, only: Callable[[int], bool] = lambda _: True) -> Callable[[int], None]:
    def fail(fd: int) -> None:
        if only(fd):
            raise OSError(code, os.strerror(code))

    return fail


def is_folder(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


@pytest.mark.parametrize("kind", ["jpeg", "text", "short", "tar of an archive", "picture before an archive", "fifo", "socket", "folder"])
@pytest.mark.parametrize("through_link", [False, True])
def test_what_is_no_archive_stays(photos: Path, tmp_path: Path, kind: str, through_link: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "2.jpg"
    archive = write(tmp_path / "whole.pha", sample()).read_bytes()
    contents = {
        "jpeg": b"\xff\xd8\xff\xe0 a photograph", "text": b"notes", "short": b"\x89PN",
        "tar of an archive": bytes(512) + archive + bytes(1024),
        "picture before an archive": b"\xff\xd8\xff" + archive,
    }  # fmt: skip
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # its path may be 108 bytes long
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(contents[kind])
    before = path.lstat()
    asked = path
    if through_link:
        asked = tmp_path / "link.pha"
        asked.symlink_to(path.name)
    for options in (FORCED, ASKED):
        with pytest.raises(UsageError, match="comes last") as caught:
            pack([photos], asked, options)
        assert "-f" not in str(caught.value)
        assert "force" not in str(caught.value)
    if kind == "jpeg":
        assert "no photoarc archive but a JPEG picture" in str(caught.value)
    if kind in contents:
        assert path.read_bytes() == contents[kind]
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not list(tmp_path.glob("*.partial-*"))


def test_a_device_stays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/dev/null: is a character device"):
        place(Path("/dev/null"), True)


@pytest.mark.parametrize("damage", ["none", "cut", "without footer", "without header", "header damaged", "lost its start", "empty"])
def test_archives_are_replaced_whatever_their_state(photos: Path, tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "out.pha", sample())
    whole = path.read_bytes()
    path.write_bytes({
        "none": whole, "cut": whole[:5], "without footer": whole[:-128], "without header": whole[48:], "empty": b"",
        "header damaged": b"\0" * 48 + whole[48:], "lost its start": whole[1000:],
    }[damage])  # fmt: skip
    with pytest.raises(UsageError, match="replace it with -f"):
        pack([photos], path, ASKED)
    pack([photos], path, FORCED)
    assert names(path) == ["photos", "photos/a.txt"]


def test_mode_and_owner_stay(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.pha"
    pack([photos], path, ASKED)
    path.chmod(0o600)
    owner = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    pack([photos], path, FORCED)
    info = path.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o600, *owner)


def test_a_mode_that_cannot_be_set_stays_close(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.pha"
    pack([photos], path, ASKED)

    def refuse(*_: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchmod", refuse)
    for mode in (0o600, 0o640):
        path.chmod(mode)
        pack([photos], path, FORCED)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_stays_and_its_target_is_replaced(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    real = tmp_path / "disk" / "real.pha"
    pack([photos], real, ASKED)
    for name in ("one.pha", "two.pha"):
        (tmp_path / name).symlink_to("disk/real.pha" if name == "one.pha" else "one.pha")
    (photos / "b.txt").write_bytes(b"more")
    pack([photos], tmp_path / "two.pha", FORCED)
    assert (tmp_path / "two.pha").is_symlink()
    assert not real.is_symlink()
    assert names(real) == ["photos", "photos/a.txt", "photos/b.txt"]
    (tmp_path / "away.pha").symlink_to("disk/new.pha")
    with pytest.raises(UsageError, match=r"which does not exist"):
        pack([photos], tmp_path / "away.pha", ASKED)
    pack([photos], tmp_path / "away.pha", FORCED)
    assert names(tmp_path / "disk" / "new.pha")
    (tmp_path / "round.pha").symlink_to("round.pha")
    with pytest.raises(UsageError, match="circle"):
        place(tmp_path / "round.pha", True)


def test_an_archive_behind_a_link_is_not_packed_into_itself(photos: Path) -> None:
    pack([photos], photos / "real.pha", ASKED)
    (photos / "link.pha").symlink_to("real.pha")
    pack([photos], photos / "link.pha", FORCED)
    assert names(photos / "real.pha") == ["photos", "photos/a.txt"]
    assert deletion.plan([photos], photos / "link.pha", jobs=0).doubts == ()


def test_links_of_others_in_open_folders_are_not_followed(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    real = tmp_path / "real.pha"
    pack([photos], real, ASKED)
    (shared / "link.pha").symlink_to(real)
    assert place(shared / "link.pha", True) == real
    shared.chmod(0o1777)
    assert place(shared / "link.pha", True) == real
    if os.geteuid() == 0:
        os.lchown(shared / "link.pha", 1234, 1234)
    else:
        monkeypatch.setattr(replacing.os, "geteuid", lambda: 1234)
        monkeypatch.setattr(replacing.os, "stat", lambda _: os.stat_result((0o1777, 0, 0, 1, 4321, 0, 0, 0, 0, 0)))
    with pytest.raises(UsageError, match="another user"):
        place(shared / "link.pha", True)


def test_the_archive_is_no_source(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.pha"
    pack([photos], path, ASKED)
    before = path.read_bytes()
    (tmp_path / "again.pha").symlink_to("out.pha")
    os.link(path, tmp_path / "other.pha")
    for source in (path, tmp_path / "other.pha", tmp_path / "again.pha"):
        with pytest.raises(UsageError, match="packed and replaced at once"):
            find([photos, source], path, FORCED)
    assert path.read_bytes() == before


def test_what_appears_meanwhile_is_looked_at_too(tmp_path: Path) -> None:
    path = write(tmp_path / "out.pha", sample())
    with pytest.raises(UsageError, match=r"but a JPEG picture.*The archive is complete and lies there as"):  # noqa: SIM117
        with ArchiveWriter(path, force=True, archive_id=ARCHIVE_ID):
            path.write_bytes(b"\xff\xd8\xff precious")
    assert path.read_bytes() == b"\xff\xd8\xff precious"
    (whole,) = tmp_path.glob("*.partial-*")
    assert names(whole) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.EBADF, errno.ENOSYS, errno.EACCES])
@pytest.mark.parametrize("only", [is_folder, lambda _: True])
def test_without_fsync_the_archive_stays(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, only: Callable[[int], bool]
) -> None:
    monkeypatch.setattr(os, "fsync", failing(code, only))
    done = pack([photos], tmp_path / "out.pha", ASKED)
    (warning,) = done.warnings
    assert f"is complete, but this file system does not say whether {'its name' if only is is_folder else 'the archive'} is on" in warning
    assert names(tmp_path / "out.pha") == ["photos", "photos/a.txt"]
    if only is not is_folder and sys.platform == "linux":
        assert len(deletion.plan([photos], tmp_path / "out.pha", jobs=0).doubts) == 1  # sources stay


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_is_an_error(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(code))
        with pytest.raises(UsageError, match=f"cannot finish the archive: {os.strerror(code)}"):
            pack([photos], tmp_path / "out.pha", ASKED)
    assert os.listdir(tmp_path) == ["photos"]
    monkeypatch.setattr(os, "fsync", failing(code, is_folder))
    with pytest.raises(UsageError, match="is complete, but the disk failed"):
        pack([photos], tmp_path / "out.pha", ASKED)
    assert names(tmp_path / "out.pha")


def test_a_folder_that_cannot_be_opened(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: str | Path, flags: int, mode: int = 0o777, **rest: int | None) -> int:
        if os.fspath(path) == str(tmp_path) and not flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, mode, **rest)

    monkeypatch.setattr(partial_file.os, "open", refuse)
    assert "Permission denied" in pack([photos], tmp_path / "out.pha", ASKED).warnings[0]
    assert names(tmp_path / "out.pha")


def test_neither_link_nor_rename_keeps_the_work(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(partial_file.os, "link", refuse)
    monkeypatch.setattr(partial_file.os, "replace", refuse)
    with pytest.raises(UsageError, match="cannot get this name: Operation not permitted"):
        pack([photos], tmp_path / "out.pha", ASKED)
    (whole,) = tmp_path.glob("out.pha*")
    assert names(whole) == ["photos", "photos/a.txt"]


def test_long_names_and_what_killed_runs_left(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".pha")
    assert pack([tmp_path / "photos"], path, ASKED).warnings == ()
    whole = (tmp_path / path).read_bytes()
    (tmp_path / "out.pha.partial-1a2b3c4d").write_bytes(whole[:-1])
    assert pack([photos], tmp_path / "out.pha", ASKED).warnings == ()  # of the same job: taken over, and gone
    assert not (tmp_path / "out.pha.partial-1a2b3c4d").exists()
    (photos / "more.txt").write_text("more")
    (tmp_path / "out.pha.partial-1a2b3c4d").write_bytes(whole[:-1])
    (warning,) = pack([photos], tmp_path / "out.pha", replace(ASKED, force=True)).warnings
    assert warning.startswith("1 unfinished archives lie beside")
    assert "first out.pha.partial-1a2b3c4d" in warning


def test_bench_replaces_reports_only(tmp_path: Path) -> None:
    photo, report, empty = tmp_path / "1.jpg", tmp_path / "r.html", tmp_path / "e.html"
    photo.write_bytes(b"\xff\xd8\xff")
    report.write_text("<!DOCTYPE html><title>photos: photoarc bench</title>")
    empty.touch()
    check_place(str(report))
    check_place(str(empty))
    check_place(str(tmp_path / "new.html"))
    for wrong in (str(photo), "/dev/null"):
        with pytest.raises(UsageError, match="no report of photoarc bench"):
            check_place(wrong)
