"""The time that is left, and what of it a terminal shows."""

from __future__ import annotations

from pathlib import Path

import pictures
import pytest

from photoarc.cli import bar
from photoarc.disk.scan import scan
from photoarc.jobs.expectation import MOST_HEADERS, of_packing
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions
from photoarc.progress import Expected, Meter, Progress


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def simulate(jobs: list[tuple[str, float, float]], tells: bool) -> list[tuple[float, float, float]]:
    """One worker over jobs of (kind, predicted, real seconds); (time, share, left) at every call."""
    clock, said = Clock(), []
    expected = [Expected(b"%d" % number, kind, predicted) for number, (kind, predicted, _) in enumerate(jobs)]

    def hear(now: Progress) -> None:
        assert now.left_s is not None
        said.append((clock.now_s, now.share, now.left_s))

    meter = Meter(hear, len(jobs), len(jobs), expected, clock=clock)
    for number, (_, _, seconds) in enumerate(jobs):
        name = b"%d" % number
        meter.begin(name, 0.0, 1)
        for step in range(1, 10):
            clock.now_s += seconds / 10
            if tells:
                meter.begin(name, step / 10, 1)
            else:
                meter.begin(name, 0.0, 1)
        clock.now_s += seconds / 10
        meter.begin(name, 1.0, 1)
        meter.finish(name, Kind.FILE, 1)
    return said


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("order", ["mixed", "one kind after the other"])
def test_the_time_left_is_learned_by_kind(order: str, tells: bool) -> None:
    """Photographs take three times as long as predicted, PNG files half; small files nothing at all."""
    kinds = [("jpeg", 0.5, 1.5), ("png", 4.0, 2.0), ("small", 0.02, 0.02)]
    jobs = [kinds[number % 3] for number in range(300)]
    if order != "mixed":
        jobs = [job for job in jobs[:60] if job[0] != "png"] + [("png", 4.0, 3.8)] * 12
    said = simulate(jobs, tells)
    whole_s = said[-1][0]
    for time_s, _, left_s in said:
        if whole_s / 5 < time_s < whole_s - 1 and (order == "mixed" or time_s > whole_s / 2):
            assert 1 / 1.5 < left_s / (whole_s - time_s) < 1.5
    shares = [share for _, share, _ in said]
    assert (shares[0], shares[-1]) == (0, pytest.approx(1))


def test_what_needs_no_work_teaches_nothing() -> None:
    """Of a hundred copies of one file, the first is coded."""
    said: list[Progress] = []
    clock = Clock()
    meter = Meter(said.append, 100, 100, [Expected(b"%d" % number, "jpeg", 1.0) for number in range(100)], clock=clock)
    meter.begin(b"0", 0.0, 1)
    clock.now_s = 2.0
    for number in range(99):
        meter.finish(b"%d" % number, Kind.FILE, 1)
    assert said[-1].left_s == pytest.approx(1.333, abs=0.5)
    assert 0.4 < said[-1].share < 0.75


def test_the_longest_file_is_not_shared_by_workers() -> None:
    said: list[Progress] = []
    expected = [Expected(b"large", "png", 60.0), *(Expected(b"%d" % number, "png", 1.0) for number in range(30))]
    meter = Meter(said.append, 31, 31, expected, workers=8)
    meter.begin(b"0", 0.0, 1)
    assert said[-1].left_s == pytest.approx(60.0, rel=0.01)


def test_jobs_tell_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(3):
        Path(f"in/{number}.jpg").write_bytes(pictures.jpeg(pictures.photo(160, 120, seed=number)))
        Path(f"in/{number}.txt").write_text("text" * 100)
    said: list[Progress] = []
    pack(["in"], "out.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0), said.append)
    check("out.pha", 0, said.append)
    for now in said[len(said) // 2 - 1], said[-1]:
        assert now.left_s is not None
        assert 0 <= now.share <= 1
    assert said[-1].share == pytest.approx(1)


def test_headers_of_many_pictures_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_HEADERS >= 1000
    monkeypatch.setattr("photoarc.jobs.expectation.MOST_HEADERS", 3)
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(pictures.jpeg(pictures.photo(160, 120)))
    files, _ = scan([tmp_path])
    assert len({(each.kind, round(each.seconds, 3)) for each in of_packing(files, CodingOptions())}) == 1


@pytest.mark.parametrize("width", range(16, 120))
def test_percent_and_time_stay(width: int) -> None:
    now = Progress(
        files_done=1234,
        files_total=5678,
        bytes_done=10**9,
        bytes_total=10**10,
        pixels_done=10**9,
        name="holidays/2024/a long name of a photograph from the sea.jpg",
        share=0.421,
    )
    shown = bar.line(now, 80.0, 311.0, width)
    assert shown.startswith(" 42% 0:05:11 left")
    assert len(shown) <= max(width, len(" 42% 0:05:11 left"))
    if "MB/s" in shown:
        assert "1,234/5,678 files" in shown
    if ".jpg" in shown:
        assert "12.5 MB/s 12.5 MP/s" in shown


def test_before_anything_is_known() -> None:
    assert bar.line(Progress(files_done=0, files_total=0, bytes_done=0, bytes_total=0), 0.2, None, 60) == "  0%  0:00:00  0/0 files"
