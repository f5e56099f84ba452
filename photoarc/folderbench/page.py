"""What `photoarc bench` found out, as one HTML file that needs nothing else: words, tables, plots; light or dark as the reader's system."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import photoarc
from photoarc.folderbench import plots
from photoarc.folderbench.measure import Bench, Result
from photoarc.folderbench.plots import Axis, Group, Mark
from photoarc.folderbench.report import derived, peak_bytes, warnings
from photoarc.units import count, size

_NBSP = "\u00a0"  # keeps a number and its unit on one line
SIZE_HEAD = ("archive", "of the folder", "s", "MB/s", "MP/s", "s", "MB/s", "MP/s", "memory")
QUALITY_HEAD = ("bit for bit", "changed", "lost", "PSNR, mean", "PSNR, worst", "MS-SSIM, mean")
WORDS = (
    ("of the folder", "bytes of the archive, in percent of the bytes of the folder's files: less is better."),
    ("s, MB/s", "seconds of the whole program with its start, and megabytes (1,000,000 bytes) of the folder in a second."),
    ("MP/s", "megapixels of the folder's photographs in a second, for comparison with encoders of pictures."),
    ("memory", "the most that the program and its children held at once, in packing or unpacking."),
    ("changed", "photographs that came back at the same size in pixels, and look nearly as they did."),
    (
        "PSNR",
        "how far pixels are from the original's, over red, green and blue, in decibels: more is better, and 6 dB more is half the error. "
        "As a rule of thumb, above 40 dB a difference is hard to see, below 30 dB hard to miss. Mean over the changed photographs, and the "
        "worst of them.",
    ),
    ("MS-SSIM", "how much of the structure is left that an eye looks for, coarse and fine; 1 for equal pictures."),
)


def page(found: Bench) -> str:
    """The file's text."""
    name = html.escape(Path(found.folder.path).name or found.folder.path)
    groups = [group for group in Group if any(_group(result) is group for result in found.results)]
    legend = "".join(f"<span>{plots.symbol(group)} {group.value[1]}</span>" for group in groups)
    sections = (
        ("summary", "In short", _list(_summary(found))),
        ("folder", "What was measured", _facts(found)),
        ("sizes", "Size, time, memory", _sizes(found)),
        ("quality", "What came back", _quality(found)),
        ("plots", "Plots", f'<p class="legend">{legend}</p><div class="charts">{"".join(_charts(found))}</div>'),
        ("words", "What the columns say", "<dl>" + "".join(f"<dt>{word}</dt><dd>{says}</dd>" for word, says in WORDS) + "</dl>"),
        ("commands", "The commands", _commands(found)),
    )
    body = "".join(f'<section id="{key}"><h2>{title}</h2>{inside}</section>' for key, title, inside in sections if inside)
    notes = warnings(found)
    warning = f'<div class="warning">{_list(map(html.escape, notes))}</div>' if notes else ""
    return f"{_HEAD.replace('TITLE', name)}<h1>{name}: photoarc and other archivers</h1>{warning}{body}</body></html>\n"


def _ours(result: Result) -> bool:
    return result.tool.startswith("photoarc")


def _group(result: Result) -> Group:
    if not _ours(result):
        return Group.PEER
    return Group.LOSSY if result.changed else Group.EXACT


def _smallest_first(results: Sequence[Result], *, every_bit: bool) -> list[Result]:
    """Those that brought every bit back, or the others."""
    return sorted((result for result in results if _every_bit(result) == every_bit), key=lambda result: result.archive_bytes)


def _every_bit(result: Result) -> bool:
    return not result.changed and not result.lost


def _share(result: Result, found: Bench) -> str:
    return f"{100 * result.archive_bytes / found.folder.size_bytes:.1f}{_NBSP}%"


def _summary(found: Bench) -> Iterator[str]:
    """The smallest archive that brings every bit back; the smallest that does not, and the one whose photographs changed least."""

    def of(result: Result) -> str:
        packed, unpacked = (f"{plots.seconds(value)}{_NBSP}s" for value in (result.pack_s, result.unpack_s))
        archive = size(result.archive_bytes).replace(" ", _NBSP)
        words = f"{archive}, {_share(result, found)} of the folder; {packed} to pack, {unpacked} to unpack"
        return f"<b>{html.escape(result.tool)}</b> ({words})"

    def changes(result: Result) -> str:
        quality = ""
        if result.mean_psnr_db is not None and result.min_psnr_db is not None:
            quality = f", PSNR {result.mean_psnr_db:.1f}{_NBSP}dB in the mean, {result.min_psnr_db:.1f}{_NBSP}dB at worst"
        return f"{count(result.changed, 'photograph')} changed{quality}"

    exact = _smallest_first(found.results, every_bit=True)
    if exact:
        best = exact[0]
        others = [result for result in exact if _ours(result) != _ours(best)]
        whose = "other archivers" if _ours(best) else "photoarc's modes"
        yield f"Smallest with every bit back: {of(best)}.{f' Of {whose}: {of(others[0])}.' if others else ''}"
    changed = [result for result in _smallest_first(found.results, every_bit=False) if not result.lost]
    if changed:
        best, nearest = changed[0], max(changed, key=lambda result: result.mean_psnr_db or 0)
        yield f"Smallest with changed photographs: {of(best)}: {changes(best)}."
        if nearest is not best:
            yield f"Nearest to the original with changed photographs: {of(nearest)}: {changes(nearest)}."


