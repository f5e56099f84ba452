"""Networks of JPEG coefficients whose layers are in bytes: what ONNX Runtime's QLinearConv does, in training and to the bit.

    y = clip(round((W * x + B) 2^-k)),  W in +-64, B and k one a channel, x and y in 8 bits; halves go to the even neighbour

Activations are whole UNITs: features and t signed, d and e not. Scales come out in 1/16 octave about CENTRE, shifts in 1/8 scale. Rounding
and clipping pass slopes on where nothing is clipped (Bengio et al. 2013, arXiv 1308.3432). Sums stay below 2^24, so that float32 holds
the integers exactly and a network in training gives what its export gives.

Weights beyond +-64 would saturate pairs of products on processors without VNNI (255 x 64 x 2 fits in 16 bits).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from coefficients import UNIT, Jpeg, Step, pack
from integer import Peaks
from torch import Tensor, nn

WEIGHT_MAX = 64
SHIFT_MAX = 20  # of the sums; the rows of weights that are next to nothing
SIGNED, UNSIGNED = (-128, 127), (0, 255)
ACCUMULATED = 1 << 24  # integers below this are exact in float32
SCALE_UNIT, SHIFT_UNIT = 1 / 16, 1 / 8
CENTRE = 2.0  # log2 of a scale that is the byte 0
HALF_SHIFTS = 31 / 8  # largest shift, in scales
HALO = 2  # blocks around those that are coded; beyond the picture all features are 0


class _Round(torch.autograd.Function):
    """Rounding whose slope is 1."""

    @staticmethod
    def forward(_ctx: Any, v: Tensor) -> Tensor:
        return torch.round(v)

    @staticmethod
    def backward(_ctx: Any, slope: Tensor) -> Tensor:
        return slope


def whole(v: Tensor, unit: float, bounds: tuple[int, int]) -> Tensor:
    """The nearest multiples of `unit`, of integers within the bounds."""
    low, high = bounds
    rounded: Tensor = _Round.apply((v / unit).clamp(low, high))
    return rounded * unit


def integers(conv: nn.Conv2d, out_unit: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """W (O, I / groups, k, k), B (O,) and k (O,) of a convolution from UNITs to multiples of `out_unit`, one or one a channel (O,)."""
    factor = torch.as_tensor(UNIT / out_unit).to(conv.weight)
    m = conv.weight * (factor[:, None, None, None] if factor.ndim else factor)
    largest = m.detach().abs().amax((1, 2, 3)).clamp_min(1e-9)
    k = torch.floor(torch.log2(WEIGHT_MAX / largest)).clamp(0, SHIFT_MAX)
    weight = whole(m * torch.exp2(k)[:, None, None, None], 1, (-WEIGHT_MAX, WEIGHT_MAX))
    bias = conv.bias * (factor / UNIT) * torch.exp2(k)
    return weight, whole(bias, 1, (-ACCUMULATED // 2, ACCUMULATED // 2)), k


def apply(x: Tensor, conv: nn.Conv2d, bounds: tuple[int, int], out_unit: Tensor | float = UNIT, stride: int = 1) -> Tensor:
    """A layer without padding, from UNITs to whole multiples of `out_unit` within bounds."""
    weight, bias, k = integers(conv, out_unit)
    step = torch.exp2(-k)
    sums = F.conv2d(x, weight * (step / UNIT)[:, None, None, None], bias * step, stride=stride, groups=conv.groups)
    unit = torch.as_tensor(out_unit).to(sums)
    return whole(sums, 1, bounds) * (unit[:, None, None] if unit.ndim else unit)


class ByteStep(Step):
    """A step in bytes: its parameters are those of the float one, on another grid."""

    def out_units(self) -> Tensor:
        """Units of the last layer's channels: scales, then shifts."""
        n = self.out.out_channels // 2
        return torch.cat([torch.full((n,), SCALE_UNIT), torch.full((n,), SHIFT_UNIT)])

    def hidden(self, x: Tensor, places: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """What the last layer sees: d and e."""
        t = apply(F.pad(x, (HALO,) * 4), self.inp, SIGNED)
        d = torch.cat([apply(t[:, :, i:, j:], self.dw, UNSIGNED, stride=2) for i, j in places], 2)
        t = pack(t[:, :, HALO:-HALO, HALO:-HALO], places)
        return d, apply(torch.cat([t, d], 1), self.mid, UNSIGNED)

    def forward(self, x: Tensor, places: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """log2 of the scale and shift of the mean in scales, each (B, n, places x h/2, w/2)."""
        d, e = self.hidden(x, places)
        a, m = apply(torch.cat([d, e], 1), self.out, SIGNED, self.out_units()).chunk(2, 1)
        return a + CENTRE, m.clamp(-HALF_SHIFTS, HALF_SHIFTS)


def byte_jpeg() -> Jpeg:
    """All three components in bytes; what a coefficient's scale is before anything is known is in the last layers' biases."""
    jpeg = Jpeg(ByteStep)
    for component in jpeg.children():
        component.base.requires_grad_(False)
        with torch.no_grad():
            component.base[0] = -3  # Component.finer adds 3
    return jpeg


@torch.no_grad()
def balance(step: Step, name: str, seen: Peaks) -> None:
    """Scale hidden channels so that what was seen of each fills its byte; the float network stays the same."""
    filled = lambda layer, top: (top * UNIT / seen.peak[f"{name}.{layer}"].clamp_min(1e-2)).float()
    t, d, e = filled("inp", SIGNED[1]), filled("dw", UNSIGNED[1]), filled("mid", UNSIGNED[1])
    rows = lambda conv, by: (conv.weight.mul_(by[:, None, None, None]), conv.bias.mul_(by))
    rows(step.inp, t)
    step.dw.weight.div_(t[:, None, None, None])
    rows(step.dw, d)
    step.mid.weight.div_(torch.cat([t, d])[None, :, None, None])
    rows(step.mid, e)
    step.out.weight.div_(torch.cat([d, e])[None, :, None, None])


@torch.no_grad()
def from_float(jpeg: Jpeg, seen: Peaks) -> Jpeg:
    """The model in bytes that is nearest to a float one; changes the float one's hidden scales."""
    for name, step in jpeg.named_modules():
        if isinstance(step, Step):
            balance(step, name, seen)
    found = byte_jpeg()
    kept = {key: found.state_dict()[key].clone() for key in found.state_dict() if key.endswith("base")}
    found.load_state_dict(jpeg.state_dict() | kept)
    for component, old in zip(found.children(), jpeg.children(), strict=True):
        for level in component.dc:
            for step in level:
                step.out.bias[0] += old.base[0] + 3
        for ks, nets in zip(component.groups, component.steps, strict=True):
            for step in nets:
                step.out.bias[: len(ks)] += old.base[ks]
    return center(found)


@torch.no_grad()
def center(jpeg: Jpeg) -> Jpeg:
    """Scales about CENTRE in the last layers' biases."""
    for step in jpeg.modules():
        if isinstance(step, Step):
            step.out.bias[: len(step.out.bias) // 2] -= CENTRE
    return jpeg
