"""Hidden channels of JPEG networks in bytes that tell nothing are taken out: two thirds of e, nearly all of it in the last groups.

A channel of e that is the same all over training photographs, or that nobody looks at, costs time only. Its value, if not 0, goes into the
bias behind it. On a picture where it would not have been the same the network is another one, which is no harm: the exported one counts.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import byte_layers
import torch
from byte_layers import ByteStep
from coefficients import Jpeg
from torch import Tensor, nn

MULTIPLE = 16  # of channels that stay: kernels work on so many at once, and are 7 % quicker for it; with any number 2 %

Extents = dict[ByteStep, tuple[Tensor, Tensor]]  # least and largest value of each channel of e


def steps(jpeg: Jpeg) -> list[ByteStep]:
    return [step for step in jpeg.modules() if isinstance(step, ByteStep)]


@contextmanager
def watched(jpeg: Jpeg) -> Iterator[Extents]:
    """What each channel of e reaches from now on."""
    seen: Extents = {}

    def look(step: ByteStep, inputs: tuple, _out: object) -> None:
        e = step.hidden(*inputs)[1]
        low, high = e.amin((0, 2, 3)), e.amax((0, 2, 3))
        before = seen.get(step, (low, high))
        seen[step] = torch.minimum(low, before[0]), torch.maximum(high, before[1])

    hooks = [step.register_forward_hook(look) for step in steps(jpeg)]
    yield seen
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def prune(jpeg: Jpeg, seen: Extents) -> int:
    """Take idle channels out, but for some that fill up a MULTIPLE; returns how many are left."""
    left = 0
    for step, (low, high) in seen.items():
        c = step.inp.out_channels
        weight = byte_layers.integers(step.out, step.out_units())[0][:, c:, 0, 0]
        alive = (high > low) & (weight != 0).any(0)
        wanted = -(-max(int(alive.sum()), 1) // MULTIPLE) * MULTIPLE
        alive[torch.nonzero(~alive)[: wanted - int(alive.sum()), 0]] = True
        idle = ~alive
        step.out.bias += step.out.weight[:, c:, 0, 0][:, idle] @ low[idle]
        mid, out = step.mid, step.out
        n = int(alive.sum())
        step.mid, step.out = nn.Conv2d(mid.in_channels, n, 1), nn.Conv2d(c + n, out.out_channels, 1)
        step.mid.weight.copy_(mid.weight[alive])
        step.mid.bias.copy_(mid.bias[alive])
        step.out.weight.copy_(torch.cat([out.weight[:, :c], out.weight[:, c:][:, alive]], 1))
        step.out.bias.copy_(out.bias)
        left += n
    return left
