"""What `pack` does where nobody says otherwise: the command line, the Python interface and `photoarc bench` ask here."""

from __future__ import annotations

from typing import Literal

from photoarc.tuning import Tuning

MODE: Literal["fast", "lzma", "lossless"] = "fast"
QUALITY: float = 75  # for photographs that one would print: 37.9 dB on the Kodak set (bench/results, photoarc-fast)
TUNE: Literal["ssim", "psnr"] = "ssim"
TUNING = Tuning[TUNE.upper()]
EFFORT = 5
# A second loss for less than this is not worth it. Of 37 JPEGs at quality 70 the payload was smaller than the bit-exact one for 28, by a
# tenth or more for 23: the rule keeps five files as they are and most of what lossy coding saves.
MIN_GAIN_PERCENT: float = 10
