"""What cannot be, and wishes that exclude each other, are refused by the options: the command line and Python behave the same."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from photoarc import options
from photoarc.cli import app
from photoarc.errors import UsageError
from photoarc.folderbench.measure import BenchOptions
from photoarc.jobs import test
from photoarc.jobs.verify import verify
from photoarc.jobs.workers import crew_size
from photoarc.options import CodingOptions, Mode, PackOptions, Tuning, UnpackOptions

LOSSY_ONLY: list[tuple[dict[str, Any], list[str]]] = [
    ({"quality": 50}, ["--quality", "50"]),
    ({"tuning": Tuning.PSNR}, ["--tune", "psnr"]),
    ({"min_gain_percent": 20}, ["--min-gain", "20"]),
    ({"recode": True}, ["--recode"]),
    ({"strip_gps": True}, ["--strip", "gps"]),
]
OUT_OF_RANGE: list[tuple[dict[str, Any], list[str]]] = [
    *(({"quality": value}, ["--quality", str(value)]) for value in (-1, 101, math.nan, math.inf, -math.inf)),
    *(({"min_gain_percent": value}, ["--min-gain", str(value)]) for value in (-1, 100, math.nan, math.inf)),
    *(({"effort": value}, ["--effort", str(value)]) for value in (-1, 10, math.nan, 1.5)),
]


def pack(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app.app, ["pack", ".", "out.pha", "--dry-run", *arguments])
    return done.exit_code, done.stderr


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("given", "typed"), LOSSY_ONLY)
def test_a_lossless_archive_ignores_no_wish_in_silence(given: dict[str, Any], typed: list[str]) -> None:
    for mode in (Mode.LOSSLESS, "lossless"):
        with pytest.raises(UsageError, match=f"{typed[0]} is about lossy photographs, .* choose one"):
            CodingOptions(mode, **given)
    code, said = pack("--mode", "lossless", *typed)
    assert (code, f"{typed[0]} is about lossy photographs" in said) == (2, True)
    assert pack(*typed)[0] == 0
    CodingOptions(**given)


def test_a_wish_for_what_is_usual_is_one_too() -> None:
    for typed in (["--quality", "75"], ["--tune", "ssim"], ["--min-gain", "10"]):
        assert pack("--mode", "lossless", *typed)[0] == 2
        assert pack(*typed)[0] == 0
    with pytest.raises(UsageError, match="--quality and --min-gain are about"):
        CodingOptions.asked("lossless", quality=75, min_gain_percent=10, recode=False, tuning=None)
    assert CodingOptions.asked("lossless", effort=7, strip_gps=False) == CodingOptions(Mode.LOSSLESS, effort=7)
    assert CodingOptions.asked(quality=60) == CodingOptions(quality=60)


@pytest.mark.parametrize(("given", "typed"), OUT_OF_RANGE)
def test_numbers_out_of_range(given: dict[str, Any], typed: list[str]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        CodingOptions(**given)
    assert pack(*typed)[0] == 2


@pytest.mark.parametrize("value", [-1, 1.5, "2", math.nan, True])
def test_jobs(value: Any) -> None:
    for make in (lambda: PackOptions(workers=value), lambda: UnpackOptions(workers=value), lambda: crew_size(value, 1, 1)):
        with pytest.raises(UsageError, match=rf"jobs {value}: is not a whole number of 0 or more"):
            make()
    assert pack("-j", "-1")[0] == 2


def test_words_that_are_no_choice() -> None:
    assert CodingOptions("lossless").mode is Mode.LOSSLESS  # type: ignore[arg-type]
    assert CodingOptions(tuning=0).tuning is Tuning.PSNR  # type: ignore[arg-type]
    for make in (
        lambda: CodingOptions("best"),  # type: ignore[arg-type]
        lambda: CodingOptions(tuning="ssim"),  # type: ignore[arg-type]
        lambda: UnpackOptions(as_format="gif"),
        lambda: BenchOptions(modes=("best",)),
        lambda: BenchOptions(rounds=0),
        lambda: BenchOptions(qualities=(math.nan,)),
        lambda: BenchOptions(modes=("lossless",), qualities=(50,)),
    ):
        with pytest.raises(UsageError):
            make()


def test_one_pattern_is_not_taken_for_its_letters(tmp_path: Path) -> None:
    for make in (
        lambda: PackOptions(excludes="*.tmp"),  # type: ignore[arg-type]
        lambda: UnpackOptions(only="a*"),  # type: ignore[arg-type]
        lambda: verify(tmp_path / "x.pha", str(tmp_path)),
    ):
        with pytest.raises(UsageError, match="is one pattern where several are expected"):
            make()


def test_lossless_archives_hold_nothing_lossy_to_delete() -> None:
    done = CliRunner().invoke(app.app, ["pack", ".", "out.pha", "--mode", "lossless", "--delete-after-verify", "--delete-lossy", "--yes"])
    assert (done.exit_code, "--delete-lossy is about lossy photographs" in done.stderr) == (2, True)


def test_wishes_about_deletion() -> None:
    plain = {"wanted": True, "lossy_too": False, "unasked": False, "dry_run": False}
    options.deletion(Mode.FAST, **plain)
    for mode, change, said in (
        ("fast", {"wanted": False, "unasked": True}, "mean nothing without --delete-after-verify"),
        ("fast", {"wanted": False, "lossy_too": True}, "mean nothing without --delete-after-verify"),
        ("fast", {"dry_run": True}, "--dry-run writes nothing"),
        (Mode.LOSSLESS, {"lossy_too": True}, "--mode lossless has none"),
        ("lossless", {"lossy_too": True}, "--mode lossless has none"),
    ):
        with pytest.raises(UsageError, match=said):
            options.deletion(mode, **plain | change)


def test_what_is_a_number_is_taken() -> None:
    options.number("quality", np.float32(75), 0, 100)
    options.whole("effort", np.int64(3), 0, 9)
    with pytest.raises(UsageError):
        test.test("missing.pha", -1)
