"""Unpacking and testing: the right files, refusals before work, damage that costs one member."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pictures
import pytest
from blake3 import blake3
from containers import folder, link, stored, write

import photoarc
from photoarc import codecs
from photoarc.codecs.photo import bands
from photoarc.disk.targets import targets
from photoarc.errors import NotAnArchive, UsageError
from photoarc.jobs import coding, decoding, selection, test, unpack
from photoarc.jobs.pack import pack
from photoarc.member import Kind, Member, PhotoInfo, SourceFormat
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.progress import Progress

HERE = UnpackOptions(workers=0)


def lossy(name: bytes) -> Member:
    info = PhotoInfo(3000, 2000, 38.0, 70.0, 1, SourceFormat.JPEG)
    return Member(
        name=name,
        kind=Kind.FILE,
        mode=0o644,
        mtime_ns=0,
        size_bytes=5_000_000,
        digest=bytes(32),
        codec_id=codecs.LEARNED,
        payload_bytes=900_000,
        parts=1,
        photo=info,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    files = [(name, os.urandom(500)) for name in (b"p/2023/a.jpg", b"p/2023/b.txt", b"p/2024/a.jpg")]
    members = [(stored(name, data), data) for name, data in files]
    return write(tmp_path / "out.pha", [(folder(b"p"), b""), (folder(b"p/2023"), b""), *members, (link(b"p/last", b"2024/a.jpg"), b"")])


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_everything_is_written(archive: Path, tmp_path: Path) -> None:
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert (done.files, done.directories, done.symlinks, done.photographs, done.size_bytes) == (3, 2, 1, 0, 1500)
    assert done.failures == done.warnings == ()
    assert tree(tmp_path / "to") == ["p", "p/2023", "p/2023/a.jpg", "p/2023/b.txt", "p/2024", "p/2024/a.jpg", "p/last"]
    json.dumps(asdict(done), allow_nan=False)


def test_bits_that_are_not_set_are_said(tmp_path: Path) -> None:
    members = [(replace(stored(name, b"x"), mode=mode), b"x") for name, mode in ((b"a", 0o4755), (b"b", 0o2755), (b"c", 0o755))]
    done = unpack.unpack(write(tmp_path / "out.pha", members), tmp_path / "to", HERE)
    (said,) = done.remarks
    assert said.startswith("set-user-id, set-group-id and sticky bits of 2 members could not be set, first a: an archive must not")
    assert [(tmp_path / "to" / name).stat().st_mode & 0o7777 for name in "abc"] == [0o755] * 3


def test_a_crew_writes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.txt").write_bytes(b"%d, a text that is long enough to be compressed " % number * 1000)
    pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0))
    with photoarc.open(tmp_path / "out.pha") as opened:
        assert {member.codec_id for member in opened if member.kind is Kind.FILE} == {codecs.LZMA}
        assert [decoding.crew_for(opened.members, most) for most in (0, 2)] == [0, 1]
        assert decoding.crew_for([replace(member, codec_id=codecs.STORE) for member in opened.members], 2) == 0
        large = [replace(member, size_bytes=50_000_000) for member in opened.members]
        assert decoding.crew_for(large, 8) == 5
    monkeypatch.setattr(unpack, "crew_for", lambda *_: 2)
    done = unpack.unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=2))
    assert (done.files, done.failures) == (5, ())
    for number in range(5):
        assert (tmp_path / "to/in" / f"{number}.txt").read_bytes() == (tmp_path / "in" / f"{number}.txt").read_bytes()


@pytest.mark.parametrize("job", ["unpack", "test"])
def test_what_takes_long_moves_the_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: str) -> None:
    """A film by the parts that it is stored in, a photograph by its bands, a JPEG file by its coefficients."""
    monkeypatch.setattr(bands, "BAND_PX", 128 * 128)
    film, photo, jpeg = bytes(2500), pictures.png(pictures.photo(100, 380)), pictures.jpeg(pictures.photo(96, 64))
    for name, data in (("photo.png", photo), ("photo.jpg", jpeg)):
        (tmp_path / name).write_bytes(data)
    pack([tmp_path / "photo.png"], tmp_path / "lossy.pha", PackOptions(workers=0))
    pack([tmp_path / "photo.jpg"], tmp_path / "exact.pha", PackOptions(CodingOptions(Mode.LOSSLESS, effort=7), workers=0))
    write(tmp_path / "film.pha", [(stored(b"film.mp4", film, parts=3), film)])
    found = {}
    for name in ("film", "lossy", "exact"):
        seen: list[Progress] = []
        if job == "unpack":
            unpack.unpack(tmp_path / f"{name}.pha", tmp_path / "to" / name, HERE, seen.append)
        else:
            test.test(tmp_path / f"{name}.pha", 0, seen.append)
        assert [now.files_done for now in seen] == [0] * (len(seen) - 1) + [1]
        assert {now.bytes_total for now in seen} == {seen[-1].bytes_done}
        found[name] = [now.bytes_done / now.bytes_total for now in seen]
        assert found[name] == sorted(found[name])
    assert found["film"] == pytest.approx([1 / 3, 2 / 3, 1, 1], abs=0.001)
    assert found["lossy"] == pytest.approx([0, 128 / 380, 256 / 380, 1, 1, 1], abs=0.001)
    assert len(found["exact"]) > 50


def test_only_takes_globs_and_folders(archive: Path, tmp_path: Path) -> None:
    for number, (globs, files) in enumerate(
        [
            (("*.jpg",), ["2023/a.jpg", "2024/a.jpg"]),
            (("2023",), ["2023/a.jpg", "2023/b.txt"]),
            (("p/2023/*.txt", "p/2024"), ["2023/b.txt", "2024/a.jpg"]),
            (("**/b.*",), ["2023/b.txt"]),
        ]
    ):
        unpack.unpack(archive, tmp_path / str(number), UnpackOptions(only=globs))
        assert [name for name in tree(tmp_path / str(number)) if "." in name] == [f"p/{name}" for name in files]
    with pytest.raises(UsageError, match=r"no member matches '\*\.png'"):
        unpack.unpack(archive, tmp_path / "to", UnpackOptions(only=("*.jpg", "*.png")))
    assert not (tmp_path / "to").exists()


def test_globs() -> None:
    assert selection.matches("p/IMG[1].jpg", "p/IMG[1].jpg")  # a name is its own glob
    assert selection.matches("p/q/r", "**/r")
    assert selection.matches("p/q/r", "p/**")
    assert not selection.matches("p/q/r", "p/r")
    assert not selection.matches("pq/r", "p*/q")
    assert not selection.matches("p/q/A.JPG", "*.jpg")
    assert selection.matches("p/q/A.JPG", "*.jpg", ignore_case=True)
    assert selection.matches("p/IMG[1].jpg", "P/img[1].JPG", ignore_case=True)
    member = stored(b"p/\xff.jpg", b"")
    assert selection.select([member], [r"\xff.jpg"]) == selection.select([member], ["?.jpg"]) == [member]


def test_existing_files_are_refused_one_by_one(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "to/p/2023").mkdir(parents=True)
    (tmp_path / "to/p/2023/a.jpg").write_bytes(b"precious")
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert [(failed.name, failed.kind) for failed in done.failures] == [("p/2023/a.jpg", "CannotWrite")]
    assert (tmp_path / "to/p/2023/a.jpg").read_bytes() == b"precious"
    assert done.files == 2
    done = unpack.unpack(archive, tmp_path / "to", replace(HERE, force=True))
    assert done.failures == ()
    assert (tmp_path / "to/p/2023/a.jpg").read_bytes() != b"precious"


def test_a_destination_that_is_a_file(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file"):
        unpack.unpack(archive, archive, HERE)


def test_unsafe_names_fail_alone(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.pha", [(stored(b"../evil", b"x"), b"x"), (stored(b"good", b"y"), b"y"), (link(b"out", b"../.."), b"")])
    done = unpack.unpack(bad, tmp_path / "to", HERE)
    assert sorted((failed.name, failed.kind) for failed in done.failures) == [("../evil", "UnsafeName"), ("out", "UnsafeName")]
    assert tree(tmp_path / "to") == ["good"]
    assert not (tmp_path / "evil").exists()


def test_damage_costs_one_member_and_is_found_by_test(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    with photoarc.open(archive) as opened:
        needle = opened.read("p/2023/b.txt")
    data[data.index(needle) + 10] ^= 1
    archive.write_bytes(data)
    checked = test.test(archive, 1)
    assert [(failed.name, failed.kind) for failed in checked.failures] == [("p/2023/b.txt", "PayloadCorrupt")]
    assert (checked.members, checked.sound) == (6, 5)
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert [failed.name for failed in done.failures] == ["p/2023/b.txt"]
    assert not (tmp_path / "to/p/2023/b.txt").exists()
    assert done.files == 2


@pytest.mark.parametrize("cut_bytes", [1, 300])
def test_a_damaged_index_is_replaced_by_a_scan(archive: Path, tmp_path: Path, cut_bytes: int) -> None:
    archive.write_bytes(archive.read_bytes()[:-cut_bytes])
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert done.files == 3
    assert str(archive) in done.warnings[0]
    assert "scanning" in " ".join(done.warnings)
    assert test.test(archive, 1).warnings


def test_a_member_that_a_scan_knows_by_name_only_is_a_failure(tmp_path: Path) -> None:
    data = os.urandom(3000)
    archive = write(tmp_path / "x.pha", [(stored(b"whole", b"1"), b"1"), (stored(b"cut", data, parts=3), data)])
    archive.write_bytes(archive.read_bytes()[:2500])
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert (done.files, [failed.name for failed in done.failures]) == (1, ["cut"])
    assert not any(warning.startswith("cut: ") for warning in done.warnings)
    checked = test.test(archive, 1)
    assert (checked.members, checked.sound) == (2, 1)


def test_what_is_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "x.pha").write_bytes(b"\xff\xd8\xff" + bytes(1000))
    with pytest.raises(NotAnArchive, match=r"x\.pha"):
        test.test(tmp_path / "x.pha")
    with pytest.raises(UsageError):
        test.test(tmp_path / "missing.pha")


def test_a_codec_from_the_future_fails_alone(tmp_path: Path) -> None:
    future = replace(stored(b"new", b"x"), codec_id=999)
    archive = write(tmp_path / "x.pha", [(future, b"x"), (stored(b"old", b"y"), b"y")])
    done = unpack.unpack(archive, tmp_path / "to", HERE)
    assert [(failed.name, failed.kind) for failed in done.failures] == [("new", "UnsupportedCodec")]
    assert tree(tmp_path / "to") == ["old"]


def test_a_wrong_digest_of_a_compressed_member_is_found(tmp_path: Path) -> None:
    from photoarc.codecs import general

    payload = general.encode(b"abc" * 1000)
    good = Member(
        name=b"x",
        kind=Kind.FILE,
        mode=0o644,
        mtime_ns=0,
        size_bytes=3000,
        digest=blake3(b"abc" * 1000).digest(),
        codec_id=codecs.LZMA,
        payload_bytes=len(payload),
        parts=1,
    )
    archive = write(tmp_path / "x.pha", [(good, payload), (replace(good, name=b"y", digest=bytes(32)), payload)])
    assert [(failed.name, failed.kind) for failed in test.test(archive, 1).failures] == [("y", "PayloadCorrupt")]


def test_as_format_changes_endings_and_numbers_clashes() -> None:
    members = [
        lossy(b"a.JPG"),
        lossy(b"b.jpeg"),
        lossy(b"b.jpg"),
        lossy(b"c.jpg"),
        stored(b"c.png", b""),
        lossy(b"d"),
        stored(b"e.jpg", b""),
    ]
    assert targets(members, "png") == {
        b"a.JPG": b"a.png", b"b.jpeg": b"b.png", b"b.jpg": b"b (2).png", b"c.jpg": b"c (2).png", b"c.png": b"c.png", b"d": b"d.png",
        b"e.jpg": b"e.jpg",
    }  # fmt: skip
    assert targets([lossy(b"x/" + "ü".encode() * 127)], "jpeg") == {b"x/" + "ü".encode() * 127: b"x/" + "ü".encode() * 125 + b".jpg"}
    assert targets(members, "jpeg")[b"b.jpeg"] == b"b.jpeg"
    assert targets(members, None) == {member.name: member.name for member in members}


def test_default_destinations() -> None:
    assert unpack.default_destination("/somewhere/out.pha") == Path("out")
    assert unpack.default_destination("photos") == Path("photos.unpacked")
    assert unpack.default_destination("x/.pha") == Path(".pha.unpacked")


def test_a_format_that_no_member_can_be_written_in_is_said(archive: Path, tmp_path: Path) -> None:
    done = unpack.unpack(archive, tmp_path / "png", UnpackOptions(workers=0, as_format="png"))
    assert done.remarks == ("--as png changed nothing: no member was coded lossily, each comes back bit for bit as it was",)
    assert unpack.unpack(archive, tmp_path / "own", HERE).remarks == ()
