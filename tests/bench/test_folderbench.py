"""`photoarc bench`: real processes on a small drawn folder, and what is said about them."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pictures
import pytest
from PIL import ImageFont
from typer.testing import CliRunner, Result

from photoarc.cli import app
from photoarc.folderbench import childprocess, labels, page, tools
from photoarc.folderbench import measure as folderbench
from photoarc.folderbench import plots as benchplots
from photoarc.folderbench import report as benchreport
from photoarc.folderbench.labels import Box
from photoarc.folderbench.plots import Axis, Group, Mark


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app.app, [str(argument) for argument in arguments])


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
    tar = folderbench.Result(
        tool="tar",
        archive_bytes=10_000_000,
        pack_s=0.5,
        unpack_s=0.25,
        pack_peak_bytes=3_000_000,
        unpack_peak_bytes=2_000_000,
        exact=12,
        changed=0,
        lost=0,
        mean_psnr_db=None,
        min_psnr_db=None,
        mean_ms_ssim=None,
    )
    ours = folderbench.Result(
        tool="photoarc fast q75",
        archive_bytes=2_000_000,
        pack_s=20.0,
        unpack_s=10.0,
        pack_peak_bytes=400_000_000,
        unpack_peak_bytes=None,
        exact=2,
        changed=10,
        lost=0,
        mean_psnr_db=40.125,
        min_psnr_db=38.0,
        mean_ms_ssim=0.99,
    )
    about = folderbench.Folder("<photos>", 12, 10_000_000, 10, 40_000_000)
    missing, failed = (("zip", "apt install zip"),), (("7-Zip", "pack ended with code 2"),)
    commands = (("tar", "tar -cf photos.tar -C . photos", "tar -xf photos.tar -C back"),)
    return folderbench.Bench(
        folder=about,
        machine="a machine",
        cores=2,
        load=0.1,
        rounds=3,
        results=(tar, ours),
        missing=missing,
        failed=failed,
        commands=commands,
        day="2026-01-31",
    )


def test_a_folder_through_all_that_is_installed(folder: Path, tmp_path: Path) -> None:
    result = run("bench", folder, "--rounds", 1, "--mode", "fast", "--mode", "lossless", "--html", tmp_path / "report.html", "--json")
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert (value["folder"]["files"], value["folder"]["photographs"], value["folder"]["pixels"]) == (2, 1, 208 * 176)
    by_tool = {tool["tool"]: tool for tool in value["results"]}
    assert {"tar", "photoarc fast q75", "photoarc lossless"} <= set(by_tool)
    assert not value["failed"]
    for name, tool in by_tool.items():
        lossy = name == "photoarc fast q75"
        assert (tool["exact"], tool["changed"], tool["lost"]) == ((1, 1, 0) if lossy else (2, 0, 0)), name
        assert (tool["mean_psnr_db"] is not None) == lossy
        assert tool["rate"] == pytest.approx(tool["archive_bytes"] / value["folder"]["size_bytes"], rel=1e-4)
    assert 25 < by_tool["photoarc fast q75"]["mean_psnr_db"] < 60
    assert "photoarc lossless" in (tmp_path / "report.html").read_text()
    assert list(folder.rglob("*.pha")) == []


def test_missing_programs_are_named_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    found = folderbench.bench(folder, folderbench.BenchOptions(("lossless",), rounds=1), lambda _: None)
    assert [result.tool for result in found.results] == ["photoarc lossless"]
    assert [name for name, _ in found.missing] == ["tar", "zip", "7-Zip", "tar + zstd -19", "tar + xz"]
    system = "brew install sevenzip" if sys.platform == "darwin" else "apt install 7zip"
    assert f"7-Zip: not installed ({system}, or from 7-zip.org)" in benchreport.lines(found)


def test_a_tool_that_fails_is_left_out_with_its_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tools.Tool("broken", ".x", (sys.executable, "-c", "import sys; sys.exit('no room')"), ())
    forgets = tools.Tool("forgets", ".x", ("touch", "{archive}"), ("mkdir", "{dest}/{name}"))
    monkeypatch.setattr(tools, "tools", lambda modes, qualities: [broken, forgets])
    found = folderbench.bench(folder, folderbench.BenchOptions(rounds=1), lambda _: None)
    assert found.failed == (("broken", "pack ended with code 1: no room"),)
    assert [(result.tool, result.lost) for result in found.results] == [("forgets", 2)]
    assert "forgets: 2 files did not come back, or not as a picture of the same size" in benchreport.lines(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no such folder",), "no such folder: not a folder; bench packs and unpacks a whole folder"),
        (("empty",), "empty: holds no file that can be read"),
        (("my photos", "--mode", "best"), "mode best: unknown; choose fast, lzma, lossless"),
        (
            ("my photos", "--mode", "lossless", "--quality", "50"),
            "--quality is about lossy photographs, and --mode lossless keeps every bit of them; choose one",
        ),
        (("my photos", "--quality", "nan"), "'nan' is not a number from 0 to 100"),
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
    assert ours == "photoarc fast q75 2.00 MB 20.0% 20.00 0.500 2.00 10.00 1.00 4.00 400 MB 2 10 40.12 0.9900"
    assert "7-Zip: left out, pack ended with code 2" in lines
    assert not any("busy" in line for line in lines)
    assert any("the machine was busy" in line for line in benchreport.lines(replace(measured(), load=5.0)))


def boxes(svg: str) -> dict[str, Box]:
    """The texts of an SVG and where they stand, in a font wider than most."""
    font = ImageFont.load_default(benchplots.FONT_PX)
    found = {}
    for k, text in enumerate(ElementTree.fromstring(svg).iter("text")):
        words = text.text or ""
        x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), 1.1 * font.getlength(words)
        left = x - {"start": 0, "middle": width / 2, "end": width}[text.attrib["text-anchor"]]
        found[f"{words} ({k})"] = Box(left, y - 10, left + width, y + 3)
    return found


def overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def assert_readable(svg: str) -> None:
    """Every text lies within the SVG and on no other."""
    width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split()[2:])
    found = boxes(svg)
    for name, box in found.items():
        assert box.left >= 0, name
        assert box.top >= 0, name
        assert box.right <= width, name
        assert box.bottom <= height, name
    for (one, a), (other, b) in combinations(found.items(), 2):
        assert not overlap(a, b), f"{one} lies on {other}"


def crowded() -> folderbench.Bench:
    """Five archivers of about the same size and twelve qualities of two modes."""
    names = ("tar", "zip", "7-Zip", "tar + zstd -19", "tar + xz", "photoarc lossless")
    peers = [
        folderbench.Result(
            tool=name,
            archive_bytes=15_400_000 - 9_000 * k,
            pack_s=0.03 * 3**k,
            unpack_s=0.03 + 0.1 * k,
            pack_peak_bytes=3_000_000,
            unpack_peak_bytes=None,
            exact=25,
            changed=0,
            lost=0,
            mean_psnr_db=None,
            min_psnr_db=None,
            mean_ms_ssim=None,
        )
        for k, name in enumerate(names)
    ]
    ours = [
        folderbench.Result(
            tool=f"photoarc {mode} q{q}",
            archive_bytes=20_000 * q + extra,
            pack_s=4.5 + q / 90,
            unpack_s=3.0 + q / 90,
            pack_peak_bytes=300_000_000,
            unpack_peak_bytes=1,
            exact=1,
            changed=24,
            lost=0,
            mean_psnr_db=28 + q / 8,
            min_psnr_db=25 + q / 8,
            mean_ms_ssim=0.99,
        )
        for mode, extra in (("fast", 0), ("lzma", 90_000))
        for q in (20, 30, 40, 60, 80, 90)
    ]
    return replace(measured(), folder=replace(measured().folder, size_bytes=15_395_255), results=(*peers, *ours))


@pytest.mark.parametrize("found", [measured(), crowded()], ids=["two tools", "eighteen tools"])
def test_the_page_has_all_its_parts_and_every_label_can_be_read(found: folderbench.Bench) -> None:
    text = page.page(found)
    assert re.findall(r'<section id="(\w+)">', text) == ["summary", "folder", "sizes", "quality", "plots", "words", "commands"]
    charts = re.findall(r"<figure>.*?(<svg.*?</svg>)</figure>", text)
    assert len(charts) == (6 if len(found.results) > 2 else 5)  # quality is drawn when there is something to compare
    for svg in charts:
        assert_readable(svg)
    for result in found.results:
        assert text.count(f"</svg> {result.tool}</th>") == (2 if result.changed else 1)
    assert not re.search(r"(src|href)=|@import|url\(|https?:|<script", text)  # nothing is loaded from elsewhere, nothing runs
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_the_page_says_what_is_best_and_what_is_missing() -> None:
    text = page.page(crowded()).replace("\u00a0", " ")
    best = "<b>photoarc lossless</b> (15.4 MB, 99.7 % of the folder; 7.29 s to pack, 0.53 s to unpack)"
    assert f"Smallest with every bit back: {best}. Of other archivers: <b>tar + xz</b> (15.4 MB" in text
    assert "Smallest with changed photographs: <b>photoarc fast q20</b> (400 kB, 2.6 % of the folder" in text
    assert "24 photographs changed, PSNR 30.5 dB in the mean, 27.5 dB at worst" in text
    assert "Nearest to the original with changed photographs: <b>photoarc fast q90</b>" in text
    order = re.findall(r"</svg> ([^<]*)</th>", text)[:6]
    assert order == ["photoarc lossless", "tar + xz", "tar + zstd -19", "7-Zip", "zip", "tar"]  # smallest first
    warning = re.findall(r'<div class="warning">(.*?)</div>', text)
    assert warning == ["<p>7-Zip: left out, pack ended with code 2</p><p>zip: not installed (apt install zip)</p>"]
    assert "the machine was busy" in page.page(replace(measured(), load=5.0))
    assert "&lt;photos&gt;" in text
    assert "<photos>" not in text
    assert "<code>tar -cf photos.tar -C . photos</code>" in text


@pytest.mark.parametrize(("low", "high"), [(9.86, 11.93), (99.95, 100.02), (3.1, 100.2), (85.8, 100.2), (0.02, 0.021), (0.9, 4000), (7, 7)])
def test_ticks_of_any_range_can_be_read(low: float, high: float) -> None:
    for across, up in ((Axis("seconds"), Axis("%")), (Axis("%"), Axis("PSNR, dB", logarithmic=False))):
        for x, y in (((low, high), (30, 31)), ((1, 50), (low, high))):
            marks = [
                Mark("fast q70", Group.LOSSY, y[0], x[0], low=y[0] - 4 if y[0] > 8 else None),
                Mark("tar + zstd -19", Group.PEER, y[1], x[1]),
            ]
            svg = benchplots.points(marks, across, up)
            assert_readable(svg)
            assert len(re.findall('class="grid"', svg)) >= 4


def test_the_commands_are_those_that_one_would_type() -> None:
    commands = {tool.name: tools.typed(tool, "my photos") for tool in tools.tools(("fast",), (70,))}
    assert commands["tar + xz"][0] == "tar --use-compress-program 'xz -T0' -cf 'my photos.tar.xz' -C . 'my photos'"
    pack, unpack = "photoarc pack -q --mode fast --quality 70 'my photos' 'my photos.pha'", "photoarc unpack -q 'my photos.pha' back"
    assert commands["photoarc fast q70"] == (pack, unpack)


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_points_overlap_neither_each_other_nor_points(seed: int) -> None:
    random = Random(seed)
    area = Box(0, 0, 400, 300)
    points = [(min(395, max(5, random.gauss(200, 90))), min(295, max(5, random.gauss(150, 60)))) for _ in range(18)]
    placed = labels.place(points, [(70, 16)] * len(points), area, 7)
    found = [box for box in placed if box]
    assert len(found) >= 16
    assert not any(overlap(a, b) for a, b in combinations(found, 2))
    for box in found:
        assert area.left <= box.left < box.right <= area.right
        assert area.top <= box.top < box.bottom <= area.bottom
        assert not any(math.dist(point, box.nearest(point)) < 7 for point in points)
    lines = [(k, line) for k, (point, box) in enumerate(zip(points, placed, strict=True)) if box and (line := labels.tied(point, box))]
    assert not any(box.crossed(*line) for k, line in lines for at, box in enumerate(placed) if box and at != k)


def test_a_point_alone_has_its_label_beside_it() -> None:
    (box,) = labels.place([(100, 50)], [(70, 16)], Box(0, 0, 400, 300), 7)
    assert box == Box(110, 42, 180, 58)
    (left,) = labels.place([(390, 50)], [(70, 16)], Box(0, 0, 400, 300), 7)
    assert left == Box(310, 42, 380, 58)
    assert labels.place([(5, 5)], [(70, 16)], Box(0, 0, 60, 60), 7) == [None]


def test_ticks_are_round_numbers() -> None:
    assert benchplots.steps(0, 23) == [0, 5, 10, 15, 20]
    assert benchplots.steps(84.2, 101.3) == [85, 90, 95, 100]
    assert [round(tick, 6) for tick in benchplots.powers(0.03, 4)] == [0.05, 0.1, 0.2, 0.5, 1, 2]
    assert [benchplots.number(value) for value in (0.0704, 2, 135.4, 12345)] == ["0.0704", "2.00", "135", "12,345"]
    assert [benchplots.seconds(value) for value in (0.06, 1.974, 28.46, 1234.5)] == ["0.06", "1.97", "28.5", "1,234"]
    assert benchplots.spread([5, 6, 100], 10, 0, 60) == [5, 15, 60]


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
