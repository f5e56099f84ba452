"""Archives that grow in place: what is in them by index and by scan, and after a crash at any moment (docs/format.md section 5.4)."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from containers import ARCHIVE_ID, folder, sample, stored
from crashes import every_crash

import photoarc
from photoarc import codecs
from photoarc.archive import open_archive
from photoarc.container import groups
from photoarc.container.appending import ArchiveAppender
from photoarc.container.locking import lock
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import UsageError
from photoarc.member import Kind, Member, Shared

Contents = dict[str, bytes]


def contents(path: Path, *, scan: bool = False) -> Contents:
    with photoarc.open(path, scan=scan) as archive:
        return {member.display_name: archive.read(member) if member.kind is Kind.FILE else b"" for member in archive}


def duplicate(name: bytes, of: Member) -> Member:
    return dataclasses.replace(of, name=name, duplicate=True, payload_bytes=0, parts=0, grouped=False, shared=None)


def grouped(name: bytes, data: bytes) -> Member:
    return dataclasses.replace(stored(name, data), codec_id=codecs.SOLID, parts=0, grouped=True)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Everything that may be removed: a folder, a link, files of one and of three parts, a duplicate, a group, a shared payload."""
    path = tmp_path / "a.pha"
    with ArchiveWriter(path, archive_id=ARCHIVE_ID) as writer:
        for member, data in sample():
            writer.add(member, [data[i * 200 : i * 200 + 200] for i in range(3)] if member.parts == 3 else [data] if member.parts else [])
        first = stored(b"first", b"one picture" * 200)
        writer.add_coded(first, b"one picture" * 200)
        writer.add(duplicate(b"twin", first), ())
        alike = b"other metadata" + b"one picture" * 200
        writer.add_coded(stored(b"alike", alike), alike)
        small = [b"small" * 20, b"tiny" * 20]
        payload = groups.encode_group(small)
        shares = groups.shares(len(payload), [len(data) for data in small])
        members = [dataclasses.replace(grouped(b"s%d" % n, data), payload_bytes=shares[n]) for n, data in enumerate(small)]
        writer.add_group(members, payload, blake3(b"".join(small)).digest())
    return path


def grow(path: Path) -> None:
    """Everything that can be done to an archive, at once."""
    with ArchiveAppender(path) as writer:
        writer.add(stored(b"new", b"new"), [b"new"])
        writer.add(stored(b"first", b"replaced"), [b"replaced"])
        writer.remove(b"s0")
        writer.rename(b"in/parts.bin", b"moved.bin")
        writer.rename(b"s1", b"renamed")
        writer.add(folder(b"in", mode=0o700), ())
        like = b"more metadata" + b"one picture" * 200
        assert writer.add_coded(stored(b"in/alike", like), like).shared is not None


def grown(before: Contents) -> Contents:
    after = before | {"new": b"new", "first": b"replaced", "moved.bin": before["in/parts.bin"], "renamed": before["s1"]}
    after["in/alike"] = b"more metadata" + b"one picture" * 200
    return {name: data for name, data in after.items() if name not in ("s0", "s1", "in/parts.bin")}


def test_index_and_scan_say_the_same(archive: Path) -> None:
    before = contents(archive)
    old = archive.read_bytes()
    grow(archive)
    assert archive.read_bytes()[: len(old)] == old
    assert contents(archive) == contents(archive, scan=True) == grown(before)
    with photoarc.open(archive) as opened:
        assert (opened.info("in").mode, opened.warnings) == (0o700, [])
    with photoarc.open(archive, scan=True) as opened:
        assert (opened.damaged, opened.warnings[1:]) == ([], [])


def test_the_same_steps_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.pha"
    other.write_bytes(archive.read_bytes())
    grow(archive)
    grow(other)
    assert archive.read_bytes() == other.read_bytes()


def test_nothing_done_changes_nothing(archive: Path) -> None:
    before = archive.read_bytes()
    with ArchiveAppender(archive):
        pass
    assert archive.read_bytes() == before


def test_an_exception_takes_everything_back(archive: Path) -> None:
    before = archive.read_bytes()

    def failing() -> Iterator[bytes]:
        yield b"ne"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ArchiveAppender(archive) as writer:
        writer.add(stored(b"new", b"new"), failing())
    assert archive.read_bytes() == before


