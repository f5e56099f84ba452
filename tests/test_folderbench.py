"""`photoarc bench`: real processes on a small drawn folder, and what is said about them."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pictures
import pytest
from typer.testing import CliRunner, Result

from photoarc import cli
from photoarc.folderbench import childprocess
from photoarc.folderbench import measure as folderbench
from photoarc.folderbench import plots as benchplots
from photoarc.folderbench import report as benchreport
from photoarc.folderbench.plots import Group, Mark


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph, a note in an album, a link."""
    place = tmp_path / "my photos"
    (place / "album").mkdir(parents=True)
    (place / "one.jpg").write_bytes(pictures.jpeg(pictures.photo(208, 176), quality=95))
    (place / "album" / "note.txt").write_text("two words\n" * 50)
    (place / "link").symlink_to("one.jpg")
    return place


def measured() -> folderbench.Bench:
    """A result made up for the reports: sizes and times are easy to check by eye."""
    tar = folderbench.Result("tar", 10_000_000, 0.5, 0.25, 3_000_000, 2_000_000, 12, 0, 0, None, None, None)
    ours = folderbench.Result("photoarc fast q70", 2_000_000, 20.0, 10.0, 400_000_000, None, 2, 10, 0, 40.125, 38.0, 0.99)
    about = folderbench.Folder("<photos>", 12, 10_000_000, 10, 40_000_000)
    return folderbench.Bench(
        about, "a machine", 2, 0.1, 3, (tar, ours), (("zip", "apt install zip"),), (("7-Zip", "pack ended with code 2"),)
    )


def test_a_folder_through_all_that_is_installed(folder: Path, tmp_path: Path) -> None:
    result = run("bench", folder, "--rounds", 1, "--mode", "fast", "--mode", "lossless", "--html", tmp_path / "report.html", "--json")
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert (value["folder"]["files"], value["folder"]["photographs"], value["folder"]["pixels"]) == (2, 1, 208 * 176)
    tools = {tool["tool"]: tool for tool in value["results"]}
    assert {"tar", "photoarc fast q70", "photoarc lossless"} <= set(tools)
    assert not value["failed"]
    for name, tool in tools.items():
        lossy = name == "photoarc fast q70"
        assert (tool["exact"], tool["changed"], tool["lost"]) == ((1, 1, 0) if lossy else (2, 0, 0)), name
        assert (tool["mean_psnr_db"] is not None) == lossy
        assert tool["rate"] == pytest.approx(tool["archive_bytes"] / value["folder"]["size_bytes"], rel=1e-4)
    assert 25 < tools["photoarc fast q70"]["mean_psnr_db"] < 60
    page = (tmp_path / "report.html").read_text()
    assert "photoarc lossless" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)  # nothing is loaded from elsewhere
    assert list(folder.rglob("*.pha")) == []


def test_missing_programs_are_named_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    found = folderbench.bench(folder, folderbench.BenchOptions(("lossless",), rounds=1), lambda _: None)
    assert [result.tool for result in found.results] == ["photoarc lossless"]
    assert [tool for tool, _ in found.missing] == ["tar", "zip", "7-Zip", "tar + zstd -19", "tar + xz"]
    system = "brew install sevenzip" if sys.platform == "darwin" else "apt install 7zip"
    assert f"7-Zip: not installed ({system}, or from 7-zip.org)" in benchreport.lines(found)


def test_a_tool_that_fails_is_left_out_with_its_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = folderbench.Tool("broken", ".x", (sys.executable, "-c", "import sys; sys.exit('no room')"), ())
    forgets = folderbench.Tool("forgets", ".x", ("touch", "{archive}"), ("mkdir", "{dest}/{name}"))
    monkeypatch.setattr(folderbench, "tools", lambda options: [broken, forgets])
    found = folderbench.bench(folder, folderbench.BenchOptions(rounds=1), lambda _: None)
    assert found.failed == (("broken", "pack ended with code 1: no room"),)
    assert [(result.tool, result.lost) for result in found.results] == [("forgets", 2)]
    assert "forgets: 2 files did not come back, or not as a picture of the same size" in benchreport.lines(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no such folder",), "no such folder: not a folder; bench packs and unpacks a whole folder"),
        (("empty",), "empty: holds no file that can be read"),
        (("my photos", "--mode", "best"), "best: unknown mode; choose fast, lzma, lossless"),
        (("my photos", "--html", "gone/report.html"), "gone/report.html: cannot write the report there"),
        (("my photos", "--temp", "gone"), "gone: cannot hold the archives: No such file or directory; name another place with --temp"),
        (("my photos", "--temp", "my photos/album"), "album: lies in the folder that is measured; name another place with --temp"),
    ],
)
def test_requests_that_cannot_be_carried_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("empty").mkdir()
    result = run("bench", "-q", *arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith(message + "\n")


def test_the_table() -> None:
    lines = benchreport.lines(measured())
    assert lines[0] == "<photos>: 12 files, 10.0 MB, 10 photographs of 40.0 megapixels"
    tar, ours = (" ".join(next(line for line in lines if line.startswith(name)).split()) for name in ("tar", "photoarc fast"))
    assert tar == "tar 10.0 MB 100.0% 0.50 20.0 80.0 0.25 40.0 160 3.00 MB 12 0 - -"
    assert ours == "photoarc fast q70 2.00 MB 20.0% 20.00 0.500 2.00 10.00 1.00 4.00 400 MB 2 10 40.12 0.9900"
    assert "7-Zip: left out, pack ended with code 2" in lines
    assert not any("busy" in line for line in lines)
    assert any("the machine was busy" in line for line in benchreport.lines(replace(measured(), load=5.0)))


def test_the_page_shows_names_as_text() -> None:
    page = benchreport.page(measured())
    assert "&lt;photos&gt;" in page
    assert "<photos>" not in page
    assert page.count("<figure>") == 6


def test_labels_of_points_do_not_overlap() -> None:
    marks = [Mark(f"tool {k}", Group.PEER, 5.0 + 0.001 * k, 1.0 + k) for k in range(12)]
    svg = benchplots.points(marks, "seconds", "MB")
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start">tool', svg))
    assert len(heights) == 12
    assert min(b - a for a, b in pairwise(heights)) > benchplots.TEXT_PX - 0.1
    assert heights[-1] <= benchplots.HEIGHT_PX
    assert benchplots.spread([5, 6, 100], 10, 0, 60) == [5, 15, 60]


def test_ticks_are_round_numbers() -> None:
    assert benchplots._steps(23) == [0, 5, 10, 15, 20]
    assert [round(tick, 6) for tick in benchplots._powers(0.03, 4)] == [0.05, 0.1, 0.2, 0.5, 1, 2]
    assert [benchplots.number(value) for value in (0.0704, 2, 135.4, 12345)] == ["0.0704", "2.00", "135", "12,345"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells about children")
def test_memory_is_that_of_the_process_and_its_children(tmp_path: Path) -> None:
    ballast = bytearray(os.urandom(1 << 20)) * 150  # ours does not count
    hold = "import time; x = bytearray(40 << 20); time.sleep(0.6)"
    family = f"import subprocess, sys; a = [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in range(2)]; [p.wait() for p in a]"
    done = childprocess.run([sys.executable, "-c", family], tmp_path, tmp_path / "errors")
    assert done.code == 0
    assert done.peak_bytes is not None
    assert 80 << 20 < done.peak_bytes < len(ballast)
    assert math.isfinite(done.seconds)
