"""Tell screenshots, drawings, text and plots from photographs.

Stub until measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def reason(pixels: NDArray[np.uint8]) -> str:
    """Why these pixels (H, W, 1 or 3) are graphics, "" for a photograph."""
    return ""
