"""Members as file objects: read and sought in like the file that was packed, with no more read of the archive than that takes."""

from __future__ import annotations

import dataclasses
import io
import pickle
import random
import struct
from pathlib import Path

import pytest
from blake3 import blake3
from containers import ARCHIVE_ID, folder, sample, stored, write
from file_objects import Counting

import photoarc
from photoarc import codecs
from photoarc.codecs import blocks
from photoarc.container.pieces import Held, Hole, Joined, Made, Stretch
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import MemberError, PayloadCorrupt, Truncated, UsageError
from photoarc.member import Kind, Member

NOISE = random.Random(3).randbytes(1 << 20)
# Each block as runs: holes and the data behind them.
BLOCKS = [[(0, 70_000)], [(5_000, 20_000), (1 << 30, 40)], [(0, 0), (77, 60_000)], [(300, 0)]]
HEAD = struct.pack("<BBHII", 1, 0, 0, 2, 20_040)  # of the second block


def in_blocks(path: Path) -> tuple[Path, bytes, list[int]]:
    """An archive with one member in blocks; its contents without the hole of 1 GiB, the payload sizes of the blocks."""
    at, pieces, parts = 0, [], []
    for number, runs in enumerate(BLOCKS):
        data = NOISE[at : at + sum(length for _, length in runs)] if number else b"text " * 14_000
        parts.append(blocks.encode_block(runs, data, 5))
        for hole, length in runs:
            pieces += [bytes(hole if hole < 1 << 20 else 0), data[:length]]
            data = data[length:]
        at += sum(length for _, length in runs)
    whole = b"".join(pieces)
    member = Member(
        name=b"film",
        kind=Kind.FILE,
        mode=0o644,
        mtime_ns=0,
        size_bytes=len(whole) + (1 << 30),
        digest=bytes(32),
        codec_id=codecs.BLOCKS,
        payload_bytes=0,
        parts=len(parts),
    )
    with ArchiveWriter(path, archive_id=ARCHIVE_ID) as writer:
        writer.add_in_blocks(member, parts)
    return path, whole, [len(part) for part in parts]


def like(file: io.BufferedReader, data: bytes, rng: random.Random) -> None:
    """Reads here and there what a file in memory gives."""
    other = io.BytesIO(data)
    for _ in range(200):
        if rng.random() < 0.5:
            to, whence = rng.choice([(rng.randrange(len(data) + 9), 0), (-rng.randrange(len(data) + 1), 2)])
            assert file.seek(to, whence) == other.seek(to, whence)
        count = rng.choice([0, 1, 7, 100, 9000])
        assert file.read(count) == other.read(count)
        assert file.tell() == other.tell()


def test_files_are_what_read_gives(tmp_path: Path) -> None:
    with photoarc.open(write(tmp_path / "a.pha", sample())) as archive:
        for member, data in sample():
            if member.kind is Kind.FILE:
                with archive.open(member) as file:
                    assert (file.readable(), file.seekable(), file.writable(), file.mode) == (True, True, False, "rb")
                    assert file.name == member.display_name
                    assert file.read() == data
                    assert file.read() == b""
                    like(file, data, random.Random(1))
                assert file.closed
        with pytest.raises(UsageError, match="is a directory"):
            archive.open("in")


def test_ten_bytes_of_a_large_file_are_ten_bytes(tmp_path: Path) -> None:
    data = NOISE * 16
    whole = Counting(write(tmp_path / "a.pha", [(stored(b"film", data, parts=4), data)]).read_bytes())
    with photoarc.open(whole) as archive:
        before = whole.read_bytes
        with archive.open("film") as file:
            file.seek((4 << 20) - 5)  # across the border of two parts
            assert file.read(10) == NOISE[-5:] + NOISE[:5]
            assert file.seek(0, io.SEEK_END) == len(data)
            assert file.read(1) == b""
        assert whole.read_bytes - before < 20_000


def test_only_the_blocks_that_are_touched_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, data, sizes = in_blocks(tmp_path / "a.pha")
    whole, decoded = Counting(path.read_bytes()), []
    decode = blocks.decode_block
    monkeypatch.setattr(blocks, "decode_block", lambda payload, most: decoded.append(len(payload)) or decode(payload, most))
    with photoarc.open(whole) as archive, archive.open("film") as file:
        before = whole.read_bytes
        file.seek(72_000)
        assert file.read(5_000) == data[72_000:77_000]  # a hole and data
        assert (decoded, whole.read_bytes - before) == ([sizes[1]], sizes[1])
        file.seek(-60_000 - 300, 2)
        assert file.read() == data[-60_300:]
        assert decoded == [sizes[1], sizes[2], sizes[3]]
        file.seek(95_000 + 1000)
        assert file.read(1 << 16) == bytes(1 << 16)


