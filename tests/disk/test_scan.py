from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import UnreadableSource, UsageError
from photoarc.jobs.patterns import excludes, in_any_case
from photoarc.member import Kind


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "photos"
    for folder in ("2024/raw", "2023", "empty"):
        (root / folder).mkdir(parents=True)
    for name, size in (("2024/a.jpg", 5), ("2024/raw/a.dng", 9), ("2023/b.jpg", 1), ("note.txt", 0), (".hidden", 2), ("2024-notes", 3)):
        (root / name).write_bytes(bytes(size))
    (root / "to-a").symlink_to("2024/a.jpg")
    (root / "loop").symlink_to(".")
    monkeypatch.chdir(tmp_path)
    return root


def found(files: list[SourceFile]) -> list[str]:
    return [os.fsdecode(file.name) for file in files]


EVERYTHING = [
    ".hidden", "2023", "2023/b.jpg", "2024", "2024-notes", "2024/a.jpg", "2024/raw", "2024/raw/a.dng", "empty", "loop", "note.txt", "to-a",
]  # fmt: skip


def test_a_folder_keeps_its_name(tree: Path) -> None:
    expected = ["photos", *(f"photos/{name}" for name in EVERYTHING)]
    for source in ("photos", "./photos", "photos/", tree, "photos/../photos"):
        files, errors = scan([source])
        assert found(files) == expected
        assert errors == []


