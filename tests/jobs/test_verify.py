"""Comparing a folder with an archive, and deleting what was packed: nothing goes that the archive cannot give back."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pictures
import pytest
from PIL import Image
from typer.testing import CliRunner

from photoarc.archive import open_archive
from photoarc.cli import app
from photoarc.cli import pack as pack_command
from photoarc.errors import UsageError
from photoarc.jobs import deletion
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.jobs.verify import verify
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pictures import image

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)
ALL = {"photos/a.txt", "photos/b.bin", "photos/in/c.jpg"}


def run(*arguments: object, stdin: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app.app, [str(argument) for argument in arguments], input=stdin)
    return done.exit_code, done.output


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "in").mkdir(parents=True)
    (tmp_path / "photos" / "a.txt").write_bytes(b"some text " * 50)
    (tmp_path / "photos" / "b.bin").write_bytes(os.urandom(2000))
    (tmp_path / "photos" / "in" / "c.jpg").write_bytes(pictures.jpeg(pictures.photo(200, 150)))
    (tmp_path / "photos" / "to-a").symlink_to("a.txt")
    return Path("photos")


def left() -> set[str]:
    return {path.as_posix() for path in Path("photos").rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(pack_command, "_nobody_can_answer", lambda: False)


def test_the_source_and_an_unpacked_copy_agree(photos):
    pack([photos], "out.pha", LOSSLESS)
    unpack("out.pha", "copy")
    for against in ("photos", "copy", "copy/photos", str(photos.absolute())):
        done = verify("out.pha", [against])
        assert (done.same, done.differs, done.lossy) == (6, False, 0)
    assert run("verify", "out.pha", "--against", "photos")[0] == 0


def test_every_kind_of_difference_is_named(photos):
    pack([photos], "out.pha", LOSSLESS)
    (photos / "a.txt").write_bytes(b"some-text " * 50)  # same length
    (photos / "b.bin").unlink()
    (photos / "new").write_bytes(b"1")
    (photos / "to-a").unlink()
    (photos / "to-a").symlink_to("b.bin")
    (photos / "in" / "c.jpg").write_bytes(b"")
    code, out = run("verify", "out.pha", "--against", "photos", "--json")
    found = json.loads(out)
    assert code == 1
    assert (found["missing"], found["extra"], found["same"]) == (["photos/b.bin"], ["photos/new"], 2)
    assert {changed["name"]: changed["reason"] for changed in found["changed"]} == {
        "photos/a.txt": "has other contents of the same length",
        "photos/in/c.jpg": f"has 0 bytes now, had {len(pictures.jpeg(pictures.photo(200, 150))):,}",
        "photos/to-a": "points to b.bin now, pointed to a.txt",
    }
    assert "extra    photos/new" in run("verify", "out.pha", "--against", "photos")[1]
    assert "photos/new" not in run("verify", "out.pha", "--against", "photos", "--exclude", "new")[1]


def test_another_kind_is_a_change(photos):
    pack([photos], "out.pha", LOSSLESS)
    (photos / "a.txt").unlink()
    (photos / "a.txt").mkdir()
    assert [changed.reason for changed in verify("out.pha", ["photos"]).changed] == ["is a folder now, was a file"]


def test_lossy_photographs_are_compared_with_their_originals(photos):
    pack([photos], "out.pha", PackOptions(workers=0))
    done = verify("out.pha", ["photos"])
    assert (done.same, done.lossy, done.differs) == (6, 1, False)
    (photos / "in" / "c.jpg").write_bytes(pictures.jpeg(pictures.photo(200, 150, seed=1)))
    assert [changed.name for changed in verify("out.pha", ["photos"]).changed] == ["photos/in/c.jpg"]


def test_what_cannot_be_used_at_all(photos):
    assert run("verify", "none.pha", "--against", "photos")[0] == 2
    pack([photos], "out.pha", LOSSLESS)
    assert run("verify", "out.pha", "--against", "none")[0] == 2
    with pytest.raises(UsageError, match="nothing to compare"):
        verify("out.pha", [])


def test_deleting_asks_and_takes_no_for_an_answer(photos, terminal):
    arguments = ("pack", "photos", "out.pha", "--mode", "lossless", "--delete-after-verify")
    code, out = run(*arguments, stdin="n\n")
    assert (code, left()) == (0, ALL)
    assert "Delete 3 files" in out
    Path("out.pha").unlink()
    code, out = run(*arguments, stdin="y\n")
    assert (code, left()) == (0, set())
    assert "deleted 3 files" in out
    assert (photos / "in").is_dir()
    assert (photos / "to-a").is_symlink()
    unpack("out.pha", "copy")
    assert len([path for path in Path("copy").rglob("*") if path.is_file() and not path.is_symlink()]) == 3


def test_deleting_refuses_where_nobody_can_answer(photos):
    for extra in (["--delete-after-verify"], ["--yes"], ["--delete-lossy"], ["--delete-after-verify", "--yes", "--dry-run"]):
        assert run("pack", "photos", "out.pha", *extra)[0] == 2
        assert not Path("out.pha").exists()
    assert left() == ALL


def test_lossy_photographs_stay_unless_named(photos):
    code, out = run("pack", "photos", "out.pha", "--delete-after-verify", "--yes")
    assert (code, left()) == (0, {"photos/in/c.jpg"})
    assert "1 photograph stay" in out
    code, out = run("pack", "photos", "second.pha", "--delete-after-verify", "--yes", "--delete-lossy", "--json")
    assert (code, left(), json.loads(out)["deletion"]["deleted"]) == (0, set(), 1)


def test_an_archive_that_may_be_the_only_copy_is_never_replaced(photos):
    """A nightly job would replace what it deleted the files for by an archive of nothing."""
    assert run("pack", "photos", "out.pha", "--mode", "lossless", "--delete-after-verify", "--yes")[0] == 0
    held = Path("out.pha").read_bytes()
    for force in ((), ("-f",)):
        code, out = run("pack", "photos", "out.pha", *force, "--delete-after-verify", "--yes")
        assert (code, "the only place" in out) == (2, True)
    assert Path("out.pha").read_bytes() == held


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_nothing_is_deleted_when_the_archive_is_damaged(photos, damage):
    pack([photos], "out.pha", LOSSLESS)
    data = Path("out.pha").read_bytes()
    at = data.index((photos / "b.bin").read_bytes()) + 5
    Path("out.pha").write_bytes(data[:-50] if damage == "cut" else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    todo = deletion.plan([photos], "out.pha")
    assert todo.doubts
    assert deletion.carry_out(todo).deleted == 0
    assert left() == ALL


def test_one_file_that_differs_or_is_new_saves_them_all(photos):
    pack([photos], "out.pha", LOSSLESS)
    (photos / "new").write_bytes(b"1")
    assert deletion.plan([photos], "out.pha").doubts == ("photos/new: is not in the archive",)
    (photos / "new").unlink()
    (photos / "a.txt").write_bytes(b"other")
    assert "has 5 bytes now" in deletion.plan([photos], "out.pha").doubts[0]


def test_a_file_that_could_not_be_packed_saves_them_all(photos):
    os.mkfifo(photos / "pipe")
    code, out = run("pack", "photos", "out.pha", "--mode", "lossless", "--delete-after-verify", "--yes")
    assert (code, left()) == (1, ALL)
    assert "nothing was deleted" in out


def test_what_changes_between_question_and_answer_stays(photos):
    pack([photos], "out.pha", LOSSLESS)
    todo = deletion.plan([photos], "out.pha")
    (photos / "a.txt").write_bytes(b"SOME text " * 50)
    (photos / "b.bin").unlink()
    (photos / "b.bin").symlink_to("in/c.jpg")
    done = deletion.carry_out(todo)
    assert (done.deleted, len(done.failures)) == (1, 2)
    assert (photos / "a.txt").exists()
    assert (photos / "b.bin").is_symlink()


def test_a_file_replaced_while_it_is_compared_stays(photos, monkeypatch):
    pack([photos], "out.pha", LOSSLESS)
    todo = deletion.plan([photos], "out.pha")
    real = os.lstat

    def replaced(path):
        if os.fsencode(path).endswith(b"a.txt"):
            (photos / "b.new").write_bytes(b"valuable")
            (photos / "b.new").rename(photos / "a.txt")
        return real(path)

    monkeypatch.setattr(deletion.os, "lstat", replaced)
    done = deletion.carry_out(todo)
    assert [failed.name for failed in done.failures] == ["photos/a.txt"]
    assert (photos / "a.txt").read_bytes() == b"valuable"


def test_the_archive_inside_the_folder_stays(photos):
    assert run("pack", "photos", "photos/out.pha", "--mode", "lossless", "--delete-after-verify", "--yes")[0] == 0
    assert left() == {"photos/out.pha"}


@pytest.fixture
def unpacked(photos):
    """A default archive of two photographs and what is no photograph, unpacked into `copy`; the PNG as JPEG, too."""
    png = pictures.photo(160, 120, seed=3)
    (photos / "d.png").write_bytes(pictures.png(png))
    pack([photos], "out.pha", PackOptions(workers=0))
    unpack("out.pha", "copy", UnpackOptions(workers=0))
    return Path("copy/photos")


def test_what_was_unpacked_lossily_is_as_unpacked(photos, unpacked):
    done = verify("out.pha", ["copy"], jobs=0)
    assert (done.same, done.lossy, done.as_unpacked, done.differs) == (5, 0, 2, False)
    code, out = run("verify", "out.pha", "--against", "copy", "-j", "0")
    assert code == 0
    assert "copy agrees: 5 of 7 members the same; 2 as unpacked (lossy)" in out
    assert json.loads(run("verify", "out.pha", "--against", "copy", "-j", "0", "--json")[1])["as_unpacked"] == 2
    (unpacked / "in" / "c.jpg").write_bytes((photos / "in" / "c.jpg").read_bytes())
    assert (
        "copy agrees: 6 of 7 members the same, 1 of them lossy in the archive; 1 as unpacked"
        in run("verify", "out.pha", "--against", "copy", "-j", "0")[1]
    )


@pytest.mark.parametrize("as_format", ["png", "jpeg", "webp"])
def test_other_formats_are_as_unpacked(photos, unpacked, as_format):
    unpack("out.pha", "other", UnpackOptions(as_format=as_format, workers=0))
    done = verify("out.pha", ["other"], jobs=0)
    assert (done.as_unpacked, done.differs) == (2, False)


def test_by_workers(unpacked, monkeypatch):
    monkeypatch.setattr("photoarc.jobs.decoding.WORTH_A_WORKER_PX", 1)
    assert verify("out.pha", ["copy"], jobs=2).as_unpacked == 2


def test_workers_share_the_memory_that_was_asked_for(unpacked, monkeypatch):
    monkeypatch.setattr("photoarc.jobs.decoding.WORTH_A_WORKER_PX", 1)
    done = verify("out.pha", ["copy"], jobs=2, memory_bytes=10**6)
    assert (done.as_unpacked, done.differs) == (2, False)
    assert sum("may take" in remark for remark in done.remarks) == 2
    assert verify("out.pha", ["copy"], jobs=2).remarks == ()
    code, out = run("verify", "out.pha", "--against", "copy", "-j", "1", "--memory", "1M")
    assert (code, out.count("more than all workers are to have")) == (0, 2)


def test_memory_is_bounded_too_when_an_archive_is_read_back_to_delete(photos, monkeypatch):
    asked = []
    check = deletion.test.test
    monkeypatch.setattr(deletion.test, "test", lambda *known: asked.append(known[3]) or check(*known))
    assert run("pack", "photos", "out.pha", "--mode", "lossless", "--delete-after-verify", "--yes", "-j", "0", "--memory", "2G")[0] == 0
    assert asked == [2 * 10**9]


def test_what_is_neither_packed_nor_unpacked_is_changed(photos, unpacked):
    jpeg = (unpacked / "in" / "c.jpg").read_bytes()
    (unpacked / "in" / "c.jpg").write_bytes(jpeg[:2] + b"\xff\xfe\0\x06note" + jpeg[2:])  # a comment
    pixels = np.asarray(Image.open(unpacked / "d.png")).copy()
    pixels[40:44, 40:44] += 60  # a mole is gone
    Image.fromarray(pixels).save(unpacked / "d.png")
    done = verify("out.pha", ["copy"], jobs=0)
    assert [(changed.name, changed.reason.endswith("not what is unpacked either")) for changed in done.changed] == [
        ("photos/d.png", True),
        ("photos/in/c.jpg", True),
    ]
    (unpacked / "d.png").write_bytes(b"")
    assert verify("out.pha", ["copy"], jobs=0).as_unpacked == 0


def test_other_libraries_and_processors_may_write_other_bytes(unpacked):
    """Another deflate level, pixels that differ by one, coefficients that are rounded the other way."""
    pixels = np.asarray(Image.open(unpacked / "d.png")).astype(int)
    pixels[::7, ::5] += np.where(pixels[::7, ::5] < 255, 1, -1)
    Image.fromarray(pixels.astype(np.uint8)).save(unpacked / "d.png", compress_level=9)
    path = unpacked / "in" / "c.jpg"
    photo = image.photograph(path.read_bytes())
    moved = photo.pixels.astype(int)
    moved[::7, ::7] += np.where(moved[::7, ::7] < 255, 1, -1)
    path.write_bytes(image.write(dataclasses.replace(photo, pixels=moved.astype(np.uint8))))
    done = verify("out.pha", ["copy"], jobs=0)
    assert (done.as_unpacked, done.changed) == (2, ())


def test_a_damaged_member_is_no_verdict_about_the_file(unpacked):
    with open_archive("out.pha") as archive:
        member = next(member for member in archive if member.lossy)
        payload = archive.payload(member)
    data = bytearray(Path("out.pha").read_bytes())
    data[data.find(payload) + len(payload) // 2] ^= 255
    Path("out.pha").write_bytes(data)
    done = verify("out.pha", ["copy"], jobs=0)
    assert ([failed.name for failed in done.failures], done.changed) == ([member.display_name], ())
