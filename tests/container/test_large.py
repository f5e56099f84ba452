"""Large and sparse files: cut into blocks, compressed, holes kept (docs/format.md section 7.12)."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

import pytest

import photoarc
from photoarc import codecs, pipeline
from photoarc.codecs import blocks
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.jobs import coding, large, pack, test, unpack
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

NOISE = random.Random(7).randbytes(300_000)
OPTIONS = PackOptions(CodingOptions(Mode.LOSSLESS), workers=0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LARGE_FILE_BYTES", 200_000)
    monkeypatch.setattr(large, "BLOCK_BYTES", 1 << 18)


def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "catalog.lrcat").write_bytes(b"photo record\n" * 100_000)
    (folder / "film.mp4").write_bytes(NOISE)
    (folder / "mixed.bin").write_bytes(NOISE + b"record" * 60_000 + NOISE[:5])
    (folder / "small.txt").write_bytes(b"a note")
    return folder


def sparse(path: Path) -> Path:
    """Hole, 70,000 bytes, hole, text, hole; skips where the file system has no holes."""
    with open(path, "wb") as file:
        file.seek(3 << 20)
        file.write(NOISE[:70_000])
        file.seek(9 << 20)
        file.write(b"text " * 20_000)
        file.truncate(12 << 20)
    if not hasattr(os, "SEEK_DATA") or not large.is_sparse(source_of(path)) or disk_bytes(path) > 2 << 20:
        pytest.skip("no holes in files here")
    return path


def source_of(path: Path) -> pack.SourceFile:
    found, _ = pack.scan([path])
    return found[0]


def disk_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_large_files_are_compressed_and_come_back(tmp_path: Path) -> None:
    folder = sources(tmp_path)
    done = pack.pack([folder], tmp_path / "a.pha", OPTIONS)
    assert not done.failures
    with photoarc.open(tmp_path / "a.pha") as archive:
        catalog, film, mixed = (archive.info(f"s/{name}") for name in ("catalog.lrcat", "film.mp4", "mixed.bin"))
        assert {member.codec_id for member in (catalog, film, mixed)} == {codecs.BLOCKS}
        assert catalog.payload_bytes < catalog.size_bytes / 100
        assert catalog.parts == -(-catalog.size_bytes // large.BLOCK_BYTES)
        assert film.size_bytes < film.payload_bytes < film.size_bytes + 200  # stored, at 28 bytes a block
        assert len(NOISE) < mixed.payload_bytes < mixed.size_bytes * 0.55
        assert archive.read("s/mixed.bin") == (folder / "mixed.bin").read_bytes()
    assert not test.test(tmp_path / "a.pha", 0).failures
    assert not unpack.unpack(tmp_path / "a.pha", tmp_path / "out", UnpackOptions(workers=0)).failures
    for path in folder.iterdir():
        assert (tmp_path / "out" / "s" / path.name).read_bytes() == path.read_bytes()


def test_workers_give_the_same_archive(tmp_path: Path) -> None:
    folder = sources(tmp_path)
    for workers in (0, 2):
        pack.pack([folder], tmp_path / f"{workers}.pha", PackOptions(OPTIONS.coding, workers))
    assert (tmp_path / "0.pha").read_bytes() == (tmp_path / "2.pha").read_bytes()


def test_what_does_not_deflate_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.lzma2, "compress", lambda *_, **__: pytest.fail("LZMA was tried"))
    assert len(blocks.encode_block([(0, len(NOISE))], NOISE, 5)) == len(NOISE) + 28


def test_holes_stay_holes(tmp_path: Path) -> None:
    path = sparse(tmp_path / "disk.img")
    pack.pack([path], tmp_path / "a.pha", OPTIONS)
    assert (tmp_path / "a.pha").stat().st_size < 80_000
    unpack.unpack(tmp_path / "a.pha", tmp_path / "out", UnpackOptions(workers=0))
    assert (tmp_path / "out" / "disk.img").read_bytes() == path.read_bytes()
    assert disk_bytes(tmp_path / "out" / "disk.img") < 1 << 20
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert archive.read("disk.img") == path.read_bytes()
        archive.extract("disk.img", tmp_path / "one")
    assert disk_bytes(tmp_path / "one" / "disk.img") < 1 << 20


def test_a_file_that_is_nothing_but_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "empty.img"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    if disk_bytes(path):
        pytest.skip("no holes in files here")
    pack.pack([path], tmp_path / "a.pha", OPTIONS)
    assert (tmp_path / "a.pha").stat().st_size < 1000
    unpack.unpack(tmp_path / "a.pha", tmp_path / "out", UnpackOptions(workers=0))
    assert (tmp_path / "out" / "empty.img").stat().st_size == 1 << 30
    assert disk_bytes(tmp_path / "out" / "empty.img") < 1 << 20


def changing(path: Path, how: str) -> object:
    """A worker after which the file is another, once."""

    def code(options: CodingOptions, item: coding.Item) -> coding.Result:
        if isinstance(item, large.Block) and item.source.name.endswith(b"mixed.bin") and item.number == 1:
            if how == "crash":
                raise RuntimeError("odd block")
            before = path.stat()
            data = bytearray(path.read_bytes())
            data[how == "other bytes" and 300_000] ^= 1
            path.write_bytes(data[: -1 if how == "shorter" else None])
            if how == "other bytes":
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return coding.code_source(options, item)

    return code


@pytest.mark.parametrize("how", ["new date", "shorter", "other bytes"])
def test_a_file_that_changes_while_it_is_read_is_left_out(tmp_path: Path, how: str) -> None:
    folder = sources(tmp_path)
    done = pack.pack([folder], tmp_path / "a.pha", OPTIONS, code=changing(folder / "mixed.bin", how))  # type: ignore[arg-type]
    assert [failed.name for failed in done.failures] == ["s/mixed.bin"]
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert archive.names() == ["s", "s/catalog.lrcat", "s/film.mp4", "s/small.txt"]
    assert not test.test(tmp_path / "a.pha", 0).failures


def test_a_block_that_cannot_be_coded_is_stored(tmp_path: Path) -> None:
    folder = sources(tmp_path)
    done = pack.pack([folder], tmp_path / "a.pha", OPTIONS, code=changing(folder / "mixed.bin", "crash"))  # type: ignore[arg-type]
    assert not done.failures
    assert "odd block" in done.warnings[0]
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert archive.read("s/mixed.bin") == (folder / "mixed.bin").read_bytes()


def test_identical_and_linked_large_files_are_stored_once(tmp_path: Path) -> None:
    folder = sources(tmp_path)
    (folder / "copy.mp4").write_bytes(NOISE)
    os.link(folder / "mixed.bin", folder / "twin.bin")
    done = pack.pack([folder], tmp_path / "a.pha", OPTIONS)
    assert done.duplicates == 2
    assert done.archive_bytes < 2 * len(NOISE) + 5000
    unpack.unpack(tmp_path / "a.pha", tmp_path / "out", UnpackOptions(workers=0))
    assert (tmp_path / "out" / "s" / "copy.mp4").read_bytes() == NOISE
    assert (tmp_path / "out" / "s" / "twin.bin").samefile(tmp_path / "out" / "s" / "mixed.bin")


def test_damage_costs_the_file_and_a_scan_finds_the_others(tmp_path: Path) -> None:
    pack.pack([sources(tmp_path)], tmp_path / "a.pha", OPTIONS)
    data = bytearray((tmp_path / "a.pha").read_bytes())
    data[data.index(NOISE[1000:1100])] ^= 1  # in the film
    (tmp_path / "hit.pha").write_bytes(data)
    assert [failed.name for failed in test.test(tmp_path / "hit.pha", 0).failures] == ["s/film.mp4"]
    (tmp_path / "cut.pha").write_bytes(data[:-200])
    with photoarc.open(tmp_path / "cut.pha", scan=True) as archive:
        assert archive.names() == ["s", "s/catalog.lrcat", "s/mixed.bin", "s/small.txt"]
        archive.test(archive.info("s/mixed.bin"))
        assert [error.name for error in archive.damaged] == ["s/film.mp4"]


def test_damaged_blocks_raise_payload_errors_only() -> None:
    runs = [(5000, 40_000), (1 << 40, 10_000), (7, 0)]
    data = b"record" * 8000 + NOISE[:2000]
    whole = blocks.encode_block(runs, data, 5)
    size_bytes = sum(map(sum, runs))
    assert b"".join(bytes(part) for _, part in blocks.decode_block(whole, size_bytes)) == data
    assert [hole for hole, _ in blocks.decode_block(whole, size_bytes)] == [5000, 1 << 40, 7]
    with pytest.raises(PayloadError, match="are left of the file") as caught:
        blocks.decode_block(whole, size_bytes - 1)
    assert caught.value.kind is PayloadCorrupt
    die = random.Random(3)
    for _ in range(400):
        broken = bytearray(whole)
        broken[die.randrange(100)] ^= 1 << die.randrange(8)
        del broken[die.choice([len(broken), die.randrange(len(broken))]) :]
        with contextlib.suppress(PayloadError):
            assert sum(hole + len(part) for hole, part in blocks.decode_block(bytes(broken), size_bytes)) <= size_bytes
    small = blocks.encode_block([(100, 48_000)], data[:48_000], 5) + blocks.stored_block([(0, 2000)], NOISE[:2000])
    assert blocks.decode(small, 50_100) == bytes(100) + data
    for size in (50_099, 50_101):
        with pytest.raises(PayloadError):
            blocks.decode(small, size)
