"""Signs of drawings that have lost their exactness: pages of text with a scanner's noise, drawings out of JPEG files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.drawings.drawn import Sample
from photoarc.pictures.drawings.windows import SIDE_PX, Pixels, codes, counted

_CELL, _BLOCK = 16, 8
# A page: paper as bright all over a window (light may fade from one end of the page to the other), ink in many places and in large areas
# nowhere. Paper and ink are values of a rank in each cell.
_RANKS = (1, 8, 200, 204, 243)  # the darkest, ink, no large area of it, paper beside edges that ring, paper
_LEAST_PAPER, _PAPER_SPREAD, _PAPER_SPREAD_IN_JPEG = 100, 3.0, 4.0
_LEAST_INK, _MOST_DARK, _LEAST_CONTRAST = 0.08, 0.01, 70
_BLOWN, _INK_SPREAD = 250, 35
# (share of blocks of one colour, of the commonest of these colours, of equal ones among neighbours that are both of one colour, of blocks
# with an edge beside one of them). Of 254 photographs two have as much at JPEG quality 20, and none at 40, 70 and 92.
# Blocks near black and white count for less: subjects are put before them.
_DRAWN_BLOCKS = ((0.08, 0.0, 0.95, 0.02), (0.03, 0.03, 0.99, 0.004))
_DRAWN_BEFORE_WHITE = ((0.1, 0.0, 0.95, 0.06),)
_NEAR_BLACK, _NEAR_WHITE = 40, 251
_LEAST_PAIRS, _EDGE = 16, 48


def reason(sample: Sample, *, from_jpeg: bool) -> str:
    """Why the picture is a page of text, or a drawing whose blocks went through a JPEG file; "" if it does not look so."""
    if _is_page(sample, from_jpeg):
        return "graphics: a page of text or lines"
    return "graphics: flat areas and edges in a JPEG" if from_jpeg and _has_drawn_blocks(sample) else ""


def _is_page(sample: Sample, from_jpeg: bool) -> bool:
    plane = sample.planes[len(sample.planes) // 2]
    side = SIDE_PX // _CELL
    cells = plane.reshape(-1, side, _CELL, side, _CELL).swapaxes(2, 3).reshape(-1, _CELL * _CELL)
    darkest, ink, middle, paper_in_jpeg, paper = np.partition(cells, _RANKS, axis=1)[:, _RANKS].T.astype(np.int16)
    bright = float(np.median(paper))
    spread = spread_of_paper(paper_in_jpeg if from_jpeg else paper)  # edges ring in a JPEG file
    if bright < _LEAST_PAPER or spread > (_PAPER_SPREAD_IN_JPEG if from_jpeg else _PAPER_SPREAD):
        return False
    inked = paper - ink >= _LEAST_CONTRAST
    if float(inked.mean()) < _LEAST_INK or float((middle < bright - 50).mean()) > _MOST_DARK:
        return False
    return bright < _BLOWN or float(darkest[inked].std()) < _INK_SPREAD  # blown out, every photograph has even paper


def spread_of_paper(paper: NDArray[np.int16]) -> float:
    """How much paper differs, cell by cell, from what it mostly is in the same window: root of the mean square."""
    within = paper.reshape(-1, (SIDE_PX // _CELL) ** 2)
    apart = within - np.median(within, axis=1, keepdims=True)
    return float(np.sqrt(np.square(apart).mean()))


def _has_drawn_blocks(sample: Sample) -> bool:
    corners = sample.planes[:, :, ::_BLOCK, ::_BLOCK]
    colours = codes(corners)
    least, most = _per_block(np.minimum, sample.planes), _per_block(np.maximum, sample.planes)
    flat = (least == most).all(0)
    coloured = flat & (corners.max(0) >= _NEAR_BLACK) & (corners.min(0) <= _NEAR_WHITE)
    edged = (most - least)[len(most) // 2] >= _EDGE
    for marks, limits in ((coloured, _DRAWN_BLOCKS), (flat, _DRAWN_BEFORE_WHITE)):
        beside = marks[:, :, 1:] & marks[:, :, :-1]
        pairs = int(np.count_nonzero(beside))
        if pairs < _LEAST_PAIRS:
            continue
        shares = (
            float(marks.mean()),
            int(counted(colours[marks])[1].max()) / marks.size,
            np.count_nonzero(beside & (colours[:, :, 1:] == colours[:, :, :-1])) / pairs,
            float((edged & _neighbours(marks)).mean()),
        )
        if any(all(share >= least for share, least in zip(shares, limit, strict=True)) for limit in limits):
            return True
    return False


def _per_block(which: np.ufunc, planes: Pixels) -> Pixels:
    """(C, n, SIDE_PX, SIDE_PX) -> (C, n, blocks down, blocks across): the least or the most of each block."""
    side = SIDE_PX // _BLOCK
    columns = which.reduce(planes.reshape(*planes.shape[:2], side, _BLOCK, SIDE_PX), axis=3)
    out: Pixels = which.reduce(columns.reshape(*planes.shape[:2], side, side, _BLOCK), axis=4)
    return out


def _neighbours(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Blocks above, below, left and right of the marked ones."""
    near = np.zeros(marks.shape, bool)
    near[:, 1:] |= marks[:, :-1]
    near[:, :-1] |= marks[:, 1:]
    near[:, :, 1:] |= marks[:, :, :-1]
    near[:, :, :-1] |= marks[:, :, 1:]
    return near