@pytest.mark.parametrize(("call", "code"), [("write", errno.ENOSPC), ("write", errno.EDQUOT), ("write", errno.EIO), ("fsync", errno.EIO)])
def test_a_disk_that_refuses(archive: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    """The n-th write or fsync fails, for every n: the archive is as it was, and is added to when there is room again."""
    before = archive.read_bytes()
    works = getattr(os, call)
    for last in range(1, 100):
        left = last

        def refusing(*arguments: Any, last: int = last) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(code, os.strerror(code))
            return works(*arguments)

        said = ""
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refusing)
            try:
                grow(archive)
            except UsageError as error:
                said = str(error)
        if not said:
            break
        assert re.search(r"a\.pha: cannot be added to: .*; it is as it was before", said)
        assert archive.read_bytes() == before
    assert last > (6 if call == "write" else 2)
    assert contents(archive)["renamed"]


def test_a_file_system_without_fsync_is_said(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"new", b"new"), [b"new"])
    assert [warning.split(": ")[1] for warning in writer.warnings] == [
        "this file system does not say what is on the disk (Invalid argument)"
    ]
    assert contents(archive)["new"] == b"new"


def test_many_generations(archive: Path) -> None:
    expected = contents(archive)
    for number in range(20):
        with ArchiveAppender(archive) as writer:
            name = b"%d" % (number % 7)
            data = b"generation %d" % number
            writer.add(stored(name, data), [data])
            expected[name.decode()] = data
            if number % 3 == 0:
                writer.remove(name)
                del expected[name.decode()]
    assert contents(archive) == contents(archive, scan=True) == expected
    with ArchiveAppender(archive) as writer:
        for member in writer.members:
            writer.remove(member.name)
    assert contents(archive) == contents(archive, scan=True) == {}
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"again", b"again"), [b"again"])
    assert contents(archive) == contents(archive, scan=True) == {"again": b"again"}


def test_payloads_that_others_need_stay(archive: Path) -> None:
    before = contents(archive)
    with ArchiveAppender(archive) as writer:
        for name in (b"first", b"alike"):
            writer.remove(name)
    assert contents(archive) == contents(archive, scan=True) == {n: d for n, d in before.items() if n not in ("first", "alike")}
    with ArchiveAppender(archive) as writer:
        writer.remove(b"twin")
        assert len(writer.members) == len(before) - 3
    assert contents(archive) == contents(archive, scan=True) == {n: d for n, d in before.items() if n not in ("first", "alike", "twin")}


def test_what_is_shared_itself_has_no_payload_for_others(tmp_path: Path) -> None:
    """Of two members with the digest that a record names, the whole one is meant, though another one comes first."""
    picture = b"one picture" * 200
    tagged = b"metadata" + picture
    again = stored(b"again", picture)
    named = dataclasses.replace(stored(b"named", tagged), payload_bytes=8, shared=Shared(again.digest, 0, len(picture)))
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        writer.add_coded(stored(b"tagged", tagged), tagged)
        assert writer.add_coded(stored(b"alike", picture), picture).shared is not None
        writer.add(again, [picture])
        writer.add(named, [tagged[:8]])
    expected = {"tagged": tagged, "alike": picture, "again": picture, "named": tagged}
    assert contents(tmp_path / "a.pha") == contents(tmp_path / "a.pha", scan=True) == expected
    with ArchiveAppender(tmp_path / "a.pha") as writer:
        writer.remove(b"again")
    del expected["again"]
    assert contents(tmp_path / "a.pha") == contents(tmp_path / "a.pha", scan=True) == expected


def test_two_writers(archive: Path) -> None:
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"new", b"new"), [b"new"])
        with pytest.raises(UsageError, match=r"a\.pha: another photoarc is writing to it"), ArchiveAppender(archive):
            pass
        with pytest.raises(UsageError, match="another photoarc"), ArchiveWriter(archive, force=True, archive_id=ARCHIVE_ID):
            pass
    assert contents(archive)["new"] == b"new"