def test_a_damaged_block_costs_what_lies_in_it(tmp_path: Path) -> None:
    path, data, _ = in_blocks(tmp_path / "a.pha")
    whole = bytearray(path.read_bytes())
    whole[whole.index(HEAD) + 60] ^= 1
    with photoarc.open(bytes(whole)) as archive, archive.open("film") as file:
        assert file.read(60_000) == data[:60_000]
        file.seek(-60_000, 2)
        assert file.read(10) == data[-60_000:-59_990]
        file.seek(75_000)
        with pytest.raises(PayloadCorrupt, match="film: damaged in the archive"):
            file.read(1)
    for change in (12, 20):  # a run of another length: every block behind it would be looked for in the wrong place
        moved = bytearray(path.read_bytes())
        moved[moved.index(HEAD) + change] ^= 1
        with photoarc.open(bytes(moved)) as archive, pytest.raises(PayloadCorrupt, match="film"):
            archive.open("film")


def test_the_digest_is_compared_when_everything_was_read(tmp_path: Path) -> None:
    data = NOISE[:50_000]
    wrong = dataclasses.replace(stored(b"f", data, parts=3), digest=blake3(b"other").digest())
    with photoarc.open(write(tmp_path / "a.pha", [(wrong, data)])) as archive:
        with archive.open("f") as file, pytest.raises(PayloadCorrupt, match="f: its BLAKE3 is"):
            file.read()
        with archive.open("f") as file:
            assert file.read(20_000) == data[:20_000]  # as viewers do, which look at the start twice
            file.seek(100)
            assert file.read(29_900) == data[100:30_000]
            with pytest.raises(PayloadCorrupt, match="f: its BLAKE3 is"):
                file.read()
        with archive.open("f") as file:
            file.seek(-10, 2)
            assert file.read() == data[-10:]  # of single bytes there is nothing to compare


def test_duplicates_groups_and_what_is_no_file(tmp_path: Path) -> None:
    data = NOISE[:5000]
    one = stored(b"one", data)
    two = dataclasses.replace(stored(b"two", data), duplicate=True, payload_bytes=0, parts=0)
    lost = dataclasses.replace(stored(b"lost", b"x" * 9), duplicate=True, payload_bytes=0, parts=0)
    with photoarc.open(write(tmp_path / "a.pha", [(folder(b"in"), b""), (one, data), (two, b""), (lost, b"")])) as archive:
        with archive.open("two") as file:
            like(file, data, random.Random(2))
        with pytest.raises(PayloadCorrupt, match="lost"):
            archive.open("lost")


def test_a_name_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    with photoarc.open(write(tmp_path / "a.pha", sample())) as archive:
        for look in (archive.open, archive.read, archive.info, archive.image, archive.extract):
            with pytest.raises(KeyError) as caught:
                look("none")
            assert isinstance(caught.value, photoarc.UnknownMember)
            assert isinstance(caught.value, photoarc.UsageError)
            assert str(caught.value).endswith("a.pha: no member is called none; `photoarc list` shows the names")


def test_closed_files_and_places_that_are_none(tmp_path: Path) -> None:
    with photoarc.open(write(tmp_path / "a.pha", sample())) as archive:
        file = archive.open("in/300.bin")
        with pytest.raises(TypeError):
            pickle.dumps(file)
        with pytest.raises(ValueError, match="before the start"):
            file.raw.seek(-301, 2)
        with pytest.raises(ValueError, match="whence"):
            file.raw.seek(0, 9)
        file.close()
        for touch in (lambda: file.read(1), lambda: file.raw.seek(0), file.raw.readall):
            with pytest.raises(ValueError, match="closed"):
                touch()
        later = archive.open("in/300.bin")
    with pytest.raises(UsageError, match="the archive is closed"):
        later.read()


def test_every_damaged_byte_is_an_error_or_nothing(tmp_path: Path) -> None:
    path, data, _ = in_blocks(tmp_path / "a.pha")
    whole = path.read_bytes()
    for at in range(whole.index(HEAD) - 100, whole.index(HEAD) + 60):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        try:
            with photoarc.open(changed) as archive, archive.open("film") as file:
                file.seek(75_000)
                assert file.read(10) == data[75_000:75_010]
        except MemberError:
            pass


def test_pieces() -> None:
    made: list[int] = []
    joined = Joined([Held(b"abc"), Hole(0), Hole(3), Stretch(Held(b"0123456789"), 4, 3), Held(memoryview(b"xyz"))])
    assert joined.read_at(0, joined.size_bytes) == b"abc\0\0\x00456xyz"
    for start in range(13):
        for end in range(start, 13):
            assert joined.read_at(start, end - start) == b"abc\0\0\x00456xyz"[start:end]
    with pytest.raises(Truncated):
        joined.read_at(10, 3)
    assert Joined([]).read_at(0, 0) == b""
    late = Made(lambda: made.append(1) or b"late")
    assert (made, late.size_bytes, late.read_at(1, 2), made) == ([1], 4, b"at", [1])
