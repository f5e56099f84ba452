"""The mark of the web: what is unpacked from a marked archive is marked. Here a stream is a file with a colon in its name."""

import os
from pathlib import Path

import pytest
from containers import sample, write

import photoarc
from photoarc import archive, options
from photoarc.disk import extractor, origin
from photoarc.errors import UnsafeName
from photoarc.jobs import unpack
from photoarc.names import safe_parts

MARK = b"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://example.org/\r\n"


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive that was downloaded, and a system that takes paths and streams, as Windows does."""
    path = write(tmp_path / "x.pha", sample())
    if os.name != "nt":
        monkeypatch.setitem(origin.mark_of.__kwdefaults__, "windows", True)
        monkeypatch.setitem(extractor.Extractor.__init__.__kwdefaults__, "use_dir_fd", False)
    Path(f"{path}:Zone.Identifier").write_bytes(MARK)
    return Path(path)


def test_a_mark_is_read_and_bounded(marked: Path) -> None:
    assert origin.mark_of(marked) == MARK
    assert origin.mark_of(marked.parent / "another") == b""
    assert origin.mark_of(marked, windows=False) == b""
    Path(f"{marked}:Zone.Identifier").write_bytes(b"x" * 100_000)
    assert len(origin.mark_of(marked)) == 32 << 10


@pytest.mark.parametrize("one", [False, True])
def test_every_file_bears_the_mark_of_its_archive(marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: bool) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(origin, "set_mark", lambda path, mark: (seen.append(mark), os.path.exists(path))[1])
    with photoarc.open(marked) as opened:
        files = [member for member in opened.members if member.kind == 0]
        if one:
            opened.extract(files[0], tmp_path / "out")
    done = None if one else unpack.unpack(marked, tmp_path / "out", options.UnpackOptions(workers=0))
    assert seen == [MARK] * (1 if one else len(files))
    assert done is None or done.remarks == ()


def test_a_file_is_marked_before_its_mode_may_forbid_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert origin.set_mark(os.fsencode(tmp_path / "file"), MARK)
    assert origin.mark_of(tmp_path / "file", windows=True) == MARK


def test_where_there_are_no_streams_it_is_said(marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "set_mark", lambda *_: False)
    done = unpack.unpack(marked, tmp_path / "out", options.UnpackOptions(workers=0))
    assert "the archive's marks of the web" in done.remarks[0]
    assert not origin.set_mark(os.fsencode(tmp_path / "no folder" / "file"), MARK)


def test_nothing_is_marked_without_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.pha", sample())
    monkeypatch.setattr(origin, "set_mark", lambda *_: pytest.fail("marked"))
    unpack.unpack(path, tmp_path / "out", options.UnpackOptions(workers=0))
    with archive.Archive(path) as opened:
        assert opened.mark == b""


@pytest.mark.parametrize("name", [b"a.jpg:Zone.Identifier", b"a.jpg:Zone.Identifier:$DATA", b"d:x/a.jpg", b"a/b.jpg::$DATA"])
def test_no_name_leads_to_a_stream(name: bytes) -> None:
    with pytest.raises(UnsafeName, match="Windows does not allow"):
        safe_parts(name, windows=True)
