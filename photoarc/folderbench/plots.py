"""Plots of `photoarc bench` as SVG in the page: horizontal bars, and points with their names beside them. Nothing is loaded from elsewhere.

Colours are classes, so that the page's style can change them in the dark; they are Okabe & Ito's (2008), which the colour-blind tell
apart, and a marker's shape says the same again.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from photoarc.folderbench import labels
from photoarc.folderbench.labels import Box


class Group(Enum):
    """Who a bar or point belongs to: (class in the page's style, words in the legend)."""

    PEER = ("peer", "other archivers, every bit back")
    EXACT = ("exact", "photoarc, every bit back")
    LOSSY = ("lossy", "photoarc, photographs nearly as they were")


@dataclass(frozen=True, slots=True)
class Mark:
    """One tool in a plot. Bars: `y` is the length, `then` that of a second, paler piece. Points: `low` is where a line down from y ends."""

    name: str
    group: Group
    y: float
    x: float = 0.0
    then: float = 0.0
    low: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn along it, and whether by powers."""

    title: str
    logarithmic: bool = True

    def shown(self, values: Sequence[float]) -> tuple[float, float]:
        """The range: the values and some room, at least a tenth (logarithmic) or 4 units (linear) of it."""
        low, high = min(values), max(values)
        if self.logarithmic:
            room = max((high / low) ** 0.09, 1.05)
            return low / room, high * room
        room = max((high - low) * 0.09, 2 - (high - low) / 2)
        return low - room, high + room

    def ticks(self, low: float, high: float) -> list[float]:
        """Round values within the range."""
        return powers(low, high) if self.logarithmic and high / low > 4 else steps(low, high)

    def at(self, value: float, low: float, high: float) -> float:
        """0 for `low`, 1 for `high`."""
        if self.logarithmic:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)


WIDTH_PX, HEIGHT_PX = 420, 320  # of points; bars are as wide
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 56, 22, 32, 44
ROW_PX, NAME_PX, BAR_PX = 24, 148, 176
FONT_PX, TEXT_PX, CHARACTER_PX = 13, 16, 7.8  # a line of text; a character of DejaVu Sans, wider than most, is 7.6 in the mean
RADIUS_PX = 7


def bars(marks: Sequence[Mark], shown: Callable[[Mark], str]) -> str:
    """Horizontal bars from 0, the shortest first, each with its marker and name before it and what it stands for behind it."""
    longest = max((mark.y + mark.then for mark in marks), default=0) or 1
    parts = []
    for k, mark in enumerate(sorted(marks, key=lambda mark: mark.y + mark.then)):
        y, scale = k * ROW_PX, BAR_PX / longest
        first, second = max(1.0, mark.y * scale), mark.then * scale
        group = mark.group.value[0]
        parts += [
            _text(NAME_PX - 20, y + 16, mark.name, "end"),
            marker(NAME_PX - 10, y + 12, mark.group),
            f'<rect class="{group}" x="{NAME_PX}" y="{y + 4}" width="{first:.1f}" height="{ROW_PX - 8}"/>',
        ]
        if second:
            rect = f'x="{NAME_PX + first:.1f}" y="{y + 4}" width="{second:.1f}" height="{ROW_PX - 8}"'
            parts.append(f'<rect class="{group} then" {rect}/>')
        parts.append(_text(NAME_PX + first + second + 6, y + 16, shown(mark)))
    return _svg(len(marks) * ROW_PX, parts)


def points(marks: Sequence[Mark], across: Axis, up: Axis) -> str:
    """Points with their names beside them."""
    marks = [mark for mark in marks if mark.x > 0]
    if not marks:
        return ""
    area = Box(LEFT_PX, TOP_PX, WIDTH_PX - RIGHT_PX, HEIGHT_PX - BOTTOM_PX)
    x_range = across.shown([mark.x for mark in marks])
    y_range = up.shown([value for mark in marks for value in (mark.y, mark.low) if value is not None])

    def place(x: float, y: float) -> labels.Point:
        return (
            area.left + across.at(x, *x_range) * (area.right - area.left),
            area.bottom - up.at(y, *y_range) * (area.bottom - area.top),
        )

    parts = []
    for tick in up.ticks(*y_range):
        _, y = place(x_range[0], tick)
        parts += [_line("grid", (area.left, y), (area.right, y)), _text(area.left - 6, y + 4, f"{tick:g}", "end")]
    for tick in across.ticks(*x_range):
        x, _ = place(tick, y_range[0])
        parts += [_line("grid", (x, area.top), (x, area.bottom)), _text(x, area.bottom + 17, f"{tick:g}", "middle")]
    parts += [_text((area.left + area.right) / 2, HEIGHT_PX - 7, across.title, "middle"), _text(2, 14, up.title)]
    places = [place(mark.x, mark.y) for mark in marks]
    whiskers = [(at, place(mark.x, mark.low)) for mark, at in zip(marks, places, strict=True) if mark.low is not None]
    room = replace(area, top=area.top - TEXT_PX + 2)  # below the title
    parts += [_line("whisker", *whisker) for whisker in whiskers]
    boxes = labels.place(places, [(CHARACTER_PX * len(mark.name), TEXT_PX) for mark in marks], room, RADIUS_PX, whiskers)
    parts += [_line("tie", *line) for at, box in zip(places, boxes, strict=True) if box and (line := labels.tied(at, box))]
    for group in Group:  # ours on top
        parts += [marker(*at, group, mark.name) for mark, at in zip(marks, places, strict=True) if mark.group is group]
    for mark, at, box in zip(marks, places, boxes, strict=True):
        if box:
            anchor = "end" if box.right < at[0] else "start" if box.left > at[0] else "middle"
            x = {"end": box.right, "start": box.left, "middle": (box.left + box.right) / 2}[anchor]
            parts.append(_text(x, box.bottom - 4, mark.name, anchor, "name"))
    return _svg(HEIGHT_PX, parts)


def marker(x: float, y: float, group: Group, title: str = "") -> str:
    """Peers are squares, photoarc's bit-exact mode a diamond, its lossy ones circles; the title shows under the mouse."""
    words = f"<title>{html.escape(title)}</title>" if title else ""
    kind = f'class="marker {group.value[0]}"'
    if group is Group.PEER:
        return f'<rect {kind} x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10">{words}</rect>'
    if group is Group.EXACT:
        return f'<path {kind} d="M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z">{words}</path>'
    return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="5.5">{words}</circle>'


def symbol(group: Group) -> str:
    """A marker by itself, as large as text."""
    return f'<svg class="symbol" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{marker(8, 8, group)}</svg>'


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in their order, at least `gap` apart, from `low` on, and up to `high` as long as they fit."""
    out: list[float] = []
    for want in wanted:
        out.append(max(want, out[-1] + gap if out else low))
    limit = max(high, low + gap * (len(out) - 1))
    for k in reversed(range(len(out))):
        out[k] = min(out[k], limit)
        limit = out[k] - gap
    return out


def number(value: float) -> str:
    """Three digits, none after the point from 100 on: `0.120`, `12.3`, `1,234`."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def seconds(value: float) -> str:
    """`0.06`, `1.97`, `28.5`, `106`."""
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def steps(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`, three to seven of them."""
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(step for step in (power / 5, power / 2, power, power * 2) if (high - low) / step < 7)
    return [round(step * k, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within a range, only the powers if that is wide."""
    digits = (1, 2, 5) if high / low < 300 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**exponent for exponent in exponents for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def _line(kind: str, start: labels.Point, end: labels.Point) -> str:
    return f'<line class="{kind}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def _svg(height: int, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH_PX} {height}" font-size="{FONT_PX}">{"".join(parts)}</svg>'
