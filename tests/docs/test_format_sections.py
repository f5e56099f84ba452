"""Sections of docs/format.md: every one that is cited exists, once; and its table of numbers is that of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import pytest

import photoarc
from photoarc import codecs
from photoarc.container import records
from photoarc.container.frames import ChunkType
from photoarc.member import Kind, SourceFormat
from photoarc.models import manifest

ROOT = Path(photoarc.__file__).parent.parent
PAGES = [ROOT / "docs" / name for name in ("format.md", "format-zlib.md", "format-jpeg.md")]
NUMBER = r"\d+(?:\.\d+)*"
NUMBERS = rf"{NUMBER}(?:(?:, | and | to |-){NUMBER})*"
CITED = re.compile(rf"format(?:\.md,? (?:sections? )?| sections? )({NUMBERS})|section=\"({NUMBER})\"")
INSIDE = re.compile(rf"(?<!TIFF 6\.0 )(?<!RFC 1951 )(?<!PNG )\b[Ss]ections? ({NUMBERS})")
pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="an installed package has no docs beside it")


def headings(page: Path) -> list[str]:
    return re.findall(rf"^#+ ({NUMBER})\.? ", page.read_text(), re.MULTILINE)


def cited() -> Iterator[tuple[str, str]]:
    """Places and numbers of sections that code, tests and documents cite."""
    files = [path for folder in ("photoarc", "tests", "docs", "bench", "training") for path in (ROOT / folder).rglob("*.py")]
    files += [ROOT / "pyproject.toml", *ROOT.glob("*.md"), *ROOT.glob("*/*.md")]
    for path in files:
        text = path.read_text(encoding="utf-8")
        found = [*CITED.findall(text), *((each, "") for each in INSIDE.findall(text) if path in PAGES)]
        for several, one in found:
            for number in re.findall(NUMBER, several or one):
                yield str(path.relative_to(ROOT)), number


def test_every_section_that_is_cited_exists() -> None:
    known = {number for page in PAGES for number in headings(page)}
    citations = list(cited())
    assert len(citations) > 100
    assert [(where, number) for where, number in citations if number not in known] == []


def test_every_section_has_one_place() -> None:
    """Sections that moved to a page of their own leave a stub in format.md; nothing else stands twice."""
    first, *others = (headings(page) for page in PAGES)
    assert len(set(first)) == len(first)
    moved = [number for found in others for number in found]
    assert len(set(moved)) == len(moved)
    assert set(moved) & set(first) == {"7.7", "7.11", "10"}


def rows(where: str) -> dict[int, str]:
    """Numbers of section 11 of one kind, with the first word of their meaning."""
    found = re.findall(rf"^\| {where} \| (0x[0-9A-F]+|\d+) \| ([^|,]+)", PAGES[0].read_text(), re.MULTILINE)
    return {int(number, 0): meaning.strip() for number, meaning in found}


def named(values: type[IntEnum]) -> dict[int, str]:
    return {each.value: each.name for each in values}


def test_the_table_of_numbers_is_that_of_the_code() -> None:
    assert rows("codec ID") == {number: entry.name for number, entry in codecs.CODECS.items()}
    assert rows("model ID") == {number: entry.name for number, entry in manifest.entries().items()}
    assert rows("chunk type") == named(ChunkType) | {4: "MODEL"}
    assert rows("source format") == named(SourceFormat)
    assert rows("kind").keys() == named(Kind).keys()
    assert rows("extension tag").keys() == {value for name, value in vars(records).items() if name.endswith("_TAG")} - {
        records.CRITICAL_TAG
    }
