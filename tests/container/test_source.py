"""Archives that are opened from file objects and memory: as from a path, and never closed by somebody who did not open them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from containers import sample, stored, write
from file_objects import Counting, Failing, NoSeek, Remote, Short

import photoarc
from photoarc.archive import open_archive
from photoarc.container.source import blocks_at, source_of
from photoarc.errors import FormatError, Truncated, UsageError
from photoarc.member import Kind


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    return write(tmp_path / "a.pha", sample()).read_bytes()


@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("made", [io.BytesIO, Short, Remote, bytes, bytearray, memoryview])
def test_an_archive_that_is_no_path(data: bytes, made: Callable[[bytes], io.BytesIO], scan: bool) -> None:
    with photoarc.open(made(data), scan=scan) as archive:
        assert {member.name: archive.read(member) for member in archive if member.kind is Kind.FILE} == {
            member.name: contents for member, contents in sample() if member.kind is Kind.FILE
        }


def test_who_opens_closes(data: bytes, tmp_path: Path) -> None:
    file = io.BytesIO(data)
    file.seek(100)  # wherever it stands
    archive = photoarc.open(file)
    archive.close()
    assert not file.closed
    with pytest.raises(UsageError, match="closed"):
        archive.read("in/300.bin")
    with photoarc.open(file) as archive:
        file.close()
        with pytest.raises(UsageError, match="<BytesIO>: the archive is closed"):
            archive.read("in/300.bin")
    with pytest.raises(FormatError):
        photoarc.open(io.BytesIO(b"no archive"))
    with open(tmp_path / "a.pha", "rb") as opened:
        with photoarc.open(opened) as archive:
            assert archive.name == str(tmp_path / "a.pha")
        assert not opened.closed


def test_reading_a_shared_file_object_from_threads() -> None:
    files = [(stored(b"%d" % n, data := bytes([n]) * 5000), data) for n in range(50)]
    with tempfile.TemporaryDirectory() as folder:
        whole = write(Path(folder, "a.pha"), files).read_bytes()
    with photoarc.open(Short(whole)) as archive, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(archive.read, [member for member, _ in files] * 2)) == [data for _, data in files] * 2


def test_what_is_wrong_is_said_of_its_source(data: bytes, tmp_path: Path) -> None:
    damaged = data[:-7]
    (tmp_path / "cut.pha").write_bytes(damaged)
    for place, name in ((Remote(damaged), Remote.path), (damaged, "<bytes>"), (tmp_path / "cut.pha", str(tmp_path / "cut.pha"))):
        with pytest.raises(Truncated, match=f"^{name}: the archive has no footer") as caught:
            photoarc.open(place)
        assert caught.value.offset == len(damaged)
        with open_archive(place) as archive:
            assert archive.warnings[0].startswith(f"{name}: the archive has no footer")
            assert str(archive.warnings).count(name) == 1
    for scan in (False, True):
        with pytest.raises(photoarc.NotAnArchive, match=r"^<bytes>: .*no"):
            photoarc.open(b"nothing", scan=scan)


def test_a_file_object_that_fails(data: bytes) -> None:
    file = Failing(data)
    with photoarc.open(file) as archive:
        file.broken = True
        with pytest.raises(photoarc.PayloadCorrupt, match="cannot be read: RuntimeError: the server hung up"):
            archive.read("in/300.bin")
        with pytest.raises(FormatError, match="far away: the archive cannot be read"):
            photoarc.open(file)


def test_what_is_no_place_for_an_archive(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"<NoSeek>: the file object cannot seek.*BytesIO first"):
        photoarc.open(NoSeek(data))
    with (tmp_path / "a.pha").open(encoding="latin-1") as text, pytest.raises(UsageError, match="open it with mode 'rb'"):
        photoarc.open(text)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="<int>: an archive is a path, bytes or a binary file object"):
        photoarc.open(3)  # type: ignore[arg-type]


def test_reads_are_bounded() -> None:
    file = Counting(bytes(range(100)))
    source = source_of(file)
    assert source.read_at(40, 3) == bytes([40, 41, 42])
    for offset, count in ((98, 3), (-1, 1), (0, 1 << 60)):
        with pytest.raises(Truncated):
            source.read_at(offset, count)
    assert file.read_bytes == 3
    assert b"".join(blocks_at(source, 10, 90)) == bytes(range(10, 100))
    file.truncate(50)
    with pytest.raises(Truncated, match="became shorter"):
        source.read_at(40, 20)
