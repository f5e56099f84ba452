from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import containers
import pytest
from blake3 import blake3
from containers import ARCHIVE_ID, folder, link, names, sample, stored, write
from hypothesis import given, settings
from hypothesis import strategies as st

import photoarc
from photoarc.archive import Archive
from photoarc.container import frames, partial_file
from photoarc.container.writer import ArchiveWriter, archive_id
from photoarc.errors import CannotWrite, PayloadCorrupt, UnreadableSource, UnsupportedCodec, UsageError
from photoarc.member import Kind, Member, PhotoInfo, SourceFormat


def contents(archive: Archive) -> list[tuple[Member, bytes]]:
    return [(member, archive.read(member) if member.kind == Kind.FILE else b"") for member in archive]


@pytest.mark.parametrize("scan", [False, True])
def test_round_trip(tmp_path: Path, scan: bool) -> None:
    path = write(tmp_path / "a.pha", sample())
    with photoarc.open(path, scan=scan) as archive:
        assert contents(archive) == sample()
        assert len(archive) == 7
        assert archive.names()[0] == "in"
        assert "in/7.bin" in archive
        assert b"in/7.bin" in archive
        assert archive.info("in/7.bin") in archive
        assert "nothing" not in archive
        assert 7 not in archive
        assert archive.info(b"in/parts.bin").parts == 3
        assert [len(part) for part in archive.payload_parts(archive.info("in/parts.bin"))] == [200, 200, 200]
        assert archive.read("in/parts.bin") == archive.payload(archive.info("in/parts.bin"))
        for member in archive:
            archive.test(member)
        assert archive.damaged == []
        assert len(archive.warnings) == scan
    assert os.listdir(tmp_path) == ["a.pha"]


def test_single_members_are_extracted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pha", sample())
    with photoarc.open(path) as archive:
        found = archive.extract("in/7.bin", tmp_path / "there")
        assert found == tmp_path / "there" / "in" / "7.bin"
        assert found.read_bytes() == archive.read("in/7.bin")
        assert found.stat().st_mtime_ns == archive.info("in/7.bin").mtime_ns
        with pytest.raises(CannotWrite, match="exists already"):
            archive.extract("in/7.bin", tmp_path / "there")
        assert archive.extract(archive.info("in/7.bin"), str(tmp_path / "there"), force=True, as_format="png") == found
        for member in archive:  # folders and links too
            made = archive.extract(member, tmp_path / "all", force=True)
            assert made.is_symlink() if member.kind is Kind.SYMLINK else made.is_dir() if member.kind is Kind.DIRECTORY else made.is_file()
        with pytest.raises(UsageError, match="no member is called nothing"):
            archive.extract("nothing", tmp_path)
    damaged = bytearray(path.read_bytes())
    with photoarc.open(path) as archive:
        damaged[damaged.index(archive.read("in/7.bin"))] ^= 1
    path.write_bytes(damaged)
    with photoarc.open(path) as archive, pytest.raises(PayloadCorrupt):
        archive.extract("in/7.bin", tmp_path / "no")
    assert not any(entry.is_file() for entry in (tmp_path / "no").rglob("*"))


def test_empty_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pha", [])
    assert path.stat().st_size == 48 + 128
    assert names(path) == names(path, scan=True) == []


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=30), st.binary(max_size=300), max_size=6), st.integers(1, 4))
def test_any_members_come_back(tmp_path_factory: pytest.TempPathFactory, files: dict[bytes, bytes], parts: int) -> None:
    members = [(stored(name, data, parts=parts if len(data) > 8 else 1), data) for name, data in files.items()]
    path = write(tmp_path_factory.mktemp("a") / "a.pha", members)
    with photoarc.open(path) as archive, photoarc.open(path, scan=True) as scanned:
        assert contents(archive) == contents(scanned) == members


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.pha", sample()), write(tmp_path / "b.pha", sample())
    assert first.read_bytes() == second.read_bytes()
    other = write(tmp_path / "c.pha", sample(), archive_id=bytes(16))
    assert first.read_bytes() != other.read_bytes()


def test_archive_id_depends_on_files_and_options() -> None:
    files = [member for member, _ in sample()]
    newer = dataclasses.replace(files[0], mtime_ns=1)
    ids = {archive_id(files, "fast"), archive_id(files, "lossless"), archive_id(files[1:], "fast"), archive_id([newer, *files[1:]], "fast")}
    assert len(ids) == 4
    assert {len(one) for one in ids} == {16}
    assert archive_id(files, "fast") in ids


