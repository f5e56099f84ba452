"""Where the names of points go: beside the point if there is room, else nearby and tied to it by a thin line. Lengths in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEP_X_PX, STEP_Y_PX = 10, 8  # between places that are tried
REACH_PX = 120  # as far from its point as a name may go
GAP_PX = 3  # between a name and what must not touch it
TIED_PX = 12  # farther from its point, a name needs a line to it

Point = tuple[float, float]
Line = tuple[Point, Point]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def nearest(self, point: Point) -> Point:
        """The place in it that is nearest to a point."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.top), self.bottom)

    def crossed(self, start: Point, end: Point) -> bool:
        """Whether a line passes through it: what is left of the line between the two edges of each axis (Liang & Barsky 1984)."""
        enters, leaves = 0.0, 1.0
        for at, to, low, high in ((start[0], end[0], self.left, self.right), (start[1], end[1], self.top, self.bottom)):
            if at == to:
                if not low < at < high:
                    return False
                continue
            first, last = sorted(((low - at) / (to - at), (high - at) / (to - at)))
            enters, leaves = max(enters, first), min(leaves, last)
        return enters < leaves


def place(
    points: Sequence[Point], sizes: Sequence[tuple[float, float]], area: Box, radius: float, drawn: Sequence[Line] = ()
) -> list[Box | None]:
    """A box of the wanted (width, height) for every point, within the area, free of the others, of markers of that radius and lines drawn.

    It is nearer to its own point than to any other, or a line (from `tied`) says whose it is, which crosses no other box, and no marker or
    line unless there is no other way. None where no room is left.
    """
    markers = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    crowd = [sum(math.dist(one, other) < REACH_PX / 2 for other in points) for one in points]
    out: list[Box | None] = [None] * len(points)
    lines = list(drawn)
    for k in sorted(range(len(points)), key=lambda k: -crowd[k]):  # who has least choice chooses first
        taken = [box for box in out if box]
        others = [other for at, other in enumerate(points) if at != k]
        crossing = None
        for box in _free(points[k], *sizes[k], radius, area, [*markers, *taken]):
            if any(_wide(box).crossed(*line) for line in lines):
                continue
            if _clear(box, points[k], others, taken, radius, lines):
                out[k] = box
                break
            line = tied(points[k], box)
            if line and not crossing and not any(other.crossed(*line) for other in taken):
                crossing = box
        out[k] = chosen = out[k] or crossing
        if chosen and (line := tied(points[k], chosen)):
            lines.append(line)
    return out


def _wide(box: Box) -> Box:
    return Box(box.left - GAP_PX, box.top, box.right + GAP_PX, box.bottom)


def _clear(box: Box, point: Point, others: Sequence[Point], taken: Sequence[Box], radius: float, lines: Sequence[Line]) -> bool:
    """Whether nobody could think that the name is another's point's."""
    line = tied(point, box)
    if not line:
        gap = math.dist(point, box.nearest(point))
        return all(math.dist(other, box.nearest(other)) >= gap + radius for other in others)
    markers = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in others]
    return not any(other.crossed(*line) for other in (*markers, *taken)) and not any(_cross(line, other) for other in lines)


def tied(point: Point, box: Box) -> Line | None:
    """The line from a point to its name, None if that stands beside it."""
    end = box.nearest(point)
    return (point, end) if math.dist(point, end) > TIED_PX else None


def _cross(one: Line, other: Line) -> bool:
    def side(line: Line, point: Point) -> float:
        (x1, y1), (x2, y2) = line
        return (x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)

    return side(one, other[0]) * side(one, other[1]) < 0 and side(other, one[0]) * side(other, one[1]) < 0


def _free(point: Point, width: float, height: float, radius: float, area: Box, obstacles: Sequence[Box]) -> list[Box]:
    """Places round a point, the best first: near, and rather to the right than to the left, above or below."""
    x, y = point
    beside = [(x + radius + GAP_PX, y - height / 2), (x - radius - GAP_PX - width, y - height / 2)]
    beside += [(x - width / 2, y - radius - height), (x - width / 2, y + radius)]
    across, down = int((REACH_PX + width) / STEP_X_PX), int((REACH_PX + height) / STEP_Y_PX)
    around = np.mgrid[-across : across + 1, -down : down + 1].reshape(2, -1).T * (STEP_X_PX, STEP_Y_PX) + (x - width / 2, y - height / 2)
    left, top = np.concatenate([np.array(beside), around]).T
    right, bottom = left + width, top + height
    apart = np.hypot(np.maximum(0, np.maximum(left - x, x - right)), np.maximum(0, np.maximum(top - y, y - bottom)))
    apart[: len(beside)] = range(-len(beside), 0)
    fits = (left >= area.left) & (right <= area.right) & (top >= area.top) & (bottom <= area.bottom)
    for other in obstacles:
        fits &= (left - GAP_PX >= other.right) | (right + GAP_PX <= other.left) | (top >= other.bottom) | (bottom <= other.top)
    order = np.flatnonzero(fits)[np.argsort(apart[fits], kind="stable")]
    return [Box(*map(float, (left[k], top[k], right[k], bottom[k]))) for k in order]
