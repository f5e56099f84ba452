"""Identical files: coded and stored once, back as files of their own, lost together, reported."""

import dataclasses
import json
import os
from pathlib import Path

import pictures
import pytest
from containers import stored, write
from typer.testing import CliRunner

import photoarc
from photoarc import pipeline
from photoarc.cli import app
from photoarc.container.records import pack_member, parse_member
from photoarc.disk import reading
from photoarc.errors import FormatError, PayloadCorrupt
from photoarc.jobs import coding, writing
from photoarc.jobs.coding import code_source
from photoarc.jobs.duplicates import groups
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.jobs.unpack import unpack
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
NOISE = os.urandom(3000)
JPEG = pictures.jpeg(pictures.photo(200, 150))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"a": NOISE, "b": NOISE, "c": NOISE[::-1], "d/a.jpg": JPEG, "e/a.jpg": JPEG, "f/b.jpg": JPEG, "tiny": b"1", "tiny2": b"1"}
    for name, data in files.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    os.utime("photos/e/a.jpg", ns=(10**18, 10**18))
    return files


@pytest.fixture
def each_alone(monkeypatch):
    monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)


def members(path="out.pha"):
    with photoarc.open(path) as opened:
        return {member.display_name.removeprefix("photos/"): member for member in opened}


@pytest.mark.parametrize("mode", [Mode.LOSSLESS, Mode.FAST])
def test_stored_once_and_back_as_files_of_their_own(folder, mode):
    done = pack(["photos"], "out.pha", PackOptions(CodingOptions(mode), workers=0))
    found = members()
    assert {name for name, member in found.items() if member.duplicate} == {"b", "e/a.jpg", "f/b.jpg"}
    assert done.duplicates == 3
    assert found["e/a.jpg"].mtime_ns == 10**18
    assert found["e/a.jpg"].photo == found["d/a.jpg"].photo
    assert check("out.pha", 1).failures == ()
    unpack("out.pha", "copy")
    first = Path("copy/photos/d/a.jpg").read_bytes()
    assert (first == JPEG) is (mode is Mode.LOSSLESS)
    for name, data in folder.items():
        assert Path("copy/photos", name).read_bytes() == (first if data is JPEG else data)


@pytest.mark.usefixtures("each_alone")
def test_each_is_coded_once_and_the_workers_do_not_matter(folder):
    for number in range(6):  # enough to be worth a crew
        Path("photos", f"big{number}.jpg").write_bytes(JPEG + os.urandom(700_000) * 3)
        Path("photos", f"twin{number}.jpg").write_bytes(Path("photos", f"big{number}.jpg").read_bytes())
    coded = []

    def code(options, source):
        coded.append(source.name)
        return code_source(options, source)

    done = pack(["photos"], "one.pha", LOSSLESS, code=code)
    assert len(coded) == done.files - done.duplicates == 11
    pack(["photos"], "two.pha", PackOptions(LOSSLESS.coding, workers=2))
    assert Path("one.pha").read_bytes() == Path("two.pha").read_bytes()


@pytest.mark.usefixtures("each_alone")
def test_a_first_copy_that_cannot_be_packed_leaves_its_twin(folder):
    def code(options, source):
        if source.name == b"photos/a":
            Path("photos/a").write_bytes(b"changed")
        return code_source(options, source)

    pack(["photos"], "out.pha", LOSSLESS, code=code)
    found = members()
    assert (found["a"].size_bytes, found["b"].duplicate, found["b"].size_bytes) == (7, False, 3000)
    assert check("out.pha", 1).failures == ()


@pytest.mark.usefixtures("each_alone")
def test_large_files_too(folder, monkeypatch):
    monkeypatch.setattr(pipeline, "LARGE_FILE_BYTES", 1000)
    monkeypatch.setattr(writing, "PART_BYTES", 1024)
    monkeypatch.setattr(reading, "PART_BYTES", 1024)
    assert pack(["photos"], "out.pha", LOSSLESS).duplicates == 3
    assert members()["b"].payload_bytes == 0
    unpack("out.pha", "copy")
    assert Path("copy/photos/b").read_bytes() == NOISE


@pytest.mark.usefixtures("each_alone")
def test_damage_to_the_first_copy_costs_the_others(folder):
    pack(["photos"], "out.pha", LOSSLESS)
    data = Path("out.pha").read_bytes()
    at = data.index(NOISE) + 7
    Path("out.pha").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert [failed.name for failed in check("out.pha", 1).failures] == ["photos/a", "photos/b"]
    with photoarc.open("out.pha", scan=True) as found:
        assert [error.name for error in found.damaged] == ["photos/a", "photos/b"]
        assert found.read("photos/f/b.jpg") == JPEG
    Path("cut.pha").write_bytes(data[:-200])
    with photoarc.open("cut.pha", scan=True) as found:
        assert found.read("photos/b") == NOISE


