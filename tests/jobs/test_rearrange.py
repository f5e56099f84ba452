"""`rm`, `mv` and `compact`: what others need stays, what nobody needs goes, and a crash leaves the old archive or the new one."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from crashes import every_crash
from typer.testing import CliRunner

import photoarc
from photoarc import codecs
from photoarc.cli import app
from photoarc.container.wishes import PAYLOADS
from photoarc.errors import UsageError
from photoarc.jobs import add as adding
from photoarc.jobs import large, rearrange, writing
from photoarc.jobs.compact import compact
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.jobs.unpack import unpack
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
run = CliRunner().invoke
Contents = dict[str, bytes]


def contents(*, scan: bool = False) -> Contents:
    with photoarc.open("p.pha", scan=scan) as archive:
        assert (archive.damaged, archive.warnings[1:]) == ([], [])
        return {member.display_name: archive.read(member) if member.kind is Kind.FILE else b"" for member in archive}


def is_sound(expected: Contents) -> bool:
    """By index, by scan, and decoded."""
    return contents() == contents(scan=True) == expected and not check("p.pha", 0).failures


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contents:
    """A file of every kind that an archive has, with duplicates of each, in a sparse file, in groups, alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(large, "BLOCK_BYTES", 400_000)
    monkeypatch.setattr(writing, "PART_BYTES", 50_000)
    rng = random.Random(3)
    for folder in ("p/a", "p/b"):
        os.makedirs(folder)
    picture = rng.randbytes(45_000)
    files = {
        "a/note.txt": b"a note that is long enough to be one " * 20,
        "a/list.txt": b"a list " * 90,
        "a/noise.bin": rng.randbytes(70_000),
        "a/text.log": b"%d bottles of beer on the wall " * 4000,
        "a/tag1.dat": b"first tag" + picture,
        "a/tag2.dat": b"the second tag" + picture,
    }
    for name, data in files.items():
        Path("p", name).write_bytes(data)
        Path("p/b", os.path.basename(name)).write_bytes(data)
    for name in ("p/a/sparse.raw", "p/b/sparse.raw"):
        with open(name, "wb") as file:
            for at in range(3):
                file.seek(at << 21)
                file.write(random.Random(at).randbytes(300_000))
            file.truncate(9 << 20)
    os.link("p/a/noise.bin", "p/b/linked.bin")
    os.symlink("noise.bin", "p/b/link")
    pack(["p"], "p.pha", LOSSLESS)
    return contents()


def test_the_sample_has_everything(packed: Contents) -> None:
    with photoarc.open("p.pha") as archive:
        files = [member for member in archive if member.kind is Kind.FILE]
        assert {codecs.STORE, codecs.LZMA, codecs.SOLID, codecs.BLOCKS} <= {member.codec_id for member in files}
        assert {member.codec_id for member in files if member.duplicate} >= {codecs.STORE, codecs.LZMA, codecs.SOLID, codecs.BLOCKS}
        assert {codecs.STORE, codecs.BLOCKS} <= {member.codec_id for member in files if member.parts > 1}
        assert any(member.shared for member in files)
        assert any(member.hard_link for member in files)


@pytest.mark.parametrize("globs", [["p/a"], ["p/b"], ["p/a/*.txt"], ["tag1.dat"], ["p/a/sparse.raw", "p/b/note.txt"], ["p"]])
def test_what_others_need_stays(packed: Contents, globs: list[str]) -> None:
    """Also after `compact`, which gives the contents to the first that needs them."""
    done = rearrange.remove("p.pha", globs)
    left = {name: data for name, data in packed.items() if name not in done.names}
    assert len(left) < len(packed)
    assert is_sound(left)
    grown = Path("p.pha").stat().st_size
    said = compact("p.pha")
    assert (said.before_bytes, said.after_bytes) == (grown, Path("p.pha").stat().st_size)
    assert said.after_bytes < grown
    assert is_sound(left)
    unpack("p.pha", "to", UnpackOptions(workers=0))
    assert all(Path("to", name).read_bytes() == data for name, data in left.items() if data)
    assert compact("p.pha").after_bytes == said.after_bytes


def test_every_single_one_removed(packed: Contents) -> None:
    whole = Path("p.pha").read_bytes()
    for name in packed:
        Path("p.pha").write_bytes(whole)
        done = rearrange.remove("p.pha", [name])
        left = {other: data for other, data in packed.items() if other not in done.names}
        assert contents() == contents(scan=True) == left
        compact("p.pha")
        assert contents() == contents(scan=True) == left


def test_compact_gives_what_was_packed_at_once(packed: Contents) -> None:
    """Adding and removing the same leaves no trace."""
    before = Path("p.pha").read_bytes()
    Path("extra").write_bytes(random.Random(9).randbytes(70_000))
    adding.add(["extra"], "p.pha", LOSSLESS)
    rearrange.remove("p.pha", ["extra"])
    assert len(Path("p.pha").read_bytes()) > len(before) + 70_000
    compact("p.pha")
    assert Path("p.pha").read_bytes() == before


def test_compact_keeps_what_is_known_of_coding(packed: Contents) -> None:
    rearrange.remove("p.pha", ["p/a/note.txt"])
    compact("p.pha")
    assert adding.coding_like("p.pha") == LOSSLESS.coding
    with photoarc.open("p.pha") as archive:
        assert archive.coding_of(archive.info("p/a/noise.bin"))[0] == PAYLOADS
    Path("extra").write_bytes(random.Random(9).randbytes(70_000))
    adding.add(["extra"], "p.pha", PackOptions(CodingOptions(Mode.LOSSLESS, effort=3), workers=0))
    compact("p.pha")
    assert adding.coding_like("p.pha").effort == 3
    with photoarc.open("p.pha") as archive:
        assert archive.coding_of(archive.info("extra"))[0] == 0  # nobody takes these for payloads of one wish


