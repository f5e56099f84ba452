"""Archives without their start, with something in front, one behind the other; and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from containers import ARCHIVE_ID, names, sample, stored, write

import photoarc
from photoarc.archive import open_archive
from photoarc.container import traces
from photoarc.container.foreign import what_it_is
from photoarc.container.source import FileSource
from photoarc.errors import IndexCorrupt, NotAnArchive

OTHER_ID = b"0123456789abcdef"
SAMPLE = [member.display_name for member, _ in sample()]


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return write(tmp_path / "good.pha", sample()).read_bytes()


@pytest.fixture
def other(tmp_path: Path) -> bytes:
    files = [(stored(b"in/7.bin", b"another"), b"another"), (stored(b"in/last.txt", b"text"), b"text")]
    return write(tmp_path / "other.pha", files, archive_id=OTHER_ID).read_bytes()


def opened(path: Path, data: bytes) -> tuple[list[str], list[str], str]:
    """Names that can be read (and are), names that are lost, warnings."""
    path.write_bytes(data)
    with open_archive(path) as archive:
        for member in archive:
            archive.test(member)
        return sorted(archive.names()), [error.name for error in archive.damaged], "\n".join(archive.warnings)


@pytest.mark.parametrize("cut", [1, 3, 47, 48, 49, 200, 600, 1000])
def test_without_its_first_bytes(tmp_path: Path, good: bytes, cut: int) -> None:
    found, lost, warnings = opened(tmp_path / "cut.pha", good[cut:])
    assert sorted(found + lost) == sorted(SAMPLE)
    assert found
    assert "start of the archive is damaged or missing" in warnings


@pytest.mark.parametrize(
    "junk", [b"\xef\xbb\xbf", b"From: me\r\nContent-Type: application/octet-stream\r\n\r\n", bytes(5000), b"\xff\xd8\xff"]
)
def test_something_in_front(tmp_path: Path, good: bytes, junk: bytes) -> None:
    found, lost, warnings = opened(tmp_path / "mail.pha", junk + good)
    assert (found, lost) == (sorted(SAMPLE), [])
    assert f"{len(junk):,} bytes stand before the start of the archive" in warnings


def test_cut_at_both_ends(tmp_path: Path, good: bytes) -> None:
    found, _, warnings = opened(tmp_path / "cut.pha", good[200:-700])
    assert set(found) < set(SAMPLE)
    assert found
    assert "end of the archive is missing; files that came behind in/" in warnings
    assert "damaged or missing, without a name" in warnings  # the index is not there to tell


def test_one_behind_the_other(tmp_path: Path, good: bytes, other: bytes) -> None:
    for data in (good + other, b"junk" + good + other, good + b"junk" + other, good[100:] + other, good + other[:-100]):
        found, lost, warnings = opened(tmp_path / "two.pha", data)
        assert {*found, *lost} == {*SAMPLE, "in/last.txt"}
        assert "2 archives, one behind the other" in warnings
        assert "1 names, first in/7.bin, are in two archives with different contents" in warnings
        with open_archive(tmp_path / "two.pha") as archive:
            assert archive.read("in/7.bin") == b"another"


def test_an_archive_twice(tmp_path: Path, good: bytes) -> None:
    found, lost, _ = opened(tmp_path / "twice.pha", good + good)
    assert (found, lost) == (sorted(SAMPLE), [])


def test_the_second_copy_mends_the_first(tmp_path: Path, good: bytes) -> None:
    at = good.find(sample()[4][1])
    found, _, _ = opened(tmp_path / "twice.pha", good[: at + 5] + b"?" + good[at + 6 :] + good)
    assert found == sorted(SAMPLE)


@pytest.mark.parametrize("cut", ["start", "end", "middle"])
def test_a_packed_archive_does_not_stand_for_the_one_it_is_in(tmp_path: Path, other: bytes, cut: str) -> None:
    inner = (stored(b"x.pha", other), other)
    members = {
        "start": [inner, (stored(b"y", b"y"), b"y")],
        "end": [(stored(b"a", b"a"), b"a"), inner],
        "middle": [(stored(b"a", b"a"), b"a"), inner, (stored(b"y", b"y"), b"y")],
    }[cut]
    data = write(tmp_path / "outer.pha", members, archive_id=ARCHIVE_ID).read_bytes()
    at = data.find(other)
    damaged = {"start": data[at - 10 :], "end": data[: at + len(other)], "middle": data[: at - 90] + b"?" + data[at - 89 : -1]}[cut]
    found, _, warnings = opened(tmp_path / "outer.pha", damaged)
    assert found == [member.display_name for member, _ in members if member.name != b"x.pha"]
    assert "parts of another archive lie at bytes" in warnings


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\x03\x04" + bytes(500), "a ZIP file"),
        (b"\xff\xd8\xff\xe0" + bytes(500), "a JPEG picture"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "a HEIC picture"),
        (b"\0\0\0\x20ftypisom" + bytes(100), "an MP4 or QuickTime film"),
        (bytes(257) + b"ustar\x0000" + bytes(300), "a tar file"),
        ("Grüße\n".encode() * 100, "a text file"),
        (b"", "an empty file"),
        (bytes(1000), "a file that starts with zeros"),
    ],
)
def test_what_is_no_archive_is_called_by_its_kind(tmp_path: Path, head: bytes, what: str) -> None:
    (tmp_path / "a.pha").write_bytes(head)
    for open_it in (photoarc.open, open_archive):
        with pytest.raises(NotAnArchive, match=f"is {what}, not a photoarc archive"):
            open_it(tmp_path / "a.pha")
    assert what_it_is(b"\x01\x02\x03\x04") == ""


def test_a_large_file_is_searched_at_its_ends_only(tmp_path: Path, good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "NEAR_BYTES", 1 << 20)
    path = tmp_path / "film.mkv"
    with path.open("wb") as file:
        file.write(b"\x1aE\xdf\xa3")
        file.truncate(50 << 20)
    read: list[int] = []
    read_at = FileSource.read_at

    def counted(self: FileSource, offset: int, count: int) -> bytes:
        read.append(count)
        return read_at(self, offset, count)

    monkeypatch.setattr(FileSource, "read_at", counted)
    with pytest.raises(NotAnArchive, match=r"Matroska.*first and last 1 MiB were searched"):
        photoarc.open(path)
    assert sum(read) < 5 << 20
    for at in (1 << 19, (50 << 20) - (1 << 19)):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(good[100:900])
        with pytest.raises(IndexCorrupt, match="start of the archive"):
            photoarc.open(path)
        assert names(path, scan=True)
