"""Signs that a picture was drawn by a program: exact edges beside exact areas, few colours, enlarged pixels, no noise, pages of text.

What a lens drew has soft edges and noise: two pixels of one colour beside two of quite another one hardly occur, whatever was done to
the photograph since. Words for it here: an *edge* is a square of 2 x 2 pixels with one colour on one side and another one on the
other; a *cell* is a square of `_CELL` pixels. Figures are of the photographs and drawings in docs/design.md, "What is no photograph".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.drawings.windows import SIDE_PX, Pixels, codes, counted, distinct

_CELL = 16
_CELLS = SIDE_PX // _CELL
_JUMP = 32  # of a channel: an edge that one sees
_EDGES = 8  # in a cell: a line through half of it
# (share of cells with that many edges, share of cells of one colour) that a drawing has at least. Photographs have 0.0195 and 0; a
# screen of which nine tenths are a photograph has 0.042 and 0.11.
_DRAWN = ((0.06, 0.0), (0.03, 0.03), (0.015, 0.05))
_DRAWN_IN_BLACK_AND_WHITE = ((0.12, 0.0), (0.035, 0.05))
_OWN_EDGES = 0.3  # edges with colours of their own: those of a photograph without noise
_BLOCKY = 0.85
_FLAT, _STEP = 0.5, 3
_BLOCK, _GRID = 8, 0.75
_PALETTE, _GREYS = 256, 64
_NO_TURNS = 0.05
_LEAST_LINES, _MOSTLY = 7, 0.5  # lines between enlarged pixels in a window; share of the windows with lines
# A single step is by `_STEP_UP` and six times as high as those beside it. (share of such among steps of that height, and of all pixels)
# Photographs with so many pixels have 0.21 at most, sharpened ones too; areas of one colour with noise over them 0.9 and more.
_STEP_UP, _STEEPER, _SINGLE, _LEAST_SINGLE, _THROUGH = 40, 6, 0.5, 0.004, 48
_ON_SURFACE, _SPREAD = 0.995, 30


@dataclass(frozen=True)
class Sample:
    """Windows (C, n, SIDE_PX, SIDE_PX) of a picture: a plane a channel, of which there are one or three, one if all three are equal."""

    planes: Pixels

    @cached_property
    def codes(self) -> NDArray[np.uint32]:
        """(n, SIDE_PX, SIDE_PX), one number a colour."""
        return codes(self.planes)

    @cached_property
    def equal_across(self) -> NDArray[np.bool_]:
        """(n, SIDE_PX, SIDE_PX - 1): of the colour of the left neighbour."""
        return np.equal(self.codes[:, :, 1:], self.codes[:, :, :-1])

    @cached_property
    def equal_down(self) -> NDArray[np.bool_]:
        """(n, SIDE_PX - 1, SIDE_PX): of the colour of the upper neighbour."""
        return np.equal(self.codes[:, 1:], self.codes[:, :-1])

    @cached_property
    def across(self) -> NDArray[np.int16]:
        """(C, n, SIDE_PX, SIDE_PX - 1) differences to the left neighbour."""
        return np.subtract(self.planes[..., 1:], self.planes[..., :-1], dtype=np.int16)

    @cached_property
    def down(self) -> NDArray[np.int16]:
        """(C, n, SIDE_PX - 1, SIDE_PX) differences to the upper neighbour."""
        return np.subtract(self.planes[:, :, 1:], self.planes[:, :, :-1], dtype=np.int16)


def reason(sample: Sample, *, exact: bool) -> str:
    """Why the picture is drawn, "" if it does not look so; `exact`: not out of a JPEG file."""
    if exact:
        equal_across, equal_down = sample.equal_across, sample.equal_down
        coloured = _coloured(sample)
        edges = _edges(sample, equal_across, equal_down)
        flat_cells = _flat_cells(equal_across, equal_down, coloured)
        if _has_drawn_edges(sample, edges, coloured, flat_cells):
            return "graphics: exact edges and flat areas"
        if _is_enlarged(equal_across, equal_down):
            return "graphics: enlarged pixels"
        single, pixels = single_steps(sample.planes[len(sample.planes) // 2])
        if single >= _SINGLE and pixels >= _LEAST_SINGLE:
            return "graphics: single steps between even areas"
        flat = float((equal_across[:, 1:] & equal_down[:, :, 1:] & coloured[:, 1:, 1:]).mean())
        if flat >= _FLAT and np.count_nonzero(edges.jumps >= _STEP) >= max(1, len(edges.jumps) / 2) and not _on_a_grid(edges):
            return "graphics: flat areas"
    if few := _few_colours(sample):
        return few
    if on_surface(sample.planes.reshape(len(sample.planes), -1)[:, ::7]) >= _ON_SURFACE:
        return "graphics: false colours"
    return "graphics: ramps without noise" if exact and _turns(sample) < _NO_TURNS else ""


def is_blocky(sample: Sample) -> bool:
    """Whether neighbours are equal less often at every eighth column and row than anywhere else: pixels out of a JPEG file.

    Its blocks have exact edges of their own. Measured on JPEG files of photographs, quality 15 to 90: every eighth has 0.1 to 0.95 of
    the next, and what is left does not differ much. A drawing may have one of both by chance.
    """
    across = np.append(sample.equal_across.sum((0, 1)), 0)[: SIDE_PX - 8].reshape(-1, 8).sum(0)
    down = np.append(sample.equal_down.sum((0, 2)), 0)[: SIDE_PX - 8].reshape(-1, 8).sum(0)
    (low, next_across, *_, most_across), (low_down, next_down, *_, most_down) = np.sort(across), np.sort(down)
    even = next_across > 0.4 * most_across and next_down > 0.4 * most_down
    return bool(even and low < _BLOCKY * next_across and low_down < _BLOCKY * next_down)


def _coloured(sample: Sample) -> NDArray[np.bool_]:
    """(n, SIDE_PX, SIDE_PX): neither pure black nor pure white, which photographs have in one piece where they are blown out or cut out."""
    white = (1 << 8 * len(sample.planes)) - 1
    coloured: NDArray[np.bool_] = (sample.codes != 0) & (sample.codes != white)
    return coloured


@dataclass(frozen=True)
class _Edges:
    """Numbers of pixels, of those on the other side, and by how much they differ in the channel that differs most."""

    places: NDArray[np.int64]
    others: NDArray[np.int64]
    jumps: NDArray[np.uint8]


def _has_drawn_edges(sample: Sample, edges: _Edges, coloured: NDArray[np.bool_], flat_cells: float) -> bool:
    seen = edges.jumps >= _JUMP
    one, other, colours = edges.places[seen], edges.others[seen], sample.codes.ravel()
    both = colours[one].astype(np.uint64) << np.uint64(24) | colours[other]
    if distinct(both) > _OWN_EDGES * len(both):
        return False
    in_colour = coloured.ravel()[one] & coloured.ravel()[other]
    for places, limits in ((one[in_colour], _DRAWN), (one, _DRAWN_IN_BLACK_AND_WHITE)):
        marks = np.zeros(sample.codes.shape, np.uint8)
        marks.ravel()[places] = 1
        lined = float((_per_cell(marks) >= _EDGES).mean())
        if any(lined >= least and flat_cells >= flat for least, flat in limits):
            return True
    return False


def _is_enlarged(equal_across: NDArray[np.bool_], equal_down: NDArray[np.bool_]) -> bool:
    """Whether whole columns and whole rows repeat the one before, and no two that follow each other bring something new."""
    upright: NDArray[np.bool_] = ~np.logical_and.reduce(equal_across, axis=1)  # (n, SIDE_PX - 1): lines between pixels
    lying: NDArray[np.bool_] = ~np.logical_and.reduce(equal_down, axis=2)
    asked: NDArray[np.bool_] = (upright.sum(1) >= _LEAST_LINES) & (lying.sum(1) >= _LEAST_LINES)
    close: NDArray[np.bool_] = np.logical_or.reduce((upright[:, 1:] & upright[:, :-1]) | (lying[:, 1:] & lying[:, :-1]), axis=1)
    return bool(asked.sum() >= len(asked) / 10 and (asked & ~close).sum() >= _MOSTLY * asked.sum())


def single_steps(plane: Pixels) -> tuple[float, float]:
    """Share of steps from one even area to the next within a pixel, among all of their height, and of the pixels (n, SIDE_PX, SIDE_PX).

    Lines through a whole window are left out: frames around photographs.
    """
    steep = single = 0
    for pixels in (plane, plane.swapaxes(1, 2)):
        steps = np.maximum(pixels[:, :, 1:], pixels[:, :, :-1]) - np.minimum(pixels[:, :, 1:], pixels[:, :, :-1])
        places = np.flatnonzero(steps[:, :, 1:-1] >= _STEP_UP)
        at = places // (SIDE_PX - 3) * (SIDE_PX - 1) + places % (SIDE_PX - 3)
        flat = steps.ravel()
        height = flat[at + 1] // _STEEPER
        lines = places // ((SIDE_PX - 3) * SIDE_PX) * (SIDE_PX - 3) + places % (SIDE_PX - 3)
        found = np.bincount(lines[(flat[at] <= height) & (flat[at + 2] <= height)])
        steep += len(at)
        single += int(found[found < _THROUGH].sum())
    return single / max(steep, 1), single / plane.size


def _on_a_grid(edges: _Edges) -> bool:
    """Whether most edges stand in every eighth column or row: between blocks of a JPEG file of low quality."""
    upright = edges.others - edges.places == 1
    columns, rows = edges.places[upright] % _BLOCK, edges.places[~upright] // SIDE_PX % _BLOCK
    return any(np.bincount(phases).max() > _GRID * len(phases) for phases in (columns, rows) if len(phases))


def _edges(sample: Sample, equal_across: NDArray[np.bool_], equal_down: NDArray[np.bool_]) -> _Edges:
    upright, lying = (np.zeros(sample.codes.shape, bool) for _ in range(2))
    upright[:, :-1, :-1] = equal_down[:, :, :-1] & equal_down[:, :, 1:] & ~equal_across[:, :-1]
    lying[:, :-1, :-1] = equal_across[:, :-1] & equal_across[:, 1:] & ~equal_down[:, :, :-1]
    found, under = np.flatnonzero(upright), np.flatnonzero(lying)
    places, others = np.concatenate((found, under)), np.concatenate((found + 1, under + SIDE_PX))
    planes = sample.planes.reshape(len(sample.planes), -1)
    one, other = planes[:, places], planes[:, others]
    return _Edges(places, others, (np.maximum(one, other) - np.minimum(one, other)).max(0))


def _flat_cells(equal_across: NDArray[np.bool_], equal_down: NDArray[np.bool_], coloured: NDArray[np.bool_]) -> float:
    """Share of cells of one colour, black and white left out."""
    n = len(equal_across)
    same = np.zeros((n, SIDE_PX, SIDE_PX), bool)
    same[:, :, 1:] = equal_across
    same[:, :, ::_CELL] = True  # its neighbour is in another cell
    same[:, 1:, ::_CELL] &= equal_down[:, :, ::_CELL]
    same[:, ::_CELL, ::_CELL] = True
    return float(((_per_cell(same.view(np.uint8)) == _CELL * _CELL) & coloured[:, ::_CELL, ::_CELL]).mean())


def _per_cell(marks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(n, SIDE_PX, SIDE_PX) zeros and ones -> how many ones in each cell."""
    columns = marks.reshape(-1, _CELLS, _CELL, SIDE_PX).sum(2, dtype=np.uint8)
    counts: NDArray[np.int64] = columns.reshape(-1, _CELLS, _CELLS, _CELL).sum(3, dtype=np.int64)
    return counts


