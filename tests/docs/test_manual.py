"""docs/manual.md against the command line: every option of every command has its words there, and no other option has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

import photoarc
from photoarc.cli.app import app

MANUAL = Path(photoarc.__file__).parent.parent / "docs" / "manual.md"
PROGRAM = "For all commands"
FOREIGN = {"--xattrs"}  # of tar
pytestmark = pytest.mark.skipif(not MANUAL.exists(), reason="an installed package has no manual beside it")


def options() -> dict[str, set[str]]:
    """Options by command, those of the program itself under PROGRAM."""
    group = typer.main.get_command(app)
    context = typer.Context(group)
    help_names = {"-h", "--help"}
    found = {
        name: help_names | {name for parameter in command.params if parameter.param_type_name == "option" for name in parameter.opts}
        for name, command in group.commands.items()
    }
    return found | {PROGRAM: help_names | {name for each in group.get_params(context) for name in each.opts}}


OPTIONS = options()


def section(heading: str) -> str:
    """What stands below a heading, up to the next one of its kind."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", MANUAL.read_text(), re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_has_its_words_and_no_other(command: str) -> None:
    items = re.findall(r"^- (`-.+?`): \S", section(command), re.MULTILINE)
    named = [option for item in items for option in re.findall(r"`(--?[a-z-]+)", item)]
    assert sorted(named) == sorted(OPTIONS[command])


def test_options_that_are_mentioned_exist() -> None:
    known = {option for named in OPTIONS.values() for option in named} | FOREIGN
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", MANUAL.read_text())) <= known


def lines() -> list[str]:
    """Command lines, as the manual gives them in blocks of their own."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", MANUAL.read_text() if MANUAL.exists() else "", re.MULTILINE | re.DOTALL)
    return [line for language, block in blocks if not language for line in block.splitlines()]


@pytest.mark.parametrize("line", lines())
def test_command_lines_are_understood(line: str) -> None:
    program, name, *rest = shlex.split(line, comments=True)
    assert program == "photoarc"
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, rest)  # raises for what it does not know


def test_choices_are_those_of_the_command() -> None:
    text = section("pack")
    for parameter in typer.main.get_command(app).commands["pack"].params:
        choices = getattr(parameter.type, "choices", None)
        if choices:
            assert f"`{parameter.opts[0]} {'|'.join(choices)}`" in text
