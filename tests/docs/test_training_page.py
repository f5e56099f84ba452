"""training/README.md names the model ID that is free."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import photoarc
from photoarc.models import manifest

PAGE = Path(photoarc.__file__).parent.parent / "training" / "README.md"


@pytest.mark.skipif(not PAGE.exists(), reason="an installed package has no training beside it")
def test_it_names_the_next_free_id_and_those_that_are_taken() -> None:
    text = PAGE.read_text()
    free = re.search(r"next free model ID is (\d+)\*\* \((.*?);", text)
    assert free
    assert int(free[1]) == max(manifest.entries()) + 1
    assert dict(re.findall(r"(\d+)(?: is)? `([\w-]+)`", free[2])) == {
        str(number): entry.name for number, entry in manifest.entries().items()
    }
    assert set(re.findall(r"--id (\d+) --name (?:photo-3|jpeg-3)", text)) == {free[1]}
