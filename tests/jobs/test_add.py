"""`add` and `update`: what is new is added, what changed is replaced, what is the same costs nothing and loses nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pictures
import pytest
from crashes import every_crash
from typer.testing import CliRunner

import photoarc
from photoarc.cli import app
from photoarc.errors import UsageError
from photoarc.jobs import add as adding
from photoarc.jobs import coding as coding_module
from photoarc.jobs import rearrange
from photoarc.jobs.add import AddSummary
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.jobs.verify import verify
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
LZMA = PackOptions(CodingOptions(Mode.LZMA, effort=4), workers=0)
run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    rng = random.Random(1)
    for name in ("a.bin", "b.bin"):
        (tmp_path / "p" / name).write_bytes(rng.randbytes(2000))
    for number in range(3):
        (tmp_path / "p" / f"{number}.txt").write_text(f"text {number} " * 50)
    return tmp_path / "p"


def grow(*, replace: bool = False, options: PackOptions = LOSSLESS) -> AddSummary:
    return adding.add(["p"], "p.pha", options, replace=replace)


def is_as_on_disk() -> bool:
    found = verify("p.pha", ["p"], jobs=0)
    with photoarc.open("p.pha", scan=True) as scanned, photoarc.open("p.pha") as opened:
        same = {member.name: member for member in scanned} == {member.name: member for member in opened}
    return not found.differs and same


def test_adding_what_is_new(folder: Path) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    before = Path("p.pha").read_bytes()
    done = grow()
    assert (done.new, done.replaced, done.same, done.packed.failures) == (0, 0, 6, ())
    assert Path("p.pha").read_bytes() == before
    (folder / "new.txt").write_text("new " * 100)
    (folder / "deep").mkdir()
    (folder / "deep" / "twin.bin").write_bytes((folder / "a.bin").read_bytes())
    done = grow()
    assert (done.new, done.same, done.packed.duplicates, done.packed.failures) == (3, 5, 1, ())
    assert is_as_on_disk()
    assert Path("p.pha").stat().st_size - len(before) < 1500  # the twin costs a record
    assert Path("p.pha").stat().st_size == done.packed.archive_bytes
    assert unpack("p.pha", "to", UnpackOptions(workers=0)).files == 7


def test_what_differs_is_named_by_add_and_replaced_by_update(folder: Path) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    old = (folder / "a.bin").read_bytes()
    (folder / "a.bin").write_bytes(b"changed" * 100)
    done = grow()
    assert [(failed.name, failed.reason) for failed in done.packed.failures] == [("p/a.bin", adding.DIFFERS)]
    with photoarc.open("p.pha") as archive:
        assert archive.read("p/a.bin") == old
    done = grow(replace=True)
    assert (done.new, done.replaced, done.packed.failures) == (0, 1, ())
    assert is_as_on_disk()


def test_a_file_that_was_touched_keeps_its_payload(folder: Path) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    os.utime(folder / "a.bin", (1, 1))
    assert grow(replace=True).replaced == 1
    assert is_as_on_disk()
    with photoarc.open("p.pha") as archive:
        assert (archive.info("p/a.bin").mtime_ns, archive.info("p/a.bin").payload_bytes) == (10**9, 0)


def test_what_is_missing_on_the_disk_stays(folder: Path) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    (folder / "a.bin").unlink()
    grow(replace=True)
    with photoarc.open("p.pha") as archive:
        assert len(archive.read("p/a.bin")) == 2000


def test_the_same_steps_give_the_same_bytes(folder: Path) -> None:
    found = []
    for _ in range(2):
        (folder / "b.bin").write_bytes(b"first" * 100)
        for path in (folder, *folder.iterdir()):
            os.utime(path, (1, 1))
        pack(["p"], "p.pha", PackOptions(LOSSLESS.coding, workers=0, force=True))
        (folder / "b.bin").write_bytes(b"second" * 100)
        os.utime(folder / "b.bin", (2, 2))
        grow(replace=True)
        found.append(Path("p.pha").read_bytes())
    assert found[0] == found[1]


def test_sources_are_asked_for(folder: Path) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    with pytest.raises(UsageError, match="nothing to add"):
        adding.add([], "p.pha", LOSSLESS)
    with pytest.raises(photoarc.NotAnArchive):
        adding.add(["p"], "p/a.bin", LOSSLESS)


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    for number in range(2):
        (tmp_path / "p" / f"{number}.jpg").write_bytes(pictures.jpeg(pictures.photo(200, 150, seed=number)))
        os.utime(tmp_path / "p" / f"{number}.jpg", (number + 1, number + 1))
    pack(["p"], "p.pha", LZMA)
    with photoarc.open("p.pha") as archive:
        assert sum(member.lossy for member in archive) == 2
    return tmp_path / "p"


def test_unpacked_photographs_are_not_coded_again(photographs: Path) -> None:
    """They differ from their originals, and have their dates: nobody changed them, so nothing is lost a second time."""
    before = Path("p.pha").read_bytes()
    unpack("p.pha", "to", UnpackOptions(workers=0))
    os.chdir("to")
    done = adding.add(["p"], "../p.pha", LZMA, replace=True)
    assert (done.new, done.replaced, done.same) == (0, 0, 3)
    assert Path("../p.pha").read_bytes() == before
    data = (Path("p") / "0.jpg").read_bytes()
    other = pictures.jpeg(pictures.photo(200, 150, seed=7))
    (Path("p") / "0.jpg").write_bytes(other)  # another picture with the old date
    os.utime("p/0.jpg", (1, 1))
    assert adding.add(["p"], "../p.pha", LZMA, replace=True).replaced == 1
    (Path("p") / "1.jpg").touch()  # with a new date, it may be anything
    assert data != other
    assert adding.add(["p"], "../p.pha", LZMA).packed.failures[0].name == "p/1.jpg"


def test_lossy_payloads_do_for_the_same_wishes_only(photographs: Path) -> None:
    (photographs / "copy.jpg").write_bytes((photographs / "0.jpg").read_bytes())
    assert grow(options=LZMA).packed.duplicates == 1
    (photographs / "exact.jpg").write_bytes((photographs / "0.jpg").read_bytes())
    done = grow(options=LOSSLESS)
    assert (done.new, done.packed.duplicates) == (1, 0)
    with photoarc.open("p.pha") as archive:
        assert archive.read("p/exact.jpg") == (photographs / "0.jpg").read_bytes()
        assert [archive.info(f"p/{name}.jpg").lossy for name in ("0", "copy", "exact")] == [True, True, False]
        assert archive.read("p/copy.jpg") == archive.read("p/0.jpg") != archive.read("p/exact.jpg")
    (photographs / "more.jpg").write_bytes((photographs / "0.jpg").read_bytes())
    with photoarc.open("p.pha") as archive:
        assert grow(options=LOSSLESS).packed.duplicates == 1
    with photoarc.open("p.pha") as archive:
        assert archive.read("p/more.jpg") == (photographs / "0.jpg").read_bytes()


def test_a_moved_photograph_is_still_coded_as_it_was(photographs: Path) -> None:
    """Its record stands among chunks that are coded otherwise, its payload does not."""
    (photographs / "other.jpg").write_bytes(pictures.jpeg(pictures.photo(200, 150, seed=5)))
    rough = PackOptions(CodingOptions(Mode.LZMA, 40), workers=0)
    grow(options=rough)
    rearrange.move("p.pha", "p/0.jpg", "p/moved.jpg")
    assert grow(options=rough).packed.duplicates == 0  # 0.jpg is new
    with photoarc.open("p.pha") as archive:
        photos = [archive.info(f"p/{name}.jpg").photo for name in ("moved", "0")]
        assert [photo and photo.quality for photo in photos] == [75, 40]
        assert archive.coding_of(archive.info("p/moved.jpg")) != archive.coding_of(archive.info("p/0.jpg"))
    rearrange.remove("p.pha", ["0.jpg"])
    assert grow(options=LZMA).packed.duplicates == 1


def test_an_archive_remembers_how_it_was_packed(folder: Path) -> None:
    lossy = CodingOptions(Mode.LZMA, 60, effort=3, strip_gps=True, recode=True, min_gain_percent=5)
    pack(["p"], "p.pha", PackOptions(lossy, workers=0))
    assert adding.coding_like("p.pha") == lossy
    assert adding.coding_like("p.pha", quality=70).quality == 70
    assert adding.coding_like("p.pha", "fast") == CodingOptions(effort=3)
    assert adding.coding_like("p.pha", "lossless", effort=9) == CodingOptions(Mode.LOSSLESS, effort=9)
    pack(["p"], "q.pha", LOSSLESS)
    assert adding.coding_like("q.pha") == LOSSLESS.coding
    with pytest.raises(UsageError, match="--quality is about lossy photographs"):
        adding.coding_like("q.pha", quality=70)
    (folder / "new.txt").write_text("new")
    adding.add(["p"], "p.pha", LOSSLESS)
    assert adding.coding_like("p.pha") == LOSSLESS.coding


def test_a_signal_leaves_what_was_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(["p/a.bin"], "p.pha", LOSSLESS)
    monkeypatch.setattr(coding_module, "MAX_SMALL_BYTES", -1)  # each file alone

    def interrupted(options: CodingOptions, item: coding_module.Item) -> coding_module.Result:
        if item.name == b"p/b.bin":
            raise KeyboardInterrupt
        return coding_module.code_source(options, item)

    monkeypatch.setattr(adding, "code_source", interrupted)
    done = grow()
    assert (done.interrupted, done.new) == (True, 5)
    with photoarc.open("p.pha") as archive:
        assert sorted(archive.names()) == ["a.bin", "p", "p/0.txt", "p/1.txt", "p/2.txt", "p/a.bin"]
        assert archive.warnings == []
    monkeypatch.undo()
    os.chdir(folder.parent)
    assert grow().new == 1


def test_a_crash_at_every_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(["p"], "p.pha", LOSSLESS)
    old = Path("p.pha").read_bytes()
    with photoarc.open("p.pha") as archive:
        before = {name: archive.read(name) for name in archive.names() if archive.info(name).kind is Kind.FILE}
    (folder / "a.bin").write_bytes(b"changed" * 100)
    (folder / "new.txt").write_text("new")
    for disk in every_crash(monkeypatch):
        Path("p.pha").write_bytes(old)
        with disk:
            grow(replace=True)
        with photoarc.open("p.pha") as archive:
            found = {name: archive.read(name) for name in archive.names() if archive.info(name).kind is Kind.FILE}
        assert found in (before, before | {"p/a.bin": b"changed" * 100, "p/new.txt": b"new"})
        grow(replace=True)
        assert is_as_on_disk()


def test_on_the_command_line(folder: Path) -> None:
    assert run(app.app, ["pack", "p", "p.pha", "-q", "-j", "0", "--mode", "lossless"]).exit_code == 0
    (folder / "a.bin").write_bytes(b"changed" * 100)
    (folder / "new.txt").write_text("new" * 300)
    said = run(app.app, ["update", "p.pha", "p", "--dry-run", "-j", "0"])
    assert said.stdout.splitlines() == [
        *("changed  p/", "changed  p/a.bin", "new      p/new.txt", ""),
        "would add 2 files, 1 folder, 1.60 kB; 4 are there already; nothing was written",
    ]
    said = run(app.app, ["add", "p.pha", "p", "-j", "0"])
    assert said.exit_code == 1
    assert said.stdout.startswith("added 1 member to p.pha, replaced 1, 4 were there already\n")
    assert "p/a.bin: is in the archive already, and differs; photoarc update replaces it" in said.stderr
    said = run(app.app, ["update", "p.pha", "p", "-j", "0"])
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("added 0 members to p.pha, replaced 1, 6 were there already\n")
    assert run(app.app, ["add", "p.pha"]).exit_code == 2


@pytest.mark.parametrize("names", [("x.heic", "x.heic.jpg"), ("x.heic.jpg", "x.heic")])
def test_names_that_photographs_get_are_looked_at_together(folder: Path, names: tuple[str, str]) -> None:
    (folder / names[0]).write_bytes(b"first")
    pack(["p"], "p.pha", LOSSLESS)
    (folder / names[1]).write_bytes(b"second")
    with photoarc.open("p.pha") as archive:
        _, files = adding.plan(["p"], Path("p.pha"), LOSSLESS, archive.members, replace=True)
    assert [bool(file.no_jpeg) for file in files if file.kind is Kind.FILE] == [names[1] == "x.heic"]
