"""Cheap questions first: whether a sample shows none of the signs that drawn.py, numbers.py and sheets.py look for.

Nearly all photographs answer no to each, in a few passes over bytes; only the others are asked in earnest, which costs ten times as much.
Each cue is a bound of what it stands for (it is seen wherever the sign is), or the sign itself on fewer windows with a wider limit.
Arrays of windows are (n, SIDE_PX, SIDE_PX * C): neighbours across are C bytes apart, so that no plane is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.drawings import drawn, sheets
from photoarc.pictures.drawings.numbers import comes_back
from photoarc.pictures.drawings.windows import SIDE_PX, Pixels, codes, distinct

_AT_ONCE = 16  # windows: what is made of them stays in the cache
_BLOCK, _CELL, _EDGES, _JUMP, _LINED = 8, 16, 8, 32, 0.015
_EQUAL = 0.48  # pixels twice as large: 31 of 64
_SINGLE, _LEAST_SINGLE, _COMES_BACK = 0.3, 0.001, 1.0
_COLOURS, _GREYS, _ON_SURFACE = 256, 64, 0.98
_TURNS = 0.1
_FLAT_BLOCKS = 0.03
_CARRIED = 0.25
_FINEST, _KINSHIP, _CONTRAST, _NOISE, _UNIT = 1.03, 0.6, 25, 30, 0.7
_PAPER_SPREAD = 4.0


@dataclass(frozen=True, slots=True)
class Cues:
    """Which of the modules are to be asked."""

    drawn: bool
    numbers: bool
    sheets: bool


def find(seen: Pixels, *, from_jpeg: bool) -> Cues:
    """Which signs windows (n, SIDE_PX, SIDE_PX, 1 or 3) may show. `from_jpeg`: exact edges are not asked for."""
    rows = seen.reshape(len(seen), SIDE_PX, -1)
    lined, blocks = _drawing(seen, from_jpeg)
    middle = np.ascontiguousarray(seen[::9, :, :, seen.shape[3] // 2])
    numbers = (
        comes_back(middle) > _COMES_BACK or _has_pattern(seen[::6]) or (seen.shape[3] == 3 and (_has_units(seen) or _wraps(rows[::2])))
    )
    lined = lined or not (from_jpeg or _is_soft(middle))
    return Cues(lined or _few_colours(seen) or not (from_jpeg or _turns(rows)), numbers, blocks or _is_page(seen))


def _is_soft(middle: Pixels) -> bool:
    """Whether steps take more than a pixel, in a channel of some windows."""
    single, pixels = drawn.single_steps(middle)
    return single < _SINGLE or pixels < _LEAST_SINGLE


def _few_colours(seen: Pixels) -> bool:
    step = max(1, seen[..., 0].size // 4000) | 1
    pixels = seen.reshape(-1, seen.shape[3])[::step]
    if pixels.shape[1] == 1:
        shades = np.flatnonzero(np.bincount(pixels[:, 0]))
        return len(shades) <= _GREYS or int(shades[-1]) < _GREYS
    return distinct(codes(pixels.T)) <= _COLOURS or drawn.on_surface(pixels.T) >= _ON_SURFACE


def _drawing(seen: Pixels, from_jpeg: bool) -> tuple[bool, bool]:
    """Whether squares with an exact edge, or pixels of their neighbour's colour, are as many as a drawing has, and blocks of one colour."""
    flat = equal = lined = 0
    for first in range(0, len(seen), _AT_ONCE):
        part = seen[first : first + _AT_ONCE]
        mixed = _mixed(part)
        flat += _flat_blocks(mixed)
        if not from_jpeg:
            across, down = mixed[:, :, 1:] == mixed[:, :, :-1], mixed[:, 1:] == mixed[:, :-1]
            equal += int(np.count_nonzero(across))
            lined += _lined_cells(part, across, down)
    pixels = seen[..., 0].size
    return equal >= _EQUAL * pixels or lined >= _LINED * pixels / _CELL**2, flat >= _FLAT_BLOCKS * pixels / _BLOCK**2


def _mixed(seen: Pixels) -> Pixels:
    """(n, SIDE_PX, SIDE_PX): a byte a pixel; equal colours have equal ones, one in 256 of the others, too."""
    if seen.shape[3] == 1:
        return seen[..., 0]
    mixed = seen[..., 0] * np.uint8(5)
    mixed += seen[..., 1]
    mixed *= np.uint8(3)
    mixed += seen[..., 2]
    return mixed


def _flat_blocks(mixed: Pixels) -> int:
    """Blocks with corners of one colour, so at least those that are of one colour."""
    side = SIDE_PX // _BLOCK
    corners = mixed.reshape(-1, side, _BLOCK, side, _BLOCK)[:, :, :: _BLOCK - 1, :, :: _BLOCK - 1]
    same: NDArray[np.bool_] = corners == corners[:, :, :1, :, :1]
    return int(np.count_nonzero(same.all((2, 4))))