def _facts(found: Bench) -> str:
    folder = found.folder
    rounds = f"medians of {found.rounds} rounds, the tools in turn" if found.rounds > 1 else "one round"
    facts = (
        ("folder", f"{folder.path}: {count(folder.files, 'file')}, {size(folder.size_bytes)}"),
        ("photographs", f"{folder.photographs:,} that photoarc can code, {folder.pixels / 1e6:.1f} megapixels"),
        ("machine", found.machine),
        ("version", f"photoarc {photoarc.__version__}"),
        ("times", f"whole programs with their start, every file read once before; {rounds}; {found.day}"),
    )
    return "<dl>" + "".join(f"<dt>{word}</dt><dd>{html.escape(says)}</dd>" for word, says in facts) + "</dl>"


def _sizes(found: Bench) -> str:
    """Two bodies: every bit back, and not; the smallest archive first."""
    over = '<tr><th></th><th colspan="2">size</th><th colspan="3">pack</th><th colspan="3">unpack</th><th></th></tr>'
    bodies = ""
    changed = "Photographs changed, or files lost" if any(result.lost for result in found.results) else "Photographs changed"
    for title, every_bit in (("Every bit back", True), (changed, False)):
        rows = [_row(result, _size_cells(result, found)) for result in _smallest_first(found.results, every_bit=every_bit)]
        if rows:
            over_rows = f'<tr class="title"><th colspan="{len(SIZE_HEAD) + 1}"><span>{title}, smallest first</span></th></tr>'
            bodies += f"<tbody>{over_rows}{''.join(rows)}</tbody>"
    return _table(SIZE_HEAD, bodies, over)


def _size_cells(result: Result, found: Bench) -> tuple[str, ...]:
    speeds = {name: plots.number(speed) for name, speed in derived(result, found.folder).items()}
    pack = (f"{result.pack_s:.2f}", speeds["pack_mb_s"], speeds["pack_mp_s"])
    unpack = (f"{result.unpack_s:.2f}", speeds["unpack_mb_s"], speeds["unpack_mp_s"])
    return (size(result.archive_bytes), _share(result, found), *pack, *unpack, size(peak_bytes(result)) if peak_bytes(result) else "-")


def _quality(found: Bench) -> str:
    """Tools that brought every bit back in a sentence, the others in a table."""
    exact = [html.escape(result.tool) for result in _smallest_first(found.results, every_bit=True)]
    words = f"<p>Every one of {count(found.folder.files, 'file')} came back bit for bit from {', '.join(exact)}.</p>" if exact else ""
    others = _smallest_first(found.results, every_bit=False)
    rows = "".join(
        _row(
            result,
            (
                f"{result.exact:,}",
                f"{result.changed:,}",
                f"{result.lost:,}",
                *("-" if db is None else f"{db:.2f} dB" for db in (result.mean_psnr_db, result.min_psnr_db)),
                "-" if result.mean_ms_ssim is None else f"{result.mean_ms_ssim:.4f}",
            ),
        )
        for result in others
    )
    return words + (_table(QUALITY_HEAD, f"<tbody>{rows}</tbody>") if others else "")


def _table(head: Sequence[str], bodies: str, over: str = "") -> str:
    """A table that scrolls sideways in a narrow window, the tool's name staying where it is."""
    names = "".join(f'<th scope="col">{word}</th>' for word in ("", *head))
    return f'<div class="wide" tabindex="0"><table><thead>{over}<tr>{names}</tr></thead>{bodies}</table></div>'