def test_a_duplicate_of_nothing_or_of_something_else_is_damaged(tmp_path):
    first = stored(b"a", NOISE)
    twin = dataclasses.replace(first, name=b"b", payload_bytes=0, parts=0, duplicate=True)
    wrong = dataclasses.replace(twin, name=b"c", size_bytes=5)
    path = write(tmp_path / "a.pha", [(first, NOISE), (twin, b""), (wrong, b"")])
    with photoarc.open(path) as opened:
        assert opened.read("b") == NOISE
        with pytest.raises(PayloadCorrupt, match="lost"):
            opened.read("c")
    with photoarc.open(write(tmp_path / "b.pha", [(twin, b"")])) as opened, pytest.raises(PayloadCorrupt, match="lost"):
        opened.read("b")


def test_records_of_duplicates():
    twin = dataclasses.replace(stored(b"a", NOISE), payload_bytes=0, parts=0, duplicate=True)
    record = pack_member(twin)
    assert parse_member(record) == twin
    with pytest.raises(FormatError, match="of its own"):
        parse_member(pack_member(dataclasses.replace(twin, payload_bytes=1, parts=1)))
    later = record[:-6] + b"\x02\x80\x01\0\0\0x"
    later = later[:8] + (7).to_bytes(4, "little") + later[12:]
    assert parse_member(later).needs_extension == 0x8002


def test_dups_reports(folder):
    pack(["photos"], "out.pha", LOSSLESS)
    runner = CliRunner()
    shown = runner.invoke(app.app, ["dups", "out.pha"]).output
    assert "2 files of 3.00 kB:\n  photos/a\n  photos/b\n" in shown
    found = json.loads(runner.invoke(app.app, ["dups", "out.pha", "--json"]).output)["groups"]
    assert [group["names"] for group in found][:2] == [["photos/d/a.jpg", "photos/e/a.jpg", "photos/f/b.jpg"], ["photos/a", "photos/b"]]
    assert groups([]) == []
    assert "duplicate" in runner.invoke(app.app, ["list", "out.pha"]).output


def linked(folder):
    os.link("photos/a", "photos/d/z")
    os.link("photos/tiny", "photos/tiny3")


@pytest.mark.parametrize("use_dir_fd", [True, False])
def test_hard_links_come_back(folder, monkeypatch, use_dir_fd):
    monkeypatch.setattr("photoarc.disk.extractor.Extractor.__init__.__kwdefaults__", {"use_dir_fd": use_dir_fd})
    linked(folder)
    pack(["photos"], "out.pha", LOSSLESS)
    assert {name: member.hard_link for name, member in members().items() if member.hard_link} == {
        "d/z": b"photos/a",
        "tiny3": b"photos/tiny",
    }
    for options in (UnpackOptions(), UnpackOptions(force=True)):
        done = unpack("out.pha", "copy", options)
        assert (done.failures, done.files) == ((), 10)
        assert os.path.samefile("copy/photos/a", "copy/photos/d/z")
        assert os.path.samefile("copy/photos/tiny", "copy/photos/tiny3")
        assert os.stat("copy/photos/b").st_nlink == 1
        assert not list(Path("copy").rglob(".photoarc-*"))
    with photoarc.open("out.pha") as opened:
        assert [len(group.names) for group in groups(opened)] == [3, 2, 2]


def test_a_hard_link_whose_first_name_is_not_written_here_is_a_file_of_its_own(folder, monkeypatch):
    linked(folder)
    pack(["photos"], "out.pha", LOSSLESS)
    unpack("out.pha", "only", UnpackOptions(only=("z", "tiny3")))
    assert Path("only/photos/d/z").read_bytes() == NOISE
    Path("there/photos").mkdir(parents=True)
    Path("there/photos/a").write_bytes(b"somebody else's")
    assert len(unpack("out.pha", "there").failures) == 1
    assert Path("there/photos/d/z").read_bytes() == NOISE
    monkeypatch.setattr("os.link", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "no links here")))
    assert unpack("out.pha", "fat").failures == ()
    assert Path("fat/photos/d/z").read_bytes() == NOISE


def test_a_forged_hard_link_leads_nowhere(tmp_path):
    first, other = stored(b"a", NOISE), stored(b"b", NOISE[::-1])
    wrong = dataclasses.replace(other, hard_link=b"a")
    outside = dataclasses.replace(other, name=b"c", hard_link=b"../../etc/passwd")
    path = write(tmp_path / "a.pha", [(first, NOISE), (wrong, NOISE[::-1]), (outside, NOISE[::-1])])
    assert unpack(path, tmp_path / "out").failures == ()
    assert (tmp_path / "out" / "b").read_bytes() == (tmp_path / "out" / "c").read_bytes() == NOISE[::-1]
    assert (tmp_path / "out" / "a").stat().st_nlink == 1
