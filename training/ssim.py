"""SSIM and MS-SSIM of batches, to be trained on: what photoarc/folderbench/metrics.py defines and cites, tests hold the two together.

Needs torch alone, because `train.py` runs on machines that have nothing else of photoarc.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TAPS, SIGMA = 11, 1.5
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
CENTRE = 127.5  # squares of centred values leave float32 enough digits
MIN_SIDE_PX = (TAPS - 1) * 2 ** (len(EXPONENTS) - 1) + 1
FLOOR = 1e-4  # of a scale's mean: the slope of a power has no end at 0


def _blur(maps: Tensor) -> Tensor:
    """Gaussian window where it fits: (B, C, H, W) -> (B, C, H - 10, W - 10)."""
    offsets = torch.arange(TAPS, device=maps.device) - TAPS // 2
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    row = (weights / weights.sum()).repeat(maps.shape[1], 1, 1, 1)  # (C, 1, 1, TAPS)
    return F.conv2d(F.conv2d(maps, row, groups=len(row)), row.mT, groups=len(row))


def similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and MS-SSIM (B,) of pictures (B, 3, H, W) in [0, 1]. Raises ValueError below 161 pixels a side."""
    if min(x.shape[2:]) < MIN_SIDE_PX:
        raise ValueError(f"MS-SSIM needs {MIN_SIDE_PX} pixels a side, crops are {x.shape[3]} x {x.shape[2]}: set --crop and --late")
    x, y = 255 * x - CENTRE, 255 * y - CENTRE
    similarities: list[Tensor] = []
    factors: list[Tensor] = []
    for scale, exponent in enumerate(EXPONENTS):
        mean_x, mean_y, xx, yy, xy = _blur(torch.cat([x, y, x * x, y * y, x * y], 1)).chunk(5, 1)
        structure = (2 * (xy - mean_x * mean_y) + C2) / (xx - mean_x**2 + yy - mean_y**2 + C2)
        u, v = mean_x + CENTRE, mean_y + CENTRE
        whole = structure * (2 * u * v + C1) / (u**2 + v**2 + C1)
        last = scale == len(EXPONENTS) - 1
        factors.append((whole if last else structure).mean((2, 3)).clamp_min(FLOOR) ** exponent)
        similarities.append(whole.mean((1, 2, 3)))
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return similarities[0], torch.stack(factors).prod(0).mean(1)
