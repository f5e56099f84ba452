"""Whether two picture files differ only by what another version of a library, or another processor, writes of the same picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import LimitExceeded, PayloadError
from photoarc.pictures import bmp, pillow, png, webp
from photoarc.pictures.jpeg import segments
from photoarc.pictures.kinds import PictureKind, kind_of

# Networks on another processor give other floats; rounded to 8 bits, they differ by one. A JPEG encoder may then round a coefficient that
# lies between two steps the other way: of 20 drawn photographs at four qualities, one sample in fifty moved by one, the JPEGs written
# differed by 8 levels at most and by 0.07 in the mean. What a person retouches differs by more.
MOST_EXACT, MOST_LOSSY, MEAN_LOSSY = 1, 16, 0.25
_COMPARED = (PictureKind.JPEG, PictureKind.PNG, PictureKind.WEBP, PictureKind.BMP)


def are_close(one: bytes, other: bytes) -> bool:
    """Same format, same metadata byte for byte, pixels within the tolerance of the format. Never raises on bad input."""
    try:
        kind = kind_of(one)
        if kind not in _COMPARED or kind is not kind_of(other):
            return False
        (beside, is_lossy), (beside_other, _) = _beside(one, kind), _beside(other, kind)
        return beside == beside_other and _pixels_are_close(one, other, is_lossy)
    except (PayloadError, LimitExceeded, MemoryError):
        return False


def _beside(data: bytes, kind: PictureKind) -> tuple[object, bool]:
    """What the file holds beside its pixels, and whether its format loses some of them. Raises PayloadError."""
    if kind is PictureKind.JPEG:
        parts = segments.split(data)
        return (parts.metadata, parts.tail), True
    if kind is PictureKind.PNG:
        return png.split(data).metadata, False
    if kind is PictureKind.WEBP:
        held = webp.split(data, lossy_too=True)
        return held.metadata, held.lossy
    return bmp.split(data).resolution, False


def _pixels_are_close(one: bytes, other: bytes, is_lossy: bool) -> bool:
    first, second = (np.asarray(pillow.open_picture(data)) for data in (one, other))
    if first.shape != second.shape:
        return False
    rows = max(1, (1 << 20) // max(first[0].size, 1))
    most = total = 0
    for top in range(0, len(first), rows):
        apart = _apart(first[top : top + rows], second[top : top + rows])
        most, total = max(most, int(apart.max())), total + int(apart.sum())
    return most <= MOST_EXACT or (is_lossy and most <= MOST_LOSSY and total <= MEAN_LOSSY * first.size)


def _apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.abs(one.astype(np.int16) - other.astype(np.int16))