@pytest.mark.parametrize("scan", [False, True])
def test_odd_names(tmp_path: Path, scan: bool) -> None:
    odd = [b"\xff\xfe", b"-rf", b"new\nline", b"x" * 255, "e\u0301".encode(), "\u00e9".encode(), b"back\\slash", b"a\nb/c"]
    path = write(tmp_path / "a.pha", [(stored(name, name), name) for name in odd])
    with photoarc.open(path, scan=scan) as archive:
        assert [member.name for member in archive] == odd
        for name, shown in zip(odd, archive.names(), strict=True):
            assert archive.read(name) == archive.read(os.fsdecode(name)) == archive.read(shown) == name


def test_container_overhead_of_a_photograph(tmp_path: Path) -> None:
    """Chunk header, record, index share and padding of a photograph with a 12-byte name: below 240 bytes (docs/format.md section 1.1)."""
    count, payload_bytes = 1000, 0
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        for n in range(count):
            noise = blake3(b"%d" % n).digest(64)
            payload, mtime_ns = (
                noise * (3 + noise[0]) + noise[: noise[1] % 64],
                1_700_000_000_000_000_000 + int.from_bytes(noise[:7], "big"),
            )
            photo = PhotoInfo(4000, 3000, 36 + noise[2] / 64, 70.0, 1, SourceFormat.JPEG)
            member = stored(b"IMG_%04d.JPG" % n, payload, mtime_ns=mtime_ns)
            writer.add(dataclasses.replace(member, size_bytes=len(payload) * 9 + noise[3], photo=photo), [payload])
            payload_bytes += len(payload)
    overhead = ((tmp_path / "a.pha").stat().st_size - payload_bytes) / count
    assert 200 < overhead < 240


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two members are called a"):
        write(tmp_path / "a.pha", [(stored(b"a", b"1"), b"1"), (stored(b"a", b"2"), b"2")])
    assert os.listdir(tmp_path) == []


def test_a_member_that_fails_is_taken_back(tmp_path: Path) -> None:
    def shrinking() -> Iterator[bytes]:
        yield b"12345"
        raise UnreadableSource("b", "changed while it was read")

    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        writer.add(stored(b"a", b"1"), [b"1"])
        with pytest.raises(UnreadableSource):
            writer.add(stored(b"b", b"1234567890", parts=2), shrinking())
        for parts in ([b"12345"], [b"12345", b"67890", b""], [b"12345", b"6789"], []):
            with pytest.raises(ValueError, match="declares 10 bytes in 2 parts"):
                writer.add(stored(b"b", b"1234567890", parts=2), parts)
        writer.add(stored(b"c", b"3"), [b"3"])
    clean = write(tmp_path / "clean.pha", [(stored(b"a", b"1"), b"1"), (stored(b"c", b"3"), b"3")])
    assert (tmp_path / "a.pha").read_bytes() == clean.read_bytes()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, UsageError, SystemExit])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def broken() -> None:
        with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
            writer.add(stored(b"a", b"1"), [b"1"])
            assert len(os.listdir(tmp_path)) == 1
            raise error

    with pytest.raises(error):
        broken()
    assert os.listdir(tmp_path) == []


def test_overwriting_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "a.pha"
    write(path, sample())
    precious = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write(path, sample())
    assert path.read_bytes() == precious
    with ArchiveWriter(path, force=True, archive_id=ARCHIVE_ID):
        assert path.read_bytes() == precious
    assert names(path) == []
    with pytest.raises(UsageError, match="is a folder"):
        ArchiveWriter(tmp_path, force=True, archive_id=ARCHIVE_ID).__enter__()


@pytest.mark.parametrize("links_work", [True, False])
def test_what_appears_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links_work: bool) -> None:
    """And hours of work are not thrown away."""
    if not links_work:
        monkeypatch.setattr(partial_file.os, "link", failing(errno.EPERM))
    path = tmp_path / "a.pha"

    def meanwhile() -> None:
        with ArchiveWriter(path, archive_id=ARCHIVE_ID):
            path.write_bytes(b"precious")

    with pytest.raises(UsageError, match="exists already"):
        meanwhile()
    assert path.read_bytes() == b"precious"
    (whole,) = set(tmp_path.iterdir()) - {path}
    assert names(whole) == []
    assert write(tmp_path / "b.pha", sample()).exists()


