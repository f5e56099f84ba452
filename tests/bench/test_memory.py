"""The table of memory, measured and foreseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import photo
from PIL import Image

from bench import memory


def test_memory_of_one_file_beside_what_is_foreseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(photo(64, 96)).save(tmp_path / "small.png")
    memory.main([str(tmp_path / "small.png"), "--mode", "lossless", "--effort", "1", "--unpack"])
    header, packed, tested = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert tuple(header) == memory.COLUMNS
    assert packed[:4] == ["small.png", "lossless", "1", "store"]
    assert tested[:4] == ["small.png", "test", "1", "store"]
    for row in (packed, tested):
        assert 10 < float(row[5]) < 500
        assert float(row[7]) == pytest.approx(float(row[5]) / float(row[6]), abs=0.02)


def test_a_process_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit code"):
        memory.measured("test", str(tmp_path / "none.pha"))
