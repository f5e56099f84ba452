"""Links and paths in the documents lead to files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import photoarc

ROOT = Path(photoarc.__file__).parent.parent
DOCUMENTS = sorted(
    path for folder in (".", "docs", "bench", "training", "models_onnx/*", "bench/results/*") for path in ROOT.glob(f"{folder}/*.md")
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|md|tsv|toml)|[\w-]+\.md)`")
# Where a path in backticks may begin: at the root, beside the document, in the package.
STARTS = (ROOT, ROOT / "photoarc")
MADE = re.compile(r"^out/|/NAME\.")  # what commands write, and placeholders

pytestmark = pytest.mark.skipif(not (ROOT / "bench").is_dir(), reason="only a checkout has every document")


def code_left_out(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def missing(document: Path) -> Iterator[str]:
    text = code_left_out(document.read_text())
    for target in LINK.findall(text):
        name, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = document.parent / name if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            yield target
    for name in PATH.findall(text):
        if not MADE.search(name) and not any((start / name).exists() for start in (*STARTS, document.parent)):
            yield name


def anchors(document: Path) -> set[str]:
    """Headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", code_left_out(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    assert list(missing(document)) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One heading\n[a](page.md#one-heading) [b](gone.md) [c](#no-heading) `photoarc/gone.py` `jobs/pack.py`\n```\n[d](x.md)\n```\n"
    )
    assert list(missing(page)) == ["gone.md", "#no-heading", "photoarc/gone.py"]
