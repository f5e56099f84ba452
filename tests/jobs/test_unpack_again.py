"""Unpacking into a folder that has something: resumed by default, and what the options say about files that are others."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pictures
import pytest
from containers import TIME_NS, link, stored, write

import photoarc
from photoarc.errors import UsageError
from photoarc.jobs import unpack
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Existing, Mode, PackOptions, UnpackOptions, existing

HERE = UnpackOptions(workers=0)
FILES = {"a.bin": b"first" * 100, "b.bin": b"second" * 100, "c.bin": b"third" * 100}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    members = [(stored(name.encode(), data), data) for name, data in FILES.items()]
    return write(tmp_path / "out.pha", [*members, (link(b"l", b"a.bin"), b"")])


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.is_symlink()}


def test_what_is_there_is_not_written_again(archive: Path, tmp_path: Path) -> None:
    unpack.unpack(archive, tmp_path / "to", HERE)
    inodes = {path.name: path.lstat().st_ino for path in (tmp_path / "to").iterdir()}
    (tmp_path / "to" / "b.bin").unlink()
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert (done.files, done.symlinks, done.same, done.others, done.failures) == (1, 0, 3, 0, ())
    assert there(tmp_path / "to") == FILES
    after = {path.name: path.lstat().st_ino for path in (tmp_path / "to").iterdir()}
    assert {name for name in inodes if inodes[name] == after[name]} >= {"a.bin", "c.bin", "l"}


@pytest.mark.parametrize("data", [b"half of i", b"other" * 100], ids=["shorter", "of the same length"])
def test_what_differs_is_named_and_stays(archive: Path, tmp_path: Path, data: bytes) -> None:
    unpack.unpack(archive, tmp_path / "to", HERE)
    (tmp_path / "to" / "a.bin").write_bytes(data)
    os.utime(tmp_path / "to" / "a.bin", ns=(TIME_NS, TIME_NS))  # a date proves nothing of what has a digest
    (tmp_path / "to" / "l").unlink()
    (tmp_path / "to" / "l").symlink_to("b.bin")
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert [(failed.name, failed.kind) for failed in done.failures] == [("a.bin", "CannotWrite"), ("l", "CannotWrite")]
    assert there(tmp_path / "to") == FILES | {"a.bin": data}


def test_skipping(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.bin").write_bytes(b"mine")
    (tmp_path / "to" / "l").write_bytes(b"mine")
    done = unpack.unpack(archive, tmp_path / "to", replace(HERE, existing=Existing.SKIP))
    assert (done.files, done.same, done.others, done.failures) == (2, 0, 2, ())
    assert there(tmp_path / "to") == FILES | {"a.bin": b"mine", "l": b"mine"}


def test_newer_replaces_what_is_older(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    for name, seconds in (("a.bin", -3), ("b.bin", -1), ("c.bin", 3)):  # FAT counts in steps of two seconds
        (tmp_path / "to" / name).write_bytes(b"mine")
        os.utime(tmp_path / "to" / name, ns=(TIME_NS, TIME_NS + seconds * 10**9))
    done = unpack.unpack(archive, tmp_path / "to", replace(HERE, existing=Existing.NEWER))
    assert (done.files, done.others, done.failures) == (1, 2, ())
    assert there(tmp_path / "to") == {"a.bin": FILES["a.bin"], "b.bin": b"mine", "c.bin": b"mine"}


def test_a_folder_is_in_nobodys_way_quietly(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "to" / "a.bin").mkdir(parents=True)
    for wish in Existing:
        done = unpack.unpack(archive, tmp_path / "to", UnpackOptions(workers=0, existing=wish))
        assert [failed.name for failed in done.failures] == ["a.bin"], wish


def test_wishes_that_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--skip-existing and --newer exclude each other"):
        existing(skip=True, newer=True, overwrite=False)
    with pytest.raises(UsageError, match="force and existing skip exclude"):
        UnpackOptions(force=True, existing=Existing.SKIP)
    with pytest.raises(UsageError, match="existing ask: unknown; choose refuse, skip, newer, overwrite"):
        photoarc.unpack("x.pha", "to", existing="ask")  # type: ignore[arg-type]


@pytest.fixture
def lossy(tmp_path: Path) -> Path:
    (tmp_path / "p").mkdir()
    for number in range(3):
        (tmp_path / "p" / f"{number}.jpg").write_bytes(pictures.jpeg(pictures.photo(200, 150, seed=number)))
    pack([tmp_path / "p"], tmp_path / "p.pha", PackOptions(CodingOptions(Mode.LZMA, effort=4), workers=0))
    with photoarc.open(tmp_path / "p.pha") as archive:
        assert sum(member.lossy for member in archive) == 3
    return tmp_path / "p.pha"


@pytest.mark.parametrize("as_format", [None, "png"])
def test_a_lossy_photograph_is_known_by_its_date_and_size(lossy: Path, tmp_path: Path, as_format: str | None) -> None:
    options = replace(HERE, as_format=as_format)
    unpack.unpack(lossy, tmp_path / "to", options)
    first, second, _ = sorted((tmp_path / "to" / "p").iterdir())
    os.utime(first, (0, 0))  # a date of its own: somebody's picture
    cut = second.read_bytes()[:20]
    info = second.stat()
    second.write_bytes(cut)
    os.utime(second, ns=(info.st_atime_ns, info.st_mtime_ns))
    done = unpack.unpack(lossy, tmp_path / "to", options)
    assert [Path(failed.name).name for failed in done.failures] == [first.name, second.name]
    assert (done.files, done.same) == (0, 1)


def test_an_original_counts_as_there(lossy: Path, tmp_path: Path) -> None:
    originals = there(tmp_path / "p")
    done = unpack.unpack(lossy, tmp_path, HERE)
    assert (done.files, done.same, done.failures) == (0, 3, ())
    assert there(tmp_path / "p") == originals


def test_a_disk_without_room_is_found_out_first(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2000, 0, 1500))
    with pytest.raises(UsageError, match=r"the members take at least 1\.60 kB more, 1\.50 kB are free there; nothing was written"):
        unpack.unpack(archive, tmp_path / "to", HERE)
    assert not (tmp_path / "to").exists()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.bin").write_bytes(FILES["a.bin"])  # what is there needs no room
    assert unpack.unpack(archive, tmp_path / "to", HERE).files == 2


def test_an_archive_without_room_is_found_out_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    (tmp_path / "film.mp4").write_bytes(os.urandom(10_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2000, 0, 2000))
    with pytest.raises(UsageError, match=r"out\.pha: would take about 10\.0 kB, 2\.00 kB are free there"):
        pack([tmp_path / "film.mp4"], tmp_path / "out.pha", PackOptions(workers=0))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2000, 0, 5000))  # an estimate is not sure enough
    assert pack([tmp_path / "film.mp4"], tmp_path / "out.pha", PackOptions(workers=0)).files == 1
