"""The example of the package's docstring, run as it stands there."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from containers import sample, write

import photoarc


def test_the_example_reads_an_archive_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("out.pha"), sample())
    text = photoarc.__doc__ or ""
    example = textwrap.dedent("".join(line + "\n" for line in text.splitlines() if line.startswith("    ")))
    assert example.startswith("with photoarc.open(")
    found: dict[str, object] = {"photoarc": photoarc}
    exec(example, found)
    assert found["data"] == next(data for member, data in reversed(sample()) if data)
