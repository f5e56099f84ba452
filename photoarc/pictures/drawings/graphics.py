"""Tell drawings, screens, text and data from photographs: the former are smaller bit-exact, and an error in them is seen or is wrong."""

from __future__ import annotations

import numpy as np

from photoarc.errors import PayloadError
from photoarc.pictures import cues
from photoarc.pictures.drawings import drawn, numbers, sheets
from photoarc.pictures.drawings.windows import SIDE_PX, Pixels, is_grey, windows, without_frame


def reason(pixels: Pixels, *, from_jpeg: bool = False) -> str:
    """Why these pixels (H, W, 1 or 3) are kept bit-exact, "" for a photograph or a picture too small to tell.

    `from_jpeg`: they come out of a JPEG file, which blurs edges and has made flat what was nearly so. (A PNG of such pixels is noticed.)
    """
    if min(pixels.shape[:2]) < SIDE_PX:
        return ""
    seen = windows(without_frame(pixels))
    if is_grey(seen):
        seen = np.ascontiguousarray(seen[..., :1])
    asked = cues.find(seen, from_jpeg=from_jpeg)
    if not (asked.drawn or asked.numbers or asked.sheets):
        return ""
    sample = drawn.Sample(np.ascontiguousarray(seen.transpose(3, 0, 1, 2)))
    blocky = from_jpeg or ((asked.drawn or asked.sheets) and drawn.is_blocky(sample))
    return (
        (asked.drawn and drawn.reason(sample, exact=not blocky))
        or (asked.numbers and numbers.reason(sample))
        or (asked.sheets and sheets.reason(sample, from_jpeg=blocky))
        or ""
    )


def check(pixels: Pixels, *, from_jpeg: bool = False) -> None:
    """Raises PayloadError with the reason if there is one."""
    if why := reason(pixels, from_jpeg=from_jpeg):
        raise PayloadError(why)
