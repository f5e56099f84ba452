"""A sample of a picture: its frame cut off, then square windows spread over the rest.

A 100-megapixel picture then costs no more than one of a megapixel. Windows, not pixels, because what is asked is how neighbours relate.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 64
_WINDOWS = 100

Pixels = NDArray[np.uint8]


def without_frame(pixels: Pixels) -> Pixels:
    """(H, W, C) without the rows and columns of one colour along its edges: letterboxes, passe-partouts, rings within rings.

    At least `SIDE_PX` are left each way. Frames are no sign of a drawing: photographs get them, too.
    """
    top, left, (bottom, right) = 0, 0, pixels.shape[:2]
    before = None
    while before != (top, bottom, left, right):
        before = (top, bottom, left, right)
        while bottom - top > SIDE_PX and _one_colour(pixels[top, left:right]):
            top += 1
        while bottom - top > SIDE_PX and _one_colour(pixels[bottom - 1, left:right]):
            bottom -= 1
        while right - left > SIDE_PX and _one_colour(pixels[top:bottom, left]):
            left += 1
        while right - left > SIDE_PX and _one_colour(pixels[top:bottom, right - 1]):
            right -= 1
    return pixels[top:bottom, left:right]


def _one_colour(line: Pixels) -> bool:
    return bool((line[:64] == line[0]).all()) and bool((line == line[0]).all())


def windows(pixels: Pixels, count: int = _WINDOWS) -> Pixels:
    """About `count` windows of (H, W, C) with sides of at least `SIDE_PX`, or fewer: (n, SIDE_PX, SIDE_PX, C).

    Their corners are multiples of 8, so that the blocks of a JPEG file are blocks in them.
    """
    height, width = pixels.shape[:2]
    rows = max(1, min(height // SIDE_PX, round((count * height / width) ** 0.5)))
    columns = max(1, min(width // SIDE_PX, count // rows))
    tops = np.linspace(0, height - SIDE_PX, rows).astype(int) // 8 * 8
    lefts = np.linspace(0, width - SIDE_PX, columns).astype(int) // 8 * 8
    out = np.empty((len(tops) * len(lefts), SIDE_PX, SIDE_PX, pixels.shape[2]), np.uint8)
    for number, (y, x) in enumerate(product(tops.tolist(), lefts.tolist())):
        out[number] = pixels[y : y + SIDE_PX, x : x + SIDE_PX]
    return out


def is_grey(seen: Pixels) -> bool:
    """Whether all channels (..., C) are equal."""
    first, middle, last = (seen[..., k] for k in (0, seen.shape[-1] // 2, -1))
    some = (slice(None), 31)  # a row of each window tells most colours
    return all(bool((a[some] == b[some]).all()) for a, b in ((first, middle), (first, last))) and bool(
        (first == middle).all() and (first == last).all()
    )


def codes(planes: Pixels) -> NDArray[np.uint32]:
    """(1 or 3, ...) uint8 -> (...) uint32, one number a colour."""
    out: NDArray[np.uint32] = planes[0].astype(np.uint32)
    for plane in planes[1:]:
        out <<= np.uint32(8)
        out |= plane
    return out


def distinct(values: NDArray[np.uint32] | NDArray[np.uint64]) -> int:
    """Number of different values. np.unique would import numpy.ma, which takes longer than this."""
    ordered = np.sort(values, axis=None)
    return len(ordered[:1]) + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def counted(values: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Different values and how often each occurs."""
    ordered = np.sort(values)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[starts], np.diff(np.append(starts, len(ordered)))
