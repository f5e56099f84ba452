"""Bracket expressions of patterns: as git takes them, and without a word from Python's regular expressions."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from photoarc.cli import app
from photoarc.disk import brackets
from photoarc.disk.scan import scan
from photoarc.errors import UsageError
from photoarc.jobs.patterns import in_any_case
from photoarc.jobs.selection import matches

NAMES = ["a", "b", "A", "Z", "7", "-", "]", "[", "!", "^", "&", "|", "~", "%", " ", "photo", "photo_", "[abc", "a+"]
CASES = [  # as .gitignore has it of these
    ("[[:alpha:]]", "a b A Z"),
    ("[[:digit:]a]", "a 7"),
    ("[![:alnum:]]", "- ] [ ! ^ & | ~ %"),
    ("[^[:upper:][:punct:]]", "a b 7"),
    ("[[]", "["),
    ("[]]", "]"),
    ("[]-a]", "] ^ a"),
    ("[[-^]", "[ ] ^"),
    ("[a-]", "a -"),
    ("[--0]", "-"),
    ("[+--]", "-"),
    ("[a&&b]", "a b &"),
    ("[~~a||b]", "a b ~ |"),
    ("[!!-~]", ""),
    (r"[\]]", "]"),
    (r"[a\-z]", "a -"),
    ("[%--]", "& - %"),
    ("[:alpha:]", "a"),
    ("photo[!0-9]", "photo_"),
    ("[!b]+", "a+"),
    ("[/]", ""),
]


@pytest.mark.parametrize(("pattern", "takes"), CASES)
def test_as_git_takes_them(tmp_path: Path, pattern: str, takes: str) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files, _ = scan([f"{tmp_path}/."], excludes=[pattern])
        chosen = {name for name in NAMES if matches(name, pattern)}
    wanted = {*takes.split(), *([" "] if pattern in ("[![:alnum:]]", "[^[:upper:][:punct:]]", "[!!-~]") else [])}
    assert set(NAMES) - {os.fsdecode(file.name) for file in files} == wanted
    assert chosen == wanted


def test_a_slash_is_in_no_brackets(tmp_path: Path) -> None:
    """`photo[!0-9]*` took all of the folder `photo`, whose contents then were in no archive."""
    (tmp_path / "photo").mkdir()
    (tmp_path / "photo" / "x.jpg").touch()
    files, _ = scan([f"{tmp_path}/."], excludes=["photo[!0-9]*"])
    assert [file.name for file in files] == [b"photo", b"photo/x.jpg"]


@pytest.mark.parametrize(("pattern", "word"), [("[[:foo:]]", "no class [:foo:]"), ("[z-a]", "runs down"), ("a\\", "not understood")])
def test_what_nobody_understands_is_refused(tmp_path: Path, pattern: str, word: str) -> None:
    with pytest.raises(UsageError, match="not understood") as caught:
        scan([tmp_path], excludes=["*.x", pattern])
    assert word in str(caught.value)
    assert repr(pattern) in str(caught.value)


def test_notes_are_not_looked_into(tmp_path: Path) -> None:
    scan([tmp_path], excludes=["# not [z-a]"])
    assert in_any_case("# not [z-a]").startswith("#")


def test_any_case() -> None:
    assert brackets.plain("[[:upper:]]", ignore_case=True) == "[\0A-Za-z]"
    assert in_any_case("[z]x") == "[\0Zz][xX]"
    with pytest.raises(UsageError, match="runs down"):
        in_any_case("[z-a]")


def test_list_says_what_it_does_not_understand(tmp_path: Path) -> None:
    archive = tmp_path / "x.pha"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "[z-a]").touch()
    run = CliRunner().invoke
    assert run(app.app, ["pack", str(tmp_path / "in"), str(archive), "-j", "0"]).exit_code == 0
    assert run(app.app, ["list", str(archive), "in/[z-a]", "-q"]).output.strip() == "in/[z-a]"
    refused = run(app.app, ["list", str(archive), "[[:foo:]]"])
    assert refused.exit_code == 2
    assert "the pattern '[[:foo:]]' is not understood: there is no class [:foo:]" in refused.output
