"""Sizes and times as people read them."""

from __future__ import annotations

import errno
import os

import pytest

from photoarc import units
from photoarc.cli import console
from photoarc.cli import text as report
from photoarc.cli.info import info_lines
from photoarc.cli.pack import pack_lines
from photoarc.errors import explained
from photoarc.jobs.overview import CodecTotal, Overview
from photoarc.jobs.tally import PackSummary, Photographs
from photoarc.models import manifest
from photoarc.progress import Failure


@pytest.mark.parametrize(
    ("count_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9994, "9.99 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (2**63, "9.22 EB"),
    ],
)
def test_sizes(count_bytes: int, text: str) -> None:
    assert units.size(count_bytes) == text


def test_durations() -> None:
    assert [units.duration(seconds) for seconds in (0.04, 99.9, 100, 3599, 7500)] == [
        "0.0 s",
        "99.9 s",
        "1 min 40 s",
        "59 min 59 s",
        "2 h 05 min",
    ]


def test_equal_failures_are_counted() -> None:
    """A disk that is full fails ten thousand files in the same words."""
    failures = [Failure(f"{number}.jpg", "CannotWrite", "the disk is full") for number in range(10_000)]
    lines = report.failure_lines([*failures, Failure("x", "CannotWrite", "exists already")], "unpacked")
    assert lines[0] == "10,001 members could not be unpacked:"
    assert lines[1:3] == ["  0.jpg: the disk is full", "  1.jpg: the disk is full"]
    assert lines[10:] == ["  9.jpg: the disk is full", "  and 9,990 more: the disk is full", "  x: exists already"]
    various = [Failure(f"{number}", "PayloadCorrupt", f"damaged at byte {number}") for number in range(1000)]
    assert len(report.failure_lines(various, "read")) == report.MOST_LINES + 1


def test_lines_are_broken_between_words() -> None:
    line = "    lossy: close to the originals, not identical; keep the originals or use --mode lossless if every bit matters"
    folded = console._fold(line, 50)
    assert folded[0] == "    lossy: close to the originals, not identical;"
    assert all(len(piece) <= 50 for piece in folded)
    assert " ".join(piece.strip() for piece in folded) == line.strip()
    name = "  photos/averyveryverylongnamethatcannotbebroken.jpg:"
    assert [piece.strip() for piece in console._fold(f"{name} it is", 20) if piece.strip()] == [name.strip(), "it is"]


def test_models_are_named() -> None:
    found = Overview(
        archive="x.pha",
        format_version="1.0",
        archive_bytes=10,
        files=1,
        directories=0,
        symlinks=0,
        size_bytes=10,
        payload_bytes=5,
        lossy=1,
        models=(2, 999),
        codecs=(),
    )
    text = "\n".join(info_lines(found))
    assert f"{manifest.entries()[2].name} (model 2), model 999 (not of this photoarc)" in text


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose another folder"),
        (errno.ENAMETOOLONG, "shorter name"),
        (errno.EACCES, "permissions"),
        (errno.ENOSYS, "cannot do this"),
        (errno.EIO, "the disk fails"),
    ],
)
def test_what_the_system_refuses_has_its_own_advice(code: int, advice: str) -> None:
    said = explained(OSError(code, os.strerror(code)))
    assert said.startswith(f"{os.strerror(code)}; ")
    assert advice in said
    assert ("free some space" in said) == (code == errno.ENOSPC)
    assert explained(OSError("odd")) == "odd"


def test_lossy_is_said_out_loud() -> None:
    photographs = Photographs(2, 1000, 250, 10_000_000, 38.123, 31.0)
    reasons = (("tiny", 4), ("animation", 2), ("CMYK", 1), ("16 bits a channel", 1), ("panorama", 1))
    totals = (CodecTotal("store", 9, 900, 900), CodecTotal("learned", 2, 1000, 250))
    done = PackSummary(
        archive="x.pha",
        files=11,
        directories=1,
        symlinks=0,
        size_bytes=1900,
        archive_bytes=1200,
        seconds=2.0,
        photographs=photographs,
        kept=9,
        kept_reasons=reasons,
        codecs=totals,
        failures=(),
        warnings=(),
        duplicates=0,
        alike=2,
    )
    text = "\n".join(pack_lines(done))
    assert "2 photographs coded by the learned codec, mean PSNR 38.1 dB (lowest 31.0 dB), 1.00 kB -> 250 B (25.0%)" in text
    assert "lossy: close to the originals, not identical; keep the originals or use --mode lossless" in text
    assert "9 files kept bit-exact, 900 B -> 900 B (100.0%)" in text
    assert "4 tiny, 2 animation, 1 CMYK, 1 16 bits a channel, 1 for other reasons" in text
    assert "1.90 kB -> 1.20 kB (63.2%) in 2.0 s, 950 B/s, 5 MP/s" in text
    assert "2 files like others but for a piece, which alone was stored" in text
    assert text.isascii()
