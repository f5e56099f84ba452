"""Small files packed together: smaller than each alone, read like any member, whatever happens to workers and sources."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import many_files
import pictures
import pytest
from blake3 import blake3

import photoarc
from photoarc import codecs, pipeline
from photoarc.container import frames, groups
from photoarc.container.frames import ChunkType
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, ModelMissing
from photoarc.jobs import coding
from photoarc.jobs.duplicates import groups as identical
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.jobs.unpack import unpack
from photoarc.jobs.verify import verify
from photoarc.member import Kind, Member
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pipeline import Small

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)


@pytest.fixture
def side(tmp_path: Path) -> Path:
    """Sidecars of three kinds, among them an empty file, two twins, a picture with a wrong ending and noise."""
    rng = random.Random(4)
    album = tmp_path / "in" / "album"
    album.mkdir(parents=True)
    for number in range(12):
        (album / f"{number:02}.xmp").write_bytes(many_files.xmp(rng, number))
        (album / f"{number:02}.json").write_bytes(many_files.takeout(rng, number))
    (album / "empty.txt").write_bytes(b"")
    (album / "copy.xmp").write_bytes((album / "03.xmp").read_bytes())
    (album / "picture.thm").write_bytes(pictures.jpeg(pictures.photo(160, 120)))
    (album / "noise.bin").write_bytes(rng.randbytes(20_000))
    os.link(album / "05.json", album / "same.json")
    return tmp_path / "in"


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def by_name(path: Path) -> dict[str, Member]:
    with photoarc.open(path) as archive:
        return {member.display_name.removeprefix("in/album/"): member for member in archive}


def test_everything_comes_back_and_is_smaller(side: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = pack([side], tmp_path / "out.pha", LOSSLESS)
    found = by_name(tmp_path / "out.pha")
    assert (done.files, done.duplicates, done.failures, done.warnings) == (29, 2, (), ())
    alone = {name for name, member in found.items() if member.kind is Kind.FILE and not member.grouped}
    assert alone == {"picture.thm", "noise.bin"}
    assert (found["picture.thm"].codec_id, found["noise.bin"].codec_id) == (codecs.DCT, codecs.STORE)
    assert {found[name].codec_id for name in set(found) - alone if found[name].kind is Kind.FILE} == {codecs.SOLID}
    assert found["copy.xmp"].duplicate
    assert found["same.json"].hard_link == b"in/album/05.json"
    assert check(tmp_path / "out.pha", 1).failures == ()
    assert not verify(tmp_path / "out.pha", [side]).differs
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert tree(tmp_path / "to" / "in") == tree(side)
    assert (tmp_path / "to/in/album/05.json").stat().st_nlink == 2
    assert (tmp_path / "to/in/album/01.xmp").stat().st_mtime_ns == (side / "album/01.xmp").stat().st_mtime_ns

    monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)
    single = pack([side], tmp_path / "single.pha", LOSSLESS)
    incompressible = 20_000 + found["picture.thm"].payload_bytes
    assert done.archive_bytes - incompressible < 0.4 * (single.archive_bytes - incompressible)


def test_shares_add_up_to_what_is_stored(side: Path, tmp_path: Path) -> None:
    done = pack([side], tmp_path / "out.pha", LOSSLESS)
    solid_total = next(total for total in done.codecs if total.codec == "solid")
    data = (tmp_path / "out.pha").read_bytes()
    chunks = [frames.parse_chunk_header(data[at : at + 48]) for at in chunk_offsets(data)]
    assert sum(chunk.payload_bytes for chunk in chunks if chunk.type == ChunkType.GROUP) == solid_total.payload_bytes
    assert groups.shares(10, [0, 0]) == [0, 0]
    assert groups.shares(7, [1, 1, 1]) == [2, 2, 3]
    assert sum(groups.shares(1000, [3, 0, 77, 1])) == 1000


def chunk_offsets(data: bytes) -> list[int]:
    offsets, at = [], data.find(frames.CHUNK_MAGIC)
    while at >= 0:
        offsets.append(at)
        at = data.find(frames.CHUNK_MAGIC, at + 1)
    return offsets


def test_one_by_one(side: Path, tmp_path: Path) -> None:
    pack([side], tmp_path / "out.pha", LOSSLESS)
    expected = tree(side)
    for scanned in (False, True):
        with photoarc.open(tmp_path / "out.pha", scan=scanned) as archive:
            members = [member for member in archive if member.kind is Kind.FILE]
            assert not archive.damaged
            assert {member.display_name.removeprefix("in/") for member in members} == set(expected)
            for member in random.Random(1).sample(members, len(members)):
                assert archive.read(member) == expected[member.display_name.removeprefix("in/")]
                assert blake3(archive.read(member.name)).digest() == member.digest
            assert [len(group.names) for group in identical(archive)] == [2]
            with pytest.raises(MemberError, match="not a picture"):
                archive.image("in/album/01.xmp")
    done = unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(only=("*.json",), workers=0))
    assert (done.files, done.failures) == (13, ())
    assert tree(tmp_path / "to" / "in") == {name: data for name, data in expected.items() if name.endswith(".json")}


def test_the_workers_do_not_matter(tmp_path: Path) -> None:
    many_files.write(tmp_path / "in", 400, 4)
    (tmp_path / "in" / "film.mp4").write_bytes(os.urandom(20_000_000))
    for number in range(3):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(os.urandom(1_000_000))
    for workers in (0, 3):
        pack([tmp_path / "in"], tmp_path / f"{workers}.pha", PackOptions(LOSSLESS.coding, workers=workers))
    assert (tmp_path / "0.pha").read_bytes() == (tmp_path / "3.pha").read_bytes()
    assert unpack(tmp_path / "3.pha", tmp_path / "to", UnpackOptions(workers=2)).failures == ()
    assert tree(tmp_path / "to" / "in") == tree(tmp_path / "in")


def test_the_lossy_modes_group_too_and_count_what_they_keep(side: Path, tmp_path: Path) -> None:
    done = pack([side], tmp_path / "out.pha", PackOptions(CodingOptions(Mode.FAST), workers=0))
    assert dict(done.kept_reasons)["not a photograph format"] == 28
    assert (by_name(tmp_path / "out.pha")["01.xmp"]).codec_id == codecs.SOLID


def source(name: bytes, size_bytes: int) -> SourceFile:
    return SourceFile(path=name, name=name, kind=Kind.FILE, mode=0o644, mtime_ns=0, size_bytes=size_bytes)


def test_batches_are_of_one_kind_and_bounded() -> None:
    files = [source(b"%04d%b" % (number, ending), 1000) for number in range(1500) for ending in (b".xmp", b".JSON")]
    others = [
        source(b"a.jpg", 500),
        source(b"b.mov", 70_000),
        SourceFile(path=b"c", name=b"c", kind=Kind.DIRECTORY, mode=0o755, mtime_ns=0, size_bytes=0),
    ]
    found = coding.plan([*files, *others])
    assert found[:3] == others
    batches = [batch for batch in found[3:] if isinstance(batch, coding.Batch)]
    assert sorted(file.name for batch in batches for file in batch.files) == sorted(file.name for file in files)
    for batch in batches:
        assert sum(file.size_bytes for file in batch.files) <= coding.BATCH_BYTES
    assert sum(len({file.name[4:].lower() for file in batch.files}) > 1 for batch in batches) == 1  # where one kind ends
    long_names = coding.plan([source(b"x" * 60_000 + b"%d" % number, 1) for number in range(20)])
    assert [len(batch.files) for batch in long_names if isinstance(batch, coding.Batch)] == [8, 8, 4]
    many = coding.plan([source(b"%d" % number, 0) for number in range(10_000)])
    assert max(len(batch.files) for batch in many if isinstance(batch, coding.Batch)) <= frames.MAX_SHARD_MEMBERS


def test_a_group_only_where_it_is_smaller() -> None:
    options = CodingOptions(Mode.LOSSLESS)
    one = pipeline.encode_small([Small(b"some text " * 50)], options)
    assert ([file.codec_id for file in one.files], one.payload) == ([codecs.LZMA], b"")
    noise = [Small(os.urandom(10_000)) for _ in range(5)]
    assert {file.codec_id for file in pipeline.encode_small(noise, options).files} == {codecs.STORE}
    assert pipeline.encode_small([], options).files == ()
    rng = random.Random(0)
    texts = [Small(many_files.xmp(rng, number)) for number in range(5)]
    together = pipeline.encode_small(texts, options)
    alone = [pipeline.encode_file(text.data, options) for text in texts]
    assert len(together.payload) < sum(len(file.payload) for file in alone)
    assert groups.decode_group(together.payload, [len(text.data) for text in texts]) == [text.data for text in texts]


def test_a_coder_that_errs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lambda payload, sizes: [bytes(size) for size in sizes]  # noqa: E731
    monkeypatch.setattr(groups, "decode_group", wrong)
    together = pipeline.encode_small([Small(b"a" * 100), Small(b"b" * 100)], CodingOptions(Mode.LOSSLESS))
    assert {file.codec_id for file in together.files} == {codecs.LZMA}


def test_files_that_vanish_cost_themselves_only(side: Path, tmp_path: Path) -> None:
    def meddle(options: CodingOptions, item: SourceFile | coding.Batch) -> coding.Coded | coding.CodedBatch:
        if isinstance(item, coding.Batch):
            (side / "album" / "02.xmp").unlink(missing_ok=True)
            (side / "album" / "03.xmp").unlink(missing_ok=True)  # has a twin that stays
        return coding.code_source(options, item)

    expected = tree(side)
    done = pack([side], tmp_path / "out.pha", LOSSLESS, code=meddle)
    assert {failure.name for failure in done.failures} == {"in/album/02.xmp", "in/album/03.xmp"}
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.read("in/album/copy.xmp") == expected["album/copy.xmp"]
        assert archive.read("in/album/05.xmp") == expected["album/05.xmp"]
    assert check(tmp_path / "out.pha", 1).failures == ()


def test_a_crash_of_the_coder_keeps_every_file(side: Path, tmp_path: Path) -> None:
    def fall_over(options: CodingOptions, item: SourceFile | coding.Batch) -> coding.Coded | coding.CodedBatch:
        if isinstance(item, coding.Batch):
            raise RuntimeError("a bug")
        return coding.code_source(options, item)

    done = pack([side], tmp_path / "out.pha", LOSSLESS, code=fall_over)
    assert done.failures == ()
    assert len(done.warnings) == 27
    assert "coding it failed (RuntimeError: a bug); it was kept bit-exact" in done.warnings[0]
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert tree(tmp_path / "to" / "in") == tree(side)

    def miss_the_model(options: CodingOptions, item: SourceFile | coding.Batch) -> coding.Coded | coding.CodedBatch:
        raise ModelMissing(1, "not found")

    with pytest.raises(ModelMissing):
        pack([side], tmp_path / "other.pha", LOSSLESS, code=miss_the_model)


def test_a_file_that_grew_since_the_scan_is_packed_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(b"text " * 99)
    found, _ = scan([tmp_path / name for name in ("a.txt", "b.txt", "c.txt")])
    (tmp_path / "a.txt").write_bytes(bytes(coding.MAX_SMALL_BYTES + 1))
    coded = coding.code_source(LOSSLESS.coding, coding.Batch(tuple(found)))
    assert isinstance(coded, coding.CodedBatch)
    encoded = [file.encoded for file in coded.files if isinstance(file, coding.Coded)]
    assert [(file.codec_id, file.size_bytes) for file in encoded] == [(codecs.LZMA, 65_537), (codecs.SOLID, 495), (codecs.SOLID, 495)]
    for name in ("b.txt", "c.txt"):
        (tmp_path / name).write_bytes(b"text " * 10_000)
    monkeypatch.setattr(coding, "BATCH_BYTES", 60_000)  # a group of more would be refused when it is read
    coded = coding.code_source(LOSSLESS.coding, coding.Batch(tuple(found)[1:]))
    assert isinstance(coded, coding.CodedBatch)
    assert [file.encoded.codec_id for file in coded.files if isinstance(file, coding.Coded)] == [codecs.LZMA, codecs.LZMA]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_odd_names(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "in")
    os.mkdir(root)
    names = [
        "Küste.xmp".encode(),
        "海.xmp".encode(),
        b"\xff\xfe.xmp",
        b"a\nb.xmp",
        b"-rf.xmp",
        b" .xmp",
        b"x" * 251 + b".xmp",
        b".xmp",
        b"none",
    ]
    contents = {name: b"about %d bytes of text " % number * 9 for number, name in enumerate(names)}
    for name, data in contents.items():
        with open(os.path.join(root, name), "wb") as file:
            file.write(data)
    pack([tmp_path / "in"], tmp_path / "out.pha", LOSSLESS)
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    for scanned in (False, True):
        with photoarc.open(tmp_path / "out.pha", scan=scanned) as archive:
            assert {member.name[3:]: archive.read(member) for member in archive if member.grouped} == contents
    for name, data in contents.items():
        with open(os.path.join(os.fsencode(tmp_path / "to" / "in"), name), "rb") as file:
            assert file.read() == data


@pytest.mark.parametrize(("mode", "quality"), [(Mode.LOSSLESS, None), (Mode.FAST, 60)])
def test_twins_of_pictures_in_a_batch(tmp_path: Path, mode: Mode, quality: float | None) -> None:
    """Thumbnails with an ending of their own: the first is coded alone, its twin stands in the group and leads to it."""
    (tmp_path / "in").mkdir()
    picture = pictures.jpeg(pictures.photo(200, 150), quality=97)
    for name, data in {"a.thm": picture, "b.thm": picture, "c.txt": b"text " * 99, "d.txt": b"more " * 99}.items():
        (tmp_path / "in" / name).write_bytes(data)
    done = pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(CodingOptions.asked(mode, quality=quality), workers=0))
    assert (done.duplicates, done.photographs.files) == (1, 2 if mode is Mode.FAST else 0)
    for scanned in (False, True):
        with photoarc.open(tmp_path / "out.pha", scan=scanned) as archive:
            twin = archive.info("in/b.thm")
            assert (twin.grouped, twin.duplicate, twin.photo) == (True, True, archive.info("in/a.thm").photo)
            assert archive.read(twin) == archive.read("in/a.thm")
            assert (archive.read(twin) == picture) is (mode is Mode.LOSSLESS)
            assert archive.image("in/b.thm").size == (200, 150)
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert (tmp_path / "to/in/b.thm").read_bytes() == (tmp_path / "to/in/a.thm").read_bytes()
    data = bytearray((tmp_path / "out.pha").read_bytes())
    with photoarc.open(tmp_path / "out.pha") as archive:
        payload = archive.payload(archive.info("in/a.thm"))
    data[data.index(payload) + len(payload) // 2] ^= 1
    (tmp_path / "out.pha").write_bytes(data[:-128])
    with photoarc.open(tmp_path / "out.pha", scan=True) as archive:
        assert [error.name for error in archive.damaged] == ["in/a.thm", "in/b.thm"]
        assert archive.read("in/c.txt") == b"text " * 99


def die_on_batches(options: CodingOptions, item: SourceFile | coding.Batch) -> coding.Coded | coding.CodedBatch:
    if isinstance(item, coding.Batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return coding.code_source(options, item)


def test_a_worker_that_is_killed_costs_nothing_but_compression(side: Path, tmp_path: Path) -> None:
    for number in range(3):
        (side / f"{number}.jpg").write_bytes(os.urandom(900_000))
    done = pack([side], tmp_path / "out.pha", PackOptions(LOSSLESS.coding, workers=2), code=die_on_batches)
    assert done.failures == ()
    assert "SIGKILL" in done.warnings[0]
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert tree(tmp_path / "to" / "in") == tree(side)


def test_reading_every_member_of_many_groups_decodes_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "BATCH_BYTES", 20_000)
    many_files.write(tmp_path / "in", 120, 0)
    pack([tmp_path / "in"], tmp_path / "out.pha", LOSSLESS)
    decoded = []
    decode = groups.decode_group
    monkeypatch.setattr(groups, "decode_group", lambda payload, sizes: decoded.append(len(sizes)) or decode(payload, sizes))
    with photoarc.open(tmp_path / "out.pha") as archive:
        for member in archive:
            archive.test(member)
    assert len(decoded) > 6
    assert sum(decoded) == 120
