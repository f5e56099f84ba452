"""What the streams of a photograph will take, from a few windows of it, so that one that is going to be too large is given up early.

Pictures that were coded lossily before, and coarsely, take about as much again: most of the work on them would be thrown away. The
windows of a quarter of the rows are analysed each alone, and coded together as one band: 0.08 of 3 seconds on 12 MP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from photoarc.codecs.photo.bands import UNIT_PX
from photoarc.codecs.photo.cells import CELL_PX

STRIPS = 4
WINDOW_PX = max(UNIT_PX, CELL_PX)
_WINDOWS_APART = 32  # one in so many places of a strip
_FEWEST, _MOST = 3, 16  # windows a strip
# What a window takes more than in its place, where neighbours tell of it; and how much of the rest is counted on. With these, the streams
# of 32 photographs of 2 to 24 MP, both modes, took 0.84 to 1.44 of it at qualities 75 and 100; at 25, 0.67 at the least.
_BORDERS_BYTES, LEAST_SHARE = 10, 0.85
_GOLDEN = 0.618034  # of the width from one window to the next: they keep apart

Code = Callable[[Sequence[tuple[int, int]]], int]  # of windows' upper left corners (row, column) in pixels: bytes of their stream


@dataclass(frozen=True, slots=True)
class Forecast:
    """`strips`: bytes that each of the strips, equal shares of `height_px`, takes at least; none if nothing is known."""

    height_px: int
    strips: tuple[float, ...] = ()

    def rest_bytes(self, top_px: int) -> int:
        """What the rows from `top_px` on take at least."""
        done = len(self.strips) * min(top_px, self.height_px) / self.height_px
        return int(sum(size * min(max(i + 1 - done, 0), 1) for i, size in enumerate(self.strips)))


def forecast(height_px: int, width_px: int, code: Code) -> Forecast:
    """Forecast of a picture's streams; an empty one for a picture so small that windows would cost more than they save."""
    windows = list(_windows(height_px, width_px))
    places = height_px * width_px / WINDOW_PX**2 / STRIPS
    return Forecast(height_px, tuple(LEAST_SHARE * places * max(code(strip) / len(strip) - _BORDERS_BYTES, 0) for strip in windows))


def _windows(height_px: int, width_px: int) -> Iterator[list[tuple[int, int]]]:
    """Corners of the windows of each strip: multiples of their side, inside the picture."""
    rows, columns = height_px // WINDOW_PX, width_px // WINDOW_PX
    count = min(rows * columns // STRIPS // _WINDOWS_APART, _MOST)
    if rows < STRIPS or count < _FEWEST:
        return
    for strip in range(STRIPS):
        numbers = range(strip * count, (strip + 1) * count)
        yield [(int((n + 0.5) / (STRIPS * count) * rows) * WINDOW_PX, int((n * _GOLDEN + 0.5) % 1 * columns) * WINDOW_PX) for n in numbers]
