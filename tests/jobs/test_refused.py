"""Why a JPEG has not the codec that is usual: said when it is packed, kept in its record, shown by `list` and `info`."""

import json

import jpeg_kinds
import pictures
import pytest
from typer.testing import CliRunner

from photoarc import archive
from photoarc.cli import app
from photoarc.container.records import MAX_REFUSED_BYTES, pack_member, parse_member
from photoarc.jobs import add, compact
from photoarc.jobs.pack import pack
from photoarc.member import Kind, Member
from photoarc.options import CodingOptions, Mode, PackOptions

PLAIN = pictures.jpeg(jpeg_kinds.PHOTO, quality=85)
CUT = pictures.progressive_jpeg(jpeg_kinds.PHOTO, quality=85)[:6000]
WHY = "truncated JPEG: its data end before the picture"
LOSSLESS = PackOptions(coding=CodingOptions(Mode.LOSSLESS), workers=0)


def said(path):
    with archive.open_archive(path) as opened:
        return {member.name: member.refused for member in opened}


@pytest.fixture
def packed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, data in {"plain.jpg": PLAIN, "cut.jpg": CUT, "twin.jpg": CUT, "note.txt": b"text " * 99}.items():
        (folder / name).write_bytes(data)
    pack(["in"], "a.pha", LOSSLESS)
    return tmp_path / "a.pha"


def test_it_is_kept_for_the_file_and_its_twin(packed):
    assert {name: why for name, why in said(packed).items() if why} == {b"in/cut.jpg": WHY, b"in/twin.jpg": WHY}


def test_it_is_listed(packed):
    lines = CliRunner().invoke(app.app, ["list", str(packed)]).stdout.splitlines()
    assert [line.endswith(f"  ({WHY})") for line in lines if ".jpg" in line] == [True, False, True]
    assert not any("(" in line for line in lines if ".txt" in line)
    members = json.loads(CliRunner().invoke(app.app, ["list", "--json", str(packed)]).stdout)["members"]
    assert {member["name"]: member.get("refused") for member in members}["in/cut.jpg"] == WHY
    assert f"  refused   2 files by the usual codec: {WHY}" in CliRunner().invoke(app.app, ["info", str(packed)]).stdout.splitlines()


def test_it_outlives_other_files_and_a_new_archive(packed, tmp_path):
    (tmp_path / "more.jpg").write_bytes(jpeg_kinds.kinds()["CMYK"])
    add.add(["more.jpg"], packed, LOSSLESS)
    before = said(packed)
    compact.compact(packed)
    assert said(packed) == before
    assert before[b"in/cut.jpg"] == WHY


@pytest.mark.parametrize(
    ("words", "back"), [("x" * 300, "x" * MAX_REFUSED_BYTES), ("\x1b[31mred", r"\x1b[31mred"), ("é", "é"), ("é" * 150, "é" * 100)]
)
def test_words_of_a_stranger_are_short_and_printable(words, back):
    member = Member(
        name=b"a", kind=Kind.FILE, mode=0, mtime_ns=0, size_bytes=1, digest=bytes(32), codec_id=0, payload_bytes=1, parts=1, refused=words
    )
    assert parse_member(pack_member(member)).refused == back
