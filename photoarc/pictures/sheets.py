"""Signs of drawings that have lost their exactness: pages of text with a scanner's noise, drawings out of JPEG files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.drawn import Sample
from photoarc.pictures.windows import SIDE_PX, counted

_CELL, _BLOCK = 16, 8
# A page: paper as bright everywhere, ink in many places and in large areas nowhere. Paper and ink are values of a rank in each cell.
_PAPER, _PAPER_IN_JPEG, _INK = 243, 204, 8
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
    ordered = np.sort(cells, axis=1).astype(np.int16)
    paper, ink = ordered[:, _PAPER], ordered[:, _INK]
    bright = float(np.median(paper))
    spread = float((ordered[:, _PAPER_IN_JPEG] if from_jpeg else paper).std())  # edges ring in a JPEG file
    if bright < _LEAST_PAPER or spread > (_PAPER_SPREAD_IN_JPEG if from_jpeg else _PAPER_SPREAD):
        return False
    inked = paper - ink >= _LEAST_CONTRAST
    if float(inked.mean()) < _LEAST_INK or float((ordered[:, 200] < bright - 50).mean()) > _MOST_DARK:
        return False
    return bright < _BLOWN or float(ordered[inked, 1].std()) < _INK_SPREAD  # blown out, every photograph has even paper


def _has_drawn_blocks(sample: Sample) -> bool:
    side = SIDE_PX // _BLOCK
    blocks = sample.codes.reshape(-1, side, _BLOCK, side, _BLOCK)
    colours = blocks[:, :, 0, :, 0]
    flat = (blocks == colours[:, :, None, :, None]).all((2, 4))
    corners = sample.planes[:, :, ::_BLOCK, ::_BLOCK]
    coloured = flat & (corners.max(0) >= _NEAR_BLACK) & (corners.min(0) <= _NEAR_WHITE)
    plane = sample.planes[len(sample.planes) // 2].reshape(-1, side, _BLOCK, side, _BLOCK)
    edged = plane.max((2, 4)) - plane.min((2, 4)) >= _EDGE
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


def _neighbours(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Blocks above, below, left and right of the marked ones."""
    near = np.zeros(marks.shape, bool)
    near[:, 1:] |= marks[:, :-1]
    near[:, :-1] |= marks[:, 1:]
    near[:, :, 1:] |= marks[:, :, :-1]
    near[:, :, :-1] |= marks[:, :, 1:]
    return near
