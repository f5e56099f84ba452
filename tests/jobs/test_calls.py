"""The commands as functions: `photoarc.pack`, `unpack`, `test`, `verify`; what is imported as `test` pytest would take for its own."""

from __future__ import annotations

import dataclasses
import inspect
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import photoarc
from photoarc import options
from photoarc.errors import UsageError
from photoarc.options import CodingOptions, PackOptions, UnpackOptions

CALLS: dict[Callable[..., Any], set[str]] = {
    photoarc.pack: {field.name for kind in (PackOptions, CodingOptions) for field in dataclasses.fields(kind)} - {"coding"} | {"reuse"},
    photoarc.add: {field.name for kind in (PackOptions, CodingOptions) for field in dataclasses.fields(kind)}
    - {"coding", "force", "recovery_percent"}
    | {"replace"},
    photoarc.compact: {"recovery_percent"},
    photoarc.repair: {"copies", "force"},
    photoarc.unpack: {field.name for field in dataclasses.fields(UnpackOptions)},
    photoarc.test: {"workers", "memory_bytes"},
    photoarc.verify: {"workers", "memory_bytes", "excludes"},
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"note {number}\n" * 50)
    return folder


@pytest.mark.parametrize("call", CALLS)
def test_keywords_are_those_of_the_options(call: Callable[..., Any]) -> None:
    keywords = {name: given for name, given in inspect.signature(call).parameters.items() if given.kind is given.KEYWORD_ONLY}
    assert keywords.keys() == CALLS[call] | {"progress"}
    assert not any(given.default for given in keywords.values())  # what is usual stands in photoarc.options alone
    with pytest.raises(TypeError, match="qualty"):
        call("a", "b", qualty=3)


def test_there_and_back(photos: Path, tmp_path: Path) -> None:
    archive, told = tmp_path / "a.pha", []
    packed = photoarc.pack(photos, archive, mode="lossless", excludes=["2.txt"], workers=0, progress=told.append)
    assert isinstance(packed, photoarc.PackSummary)
    assert (packed.files, packed.failures, packed.archive) == (2, (), str(archive))
    assert told
    assert isinstance(told[-1], photoarc.Progress)
    tested = photoarc.test(archive, workers=0)
    assert isinstance(tested, photoarc.CheckSummary)
    assert (tested.sound, tested.damaged) == (3, False)
    compared = photoarc.verify(archive, [photos], excludes=["2.txt"], workers=0)
    assert isinstance(compared, photoarc.VerifySummary)
    assert not compared.differs
    unpacked = photoarc.unpack(archive, tmp_path / "out", only=["*/0.txt"], workers=0)
    assert isinstance(unpacked, photoarc.UnpackSummary)
    assert (unpacked.files, unpacked.failures) == (1, ())
    assert (tmp_path / "out" / "photos" / "0.txt").read_bytes() == (photos / "0.txt").read_bytes()