def test_a_folder_is_moved_with_what_is_in_it(packed: Contents) -> None:
    before = Path("p.pha").stat().st_size
    done = rearrange.move("p.pha", "p/a/", "p/deep/er")
    expected = {name.replace("p/a", "p/deep/er", 1) if name.startswith("p/a") else name: data for name, data in packed.items()}
    assert dict(done.names)["p/a/note.txt"] == "p/deep/er/note.txt"
    assert is_sound(expected)
    assert Path("p.pha").stat().st_size - before < 4000
    with photoarc.open("p.pha") as archive:
        assert archive.info("p/b/linked.bin").hard_link == b"p/deep/er/noise.bin"
    compact("p.pha")
    assert is_sound(expected)
    unpack("p.pha", "to", UnpackOptions(workers=0))
    assert Path("to/p/b/linked.bin").stat().st_ino == Path("to/p/deep/er/noise.bin").stat().st_ino


def test_moved_there_and_back(packed: Contents) -> None:
    for old, new in (("p/a", "x"), ("p/b", "p/a"), ("x", "p/b"), ("p/a", "y"), ("p/b", "p/a"), ("y", "p/b")):
        rearrange.move("p.pha", old, new)
    assert is_sound(packed)
    compact("p.pha")
    assert is_sound(packed)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("p/x", "p/y", "no member is called p/x"),
        ("p/a", "p/b", "a member is called p/b already"),
        ("p/a", "p/a/c", "cannot be moved into itself"),
        ("p/a", "p/a", "is called so already"),
        ("p/a", "../a", "could lead out"),
        ("p/a", "/a", "absolute"),
        ("p/a", "p/b/note.txt/a", "p/b/note.txt is no folder"),
    ],
)
def test_moves_that_are_refused(packed: Contents, old: str, new: str, why: str) -> None:
    before = Path("p.pha").read_bytes()
    with pytest.raises(UsageError, match=why):
        rearrange.move("p.pha", old, new)
    assert Path("p.pha").read_bytes() == before


def test_a_damaged_archive_is_not_made_compact(packed: Contents) -> None:
    rearrange.remove("p.pha", ["p/b/note.txt"])
    data = bytearray(Path("p.pha").read_bytes())
    with photoarc.open("p.pha") as archive:
        data[archive.offset_of(archive.info("p/a/noise.bin")) + 5000] ^= 1
    Path("p.pha").write_bytes(data)
    with pytest.raises(UsageError, match=r"p/a/noise\.bin: damaged in the archive.*Nothing was changed"):
        compact("p.pha")
    assert Path("p.pha").read_bytes() == data
    assert not list(Path().glob("*.partial-*"))


def test_compact_dies_at_every_moment(packed: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    done = rearrange.remove("p.pha", ["p/a"])
    left = {name: data for name, data in packed.items() if name not in done.names}
    old = Path("p.pha").read_bytes()
    sizes = set()
    for disk in every_crash(monkeypatch):
        Path("p.pha").unlink()
        Path("p.pha").write_bytes(old)
        with disk:
            compact("p.pha")
        sizes.add(Path("p.pha").stat().st_size)
        assert contents() == left
        if not disk.finished:
            before = old if Path("p.pha").stat().st_size == len(old) else b""
            disk.cut_power(Path("p.pha"), before, zeros=False)
            assert contents() == left
        for partial in Path().glob("*.partial-*"):
            partial.unlink()
    assert len(sizes) == 2


def test_listings_count_what_is_there(packed: Contents) -> None:
    """Payloads whose members are gone are those of others."""
    totals = run(app.app, ["list", "p.pha"]).stdout.splitlines()[-2]
    rearrange.move("p.pha", "p", "q")
    assert run(app.app, ["list", "p.pha"]).stdout.splitlines()[-2] == totals
    said = run(app.app, ["info", "p.pha"]).stdout
    assert "changed   1 time since it was written; compact leaves out" in said
    compact("p.pha")
    assert run(app.app, ["list", "p.pha"]).stdout.splitlines()[-2] == totals
    assert "changed" not in run(app.app, ["info", "p.pha"]).stdout


def test_on_the_command_line(packed: Contents) -> None:
    before = Path("p.pha").read_bytes()
    said = run(app.app, ["rm", "p.pha", "*.LOG", "--ignore-case", "--dry-run"])
    assert said.stdout == "p/a/text.log\np/b/text.log\n\nwould remove 2 members of 248 kB; nothing was written\n"
    said = run(app.app, ["mv", "p.pha", "p/a/note.txt", "p/c.txt", "--dry-run"])
    assert said.stdout == "p/a/note.txt -> p/c.txt\n\nwould move 1 member\n"
    assert run(app.app, ["compact", "p.pha"]).stdout.startswith("p.pha is compact: nothing was added")
    assert Path("p.pha").read_bytes() == before
    assert run(app.app, ["rm", "p.pha", "*.log"]).stdout.endswith("removed 2 members of 248 kB; compact makes the archive smaller\n")
    assert run(app.app, ["mv", "p.pha", "p/a/note.txt", "p/c.txt", "-q"]).output == ""
    assert run(app.app, ["compact", "p.pha"]).stdout.startswith("p.pha with 17 members: ")
    assert run(app.app, ["rm", "p.pha", "*.log"]).exit_code == 2
    assert run(app.app, ["rm", "p.pha"]).exit_code == 2
