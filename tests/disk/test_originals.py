"""Unpacking over what was packed: no original is replaced by its lossy copy, whatever the options."""

from pathlib import Path

import pictures
from typer.testing import CliRunner

from photoarc.cli import app

run = CliRunner().invoke


def test_an_original_is_not_replaced_by_its_lossy_copy(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"p/a.jpg": pictures.jpeg(pictures.photo(200, 150)), "p/b.jpg": pictures.jpeg(pictures.photo(150, 200)), "p/c.txt": b"a text"}
    Path("p").mkdir()
    for name, data in files.items():
        Path(name).write_bytes(data)
    assert run(app.app, ["pack", "p", "p.pha", "--mode", "lzma", "--effort", "4", "-j", "0"]).exit_code == 0
    Path("p/b.jpg").write_bytes(files["p/b.jpg"] + b"changed")
    Path("p/c.txt").write_bytes(b"changed")

    done = run(app.app, ["unpack", "-f", "p.pha", ".", "-j", "0"])
    assert done.exit_code == 1
    assert "p/a.jpg: the original is in ., and its lossy copy does not replace it; extract somewhere else" in done.output
    assert Path("p/a.jpg").read_bytes() == files["p/a.jpg"]
    assert Path("p/b.jpg").read_bytes() not in (files["p/b.jpg"], files["p/b.jpg"] + b"changed")  # -f replaces what is no original
    assert Path("p/c.txt").read_bytes() == files["p/c.txt"]

    copy = Path("p/b.jpg").read_bytes()
    assert run(app.app, ["unpack", "-f", "p.pha", ".", "-j", "0", "--as", "png"]).exit_code == 0  # other names
    assert (Path("p/a.jpg").read_bytes(), Path("p/b.jpg").read_bytes()) == (files["p/a.jpg"], copy)
    Path("p/a.jpg").unlink()
    Path("p/a.jpg").symlink_to("original")
    Path("p/original").write_bytes(files["p/a.jpg"])
    assert run(app.app, ["unpack", "-f", "p.pha", ".", "-j", "0"]).exit_code == 0
    assert (Path("p/a.jpg").is_symlink(), Path("p/original").read_bytes()) == (False, files["p/a.jpg"])  # the link is not the original
