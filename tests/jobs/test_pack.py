"""Packing: what goes in comes out, whatever the number of workers, and what happens when sources or coding misbehave."""

import json
import os
import signal
from dataclasses import asdict
from pathlib import Path

import pictures
import pytest
from blake3 import blake3
from PIL import Image

import photoarc
import photoarc.container.records
from photoarc import codecs, pipeline
from photoarc.disk import reading
from photoarc.disk.scan import SourceFile
from photoarc.errors import ModelMissing, UsageError
from photoarc.jobs import coding, filling, large, machine
from photoarc.jobs.coding import Coded, code_source
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Mode, PackOptions
from photoarc.progress import Progress

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    (photos / "empty").mkdir(parents=True)
    (photos / "a.txt").write_bytes(b"some text " * 50)
    (photos / "b.bin").write_bytes(os.urandom(3000))
    (photos / "c").write_bytes(b"")
    (photos / "to-a").symlink_to("a.txt")
    return photos


@pytest.fixture
def each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batches of small files: the test is about one file at a time."""
    monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)


def contents(archive: Path) -> dict[str, bytes]:
    with photoarc.open(archive) as opened:
        return {member.display_name: opened.read(member) for member in opened if member.kind == 0}


def vanish(options: CodingOptions, source: SourceFile) -> Coded:
    if source.name.endswith(b"b.bin"):
        os.unlink(source.path)
    return code_source(options, source)


def fall_over(options: CodingOptions, source: SourceFile) -> Coded:
    if source.name.endswith(b"b.bin"):
        raise RuntimeError("a bug")
    return code_source(options, source)


def die(options: CodingOptions, source: SourceFile) -> Coded:
    if source.name.endswith(b"1.jpg"):
        os.kill(os.getpid(), signal.SIGKILL)
    data, stamp = reading.read_whole(source)
    return Coded(pipeline.Encoded(codecs.STORE, data, len(data), blake3(data).digest()), stamp)


def miss_the_model(options: CodingOptions, source: SourceFile) -> Coded:
    raise ModelMissing(1, "not found")


def test_everything_comes_back(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    done = pack([folder], tmp_path / "out.pha", LOSSLESS, seen.append)
    assert (done.files, done.directories, done.symlinks, done.failures, done.warnings) == (3, 2, 1, (), ())
    assert done.archive_bytes == (tmp_path / "out.pha").stat().st_size
    assert done.photographs.files == 0
    assert sum(number for _, number in done.kept_reasons) == done.kept == 3
    assert contents(tmp_path / "out.pha") == {f"photos/{name}": (folder / name).read_bytes() for name in ("a.txt", "b.bin", "c")}
    assert seen[-1].files_done == seen[-1].files_total == 3
    assert seen[-1].bytes_done == seen[-1].bytes_total == 3500
    json.dumps(asdict(done), allow_nan=False)


def test_photographs_are_counted_and_measured(tmp_path: Path) -> None:
    gradient = Image.radial_gradient("L").resize((192, 128))
    noisy = Image.merge("RGB", (gradient, Image.effect_noise((192, 128), 40), gradient))
    noisy.save(tmp_path / "photo.jpg", quality=97)
    done = pack([tmp_path / "photo.jpg"], tmp_path / "out.pha", PackOptions(workers=0))
    with photoarc.open(tmp_path / "out.pha") as archive:
        member = archive.info("photo.jpg")
    assert done.files == 1
    assert done.photographs.files + done.kept == 1
    assert done.photographs.files == int(member.lossy)
    if member.photo:
        assert done.photographs.mean_psnr_db == pytest.approx(member.photo.psnr_db, abs=0.01)
        assert done.photographs.pixels == 192 * 128


def test_one_photograph_is_extracted_in_another_format(tmp_path: Path) -> None:
    Image.fromarray(pictures.photo(192, 128)).save(tmp_path / "photo.png")
    pack([tmp_path / "photo.png"], tmp_path / "out.pha", PackOptions(workers=0))
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.info("photo.png").lossy
        found = archive.extract("photo.png", tmp_path / "to", as_format="jpeg")
        assert found == tmp_path / "to" / "photo.jpg"
        assert found.read_bytes()[:2] == b"\xff\xd8"
        with pytest.raises(UsageError, match="gif: photographs are written as png, jpeg, webp"):
            archive.extract("photo.png", tmp_path / "to", as_format="gif")


def test_no_worker_and_two_write_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(os.urandom(600_000))
    for workers in (0, 2):
        pack([tmp_path / "in"], tmp_path / f"{workers}.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=workers))
    assert (tmp_path / "0.pha").read_bytes() == (tmp_path / "2.pha").read_bytes()


def test_the_crew_is_as_large_as_the_job(tmp_path: Path) -> None:
    def job(count: int, size_bytes: int, ending: bytes) -> list[SourceFile]:
        return [
            SourceFile(
                path=b"",
                name=b"%d%b" % (number, ending),
                kind=photoarc.container.records.Kind.FILE,
                mode=0,
                mtime_ns=0,
                size_bytes=size_bytes,
            )
            for number in range(count)
        ]

    assert filling.crew_size([], 8) == 0
    assert filling.crew_size(job(20, 1000, b".txt"), 8) == 1
    assert filling.crew_size(job(2, 100_000, b".jpg"), 8) == 1
    assert filling.crew_size(job(2, 100_000, b".jpg"), 8, slowness=12) == 2
    assert filling.crew_size(job(20, 3_000_000, b".JPG"), 8) == 8
    assert filling.crew_size(job(2, 3_000_000, b".JPG"), 8) == 2
    assert filling.crew_size(job(20, 3_000_000, b".JPG"), 1) == 1
    assert filling.crew_size(job(20, 3_000_000, b".JPG"), 0) == 0
    assert filling.crew_size(job(20, 3_000_000, b".JPG"), None) == min(20, machine.usable_cores())


def test_an_archive_inside_its_own_source_is_left_out(folder: Path) -> None:
    archive = folder / "out.pha"
    pack([folder], archive, LOSSLESS)
    (folder / "out.pha.partial-1f00aa22").write_bytes(b"left behind by a killed job")
    done = pack([folder], archive, PackOptions(CodingOptions(Mode.LOSSLESS), workers=0, force=True))
    assert done.files == 3
    assert not [name for name in contents(archive) if "out.pha" in name]


@pytest.mark.usefixtures("each_alone")
def test_a_file_that_vanishes_is_reported_and_the_rest_is_packed(folder: Path, tmp_path: Path) -> None:
    done = pack([folder], tmp_path / "out.pha", LOSSLESS, code=vanish)
    assert [(failed.name, failed.kind) for failed in done.failures] == [("photos/b.bin", "UnreadableSource")]
    assert "disappeared" in done.failures[0].reason
    assert set(contents(tmp_path / "out.pha")) == {"photos/a.txt", "photos/c"}


def test_an_unreadable_file_is_reported(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system_open = os.open

    def refuse(path: str | bytes, *rest: int, **named: int) -> int:  # chmod 0 would not stop root
        if isinstance(path, bytes) and path.endswith(b"b.bin"):
            raise PermissionError(13, "Permission denied")
        return system_open(path, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    done = pack([folder], tmp_path / "out.pha", LOSSLESS)
    assert [(failed.name, failed.reason) for failed in done.failures] == [
        ("photos/b.bin", "cannot be read: Permission denied; check its permissions and those of its folder")
    ]
    assert set(contents(tmp_path / "out.pha")) == {"photos/a.txt", "photos/c"}


def test_a_file_that_changed_kind_or_grew_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x"
    source = SourceFile(path=os.fsencode(path), name=b"x", kind=photoarc.container.records.Kind.FILE, mode=0o644, mtime_ns=0, size_bytes=4)
    os.mkfifo(path)
    with pytest.raises(photoarc.UnreadableSource, match="not any more"):
        reading.read_whole(source)
    path.unlink()
    path.symlink_to("y")
    with pytest.raises(photoarc.UnreadableSource, match="cannot be read"):
        reading.read_whole(source)
    path.unlink()
    path.write_bytes(bytes(100))
    with pytest.raises(photoarc.UnreadableSource, match="grew to 100 bytes"):
        reading.read_whole(source, limit_bytes=50)
    data, stamp = reading.read_whole(source)
    assert (len(data), stamp.size_bytes) == (100, 100)  # edited between scan and reading: packed as it is now


@pytest.mark.usefixtures("each_alone")
def test_large_files_are_stored_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(pipeline, "LARGE_FILE_BYTES", 2500)
    data = os.urandom(2501)
    (tmp_path / "film.mp4").write_bytes(data)
    seen: list[Progress] = []
    done = pack([tmp_path / "film.mp4"], tmp_path / "out.pha", LOSSLESS, seen.append)
    assert done.kept_reasons == (("bit-exact by choice", 1),)
    assert [now.bytes_done for now in seen] == [1000, 2000, 2501, 2501]
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.info("film.mp4").parts == 3
        assert archive.read("film.mp4") == data


def test_a_photograph_that_takes_long_moves_the_bar(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    Image.fromarray(pictures.photo(192, 128, 0)).save(source)
    size_bytes = source.stat().st_size
    seen: list[Progress] = []
    pack([source], tmp_path / "out.pha", PackOptions(CodingOptions(effort=7), workers=0), progress=seen.append)
    assert [now.bytes_done for now in seen] == [int(share * size_bytes) for share in (0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1)]
    assert [now.files_done for now in seen] == [0] * 8 + [1]
    assert {now.name for now in seen} == {"photo.png"}


@pytest.mark.parametrize("crew", [0, 1])
def test_a_callback_ends_the_job_by_raising(tmp_path: Path, crew: int) -> None:
    """Amid a photograph, too, whose coder must not take it for an error of its own."""
    source = tmp_path / "photo.png"
    Image.fromarray(pictures.photo(192, 128, 0)).save(source)

    calls = []

    def stop_once(now: Progress) -> None:
        calls.append(now)
        if len(calls) == 1:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        pack([source], tmp_path / "out.pha", PackOptions(CodingOptions(effort=7), workers=crew), progress=stop_once)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.usefixtures("each_alone")
@pytest.mark.parametrize("change", ["same size", "shorter", "longer"])
def test_a_large_file_that_changes_between_its_readings_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(large, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(pipeline, "LARGE_FILE_BYTES", 2500)
    (tmp_path / "in").mkdir()
    film = tmp_path / "in" / "film.mp4"
    film.write_bytes(bytes(5000))
    before = film.stat()
    (tmp_path / "in" / "small").write_bytes(b"small")

    def meddle(now: Progress) -> None:
        if now.bytes_done == 2000 and now.files_done == 0:  # after two parts of the second reading
            film.write_bytes(os.urandom({"same size": 5000, "shorter": 2500, "longer": 9000}[change]))
            os.utime(film, ns=(before.st_atime_ns, before.st_mtime_ns))

    done = pack([tmp_path / "in"], tmp_path / "out.pha", LOSSLESS, meddle)
    assert [failed.kind for failed in done.failures] == ["UnreadableSource"]
    assert contents(tmp_path / "out.pha") == {"in/small": b"small"}
    with photoarc.open(tmp_path / "out.pha", scan=True) as archive:
        assert archive.names() == ["in", "in/small"]


@pytest.mark.usefixtures("each_alone")
def test_a_crash_of_the_coder_keeps_the_file_bit_exact(folder: Path, tmp_path: Path) -> None:
    done = pack([folder], tmp_path / "out.pha", LOSSLESS, code=fall_over)
    assert done.failures == ()
    assert len(done.warnings) == 1
    assert "photos/b.bin: coding it failed (RuntimeError: a bug); it was kept bit-exact" in done.warnings[0]
    assert contents(tmp_path / "out.pha")["photos/b.bin"] == (folder / "b.bin").read_bytes()


@pytest.mark.parametrize("size_bytes", [600_000, 60])  # a job for two workers, and one too small for more than one
def test_a_worker_that_is_killed_costs_nothing_but_compression(tmp_path: Path, size_bytes: int) -> None:
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(os.urandom(size_bytes))
    done = pack([tmp_path / "in"], tmp_path / "out.pha", code=die)
    assert done.failures == ()
    assert len(done.warnings) == 1
    assert "in/1.jpg" in done.warnings[0]
    assert "SIGKILL" in done.warnings[0]
    assert contents(tmp_path / "out.pha") == {f"in/{number}.jpg": (tmp_path / "in" / f"{number}.jpg").read_bytes() for number in range(4)}


def test_a_missing_model_ends_the_job_without_an_archive(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        pack([folder], tmp_path / "out.pha", LOSSLESS, code=miss_the_model)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_requests_that_cannot_be_carried_out(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "out.pha"
    for wrong, message in (
        (([], archive), "nothing to pack"),
        (([tmp_path / "missing"], archive), "missing"),
        (([folder], folder), "comes last"),
        (([folder], tmp_path / "no" / "out.pha"), "does not exist"),
        (([folder, folder], archive), "both"),
    ):
        with pytest.raises(UsageError, match=message):
            pack(*wrong, LOSSLESS)
    archive.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        pack([folder], archive, LOSSLESS)
    assert archive.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.pha", "photos"]


def test_an_empty_folder_and_excludes(folder: Path, tmp_path: Path) -> None:
    assert pack([folder / "empty"], tmp_path / "empty.pha", LOSSLESS).files == 0
    options = PackOptions(LOSSLESS.coding, workers=0, excludes=("*.bin", "empty/"))
    done = pack([folder], tmp_path / "out.pha", options)
    assert (done.files, done.directories) == (2, 1)


def test_temporary_files_of_killed_runs_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    source = tmp_path / "p"
    source.mkdir()
    for name in (".photoarc-0123456789abcdef", ".photoarc-notes.txt", "a.txt"):
        (source / name).write_bytes(name.encode())
    done = pack([source], tmp_path / "a.pha", PackOptions(workers=0))
    assert [failed.name for failed in done.failures] == ["p/.photoarc-0123456789abcdef"]
    assert "temporary file of photoarc and was left out" in done.failures[0].reason
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert [member.name for member in archive.members] == [b"p", b"p/.photoarc-notes.txt", b"p/a.txt"]
    named = pack([source / ".photoarc-0123456789abcdef"], tmp_path / "b.pha", PackOptions(workers=0))
    assert (named.failures, named.files) == ((), 1)
