"""Extended attributes and times of birth: kept, restored where possible, reported where not (docs/format.md section 4.8)."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from containers import folder, stored, write
from typer.testing import CliRunner

import photoarc
from photoarc.cli import app
from photoarc.container.records import pack_member, parse_member
from photoarc.disk import attributes
from photoarc.errors import FormatError
from photoarc.jobs import coding, deletion
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.jobs.verify import verify
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
VALUES = {b"user.xdg.tags": "Küste, 2024".encode(), b"user.binary": bytes(range(256)), b"user.empty": b""}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files that take every way into an archive (group, twin, record of its own, picture, parts), and a folder, with attributes."""
    root = tmp_path / "in"
    (root / "album").mkdir(parents=True)
    for name, data in {"a.txt": b"text " * 200, "b.txt": b"more " * 200, "twin.txt": b"text " * 200, "c.mov": os.urandom(70_000)}.items():
        (root / "album" / name).write_bytes(data)
    (root / "album" / "read-only").write_bytes(b"x")
    try:
        for path in [root / "album", *(root / "album").iterdir()]:
            for name, value in VALUES.items():
                os.setxattr(path, name, value)
            os.setxattr(path, b"user.own", os.fsencode(path.name))
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")
    (root / "album" / "read-only").chmod(0o444)
    (root / "plain.txt").write_bytes(b"text " * 200)
    return root


def all_attributes(root: Path) -> dict[str, dict[str, bytes]]:
    paths = [root, *root.rglob("*")]
    return {str(path.relative_to(root)): {name: os.getxattr(path, name) for name in os.listxattr(path)} for path in paths}


@pytest.mark.parametrize("together", [True, False])
def test_they_come_back(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    if not together:
        monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)
    done = pack([tree], tmp_path / "out.pha", LOSSLESS)
    assert (done.failures, done.warnings) == ((), ())
    with photoarc.open(tmp_path / "out.pha", scan=True) as archive:
        member = archive.info("in/album/twin.txt")
        assert dict(member.attributes) == VALUES | {b"user.own": b"twin.txt"}
        assert member.duplicate
        assert archive.info("in/album/a.txt").grouped is together
        assert archive.info("in/plain.txt").attributes == ()
    unpacked = unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert (unpacked.failures, unpacked.remarks) == ((), ())
    assert all_attributes(tmp_path / "to" / "in") == all_attributes(tree)
    assert (tmp_path / "to/in/album/read-only").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "to/in/album/a.txt").stat().st_mtime_ns == (tree / "album/a.txt").stat().st_mtime_ns
    assert not verify(tmp_path / "out.pha", [tree]).differs
    assert not verify(tmp_path / "out.pha", [tmp_path / "to"]).differs


@pytest.mark.parametrize("path", ["album", "album/a.txt", "album/twin.txt", "plain.txt"])
@pytest.mark.parametrize("change", ["set", "new", "gone"])
def test_verify_sees_every_change(tree: Path, tmp_path: Path, path: str, change: str) -> None:
    pack([tree], tmp_path / "out.pha", LOSSLESS)
    if change == "set":
        os.setxattr(tree / path, "user.binary", b"other")
    elif change == "new":
        os.setxattr(tree / path, "user.new", b"")
    elif path != "plain.txt":
        os.removexattr(tree / path, "user.empty")
    else:
        return
    found = verify(tmp_path / "out.pha", [tree])
    assert [(changed.name, changed.reason) for changed in found.changed] == [(f"in/{path}", "has other extended attributes")]
    assert deletion.plan([tree], tmp_path / "out.pha", jobs=0).doubts == (f"in/{path}: has other extended attributes",)


def test_only_those_of_users_are_kept(tree: Path, tmp_path: Path) -> None:
    try:
        os.setxattr(tree / "plain.txt", "trusted.photoarc", b"1")
    except OSError:
        pytest.skip("needs root")
    pack([tree], tmp_path / "out.pha", LOSSLESS)
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.info("in/plain.txt").attributes == ()
    assert not verify(tmp_path / "out.pha", [tree]).differs


