"""Plots of `photoarc bench` as SVG text: horizontal bars, and points over a logarithmic axis. Nothing is loaded from elsewhere.

Colours are Okabe & Ito's (2008), which the colour-blind tell apart; a marker's shape and a bar's outline say the same again.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Group(Enum):
    """Who a bar or point belongs to: (colour, word in the legend)."""

    PEER = ("#A6A6A6", "other archivers, bit for bit")
    EXACT = ("#E69F00", "photoarc, bit for bit")
    LOSSY = ("#0072B2", "photoarc, photographs nearly as they were")


@dataclass(frozen=True, slots=True)
class Mark:
    """One tool in a plot; `x` is not used by bars."""

    name: str
    group: Group
    y: float
    x: float = 0.0


ROW_PX, LABEL_PX, BAR_PX, NUMBER_PX = 24, 165, 290, 85
WIDTH_PX, HEIGHT_PX = 540, 320
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 56, 170, 12, 46
TEXT_PX = 15  # from one line of text to the next


def bars(marks: Sequence[Mark], unit: str) -> str:
    """Horizontal bars from 0, each with its name before it and its number behind it."""
    longest = max((mark.y for mark in marks), default=0) or 1
    parts = []
    for k, mark in enumerate(marks):
        y, length = k * ROW_PX, max(1.0, mark.y / longest * BAR_PX)
        parts += [
            _text(LABEL_PX - 8, y + 16, mark.name, "end"),
            f'<rect x="{LABEL_PX}" y="{y + 4}" width="{length:.1f}" height="{ROW_PX - 8}" fill="{mark.group.value[0]}"/>',
            _text(LABEL_PX + length + 6, y + 16, f"{number(mark.y)} {unit}"),
        ]
    return _svg(LABEL_PX + BAR_PX + NUMBER_PX, len(marks) * ROW_PX, parts)


def points(marks: Sequence[Mark], x_title: str, y_title: str) -> str:
    """Points with a logarithmic x and y from 0; names stand in a column at the right, tied to their points by thin lines."""
    marks = [mark for mark in marks if mark.x > 0]
    if not marks:
        return ""
    low, high = math.log10(min(mark.x for mark in marks)) - 0.08, math.log10(max(mark.x for mark in marks)) + 0.08
    top = max(mark.y for mark in marks) * 1.04 or 1
    right, bottom = WIDTH_PX - RIGHT_PX, HEIGHT_PX - BOTTOM_PX

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / (high - low)
        return LEFT_PX + across * (right - LEFT_PX), bottom - y / top * (bottom - TOP_PX)

    parts = []
    for tick in _steps(top):
        _, y = place(1, tick)
        parts += [_line(LEFT_PX, y, right, y, "#DDD"), _text(LEFT_PX - 6, y + 4, f"{tick:g}", "end")]
    for tick in _powers(10**low, 10**high):
        x, _ = place(tick, 0)
        parts += [_line(x, TOP_PX, x, bottom, "#DDD"), _text(x, bottom + 16, f"{tick:g}", "middle")]
    parts += [_text((LEFT_PX + right) / 2, HEIGHT_PX - 8, x_title, "middle"), _text(LEFT_PX, TOP_PX - 1, y_title)]
    placed = _from_above([(*place(mark.x, mark.y), mark) for mark in marks])
    for (x, y, mark), label_y in zip(placed, spread([y for _, y, _ in placed], TEXT_PX, TOP_PX + 8, bottom), strict=True):
        parts += [_line(x, y, right + 12, label_y - 4, "#888", 0.6), _text(right + 16, label_y, mark.name)]
    parts += [marker(x, y, mark.group) for group in Group for x, y, mark in placed if mark.group is group]  # ours on top
    return _svg(WIDTH_PX, HEIGHT_PX, parts)


def _from_above(placed: Sequence[tuple[float, float, Mark]]) -> list[tuple[float, float, Mark]]:
    """In the order of labels: by height; of points side by side the rightmost first, so that the lines to the others pass below it."""
    out: list[tuple[float, float, Mark]] = []
    row: list[tuple[float, float, Mark]] = []
    for point in sorted(placed, key=lambda point: point[1]):
        if row and point[1] - row[0][1] > TEXT_PX / 4:
            out += sorted(row, key=lambda point: -point[0])
            row = []
        row.append(point)
    return out + sorted(row, key=lambda point: -point[0])


def legend(groups: Sequence[Group]) -> str:
    """One line: each group's marker and what it stands for."""
    parts, x = [], 10.0
    for group in groups:
        parts += [marker(x, 10, group), _text(x + 10, 14, group.value[1])]
        x += 40 + 7.2 * len(group.value[1])
    return _svg(int(x), 20, parts)


def marker(x: float, y: float, group: Group) -> str:
    """Peers are squares, photoarc's bit-exact mode a diamond, its lossy ones circles."""
    colour = group.value[0]
    if group is Group.PEER:
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{colour}" stroke="#333"/>'
    if group is Group.EXACT:
        return f'<path d="M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z" fill="{colour}" stroke="#333"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{colour}" stroke="#333"/>'


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


def _steps(top: float) -> list[float]:
    """Round values from 0 to `top`, three to seven of them."""
    power = 10.0 ** math.floor(math.log10(top))
    step = next(step for step in (power / 5, power / 2, power, power * 2) if top / step < 7)
    return [step * k for k in range(int(top / step) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within a range, only the powers if that is wide."""
    digits = (1, 2, 5) if high / low < 300 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**exponent for exponent in exponents for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = 'font-family="system-ui, sans-serif" font-size="13" fill="#222"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">{"".join(parts)}</svg>'
