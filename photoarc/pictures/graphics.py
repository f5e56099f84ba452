"""Tell drawings, screens, text and data from photographs: the former are smaller bit-exact, and an error in them is seen or is wrong."""

from __future__ import annotations

from photoarc.errors import PayloadError
from photoarc.pictures import drawn, numbers, sheets
from photoarc.pictures.windows import SIDE_PX, Pixels, windows, without_frame


def reason(pixels: Pixels, *, from_jpeg: bool = False) -> str:
    """Why these pixels (H, W, 1 or 3) are kept bit-exact, "" for a photograph or a picture too small to tell.

    `from_jpeg`: they come out of a JPEG file, which blurs edges and has made flat what was nearly so. (A PNG of such pixels is noticed.)
    """
    if min(pixels.shape[:2]) < SIDE_PX:
        return ""
    seen = windows(without_frame(pixels))
    sample = drawn.Sample(seen[:1] if (seen[0] == seen[-1]).all() and (seen[0] == seen[len(seen) // 2]).all() else seen)
    blocky = from_jpeg or drawn.is_blocky(sample)
    return drawn.reason(sample, exact=not blocky) or numbers.reason(sample) or sheets.reason(sample, from_jpeg=blocky)


def check(pixels: Pixels, *, from_jpeg: bool = False) -> None:
    """Raises PayloadError with the reason if there is one."""
    if why := reason(pixels, from_jpeg=from_jpeg):
        raise PayloadError(why)
