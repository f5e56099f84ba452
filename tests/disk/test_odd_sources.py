"""Sources that other archivers pack: dates that a record cannot hold, folders that are listed in part, FIFOs beside photographs."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import photoarc
from photoarc.cli import app
from photoarc.disk import scan
from photoarc.disk.attributes import EARLIEST_NS, LATEST_NS
from photoarc.jobs import coding
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.jobs.verify import verify
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="dates, FIFOs")
LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
YEAR_2300_S = 10_413_792_000


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "photos" / name).write_bytes(name.encode() * 200)
    return tmp_path / "photos"


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize(("seconds", "kept_ns"), [(YEAR_2300_S, LATEST_NS), (-YEAR_2300_S, EARLIEST_NS)])
def test_dates_that_no_record_can_hold(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool, seconds: int, kept_ns: int
) -> None:
    if not small:
        monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)
    for path in (photos / "b.txt", photos):
        os.utime(path, (seconds, seconds))
        if path.stat().st_mtime != seconds:
            pytest.skip("this file system has no such dates")
    (photos / "b.txt").with_name("twin.txt").write_bytes((photos / "a.txt").read_bytes())
    os.utime(photos / "twin.txt", (seconds, seconds))
    os.utime(photos, (seconds, seconds))
    done = pack([photos], tmp_path / "out.pha", LOSSLESS)
    assert done.failures == ()
    (warning,) = done.warnings
    assert warning.startswith("dates before 1677 or after 2262")
    assert ": 3 members, first photos" in warning
    with photoarc.open(tmp_path / "out.pha") as archive:
        dates = {member.display_name: member.mtime_ns for member in archive}
        assert archive.read("photos/b.txt") == b"b.txt" * 200
    assert [dates[name] for name in ("photos", "photos/b.txt", "photos/twin.txt")] == [kept_ns] * 3
    unpacked = unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert unpacked.failures == ()
    assert len(list((tmp_path / "to" / "photos").iterdir())) == 3


def test_a_folder_that_is_listed_in_part(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    class Broken:
        def __init__(self, path: bytes) -> None:
            self.entries = real(path)

        def __enter__(self) -> Iterator[os.DirEntry[bytes]]:
            yield next(self.entries)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        def __exit__(self, *_: object) -> None:
            self.entries.close()

    monkeypatch.setattr(scan.os, "scandir", Broken)
    done = pack([photos], tmp_path / "out.pha", LOSSLESS)
    assert [failed.reason for failed in done.failures] == [
        "the folder cannot be listed to its end: Input/output error; the disk fails; copy what is on it to another one"
    ]
    assert done.files == 1


def test_a_fifo_is_no_difference(photos: Path, tmp_path: Path) -> None:
    pack([photos], tmp_path / "out.pha", LOSSLESS)
    os.mkfifo(photos / "pipe")
    found = verify(tmp_path / "out.pha", [photos])
    assert (found.differs, found.same, found.skipped, found.failures) == (False, 3, ("photos/pipe",), ())
    said = CliRunner().invoke(app.app, ["verify", str(tmp_path / "out.pha"), "--against", str(photos)])
    assert said.exit_code == 0
    assert "skipped  photos/pipe" in said.stdout
    assert "agrees: 3 of 3 members" in said.stdout


def test_a_file_under_a_lease(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def leased(path: str | bytes, flags: int, mode: int = 0o777, **rest: int | None) -> int:
        if os.fspath(path) == os.fsencode(photos / "a.txt") and flags & os.O_NONBLOCK:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        return real(path, flags, mode, **rest)

    monkeypatch.setattr(os, "open", leased)
    done = pack([photos], tmp_path / "out.pha", LOSSLESS)
    assert (done.failures, done.files) == ((), 2)
