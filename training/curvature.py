"""How much squared error a quantisation step of a latent costs: what photoarc/codecs/descent.py has to know of a model."""

from collections.abc import Sequence

import torch
from model import Codec
from torch import Tensor

SIDE_PX = 256
PROBES = 4


def curvature(codec: Codec, pictures: Sequence[Tensor]) -> Tensor:
    """Mean over pictures (1, 3, H, W) and places of the squares of the decoder's slopes, of pixels 0..255: (levels, M).

    Sums over pixels of squared slopes come from random signs (Hutchinson 1990): the mean of (J^T v)^2 is the diagonal of J^T J.
    """
    x = torch.cat([p[:, :, :SIDE_PX, :SIDE_PX] for p in pictures])
    signs = torch.Generator().manual_seed(0)
    found = []
    for number in range(codec.levels):
        level = torch.full((len(x),), number)
        with torch.no_grad():
            y = (codec.g_a(x) * codec.gain[level].exp()[:, :, None, None]).round()
        squares = []
        for _ in range(PROBES):
            probe = y.clone().requires_grad_()
            x_hat = 255 * codec.g_s(probe * codec.igain[level].exp()[:, :, None, None])
            v = 2.0 * torch.randint(0, 2, x_hat.shape, generator=signs) - 1
            (slope,) = torch.autograd.grad((x_hat * v).sum(), probe)
            squares.append(slope.square().mean((0, 2, 3)))
        found.append(torch.stack(squares).mean(0))
    return torch.stack(found)
