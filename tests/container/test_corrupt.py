"""Damage of every kind: an archive either gives the packed bytes or says clearly that it cannot (docs/format.md section 6)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import ARCHIVE_ID, names, sample, stored, write
from damage import overwrite

import photoarc
from photoarc.archive import Archive
from photoarc.container import frames
from photoarc.container.chunks import make_chunk
from photoarc.container.frames import CHUNK_MAGIC, ChunkType
from photoarc.disk.extractor import Extractor
from photoarc.errors import IndexCorrupt, LimitExceeded, MemberError, NotAnArchive, PhotoarcError, Truncated, UnsupportedVersion
from photoarc.member import Kind, Member

EXPECTED = {member.name: (member, data) for member, data in sample()}
LARGEST = b"in/parts.bin"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("good") / "a.pha", sample()).read_bytes()


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[bytes], Path]:
    def put(data: bytes) -> Path:
        return overwrite(tmp_path / "a.pha", data)

    return put


def read_everything(archive: Archive, complaints: list[PhotoarcError]) -> set[bytes]:
    """Names of the members that came back; every one of them as it was packed."""
    intact = set()
    for member in archive:
        try:
            archive.test(member)
            data = archive.read(member) if member.kind == Kind.FILE else b""
        except MemberError as error:
            complaints.append(error)
            continue
        assert (member, data) == EXPECTED[member.name]
        intact.add(member.name)
    return intact


def survivors(path: Path) -> tuple[set[bytes], set[bytes], list[PhotoarcError]]:
    """What comes back by the index, what by a scan, and what was said. Nothing but PhotoarcError may be raised on the way."""
    complaints: list[PhotoarcError] = []
    results: list[set[bytes]] = []
    for scan in (False, True):
        try:
            with photoarc.open(path, scan=scan) as archive:
                results.append(read_everything(archive, complaints))
                complaints += archive.damaged
        except PhotoarcError as error:
            complaints.append(error)
            results.append(set())
    assert all(len(str(error)) > 20 for error in complaints)
    return results[0], results[1], complaints


def chunk_offsets(data: bytes) -> Iterator[int]:
    at = data.find(CHUNK_MAGIC)
    while at >= 0:
        yield at
        at = data.find(CHUNK_MAGIC, at + 1)


def test_every_truncation(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    best = 0
    for length in range(len(good)):
        path = damaged(good[:length])
        with pytest.raises((Truncated, NotAnArchive)):
            photoarc.open(path)
        _, scanned, complaints = survivors(path)
        assert complaints
        best = max(best, len(scanned))
        ends = [at for at in chunk_offsets(good) if at <= length]
        assert len(scanned) >= min(max(len(ends) - 4, 0), len(EXPECTED))  # at most the last chunk and the parts before it are lost
    assert best == len(EXPECTED)


def interesting_bytes(data: bytes) -> list[int]:
    """Header, footer and all chunk headers."""
    offsets = [*range(48), *range(len(data) - 128, len(data))]
    return offsets + [at + n for at in chunk_offsets(data) for n in range(48)]


def check_flip(good: bytes, path: Path, at: int, mask: int) -> None:
    data = bytearray(good)
    data[at] ^= mask
    overwrite(path, data)
    indexed, scanned, complaints = survivors(path)
    everything = set(EXPECTED)
    padding = indexed == everything and not complaints
    assert padding or complaints
    assert len(indexed | scanned) >= len(EXPECTED) - 1, f"byte {at} ^ {mask:#x}: more than one member is lost"
    if indexed and indexed != everything:
        assert len(indexed) == len(EXPECTED) - 1


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte_of_the_headers(good: bytes, tmp_path: Path, mask: int) -> None:
    for at in interesting_bytes(good):
        check_flip(good, tmp_path / "a.pha", at, mask)


def test_random_flips(good: bytes, tmp_path: Path) -> None:
    rng = random.Random(20)
    for _ in range(1000):
        check_flip(good, tmp_path / "a.pha", rng.randrange(len(good)), rng.randrange(1, 256))


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte(good: bytes, tmp_path: Path, mask: int) -> None:
    for at in range(len(good)):
        check_flip(good, tmp_path / "a.pha", at, mask)


def test_random_damage_of_many_bytes(good: bytes, tmp_path: Path) -> None:
    rng = random.Random(21)
    path = tmp_path / "a.pha"
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 12)):
            at, length = rng.randrange(len(data)), rng.choice((1, 2, 8, 40))
            match rng.randrange(4):
                case 0:
                    data[at : at + length] = rng.randbytes(length)
                case 1:
                    del data[at : at + length]
                case 2:
                    data[at:at] = rng.randbytes(length)
                case _:
                    data[at:at] = data[rng.randrange(len(data)) :][: length * 10]
        overwrite(path, data)
        survivors(path)


def test_inserted_and_deleted_bytes_cost_one_member(good: bytes, tmp_path: Path) -> None:
    rng = random.Random(22)
    path = tmp_path / "a.pha"
    for at in range(48, len(good) - 128, 13):
        for data in (good[:at] + rng.randbytes(3) + good[at:], good[:at] + good[at + 5 :], good[:at] + bytes(64) + good[at + 64 :]):
            overwrite(path, data)
            _, scanned, complaints = survivors(path)
            assert len(scanned) >= len(EXPECTED) - 2  # five bytes can reach into two chunks
            assert complaints


def test_extraction_never_gives_a_wrong_file(good: bytes, tmp_path: Path) -> None:
    rng = random.Random(23)
    for _ in range(60):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        overwrite(tmp_path / "a.pha", data)
        out = tmp_path / "out"
        for scan in (False, True):
            try:
                archive = photoarc.open(tmp_path / "a.pha", scan=scan)
            except PhotoarcError:
                continue
            with archive:
                extract(archive, out)
            files = {path.relative_to(out).as_posix().encode(): path for path in out.rglob("*") if not path.is_dir()}
            for name, path in files.items():
                member, expected = EXPECTED[name]
                assert path.is_symlink() == (member.kind == Kind.SYMLINK)
                assert path.is_symlink() or path.read_bytes() == expected
            assert len(files) >= len(EXPECTED) - 2
            shutil.rmtree(out)


def extract(archive: Archive, out: Path) -> None:
    extractor = Extractor(out, False)
    for member in archive:
        try:
            archive.test(member)
            extract_member(archive, extractor, member)
        except MemberError:
            continue
    extractor.finish()


def extract_member(archive: Archive, extractor: Extractor, member: Member) -> None:
    if member.kind == Kind.FILE:
        extractor.file(member, lambda file: archive.chunks_into(member, file.write))
    elif member.kind == Kind.DIRECTORY:
        extractor.directory(member)
    else:
        extractor.symlink(member)


def test_a_damaged_part_costs_its_member_and_is_named(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    _, data = EXPECTED[LARGEST]
    for part in range(3):
        at = good.find(data[part * 200 : part * 200 + 200])
        path = damaged(good[: at + 100] + b"?" + good[at + 101 :])
        with photoarc.open(path) as archive:
            with pytest.raises(photoarc.PayloadCorrupt, match=r"in/parts\.bin: damaged in the archive: .*restore it from another copy"):
                archive.read(LARGEST)
            assert len(read_everything(archive, [])) == len(EXPECTED) - 1
        with photoarc.open(path, scan=True) as archive:
            assert len(archive) == len(EXPECTED) - 1
            assert [error.name for error in archive.damaged] == ["in/parts.bin"]
            assert len(archive.warnings) == 2
            if part:
                assert "1 of its 3 parts" in str(archive.damaged[0])


def test_a_lost_chunk_is_named_from_the_index(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    at = good.find(b"in/7.bin")
    path = damaged(good[: at - 74 - 48] + bytes(48) + good[at - 74 :])
    with photoarc.open(path, scan=True) as archive:
        assert [str(error) for error in archive.damaged] == ["in/7.bin: its chunk is damaged or missing; restore it from another copy"]


def test_messages_say_what_to_do(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    index_at = frames.parse_footer(good[-128:]).index_offset
    cases: list[tuple[bytes, type[PhotoarcError], str]] = [
        (good[:-1], Truncated, "never finished"),
        (good + b"tail", IndexCorrupt, "4 bytes follow the end"),
        (b"?" + good[1:], IndexCorrupt, "start of the archive is damaged"),
        (good[:20] + b"?" + good[21:], IndexCorrupt, "file header is damaged"),
        (good[:-1] + b"?", IndexCorrupt, "footer is damaged"),
        (good[: index_at + 70] + b"?" + good[index_at + 71 :], IndexCorrupt, "index is damaged"),
        (good[:index_at] + good[index_at + 8 :], IndexCorrupt, "should have"),
    ]
    for data, kind, words in cases:
        path = damaged(data)
        with pytest.raises(kind, match=f"{words}.*photoarc unpack does this by itself"):
            photoarc.open(path)
        assert len(survivors(path)[1]) == len(EXPECTED)


def test_a_later_version_is_named_even_when_its_footer_is_of_another_kind(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    later = frames.pack_file_header(frames.FileHeader(ARCHIVE_ID, (2, 0)))
    for data in (later + good[48:], later + b"something else"):
        for scan in (False, True):
            path = damaged(data)
            with pytest.raises(UnsupportedVersion, match=r"version 2\.0"):
                photoarc.open(path, scan=scan)


def test_unknown_chunks_are_passed_over(good: bytes, damaged: Callable[[bytes], Path]) -> None:
    extra = b"".join(make_chunk(ARCHIVE_ID, ChunkType.MODEL, 99, b"model", b"network"))
    unknown = bytearray(extra)
    unknown[12] = 77  # type
    unknown[44:48] = frames._with_crc(bytes(unknown[:48]))[44:]
    path = damaged(good[:48] + extra + bytes(unknown) + good[48:])
    with photoarc.open(path, scan=True) as archive:
        assert len(archive) == len(EXPECTED)
        assert archive.warnings[1:] == ["2 chunks are of a kind unknown to this photoarc and were passed over"]


def test_an_archive_in_an_archive_is_not_mixed_up(good: bytes, tmp_path: Path) -> None:
    outer = write(tmp_path / "outer.pha", [(stored(b"a.pha", good), good), (stored(b"b", b"b"), b"b")], archive_id=b"0123456789abcdef")
    data = bytearray(outer.read_bytes())
    data[300] ^= 1  # damages the payload, so that the scan looks inside
    for start in (bytes(data[:48]), bytes(48)):
        outer.write_bytes(start + data[48:])
        assert names(outer, scan=True) == ["b"]


def test_the_scan_reads_in_small_blocks(good: bytes, damaged: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Magic across block borders is found, at every distance."""
    monkeypatch.setattr("photoarc.container.traces.BLOCK_BYTES", 64)
    monkeypatch.setattr("photoarc.container.source.BLOCK_BYTES", 64)
    for gap in range(130):
        path = damaged(good[:48] + bytes(gap) + good[48:])
        assert len(names(path, scan=True)) == len(EXPECTED)


def test_overlapping_claims_do_not_take_for_ever(damaged: Callable[[bytes], Path]) -> None:
    """Thousands of headers that each claim the rest of the file: refused after reading the file a few times."""
    count = 20000
    header = frames.pack_file_header(frames.FileHeader(ARCHIVE_ID))
    data = bytearray(header + bytes(48 * count))
    for n in range(count):
        at = 48 + 48 * n
        claim = frames.ChunkHeader(
            archive_tag=ARCHIVE_ID[:4],
            type=2,
            flags=1,
            record_bytes=0,
            sequence=n,
            payload_bytes=len(data) - at - 48,
            payload_check=b"wrong...",
            record_crc=0,
        )
        data[at : at + 48] = frames.pack_chunk_header(claim)
    with pytest.raises(LimitExceeded, match="overlap"):
        photoarc.open(damaged(bytes(data)), scan=True)