def test_dots_give_the_contents(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(scan(["photos/."])[0]) == EVERYTHING
    monkeypatch.chdir(tree)
    assert found(scan(["."])[0]) == found(scan(["./"])[0]) == EVERYTHING
    monkeypatch.chdir(tree / "2024")
    assert found(scan([".."])[0]) == EVERYTHING


def test_what_is_recorded(tree: Path) -> None:
    os.utime(tree / "2024/a.jpg", ns=(1, 1_234_567_890_123_456_789))
    os.chmod(tree / "2024/a.jpg", 0o4640)
    os.chmod(tree / "empty", 0o750)
    by_name = {os.fsdecode(file.name): file for file in scan([tree])[0]}
    assert by_name["photos/2024/a.jpg"] == SourceFile(
        path=os.fsencode(tree / "2024/a.jpg"),
        name=b"photos/2024/a.jpg",
        kind=Kind.FILE,
        mode=0o4640,
        mtime_ns=1_234_567_890_123_456_789,
        size_bytes=5,
    )
    assert (by_name["photos/empty"].kind, by_name["photos/empty"].mode) == (Kind.DIRECTORY, 0o750)
    assert (by_name["photos/to-a"].kind, by_name["photos/to-a"].link_target) == (Kind.SYMLINK, b"2024/a.jpg")
    assert by_name["photos/loop"].link_target == b"."


def test_paths_open_the_files(tree: Path) -> None:
    for file in scan(["photos", "photos/note.txt"])[0]:
        assert os.path.lexists(file.path)


def test_single_files_and_links(tree: Path) -> None:
    assert found(scan([tree / "note.txt", "photos/2023/b.jpg", "photos/to-a"])[0]) == ["b.jpg", "note.txt", "to-a"]
    with pytest.raises(UsageError, match=r"symbolic link to a folder.*name .*photos$"):
        scan(["photos/loop"])


def test_sources_that_cannot_be_packed_as_asked(tree: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        scan(["photos", "missing"])
    with pytest.raises(UsageError, match=r"would both be called b\.jpg"):
        scan(["photos/2023/b.jpg", "./photos/2023/b.jpg"])
    (tree.parent / "b.jpg").touch()
    with pytest.raises(UsageError, match=r"would both be called b\.jpg"):
        scan(["b.jpg", "photos/2023/b.jpg"])


def test_excludes_are_gitignore_lines(tree: Path) -> None:
    def left(*lines: str) -> set[str]:
        return set(EVERYTHING) - {name.removeprefix("photos/") for name in found(scan(["photos"], excludes=lines)[0])}

    assert left("raw/") == {"2024/raw", "2024/raw/a.dng"}
    assert left("*.jpg") == {"2023/b.jpg", "2024/a.jpg"}
    assert left("*.jpg", "!b.jpg") == {"2024/a.jpg"}
    assert left("/a.jpg") == set()
    assert left("/2024/*.jpg") == {"2024/a.jpg"}
    assert left("note.txt/") == set()
    assert left("# comment", "", ".*") == {".hidden"}
    assert found(scan(["photos/note.txt", "photos/2023/b.jpg"], excludes=["*.txt"])[0]) == ["b.jpg"]
    with pytest.raises(UsageError, match="exclude"):
        scan(["photos"], excludes=["!"])


def test_the_archive_being_written_is_left_out(tree: Path) -> None:
    out = tree / "out.pha"
    for name in ("out.pha", "out.pha.partial-12ab34cd", "out.pha.partial-view.jpg", "out.pha.old", "2024/out.pha"):
        (tree / name).touch()
    for skip in (out, Path("photos/out.pha"), Path("photos/2024/../out.pha")):
        assert set(found(scan(["photos"], skip=[skip])[0])) - {f"photos/{name}" for name in EVERYTHING} == {
            "photos", "photos/out.pha.partial-view.jpg", "photos/out.pha.old", "photos/2024/out.pha",
        }  # fmt: skip
    assert found(scan([out, tree / "note.txt"], skip=[out])[0]) == ["note.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="special files")
def test_special_files_are_reported(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        os.chdir(tree)  # socket paths are short
        plug.bind("plug")
    files, errors = scan(["../photos"])
    assert sorted(str(error) for error in errors) == [
        "photos/fifo: is a FIFO; only files, folders and symbolic links can be packed",
        "photos/plug: is a socket; only files, folders and symbolic links can be packed",
    ]
    assert len(files) == len(EVERYTHING) + 1


def test_an_unreadable_folder_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def guarded(path: bytes) -> object:
        if path.endswith(b"2024"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    files, errors = scan(["photos"])
    denied = "Permission denied; check its permissions and those of its folder"
    assert [str(error) for error in errors] == [f"photos/2024: the folder cannot be listed: {denied}"]
    assert isinstance(errors[0], UnreadableSource)
    assert "photos/2024" in found(files)
    assert "photos/2023/b.jpg" in found(files)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_are_kept_byte_for_byte(tmp_path: Path) -> None:
    names = [b"\xff\xfe", b"-rf", b"new\nline", b"x" * 255, "e\u0301".encode(), "\u00e9".encode(), b"back\\slash", b" trailing "]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    files, errors = scan([f"{tmp_path}/."], excludes=["*.none"])
    assert [file.name for file in files] == sorted(names)
    assert errors == []


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path / "d"
    for _ in range(300):
        deep /= "d"
    deep.mkdir(parents=True)
    assert len(scan([tmp_path / "d"])[0]) == 301


def test_a_pattern_that_is_none_is_named(tree: Path) -> None:
    for bad in ("[z-a]", "**/[9-0]x"):
        with pytest.raises(UsageError, match=r"not understood: '.*\[[z9]-[a0]\]x?' \(.*those of \.gitignore"):
            scan([tree], excludes=["*.txt", bad])


@pytest.mark.parametrize(
    ("pattern", "takes"),
    [
        ("*.jpg", ["A.JPG", "b.jpg", "c.JpG"]),
        ("[a-b].JPG", ["A.JPG", "b.jpg"]),
        ("[!a-b].jpg", ["c.JpG"]),
        (r"\a.jpg", ["A.JPG"]),
        ("Ü*", ["ü.txt"]),
        ("straße", ["straße"]),
        ("/b.*", ["b.jpg"]),
    ],
)
def test_patterns_in_any_case(tmp_path: Path, pattern: str, takes: list[str]) -> None:
    every = ["A.JPG", "b.jpg", "c.JpG", "d.png", "straße", "ü.txt"]
    for name in every:
        (tmp_path / name).touch()
    files, _ = scan([f"{tmp_path}/."], excludes=[in_any_case(pattern)])
    assert {file.name.decode() for file in files} == set(every) - set(takes)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf*.txt\n# note\n\nb*\n",
        b"*.txt\r\n# note\r\n\r\nb*",
        "\ufeff*.txt\r\nb*\r\n".encode("utf-16-le"),
        "*.txt\nb*\n".encode("utf-16"),
    ],
)
def test_pattern_files_of_any_editor(tree: Path, data: bytes) -> None:
    Path("patterns").write_bytes(data)
    assert excludes((), ["patterns"], ignore_case=False)[0] == "*.txt"
    assert found(scan(["photos"], excludes=excludes(["!note"], ["patterns"], ignore_case=False))[0]) == found(
        scan(["photos"], excludes=["*.txt", "b*"])[0]
    )


def test_pattern_files_keep_names_that_are_not_utf8(tree: Path) -> None:
    Path("patterns").write_bytes(b"\xff*.txt\n")
    assert excludes((), ["patterns"], ignore_case=True)[:1] == (os.fsdecode(b"\xff") + "*.[tT][xX][tT]",)
