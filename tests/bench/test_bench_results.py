"""Committed tables, figures and README against the rows that they are made of; byte-exact archives of a folder."""

from __future__ import annotations

import pictures
import pytest

pytest.importorskip("scipy")

import photoarc
from bench import bitexact, bubbles, figures, papers, readme, rows, tables, transcoders

RESULTS = rows.RESULTS / photoarc.__version__
SETS = sorted(path.stem for path in RESULTS.glob("*.tsv") if not path.stem.endswith(("-times", "-exact", "-transcoders")))


@pytest.mark.parametrize("name", SETS)
def test_tables_and_figures_are_made_from_the_rows(name):
    assert (RESULTS / f"{name}.md").read_text() == tables.text(name), f"stale; python -m bench.tables {name}"
    assert (RESULTS / f"{name}-papers.md").read_text() == papers.text(name), f"stale; python -m bench.papers {name}"
    sources = dict.fromkeys(["speed", *(figures.FILES[metric] for metric in figures.measured(tables.load(name)))], f"{name}.tsv")
    if bubbles.read(name):
        sources["bubbles"] = f"{name}-folder.json"
    for what, source in sources.items():
        figure = RESULTS / f"{name}-{what}.svg"
        assert rows.fingerprint(source) in figure.read_text(), f"{figure.name} is stale; python -m bench.figures {name}"


def test_the_transcoders_are_those_measured():
    for path in RESULTS.glob("*-transcoders.tsv"):
        made = transcoders.text(transcoders.load(path))
        assert path.with_suffix(".md").read_text() == made, f"stale; python -m bench.transcoders {path.stem.removesuffix('-transcoders')}"


def test_transcoders_of_pictures_and_files(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "files" / "some").mkdir(parents=True)
    pixels = pictures.photo(160, 120)
    (tmp_path / "pictures" / "a.png").write_bytes(pictures.png(pixels))
    broken = b"\xff\xd8\xff\xc9" + bytes(range(200))
    for name, data in (("a.jpg", pictures.jpeg(pixels)), ("b.jpg", broken), ("c.txt", b"no JPEG")):
        (tmp_path / "files" / "some" / name).write_bytes(data)
    found = [
        row
        for name, files in transcoders.sets({"one": tmp_path / "pictures"}, tmp_path / "files")
        for row in transcoders.measure(name, files)
    ]
    assert len(found) == (len(transcoders.SETTINGS) + 1) * len(transcoders.CODECS)
    assert [row.files for row in found if row.set == "some"] == [2] * len(transcoders.CODECS)
    (dct,) = (row for row in found if (row.set, row.codec) == ("some", "dct"))
    assert dct.refused == 1
    assert dct.taken_bytes == dct.size_bytes - len(broken)
    assert all(row.packed_bytes < row.size_bytes for row in found if row.codec != "Lepton")  # not on every machine
    assert "| one, quality 75, 4:2:0 | 1 |" in transcoders.text(found)


def test_the_byte_exact_archives_are_those_measured():
    for path in RESULTS.glob("*-exact.tsv"):
        assert path.with_suffix(".md").read_text() == bitexact.text(bitexact.load(path)), f"stale; python -m bench.bitexact {path.stem}"


@pytest.mark.parametrize("name", SETS)
def test_names_in_figures_lie_in_the_figure_and_on_no_other(name):
    plt = pytest.importorskip("matplotlib.pyplot")
    from matplotlib.text import Text

    means = tables.load(name)
    for figure in [*(figures.rd(means, name, metric) for metric in figures.measured(means)), figures.speed(means, name)]:
        figure.canvas.draw()
        named = [text for axis in figure.axes for text in axis.texts if text.get_text()]
        assert len(named) >= len(figure.axes) * len(figures.HERE.keys() & means.keys())
        found = [(text.get_text(), Text.get_window_extent(text)) for text in named]  # without the line that ties it to its point
        for k, (words, box) in enumerate(found):
            assert figure.bbox.x0 <= box.x0, words
            assert box.x1 <= figure.bbox.x1, words
            assert figure.bbox.y0 <= box.y0, words
            assert box.y1 <= figure.bbox.y1, words
            assert not [other for other, there in found[:k] if box.overlaps(there)], words
        plt.close(figure)


def test_byte_exact_archives_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(bitexact, "EFFORTS", (1,))
    some = [tool for tool in bitexact.archivers() if tool.installed()]
    monkeypatch.setattr(bitexact, "archivers", lambda: some)
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt"):
        (tmp_path / "notes" / name).write_text("two words\n" * 500)
    found = bitexact.measure(tmp_path)
    assert [(row.part, row.kind, row.files, row.size_bytes) for row in found] == [("notes", "other", 2, 10_000)] * len(found)
    assert [row.tool for row in found] == [*(tool.name for tool in some), bitexact.JPEG_XL]
    assert [row.same for row in found] == [2] * len(some) + [0]
    assert found[0].codecs == "1 lzma, 1 duplicate"
    assert found[-1].archive_bytes == 10_000


def test_the_folders_are_those_measured():
    assert (RESULTS / "folders.md").read_text() == papers.folders(), "stale; python -m bench.papers kodak"


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: str(page.relative_to(readme.ROOT)))
def test_the_results_in_the_readme_are_those_of_the_rows(page):
    text = page.read_text()
    assert readme.updated(page, text) == text, "stale; python -m bench.readme"
    with pytest.raises(ValueError, match="needs the lines"):
        readme.updated(page, "# no markers")