def test_an_archive_grows(photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.pha"
    photoarc.pack(photos, archive, mode="lossless", workers=0)
    (photos / "3.txt").write_text("note 3")
    (photos / "0.txt").write_text("another note")
    added = photoarc.add(archive, photos, workers=0)
    assert isinstance(added, photoarc.AddSummary)
    assert (added.new, added.same, [failed.name for failed in added.packed.failures]) == (1, 2, ["photos/0.txt"])
    assert photoarc.add(archive, photos, replace=True, workers=0).replaced == 1
    moved = photoarc.move(archive, "photos/3.txt", "photos/4.txt")
    assert isinstance(moved, photoarc.MoveSummary)
    removed = photoarc.remove(archive, ["1.txt", "2.txt"])
    assert isinstance(removed, photoarc.RemoveSummary)
    done = photoarc.compact(archive)
    assert isinstance(done, photoarc.CompactSummary)
    assert done.after_bytes < done.before_bytes
    with photoarc.open(archive) as opened:
        assert sorted(opened.names()) == ["photos", "photos/0.txt", "photos/4.txt"]
    with pytest.raises(UsageError, match="several are expected"):
        photoarc.remove(archive, "*.txt")


def test_archives_that_are_no_path(photos: Path, tmp_path: Path) -> None:
    photoarc.pack([str(photos)], str(tmp_path / "a.pha"), workers=0)
    whole = (tmp_path / "a.pha").read_bytes()
    assert photoarc.test(whole, workers=0).archive == "<bytes>"
    assert not photoarc.verify(io.BytesIO(whole), str(photos), workers=0).differs
    file = io.BytesIO(whole)
    assert photoarc.unpack(file, tmp_path / "out", workers=0).files == 3
    assert not file.closed


class Remote(io.BytesIO):
    """Called like a file on this disk, which it is not."""

    name = ""


def test_the_archive_among_the_files(photos: Path, tmp_path: Path) -> None:
    """It is no extra file, and never overwritten by itself; a file that a remote archive is called like is a file like any other."""
    archive = photos / "in.pha"
    photoarc.pack(photos, archive, workers=0)
    whole = archive.read_bytes()
    with archive.open("rb") as opened:
        assert not photoarc.verify(archive, photos, workers=0).extra
        assert not photoarc.verify(opened, photos, workers=0).extra
    remote = Remote(whole)
    remote.name = str(archive)
    assert photoarc.verify(remote, photos, workers=0).extra == ("photos/in.pha",)
    trap = tmp_path / "trap" / "photos" / "0.txt"
    trap.parent.mkdir(parents=True)
    trap.write_bytes(whole)
    with trap.open("rb") as opened:
        done = photoarc.unpack(opened, tmp_path / "trap", force=True, workers=0)
    assert [failed.name for failed in done.failures] == ["photos/0.txt"]
    assert trap.read_bytes() == whole


def test_conflicting_wishes_are_refused_before_anything_is_written(photos: Path, tmp_path: Path) -> None:
    for wrong, said in (
        ({"mode": "lossless", "quality": 75}, "--quality is about lossy"),
        ({"mode": "lossless", "tuning": "psnr"}, "--tune is about lossy"),
        ({"tuning": "best"}, "tuning best: unknown; choose psnr, ssim"),
        ({"excludes": "*.jpg"}, "several are expected"),
        ({"workers": -1}, "jobs -1"),
    ):
        with pytest.raises(UsageError, match=said):
            photoarc.pack(photos, tmp_path / "a.pha", **wrong)
    with pytest.raises(UsageError, match="several are expected"):
        photoarc.unpack(tmp_path / "a.pha", tmp_path, only="*.jpg")
    assert not (tmp_path / "a.pha").exists()
    assert CodingOptions.asked(tuning="psnr") == CodingOptions.asked(tuning=photoarc.Tuning.PSNR) != CodingOptions.asked()


def test_names_of_choices_are_those_of_the_options() -> None:
    hints = get_type_hints(photoarc.pack, localns={name: getattr(photoarc, name) for name in photoarc.__all__})
    said = {name: {word for part in get_args(hints[name]) for word in get_args(part)} for name in ("mode", "tuning")}
    assert said == {"mode": set(options.Mode), "tuning": {tuning.name.lower() for tuning in options.Tuning}}


SCRIPT = """
import sys, photoarc
print(photoarc.pack(sys.argv[1], sys.argv[2], workers=2).files, photoarc.test(sys.argv[2], workers=2).sound)
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Workers do not run the caller's script again, as multiprocessing's do."""
    script, folder = tmp_path / "script.py", tmp_path / "s"
    script.write_text(SCRIPT)
    folder.mkdir()
    for number in range(2):  # enough for two workers
        (folder / f"{number}.bin").write_bytes(bytes(20_000_000))
    done = subprocess.run([sys.executable, script, folder, tmp_path / "a.pha"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2 3\n", "")


LIGHT = """
import sys, photoarc
before = set(sys.modules)
photoarc.pack, photoarc.test, photoarc.unpack, photoarc.verify
print({"numpy", "photoarc.archive", "photoarc.jobs.pack", "multiprocessing", "dataclasses"} & set(sys.modules))
with photoarc.open(sys.argv[1]) as archive:
    archive.members, photoarc.Member, photoarc.Kind, photoarc.PhotoInfo
print({"numpy", "PIL", "multiprocessing", "photoarc.jobs.pack"} & set(sys.modules))
"""


def test_importing_loads_little(photos: Path, tmp_path: Path) -> None:
    photoarc.pack(photos, tmp_path / "a.pha", workers=0)
    done = subprocess.run([sys.executable, "-c", LIGHT, tmp_path / "a.pha"], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\nset()\n"


def test_the_package_says_that_it_has_types() -> None:
    assert (Path(photoarc.__file__).parent / "py.typed").is_file()