def test_none_of_the_system_are_set(tree: Path, tmp_path: Path) -> None:
    planted = dataclasses.replace(
        stored(b"a", b"data"), attributes=((b"security.capability", bytes(20)), (b"trusted.x", b"1"), (b"user.fine", b"2"))
    )
    write(tmp_path / "a.pha", [(planted, b"data")])
    done = unpack(tmp_path / "a.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert os.listxattr(tmp_path / "to" / "a") == ["user.fine"]
    assert done.failures == done.warnings == ()
    assert done.remarks == (
        "extended attributes of 1 members could not be set, first a: this system has no place for them; the archive keeps them",
    )


def test_what_cannot_be_set_is_a_remark(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack([tree], tmp_path / "out.pha", LOSSLESS)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "setxattr", refuse)
    result = CliRunner().invoke(app.app, ["unpack", str(tmp_path / "out.pha"), str(tmp_path / "to"), "-j", "0"])
    assert result.exit_code == 0
    assert "warning: extended attributes of 6 members could not be set, first in/album/" in result.stderr
    assert result.stderr.count("warning") == 1
    assert (tmp_path / "to/in/album/a.txt").read_bytes() == b"text " * 200


@pytest.mark.parametrize("twin", [False, True])
def test_what_cannot_be_kept_is_a_warning(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twin: bool) -> None:
    monkeypatch.setattr(attributes, "MAX_BYTES", 600)
    os.setxattr(tree / "album" / ("twin.txt" if twin else "a.txt"), "user.long", bytes(500))
    done = pack([tree], tmp_path / "out.pha", LOSSLESS)
    assert done.failures == ()
    assert len(done.warnings) == 1
    assert f"left out of 1 members, first in/album/{'twin' if twin else 'a'}.txt" in done.warnings[0]
    assert len(verify(tmp_path / "out.pha", [tree]).changed) == 1  # neither side knows them: that is no agreement


def test_a_file_system_without_them(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise OSError(errno.ENOTSUP, "no")

    monkeypatch.setattr(os, "listxattr", refuse)
    assert pack([tree], tmp_path / "out.pha", LOSSLESS).warnings == ()
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert not any(member.attributes for member in archive)


def test_large_ones_leave_the_group(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "BATCH_ATTRIBUTES_BYTES", 1000)
    pack([tree], tmp_path / "out.pha", LOSSLESS)
    with photoarc.open(tmp_path / "out.pha") as archive:
        grouped = [member for member in archive if member.grouped and member.attributes]
        assert 1 < len(grouped) < 4  # of six
        assert sum(len(name) + len(value) for member in grouped for name, value in member.attributes) <= 1000
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert all_attributes(tmp_path / "to" / "in") == all_attributes(tree)


def test_listing_names_them(tree: Path, tmp_path: Path) -> None:
    pack([tree], tmp_path / "out.pha", LOSSLESS)
    listed = json.loads(CliRunner().invoke(app.app, ["list", str(tmp_path / "out.pha"), "--json"]).stdout)["members"]
    assert listed[1]["attributes"] == {"user.binary": 256, "user.empty": 0, "user.own": 5, "user.xdg.tags": 12}


def test_records() -> None:
    member = dataclasses.replace(stored(b"a", b"x"), birth_ns=-5, attributes=((b"user.a", b"1"), (b"user.b", b"")))
    assert parse_member(pack_member(member)) == member
    plain = pack_member(stored(b"a", b"x"))
    listed = b"\x06\0\x01\0\0\0user.a1" + b"\x06\0\0\0\0\0user.b"
    for length in range(len(listed) + 1):
        extension = b"\x06\0" + length.to_bytes(4, "little") + listed[:length]
        record = plain[:8] + len(extension).to_bytes(4, "little") + plain[12:] + extension
        if length in (0, 13, len(listed)):
            assert parse_member(record).attributes == member.attributes[: (0, 13, len(listed)).index(length)]
        else:
            with pytest.raises(FormatError, match="an extended attribute"):
                parse_member(record)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux cannot set a time of birth")
def test_times_of_birth_are_kept_and_missed(tmp_path: Path) -> None:
    file = dataclasses.replace(stored(b"a", b"data"), birth_ns=10**18)
    write(tmp_path / "a.pha", [(dataclasses.replace(folder(b"f"), birth_ns=10**18), b""), (file, b"data"), (stored(b"b", b"x"), b"x")])
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert archive.info("a").birth_ns == 10**18
        assert archive.info("b").birth_ns is None
    done = unpack(tmp_path / "a.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert (done.failures, done.warnings) == ((), ())
    (remark,) = done.remarks
    assert remark == "times of birth of 2 members could not be set, first a: this system has no call for that; the archive keeps them"
    assert (tmp_path / "to" / "a").stat().st_mtime_ns == file.mtime_ns


def test_times_of_birth_where_the_system_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attributes.birth_ns(SimpleNamespace(st_birthtime=1.5)) == 1_500_000_000  # type: ignore[arg-type]
    assert attributes.birth_ns(SimpleNamespace(st_birthtime=1.5, st_birthtime_ns=7)) == 7  # type: ignore[arg-type]
    assert attributes.birth_ns(SimpleNamespace(st_birthtime=1e300)) is None  # type: ignore[arg-type]

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"x")
    told = {"birth": 1_600_000_000_000_000_000}
    set_to: list[int] = []
    utime = os.utime

    def fake_utime(what: int | bytes, *, ns: tuple[int, int], **rest: bool | int | None) -> None:  # as BSD does it
        set_to.append(ns[1])
        told["birth"] = min(told["birth"], ns[1])
        utime(what, ns=ns, **rest)

    monkeypatch.setattr(attributes, "birth_ns", lambda info: told["birth"])
    pack([tmp_path / "in" / "a.txt"], tmp_path / "out.pha", LOSSLESS)
    with photoarc.open(tmp_path / "out.pha") as archive:
        mtime_ns = archive.info("a.txt").mtime_ns
        assert archive.info("a.txt").birth_ns == 1_600_000_000_000_000_000
    told["birth"] = 2_000_000_000_000_000_000  # of the file that is unpacked
    monkeypatch.setattr(os, "utime", fake_utime)
    monkeypatch.setattr(attributes, "CAN_SET_BIRTH", True)
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).remarks == ()
    assert set_to == [1_600_000_000_000_000_000, mtime_ns]