def failing(code: int) -> object:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(("call", "code"), [("open", errno.EACCES), ("write", errno.ENOSPC), ("fsync", errno.EIO), ("write", errno.EDQUOT)])
def test_what_the_system_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    monkeypatch.setattr(partial_file.os, call, failing(code))
    with pytest.raises(UsageError, match=os.strerror(code)):
        write(tmp_path / "a.pha", sample())
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_the_nth_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = os.write, 0
    for fail_at in range(100):
        calls = 0

        def sometimes(fd: int, data: bytes, fail_at: int = fail_at) -> int:
            nonlocal calls
            calls += 1
            if calls == fail_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(fd, data[:50])  # and short writes

        with monkeypatch.context() as patched:
            patched.setattr(partial_file.os, "write", sometimes)
            try:
                write(tmp_path / "a.pha", sample())
            except UsageError:
                failures += 1
                assert os.listdir(tmp_path) == []
            else:
                with photoarc.open(tmp_path / "a.pha") as archive:
                    assert contents(archive) == sample()
                os.unlink(tmp_path / "a.pha")
    assert failures > 20


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        write(tmp_path / "none" / "a.pha", [])


KILLED = """
import os, signal, sys
sys.path[:0] = [sys.argv[2]]
from containers import stored
from photoarc.container.writer import ArchiveWriter
with ArchiveWriter(sys.argv[1], archive_id=bytes(16)) as writer:
    for n in range(3):
        writer.add(stored(b"%d" % n, b"data"), [b"data"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_writer_leaves_only_the_partial_file(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.pha", Path(containers.__file__).parent], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.startswith("a.pha.partial-")
    with pytest.raises(photoarc.Truncated, match="photoarc unpack does this by itself"):
        photoarc.open(tmp_path / left)
    assert names(tmp_path / left, scan=True) == ["0", "1", "2"]


def test_reading_what_has_no_contents_or_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pha", [(folder(b"in"), b""), (link(b"l", b"in"), b""), (stored(b"f", b"x"), b"x")])
    with photoarc.open(path) as archive:
        for name, message in (
            ("in", "is a directory"),
            ("l", "is a symlink"),
            ("none", "no member is called none"),
            (stored(b"f", b"y"), "no member"),
        ):
            with pytest.raises(UsageError, match=message):
                archive.read(name)
        archive.close()
        with pytest.raises(UsageError, match="closed"):
            archive.read("f")


def test_opening_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    for name in ("a.zip", "empty"):
        for scan in (False, True):
            with pytest.raises(photoarc.NotAnArchive):
                photoarc.open(tmp_path / name, scan=scan)
    for name in ("", "fifo", "missing"):
        with pytest.raises(UsageError):
            photoarc.open(tmp_path / name)


def test_a_wrong_digest_and_an_unknown_codec_cost_one_member(tmp_path: Path) -> None:
    wrong = dataclasses.replace(stored(b"wrong", b"data"), digest=bytes(32))
    later = dataclasses.replace(stored(b"later", b"data"), codec_id=999)
    short = dataclasses.replace(stored(b"short", b"data"), size_bytes=5)
    with photoarc.open(
        write(tmp_path / "a.pha", [(wrong, b"data"), (later, b"data"), (short, b"data"), (stored(b"ok", b"x"), b"x")])
    ) as archive:
        for name, error in (("wrong", PayloadCorrupt), ("later", UnsupportedCodec), ("short", PayloadCorrupt)):
            with pytest.raises(error, match=name):
                archive.test(archive.info(name))
        assert archive.read("ok") == b"x"


def test_an_index_of_several_chunks(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        for n in range(2 * 4096 + 5):
            writer.add(stored(b"%05d" % n, b""), [])
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert len(archive) == 2 * 4096 + 5
        assert archive.read("08196") == b""
    data = (tmp_path / "a.pha").read_bytes()
    footer = frames.parse_footer(data[-128:])
    assert footer.index_chunks == 3


def test_reading_from_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    files = [(stored(b"%d" % n, data := bytes([n]) * 5000), data) for n in range(50)]
    with photoarc.open(write(tmp_path / "a.pha", files)) as archive, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(archive.read, [member for member, _ in files] * 4)) == [data for _, data in files] * 4


@pytest.mark.slow
def test_an_index_of_a_million_members(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        for n in range(1_000_000):
            writer.add(stored(b"photos/IMG_%07d.JPG" % n, b""), [])
    with photoarc.open(tmp_path / "a.pha") as archive:
        assert len(archive) == 1_000_000
