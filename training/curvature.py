"""How much error a quantisation step of a latent costs: what photoarc/codecs/photo/descent.py has to know of a model."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from model import Codec
from torch import Tensor

from photoarc.codecs.photo import structure

SIDE_PX = 256
PROBES = 4


def curvature(codec: Codec, pictures: Sequence[Tensor], added: Tensor | None = None, strengths: Sequence[float] | None = None) -> Tensor:
    """Mean over pictures (1, 3, H, W) and places of the squares of the decoder's slopes, of pixels 0..255: (levels, M).

    `added` (levels, M) goes to the log gains; `strengths`, one a level, weigh errors as codecs.photo.structure does. Sums over pixels
    of squared slopes come from random signs (Hutchinson 1990): the mean of (J^T v)^2 is the diagonal of J^T J.
    """
    x = torch.cat([p[:, :, :SIDE_PX, :SIDE_PX] for p in pictures])
    signs = torch.Generator().manual_seed(0)
    tilt = torch.zeros_like(codec.gain) if added is None else added
    found = []
    for number in range(codec.levels):
        scale = (codec.gain[number] + tilt[number]).exp()[:, None, None].detach()
        unscale = (codec.igain[number] - tilt[number]).exp()[:, None, None].detach()
        with torch.no_grad():
            y = (codec.g_a(x) * scale).round()
        weights = roots(x, 0.0 if strengths is None else strengths[number])
        squares = []
        for _ in range(PROBES):
            probe = y.clone().requires_grad_()
            x_hat = 255 * codec.g_s(probe * unscale)
            total = x_hat.new_zeros(())
            for root in weights:
                v = 2.0 * torch.randint(0, 2, root.shape, generator=signs) - 1
                total = total + (F.avg_pool2d(x_hat, x_hat.shape[2] // root.shape[2]) * root * v).sum()
            (slope,) = torch.autograd.grad(total, probe)
            squares.append(slope.square().mean((0, 2, 3)))
        found.append(torch.stack(squares).mean(0))
    return torch.stack(found)


def roots(x: Tensor, strength: float) -> list[Tensor]:
    """Square roots of what errors weigh in pictures (B, 3, H, W) in [0, 1]: of pixels, and of means over 2x2 and 4x4 with a strength."""
    pixels = (255 * x).permute(0, 2, 3, 1).numpy()
    found = [structure.weigh(p, strength, np.ones(p.shape[:2], np.float32)) for p in pixels]
    scales = zip(*([w.pixels, *w.means] for w in found), strict=True)
    return [torch.from_numpy(np.stack(s)).sqrt().permute(0, 3, 1, 2) for s in scales]