def _lined_cells(seen: Pixels, across: NDArray[np.bool_], down: NDArray[np.bool_]) -> int:
    """Cells with as many exact edges as a line has, given which pixels are of their left and upper neighbour's colour."""
    upright, lying = np.zeros(seen.shape[:3], bool), np.zeros(seen.shape[:3], bool)
    np.logical_and(down[:, :, :-1], down[:, :, 1:], out=upright[:, :-1, :-1])
    np.logical_and(across[:, :-1], across[:, 1:], out=lying[:, :-1, :-1])
    upright[:, :-1, :-1] &= ~across[:, :-1]
    lying[:, :-1, :-1] &= ~down[:, :, :-1]
    found = [(np.flatnonzero(upright), 1), (np.flatnonzero(lying), SIDE_PX)]
    pixels = seen.reshape(-1, seen.shape[3])
    edges = np.concatenate([places[_apart(pixels[places], pixels[places + step]).max(1) >= _JUMP] for places, step in found])
    cells = edges // (SIDE_PX * _CELL) * (SIDE_PX // _CELL) + edges % SIDE_PX // _CELL
    return int(np.count_nonzero(np.bincount(cells) >= _EDGES))


def _apart(one: Pixels, other: Pixels) -> Pixels:
    """Difference of each two bytes."""
    apart = np.maximum(one, other)
    apart -= np.minimum(one, other)
    return apart


def _turns(rows: Pixels) -> bool:
    """Whether steps turn at once often enough in every fourth window, were there no turn in the others that are asked."""
    some, channels = rows[::4], rows.shape[2] // SIDE_PX
    rises, falls = some[:, :, channels:] > some[:, :, :-channels], some[:, :, channels:] < some[:, :, :-channels]
    turns = np.count_nonzero(rises[:, :, channels:] & falls[:, :, :-channels])
    turns += np.count_nonzero(falls[:, :, channels:] & rises[:, :, :-channels])
    return bool(turns >= _TURNS * rises.size)


def _wraps(rows: Pixels) -> bool:
    """Whether one channel jumps where another one counts on by one."""
    for steps in (_apart(rows[:, :, 3:], rows[:, :, :-3]), _apart(rows[:, 1:], rows[:, :-1])):
        jumps = np.flatnonzero(steps >= 128)
        channel = jumps % 3
        for low in range(3):
            first = jumps[channel == low] - low
            for high in {0, 1, 2} - {low}:
                carried = np.count_nonzero(steps.ravel()[first + high] == 1)
                if carried >= 2 and carried > _CARRIED * len(first):
                    return True
    return False


def _has_pattern(seen: Pixels) -> bool:
    """Whether detail is as fine as a mosaic's, pixels are hardly akin to their neighbours, or one channel alone is full of noise."""
    channels = seen.shape[3]
    rows = seen.reshape(len(seen), SIDE_PX, -1)
    next_across, next_down = _apart(rows[:, :, channels:], rows[:, :, :-channels]), _apart(rows[:, 1:], rows[:, :-1])
    across, down = _mean(next_across, channels), _mean(next_down, channels)
    busy = np.minimum(across, down)
    if channels == 3 and busy.max() > _NOISE and busy.min() < busy.max() / 4:
        return True
    wide, tall = (
        _mean(_apart(rows[:, :, 2 * channels :], rows[:, :, : -2 * channels]), channels),
        _mean(_apart(rows[:, 2:], rows[:, :-2]), channels),
    )
    if np.minimum(across / (wide + 0.5), down / (tall + 0.5)).max() > _FINEST:
        return True
    spread = np.array([seen[..., k].std() for k in range(channels)])
    channel = int(spread.argmax())
    if spread[channel] < _CONTRAST:
        return False
    least = min(float(np.square(steps[:, :, channel::channels], dtype=np.uint16).mean()) for steps in (next_across, next_down))
    return bool(1 - least / (2 * float(spread[channel]) ** 2) < _KINSHIP)


def _mean(steps: Pixels, channels: int) -> NDArray[np.float64]:
    """(channels,) of (n, H, W * channels)."""
    sums = steps.reshape(-1, steps.shape[2]).sum(0, dtype=np.uint32).reshape(-1, channels).sum(0)
    means: NDArray[np.float64] = sums * (channels / steps.size)
    return means


def _has_units(seen: Pixels) -> bool:
    """Whether most pixels are unit vectors, -1..1 as 0..255, those left out that stand for no surface."""
    pixels = seen.reshape(-1, 3)[::101].astype(np.float32)
    known = ~((np.abs(pixels - 127.5) <= 0.5).all(1) | np.isin(codes(seen.reshape(-1, 3)[::101].T), (0, 0xFFFFFF, 0x8080FF, 0x7F7FFF)))
    vectors = pixels[known] / 127.5 - 1
    return len(vectors) > 0 and float((np.abs(np.sqrt(np.square(vectors).sum(1)) - 1) < 0.035).mean()) > _UNIT


def _is_page(seen: Pixels) -> bool:
    """Whether paper may be as bright everywhere: what a part of the windows varies, all of them do not vary less in sum."""
    some = seen[::12, :, :, seen.shape[3] // 2]
    cells = some.reshape(-1, SIDE_PX // _CELL, _CELL, SIDE_PX // _CELL, _CELL).swapaxes(2, 3).reshape(-1, _CELL * _CELL)
    paper = np.partition(cells, (204, 243), axis=1)[:, (204, 243)]
    least = min(sheets.spread_of_paper(rank.astype(np.int16)) for rank in paper.T)
    return least * float((len(some) / len(seen)) ** 0.5) <= _PAPER_SPREAD
