"""Payloads that are there already: `pack --reuse`, and a pack that was killed and is done again."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pictures
import pytest
from crashes import Disk, every_crash
from typer.testing import CliRunner

import photoarc
from photoarc.cli import app
from photoarc.container import writer
from photoarc.jobs.coding import Item, Result, code_source
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.member import Member
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pipeline import encode_file

LZMA = PackOptions(CodingOptions(Mode.LZMA, effort=4), workers=0)
run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs that are coded lossily, and files that are too large for a batch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    rng = random.Random(1)
    for number in range(3):
        photo = tmp_path / "p" / f"{number}.jpg"
        photo.write_bytes(pictures.jpeg(pictures.photo(200, 150, seed=number)))
        (tmp_path / "p" / f"{number}.txt").write_text(f"{rng.random()} bottles\n" * 4000 + str(number))
        os.utime(photo, (number + 1, number + 1))
    return tmp_path / "p"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of files that are coded and not taken over."""
    sizes: list[int] = []

    def counting(data: bytes, options: CodingOptions, no_jpeg: str = "") -> object:
        sizes.append(len(data))
        return encode_file(data, options, no_jpeg)

    monkeypatch.setattr("photoarc.pipeline.encode_file", counting)
    return sizes


def members(path: str) -> dict[str, Member]:
    with photoarc.open(path) as archive:
        return {member.display_name: member for member in archive}


def test_unchanged_files_keep_their_payloads(folder: Path, encoded: list[int]) -> None:
    pack(["p"], "old.pha", LZMA)
    assert len(encoded) == 6
    encoded.clear()
    (folder / "0.jpg").rename(folder / "renamed.jpg")
    (folder / "1.txt").write_text("another text " * 6000)
    (folder / "2.txt").touch()
    done = pack(["p"], "new.pha", LZMA, reuse=["old.pha"])
    assert (encoded, done.reused) == ([(folder / "1.txt").stat().st_size], 5)
    pack(["p"], "plain.pha", LZMA)
    assert Path("new.pha").read_bytes() == Path("plain.pha").read_bytes()


@pytest.mark.parametrize(
    "other", [CodingOptions(Mode.LZMA, 60, effort=4), CodingOptions(Mode.LZMA), CodingOptions(Mode.LOSSLESS, effort=4)]
)
def test_other_wishes_are_heard(folder: Path, encoded: list[int], other: CodingOptions) -> None:
    pack(["p"], "old.pha", LZMA)
    encoded.clear()
    assert pack(["p"], "new.pha", PackOptions(other, workers=0), reuse=["old.pha"]).reused == 0
    assert len(encoded) == 6


def test_an_edit_with_the_old_size_and_date_is_seen(folder: Path) -> None:
    pack(["p"], "old.pha", LZMA)
    text = folder / "0.txt"
    info = text.stat()
    text.write_bytes(text.read_bytes()[:-1] + b"X")
    os.utime(text, ns=(info.st_atime_ns, info.st_mtime_ns))
    pack(["p"], "new.pha", LZMA, reuse=["old.pha"])
    with photoarc.open("new.pha") as archive:
        assert archive.read("p/0.txt") == text.read_bytes()


def test_what_was_unpacked_loses_nothing_a_second_time(folder: Path) -> None:
    """Three times packed and unpacked: the payloads stay what they were."""
    pack(["p"], "0.pha", LZMA)
    first = members("0.pha")
    assert [first[f"p/{number}.jpg"].lossy for number in range(3)] == [True] * 3
    for number in range(3):
        os.makedirs(f"to{number}")
        unpack(f"{number}.pha", f"to{number}", UnpackOptions(workers=0))
        done = pack([f"to{number}/p"], f"{number + 1}.pha", LZMA, reuse=[f"{number}.pha"])
        assert done.reused == 6
    last = members("3.pha")
    assert [last[name].digest for name in sorted(last)] == [first[name].digest for name in sorted(first)]
    with photoarc.open("0.pha") as old, photoarc.open("3.pha") as new:
        for name, member in first.items():
            if member.lossy:
                assert old.payload(member) == new.payload(last[name])


def test_copies_of_what_was_unpacked_are_duplicates(folder: Path) -> None:
    pack(["p"], "old.pha", LZMA)
    unpack("old.pha", "to", UnpackOptions(workers=0))
    data = Path("to/p/0.jpg").read_bytes()
    Path("to/p/0 copy.jpg").write_bytes(data)
    os.utime("to/p/0 copy.jpg", (1, 1))
    done = pack(["to/p"], "new.pha", LZMA, reuse=["old.pha"])
    assert (done.reused, done.duplicates) == (6, 1)
    with photoarc.open("new.pha") as archive:
        assert archive.read("p/0.jpg") == archive.read("p/0 copy.jpg") == data


