"""Butteraugli (libjxl): how visible the difference of two pictures is; 0 for equal ones, about 1 where it begins to be seen.

`butteraugli_main` compares two files and says the largest value of its map of differences and the map's 3-norm. It comes with libjxl's
developer tools; where it is not installed the rows' columns say nan. Its defaults hold: sRGB on a screen of 80 nits.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.codecs import Pixels, ppm

PROGRAM = "butteraugli_main"
HINT = f"{PROGRAM} comes with libjxl's developer tools (apt install libjxl-devtools)"
_SAID = re.compile(r"(\S+)\n3-norm: (\S+)\n")


def available() -> bool:
    return shutil.which(PROGRAM) is not None


def distance(original: Pixels, decoded: Pixels) -> tuple[float, float]:
    """(largest difference, 3-norm). Raises ValueError if the program says anything else, CalledProcessError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("original.ppm", "decoded.ppm")]
        for path, pixels in zip(paths, (original, decoded), strict=True):
            path.write_bytes(ppm(pixels))
        said = subprocess.run([PROGRAM, *paths], check=True, capture_output=True, text=True).stdout
    found = _SAID.fullmatch(said)
    if found is None:
        raise ValueError(f"{PROGRAM} says {said!r} where two numbers were expected")
    return float(found[1]), float(found[2])