def _row(result: Result, cells: Sequence[str]) -> str:
    name = f'<th scope="row">{plots.symbol(_group(result))} {html.escape(result.tool)}</th>'
    return f"<tr>{name}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _charts(found: Bench) -> Iterator[str]:
    """Points, then bars; a plot of nothing is left out."""

    def mark(result: Result, y: float, x: float = 0.0, then: float = 0.0, low: float | None = None) -> Mark:
        return Mark(result.tool.removeprefix("photoarc ") if x else result.tool, _group(result), y, x, then, low)

    def share(result: Result) -> float:
        return 100 * result.archive_bytes / found.folder.size_bytes

    results = found.results
    percent = "archive, % of the folder"
    yield _figure(
        "Size and time to pack",
        "down and left is better",
        plots.points([mark(result, share(result), result.pack_s) for result in results], Axis("seconds to pack"), Axis(percent)),
    )
    yield _figure(
        "Size and time to unpack",
        "down and left is better",
        plots.points([mark(result, share(result), result.unpack_s) for result in results], Axis("seconds to unpack"), Axis(percent)),
    )
    lossy = [(result, result.mean_psnr_db) for result in results if result.mean_psnr_db is not None]
    if len(lossy) > 1:
        marks = [mark(result, db, share(result), low=result.min_psnr_db) for result, db in lossy]
        yield _figure(
            "Size and quality",
            "of changed photographs, with a line down to the worst; up and left is better",
            plots.points(marks, Axis(percent), Axis("PSNR, dB", logarithmic=False)),
        )
    yield _figure(
        "Archive size", "less is better", plots.bars([mark(result, result.archive_bytes) for result in results], lambda bar: size(bar.y))
    )
    yield _figure(
        "Time",
        "to pack, then paler to unpack",
        plots.bars(
            [mark(result, result.pack_s, then=result.unpack_s) for result in results],
            lambda bar: f"{plots.seconds(bar.y)} + {plots.seconds(bar.then)} s",
        ),
    )
    known = [result for result in results if peak_bytes(result)]
    if known:
        marks = [mark(result, peak_bytes(result)) for result in known]
        yield _figure("Memory", "the higher of packing and unpacking", plots.bars(marks, lambda bar: size(bar.y)))


def _figure(title: str, better: str, svg: str) -> str:
    words = f"<small>{better}</small>" if better else ""
    return f"<figure><figcaption>{title}{words}</figcaption>{svg}</figure>" if svg else ""


def _commands(found: Bench) -> str:
    rows = "".join(
        f"<dt>{html.escape(tool)}</dt><dd><code>{html.escape(pack)}</code><br><code>{html.escape(unpack)}</code></dd>"
        for tool, pack, unpack in found.commands
    )
    return f"<details><summary>As they were run, in the folder above</summary><dl>{rows}</dl></details>" if rows else ""


def _list(lines: Iterable[str]) -> str:
    """Paragraphs of HTML."""
    return "".join(f"<p>{line}</p>" for line in lines)


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE: photoarc bench</title><style>
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5a5a5a; --paper: #fff; --rule: #ddd; --shade: #0003; --edge: #333;
  --peer: #a6a6a6; --exact: #e69f00; --lossy: #0072b2; --warn: #fff3d6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e6; --soft: #a9a9a6; --paper: #17181a; --rule: #3a3b3e; --shade: #000c;
  --edge: #ddd; --peer: #8c8c8c; --exact: #e69f00; --lossy: #56b4e9; --warn: #3b3016 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto 4rem; max-width: 74rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper) }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
h1, dd, code { overflow-wrap: anywhere } p { margin: .4rem 0; max-width: 60rem }
.warning { background: var(--warn); border-left: 4px solid var(--exact); padding: .4rem .8rem; margin: 1rem 0; border-radius: 3px }
#summary p { font-size: 1.05rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0; max-width: 60rem }
dt { color: var(--soft) } dd { margin: 0 } code { font-size: 13px } summary { cursor: pointer } details dl { margin-top: .8rem }
/* a shadow at the edge behind which more of a table waits */
.wide { overflow-x: auto; background: linear-gradient(to right, var(--paper) 30%, transparent),
  linear-gradient(to left, var(--paper) 30%, transparent) 100% 0, linear-gradient(to right, var(--shade), transparent),
  linear-gradient(to left, var(--shade), transparent) 100% 0; background-repeat: no-repeat;
  background-size: 3rem 100%, 3rem 100%, 1rem 100%, 1rem 100%; background-attachment: local, local, scroll, scroll }
table { border-collapse: separate; border-spacing: 0; font-size: 14px; line-height: 21px; font-variant-numeric: tabular-nums }
th, td { padding: 5px .55rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; font-weight: inherit }
thead th { font-weight: 600; vertical-align: bottom }
thead tr:first-child:not(:last-child) th { border-bottom-color: transparent; padding-bottom: 0 }
th[colspan] { text-align: center }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); padding-left: 0 }
.title th { color: var(--soft); padding-top: 16px } .title span { position: sticky; left: 0 }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.6rem } .symbol { vertical-align: -3px }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: .4rem 1.4rem }
figure { margin: 0 0 1.2rem; max-width: 30rem; display: grid; grid-template-rows: subgrid; grid-row: span 2; align-items: start }
figcaption { font-weight: 600 }
small { display: block; font-weight: 400; color: var(--soft) }
figure svg { display: block; width: 100%; height: auto; font-family: system-ui, sans-serif; fill: var(--ink) }
.peer { fill: var(--peer) } .exact { fill: var(--exact) } .lossy { fill: var(--lossy) } .then { opacity: .45 }
.marker { stroke: var(--edge); stroke-width: 1 } .grid { stroke: var(--rule) } .whisker { stroke: var(--lossy); stroke-width: 2 }
.tie { stroke: var(--soft); stroke-width: .8 } .name { paint-order: stroke; stroke: var(--paper); stroke-width: 3px }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem } }
</style></head><body>"""
