"""Sizes and times as people read them."""

from __future__ import annotations

import pytest

from photoarc import report


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
    assert report.size(count_bytes) == text


def test_durations() -> None:
    assert [report.duration(seconds) for seconds in (0.04, 99.9, 100, 3599, 7500)] == [
        "0.0 s",
        "99.9 s",
        "1 min 40 s",
        "59 min 59 s",
        "2 h 05 min",
    ]
