"""What the streams of a photograph will take, from a few windows of it, so that one that is going to be too large is given up early.

Pictures that were coded lossily before, and coarsely, take about as much again: most of the work on them would be thrown away. The
windows of a strip of rows are analysed each alone, and coded together as one band: 0.05 of 3 seconds on 12 MP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from photoarc.codecs.photo.bands import UNIT_PX
from photoarc.codecs.photo.cells import CELL_PX

FEWEST_STRIPS = 4
WINDOW_PX = max(UNIT_PX, CELL_PX)
_WINDOWS_APART = 32  # one in so many places
_FEWEST, _A_STRIP = 3, 16  # windows a strip: the fewest, and how many are enough for one
# What a window takes more than in its place, where neighbours tell of it; and how much is counted on: the more windows there are, the more,
# 1 less _DOUBT over the root of their number. The streams of 32 photographs of 2 to 24 MP, both modes, took 0.84 to 1.44 of what at most
# 64 windows came to at qualities 75 and 100; at 25, 0.67 at the least. Those of 12 photographs and mosaics of 9 to 27 MP took 0.94 to 1.16
# of what 90 to 200 windows came to.
_BORDERS_BYTES, _LEAST_SHARE, _DOUBT = 10, 0.85, 0.8
# What is done tells of the rest where windows are many, and the more of it the more: so many windows stand against it. Of the same pictures
# 0.03 more than they took was counted on at the most; what took 1.1 times what it may was given up at 0.14 of the rows (before at 0.57).
_MANY, _STAND_AGAINST = 64, 60
_GOLDEN = 0.618034  # of the width from one window to the next: they keep apart

Code = Callable[[Sequence[tuple[int, int]]], int]  # of windows' upper left corners (row, column) in pixels: bytes of their stream


@dataclass(frozen=True, slots=True)
class Forecast:
    """`strips`: bytes that each strip, an equal share of `height_px`, takes about, as so many windows tell; none if none was coded."""

    height_px: int
    strips: tuple[float, ...] = ()
    windows: int = 0

    def rest_bytes(self, top_px: int, done_bytes: int = 0) -> int:
        """What the rows from `top_px` on take at least, when those above took `done_bytes`."""
        if not self.windows:
            return 0
        done = len(self.strips) * min(top_px, self.height_px) / self.height_px
        rest = sum(size * min(max(i + 1 - done, 0), 1) for i, size in enumerate(self.strips))
        share = max(_LEAST_SHARE, 1 - _DOUBT / math.sqrt(self.windows))
        return int(share * rest * self._more(sum(self.strips) - rest, done_bytes))

    def _more(self, foreseen: float, done_bytes: int) -> float:
        """What the rows above took of what they were to take; never less than 1."""
        against = _STAND_AGAINST / self.windows * sum(self.strips)
        return max((done_bytes + against) / (foreseen + against), 1.0) if self.windows > _MANY and against else 1.0


def forecast(height_px: int, width_px: int, code: Code) -> Forecast:
    """Forecast of a picture's streams; an empty one for a picture so small that windows would cost more than they save."""
    windows = list(_windows(height_px, width_px))
    places = height_px * width_px / WINDOW_PX**2 / max(len(windows), 1)
    about = tuple(places * max(code(strip) / len(strip) - _BORDERS_BYTES, 0) for strip in windows)
    return Forecast(height_px, about, sum(map(len, windows)))


def _windows(height_px: int, width_px: int) -> Iterator[list[tuple[int, int]]]:
    """Corners of the windows of each strip: multiples of their side, inside the picture."""
    rows, columns = height_px // WINDOW_PX, width_px // WINDOW_PX
    wanted = rows * columns // _WINDOWS_APART
    strips = max(FEWEST_STRIPS, min(wanted // _A_STRIP, rows))
    count = wanted // strips
    if rows < strips or count < _FEWEST:
        return
    for strip in range(strips):
        numbers = range(strip * count, (strip + 1) * count)
        yield [(int((n + 0.5) / (strips * count) * rows) * WINDOW_PX, int((n * _GOLDEN + 0.5) % 1 * columns) * WINDOW_PX) for n in numbers]
