"""Signs that pixels are numbers, not colours: surface normals, heights over several channels, mosaics of a sensor, test charts.

Lossy coding is right where a small error is a small error to the eye; in these it is a wrong metre, a wrong angle, a wrong class.
Figures are of the photographs and drawings in docs/design.md, "What is no photograph".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.drawings.drawn import Sample
from photoarc.pictures.drawings.windows import Pixels

_NOWHERE = (0x000000, 0x808080, 0x7F7F7F, 0xFFFFFF, 0x8080FF, 0x7F7FFF)  # around a surface
_UNIT, _MOSTLY = 0.035, 0.9  # photographs: at most 0.47 of the pixels
_WRAP, _LEAST_WRAPS = 128, 12
_SINGLE_PIXELS = 1.15  # photographs: 0.96 at most
_SCREEN_PX, _COMES_BACK = (2, 3, 4, 5, 6), 1.15  # photographs: 1.05 at most, of 580
_KINSHIP, _CONTRAST = 0.5, 30  # photographs with so much contrast: 0.63 at least


def reason(sample: Sample) -> str:
    """Why the pixels are numbers, "" if they do not look so."""
    if len(sample.planes) == 3:
        if _are_normals(sample):
            return "data: surface normals"
        if _wraps(sample.across) or _wraps(sample.down) or _one_channel_of_noise(sample):
            return "data: numbers over several channels"
    if _finest_detail(sample) > _SINGLE_PIXELS:
        return "data: a pattern of single pixels, as in mosaics and dithering"
    if comes_back(sample.planes[len(sample.planes) // 2]) > _COMES_BACK:
        return "graphics: a pattern that comes back, as in a printer's screen"
    return "graphics: a test chart, or noise" if _kinship(sample) < _KINSHIP else ""


def _are_normals(sample: Sample) -> bool:
    """Whether nearly all pixels are unit vectors (-1..1 as 0..255) in several directions. One grey wall can be a single one."""
    known = ~np.isin(sample.codes.ravel()[::7], np.array(_NOWHERE, np.uint32))
    vectors = sample.planes.reshape(3, -1)[:, ::7][:, known].astype(np.float32) / 127.5 - 1
    if np.count_nonzero(known) < known.size / 20:
        return False
    lengths = np.sqrt((vectors * vectors).sum(0))
    return float((np.abs(lengths - 1) < _UNIT).mean()) > _MOSTLY and float(vectors.std(1).max()) > 0.05


def _wraps(steps: NDArray[np.int16]) -> bool:
    """Whether a channel jumps from one end to the other where another one counts on by one: the digits of larger numbers."""
    planes = steps.reshape(3, -1)
    for low in range(3):
        jumps = planes[:, np.flatnonzero(np.abs(planes[low]) >= _WRAP)]
        for high in {0, 1, 2} - {low}:
            carried = np.count_nonzero(jumps[high] == -np.sign(jumps[low]))
            if carried >= _LEAST_WRAPS and carried > jumps.shape[1] / 2:
                return True
    return False


def _one_channel_of_noise(sample: Sample) -> bool:
    """Whether one channel is noise from end to end and another one is smooth: the lowest digit, and the highest."""
    busy = np.minimum(_mean_step(sample.across[:, ::2]), _mean_step(sample.down[:, ::2]))
    return bool(busy.max() > 40 and busy.min() < busy.max() / 6)


def _finest_detail(sample: Sample) -> float:
    """Mean step to the next pixel over that to the next but one, both ways, in the channel with most. Photographs: 0.39 to 0.96."""
    across, down = sample.across[:, ::2], sample.down[:, ::2]
    along = _mean_step(across) / (_mean_step(across[..., 1:] + across[..., :-1]) + 0.5)
    return float(np.minimum(along, _mean_step(down) / (_mean_step(down[:, :, 1:] + down[:, :, :-1]) + 0.5)).max())


def comes_back(plane: Pixels) -> float:
    """Mean step to a pixel some way off over that to one twice as far, both ways, where that is most: at half a period. (n, H, W)."""
    wide = plane.astype(np.int16)
    both = (wide, wide.swapaxes(1, 2))
    return max(min(_step(pixels, far) / (_step(pixels, 2 * far) + 0.5) for pixels in both) for far in _SCREEN_PX)


def _step(plane: NDArray[np.int16], far: int) -> float:
    return float(np.abs(plane[:, :, far:] - plane[:, :, :-far]).mean())


def _mean_step(steps: NDArray[np.int16]) -> NDArray[np.float64]:
    """(C,) of (C, n, H, W)."""
    return np.array([np.abs(plane).sum(dtype=np.int64) / plane.size for plane in steps])


def _kinship(sample: Sample) -> float:
    """Correlation of a pixel with its neighbour in the channel with most contrast, the better of both ways; 1 where there is little."""
    planes = sample.planes
    spread = [float(plane.std()) for plane in planes]
    channel = max(range(len(planes)), key=spread.__getitem__)
    if spread[channel] < _CONTRAST:
        return 1.0
    return max(_related(steps[channel], spread[channel]) for steps in (sample.across, sample.down))


def _related(steps: NDArray[np.int16], spread: float) -> float:
    return 1 - float(np.square(steps, dtype=np.int32).mean()) / (2 * spread * spread)
