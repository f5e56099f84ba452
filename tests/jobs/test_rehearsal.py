"""`pack --dry-run`: what would be tried lossily, what stays bit-exact, what cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pictures
import pytest
from typer.testing import CliRunner

from photoarc.cli import app
from photoarc.disk.scan import scan
from photoarc.jobs import rehearsal
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Mode, PackOptions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/a.jpg").write_bytes(pictures.jpeg(pictures.photo(300, 200)))
    Path("in/b.png").write_bytes(pictures.png(pictures.photo(300, 200)))
    Path("in/icon.png").write_bytes(pictures.png(pictures.photo(32, 32)))
    Path("in/named.jpg").write_text("no picture at all")
    Path("in/notes.txt").write_text("text " * 100)
    Path("in/film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + os.urandom(5000))
    return Path("in")


def outlook(coding: CodingOptions) -> dict[tuple[str, str], int]:
    found, errors = rehearsal.rehearse(scan(["in"])[0], coding)
    assert not errors
    return {(each.kind, each.why): each.files for each in found}


def test_fates_by_kind(folder: Path) -> None:
    assert outlook(CodingOptions()) == {("JPEG", ""): 1, ("PNG", ""): 1, ("PNG", "tiny"): 1, ("other files", "not a photograph format"): 3}
    exact = outlook(CodingOptions(Mode.LOSSLESS))
    assert exact == {
        ("JPEG", "bit-exact by choice"): 1,
        ("PNG", "bit-exact by choice"): 2,
        ("other files", "not a photograph format"): 3,
    }


def test_the_reasons_are_those_of_packing(folder: Path) -> None:
    done = pack(["in"], "out.pha", PackOptions(workers=0))
    for _, why in outlook(CodingOptions()):
        assert not why or why in dict(done.kept_reasons)


def test_the_command_tells_fates_and_an_estimate(folder: Path) -> None:
    shown = CliRunner().invoke(app.app, ["pack", "--dry-run", "in", "out.pha"])
    assert shown.exit_code == 0
    assert "1 JPEG, " in shown.stdout
    assert "would be tried lossily; drawings" in shown.stdout
    assert "1 PNG, " in shown.stdout
    assert "bit-exact, tiny" in shown.stdout
    assert "an estimate from typical shares: about " in shown.stdout
    found = json.loads(CliRunner().invoke(app.app, ["pack", "--dry-run", "--json", "in", "out.pha"]).stdout)
    assert 5000 < found["estimated_bytes"] < sum(member["size_bytes"] for member in found["members"])
    assert sum(kind["files"] for kind in found["kinds"]) == 6
    assert not Path("out.pha").exists()


def test_what_cannot_be_read_is_known_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def guarded(path: bytes, *rest: object, **more: object) -> int:
        if os.fsencode(path).endswith(b"b.png"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", guarded)
    shown = CliRunner().invoke(app.app, ["pack", "--dry-run", "in", "out.pha"])
    assert shown.exit_code == 1
    assert "in/b.png: cannot be read: Permission denied" in shown.stderr