def test_less_quality_is_given_to_what_was_unpacked(folder: Path) -> None:
    pack(["p"], "old.pha", LZMA)
    unpack("old.pha", "to", UnpackOptions(workers=0))
    done = pack(["to/p"], "new.pha", PackOptions(CodingOptions(Mode.LZMA, 40, effort=4, min_gain_percent=0), workers=0), reuse=["old.pha"])
    assert done.reused == 0
    done = pack(["to/p"], "better.pha", PackOptions(CodingOptions(Mode.LZMA, 90, effort=4), workers=0), reuse=["old.pha"])
    assert done.reused == 3  # what is not there cannot be had


def kill_while_packing(monkeypatch: pytest.MonkeyPatch, last: int) -> Path:
    with Disk(last, monkeypatch) as disk:
        pack(["p"], "out.pha", LZMA)
    assert not disk.finished
    (partial,) = Path().glob("out.pha.partial-*")
    return partial


def test_a_killed_pack_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[int]) -> None:
    kill_while_packing(monkeypatch, 5)
    before = len(encoded)
    encoded.clear()
    done = pack(["p"], "out.pha", LZMA)
    assert done.reused == before - 1 == 6 - len(encoded) > 1
    assert done.warnings == ()
    assert not list(Path().glob("out.pha.partial-*"))
    pack(["p"], "plain.pha", LZMA)
    assert Path("out.pha").read_bytes() == Path("plain.pha").read_bytes()


def test_killed_again_and_again(folder: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[int]) -> None:
    for last in (3, 5, 6, 8):
        with Disk(last, monkeypatch):
            pack(["p"], "out.pha", LZMA)
    assert len(encoded) <= 6 + 4
    pack(["p"], "out.pha", LZMA)
    assert len(encoded) <= 6 + 4
    assert not list(Path().glob("out.pha.partial-*"))
    pack(["p"], "plain.pha", LZMA)
    assert Path("out.pha").read_bytes() == Path("plain.pha").read_bytes()


def test_a_crash_at_every_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no archive, or a whole one; what is left beside it is taken over and goes."""
    for path in folder.glob("*.jpg"):
        path.unlink()
    pack(["p"], "plain.pha", LZMA)
    whole = Path("plain.pha").read_bytes()
    for disk in every_crash(monkeypatch):
        with disk:
            pack(["p"], "out.pha", LZMA)
        if Path("out.pha").exists():
            assert Path("out.pha").read_bytes() == whole
            if not disk.finished:
                disk.cut_power(Path("out.pha"), b"", zeros=False)
                assert Path("out.pha").read_bytes() == whole
            Path("out.pha").unlink()
        else:
            begun = [path.name for path in Path().glob("out.pha*") if path.stat().st_size > 0]
            pack(["p"], "out.pha", LZMA)
            assert not [name for name in begun if Path(name).exists()]
            assert Path("out.pha").read_bytes() == whole
            Path("out.pha").unlink()
        for left in Path().glob("out.pha.partial-*"):
            left.unlink()


def test_a_damaged_rest_is_not_taken_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = kill_while_packing(monkeypatch, 7)
    data = bytearray(partial.read_bytes())
    for at in range(100, len(data), 1000):
        data[at] ^= 1
    partial.write_bytes(data)
    pack(["p"], "out.pha", LZMA)
    pack(["p"], "plain.pha", LZMA)
    assert Path("out.pha").read_bytes() == Path("plain.pha").read_bytes()


def test_the_rest_of_another_job_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = kill_while_packing(monkeypatch, 5)
    done = pack(["p"], "out.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0))
    assert done.reused == 0
    assert partial.exists()
    assert "1 unfinished archives lie beside" in done.warnings[0]


def test_an_interrupt_keeps_what_was_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Item] = []

    def interrupted(options: CodingOptions, item: Item) -> Result:
        calls.append(item)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return code_source(options, item)

    with pytest.raises(KeyboardInterrupt):
        pack(["p"], "out.pha", LZMA, code=interrupted)
    assert not list(Path().glob("out.pha*"))
    calls.clear()
    monkeypatch.setattr(writer, "WORTH_KEEPING_BYTES", 1000)
    with pytest.raises(KeyboardInterrupt):
        pack(["p"], "out.pha", LZMA, code=interrupted)
    assert pack(["p"], "out.pha", LZMA).reused == 4


def test_on_the_command_line(folder: Path) -> None:
    assert run(app.app, ["pack", "p", "old.pha", "-q", "-j", "0", "--mode", "lzma"]).exit_code == 0
    said = run(app.app, ["pack", "p", "new.pha", "-j", "0", "--mode", "lzma", "--reuse", "old.pha"])
    assert said.exit_code == 0
    assert "  6 files unchanged, taken over as packed before\n" in said.stdout
    assert run(app.app, ["pack", "p", "x.pha", "-j", "0", "--reuse", "p/0.txt"]).exit_code == 2