def _few_colours(sample: Sample) -> str:
    """A palette, or false colours. A toned photograph has up to 256 colours, one in fog or a sky without noise has few that are alike."""
    colours = sample.codes.ravel()
    if distinct(colours[:: max(1, colours.size >> 14)]) > _PALETTE or distinct(colours) > _PALETTE:
        return ""
    found, counts = counted(colours)
    channels = np.stack([found >> k & 255 for k in ((16, 8, 0) if len(sample.planes) == 3 else (0,))], 1).astype(np.int16)
    if len(found) < 2:
        return "graphics: one colour"
    apart = np.abs(channels[:, None] - channels[None]).max(2)
    np.fill_diagonal(apart, 255)
    alone = float(counts[apart.min(1) >= 3 - (channels.shape[1] == 1)].sum() / counts.sum())
    if channels.shape[1] == 1:
        few = int(found[-1]) < _GREYS or (len(found) <= _GREYS and alone > 0.25)  # numbers of classes, or far apart
        return "graphics: few greys" if few else ""
    if alone > 0.5 or len(found) <= 4:
        return "graphics: few colours"
    return "graphics: false colours" if _is_scale(channels) else ""


def _is_scale(channels: NDArray[np.int16]) -> bool:
    """Whether colours lie one behind the other on a line that bends back: a scale of false colours. A toned photograph's rise together."""
    light = channels @ np.array([2, 5, 1], np.int16)
    line = channels[np.argsort(light, kind="stable")]
    steps = np.abs(np.diff(line, axis=0)).max(1)
    falls = np.minimum(np.diff(line[:: max(1, len(line) // 32)], axis=0), 0).sum(0).min()
    return len(line) >= 64 and float(np.median(steps)) <= 4 and float((steps <= 8).mean()) > 0.9 and falls < -70


def on_surface(pixels: Pixels) -> float:
    """Share of pixels (C, n) with a channel at one end: all those of a scale of bright false colours, however many there are.

    Black and white ones are left out. 0 where they are most, or a channel hardly varies: a photograph in red light.
    """
    ends = (pixels == 0) | (pixels == 255)
    coloured = (pixels != pixels[0]).any(0) | ~ends[0]
    some = pixels[:, coloured]
    if len(pixels) != 3 or some.shape[1] < pixels.shape[1] / 2 or float(some.std(1).min()) < _SPREAD:
        return 0.0
    return float(ends[:, coloured].any(0).mean())


def _turns(sample: Sample) -> float:
    """How often what rose falls next, or the other way round; the larger share of the two directions. Noise turns at every second pixel."""
    return max(_turning(sample.across[:, ::2]), _turning(sample.down[:, ::2].swapaxes(2, 3)))


def _turning(differences: NDArray[np.int16]) -> float:
    steps = differences[differences != 0]
    return float(((steps[1:] ^ steps[:-1]) < 0).mean()) if len(steps) > 1 else 0.0
