"""README.md stays short, and names the commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import photoarc
from photoarc.cli.app import app

README = Path(photoarc.__file__).parent.parent / "README.md"
MOST_LINES, MOST_COLUMNS = 120, 160
pytestmark = pytest.mark.skipif(not README.exists(), reason="an installed package has no README beside it")


def test_it_is_short() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) < MOST_LINES
    assert not [f"line {number}" for number, line in enumerate(lines, 1) if len(line) > MOST_COLUMNS]


def test_it_begins_with_the_two_commands_that_set_up() -> None:
    text = README.read_text()
    assert re.search(r"^python3 quickstart\.py ~/Pictures/holiday ", text, re.MULTILINE)
    assert re.search(r"^python3 quickstart\.py --test ", text, re.MULTILINE)


def test_its_table_has_every_command() -> None:
    commands = {command.name or (command.callback and command.callback.__name__) for command in app.registered_commands}
    assert set(re.findall(r"^\| `photoarc ([a-z]+) ", README.read_text(), re.MULTILINE)) == commands