def test_an_archive_that_was_replaced_meanwhile(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `compact`, between opening and locking: what is added would be lost with the old file."""
    whole = archive.read_bytes()

    def replacing(fd: int, path: Path) -> bool:
        (tmp_path / "b.pha").write_bytes(whole)
        (tmp_path / "b.pha").replace(path)
        return lock(fd, path)

    monkeypatch.setattr("photoarc.container.locking.lock", replacing)
    with pytest.raises(UsageError, match=r"a\.pha: was replaced by another one meanwhile"), ArchiveAppender(archive):
        pass
    assert archive.read_bytes() == whole


def test_a_damaged_archive_is_not_added_to(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[-1] ^= 1
    archive.write_bytes(data)
    with pytest.raises(UsageError, match="is damaged, and nothing is added to a damaged archive"), ArchiveAppender(archive):
        pass
    assert archive.read_bytes() == data


@pytest.mark.parametrize("flip", [*range(1, 129, 9), 1, 128])
def test_a_damaged_footer_of_an_archive_that_grew(archive: Path, flip: int) -> None:
    before = contents(archive)
    grow(archive)
    data = bytearray(archive.read_bytes())
    data[-flip] ^= 0x40
    archive.write_bytes(data)
    assert contents(archive) == grown(before)
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"later", b"later"), [b"later"])
    assert contents(archive) == grown(before) | {"later": b"later"}


def test_every_byte_of_an_addition(archive: Path) -> None:
    """No member of the old archive is lost, or wrong, by a byte that is damaged in what was added."""
    before = contents(archive)
    size = archive.stat().st_size
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"new", b"new"), [b"new"])
    data = archive.read_bytes()
    for at in range(size, len(data)):
        archive.write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
        with open_archive(archive) as opened:
            found = {member.display_name for member in opened}
            assert found >= before.keys(), at
            assert "new" in found or opened.damaged or opened.warnings, at


def test_an_earlier_index_and_footer_are_not_needed(archive: Path) -> None:
    with photoarc.open(archive) as opened:
        end = max(map(opened.offset_of, opened))
    size = archive.stat().st_size
    grow(archive)
    expected, data = contents(archive), archive.read_bytes()
    for at in range(end + 400, size, 7):  # behind the last chunk
        archive.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        assert contents(archive) == expected, at
        with photoarc.open(archive) as opened:
            assert opened.warnings == [], at
    with ArchiveAppender(archive) as writer:
        writer.add(stored(b"later", b"later"), [b"later"])
        assert any(how == bytes(8) for _, how in writer.coded())
    assert contents(archive) == expected | {"later": b"later"}


def test_every_cut_of_an_addition(archive: Path) -> None:
    before, size = contents(archive), archive.stat().st_size
    grow(archive)
    data, after = archive.read_bytes(), grown(before)
    for end in range(size, len(data)):
        archive.write_bytes(data[:end])
        assert contents(archive) in (before, after), end


def check(path: Path, before: Contents, after: Contents, say: str) -> None:
    """Old or new, whole, and it can be added to."""
    found = contents(path)
    assert found in (before, after), say
    with ArchiveAppender(path) as writer:
        writer.add(stored(b"later", b"later"), [b"later"])
    assert contents(path) == found | {"later": b"later"}, say
    assert contents(path, scan=True) == found | {"later": b"later"}, say
    with photoarc.open(path) as opened:
        assert opened.warnings == [], say


@pytest.mark.parametrize("torn", [False, True], ids=["between writes", "in the midst of a write"])
@pytest.mark.parametrize("power", ["", "gone", "zeros"], ids=["killed", "power cut", "power cut, zeros"])
def test_a_crash_at_every_moment(archive: Path, monkeypatch: pytest.MonkeyPatch, torn: bool, power: str) -> None:
    old, before = archive.read_bytes(), contents(archive)
    after, tried = grown(before), 0
    for disk in every_crash(monkeypatch, torn=torn):
        archive.write_bytes(old)
        with disk:
            grow(archive)
        if power and not disk.finished:
            disk.cut_power(archive, old, zeros=power == "zeros")
        check(archive, before, after, f"crash point {tried}")
        tried += 1
    assert tried > 9
    assert contents(archive) == after | {"later": b"later"}
