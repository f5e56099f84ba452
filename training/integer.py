"""The scale path in exact integers: what picks a probability table may not depend on a machine's floats.

Each convolution of ScaleHyper, ScaleContext and HyperContext becomes `clip((W * a + b) >> shift, lo, hi)` with 8-bit weights, activations
of at most 9 bits and a power-of-two step an output channel. Run as float32 convolutions these are exact as long as sum|W| * max|a| + |b|
< 2^24, whatever the order of the additions, the thread count or the instruction set; `>>` becomes a multiplication by 2^-shift and a
floor, both exact (docs/format.md section 8.3). Activation steps are measured on photographs; the log-scale becomes an index of 64 tables.

Post-training rounding with integer accumulators as in He et al. 2022 (arXiv 2202.07513).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from hyper_contexts import UNIT, HyperContexts
from model import CLIP, SLICES, Z_CLIP, Codec, ScaleContext, ScaleHyper, roll
from torch import Tensor, nn

from photoarc.models.hyper_context import INPUT_MAX, PARTS, SCALES, SHIFT

SIGNED, UNSIGNED = (-127, 127), (0, 255)
TABLES = 64  # index 0: not coded at all; 1..63: scales SCALE_LOW..SCALE_HIGH, evenly spaced in log
SCALE_LOW, SCALE_HIGH = 0.18, 256.0
LOG_STEP = math.log(SCALE_HIGH / SCALE_LOW) / (TABLES - 2)
Z_SCALE_LOW, Z_SCALE_HIGH = 0.06, 32.0  # of the tables of hyper-latents
Z_LOG_STEP = math.log(Z_SCALE_HIGH / Z_SCALE_LOW) / (SCALES - 1)
EXACT = 1 << 24  # integers below this are exact in float32


@dataclass(frozen=True)
class IntConv:
    """`clip((conv(a, weight) + bias) >> shift, lo, hi)`; all tensors hold integers as float32."""

    weight: Tensor  # (O, I / groups, k, k)
    bias: Tensor  # (O,), rounding offset included
    shift: Tensor  # (O,)
    bounds: tuple[int, int]
    groups: int

    def __call__(self, a: Tensor) -> Tensor:
        t = F.conv2d(a, self.weight, self.bias, padding=self.weight.shape[-1] // 2, groups=self.groups)
        return torch.floor(t * torch.exp2(-self.shift)[:, None, None]).clamp(*self.bounds)


def quantise(conv: nn.Conv2d, bias: Tensor, in_step: Tensor, out_step: Tensor, in_max: Tensor, bounds: tuple[int, int]) -> IntConv:
    """Integer form of a convolution; steps are real units per integer, a channel each; `in_max` bounds |input| a channel.

    Raises ValueError where float32 could not be exact.
    """
    m = conv.weight.double() * _beside_weights(conv, in_step) / out_step[:, None, None, None]
    b = bias.double() / out_step
    shift = torch.floor(torch.log2(127 / m.abs().amax((1, 2, 3)).clamp_min(1e-9))).clamp(0, 16)
    while True:
        weight = torch.round(m * torch.exp2(shift)[:, None, None, None])
        offset = torch.round(b * torch.exp2(shift)) + torch.floor(torch.exp2(shift - 1))
        worst = (weight.abs() * _beside_weights(conv, in_max)).sum((1, 2, 3)) + offset.abs()
        inexact = (worst >= EXACT) & (shift > 0)
        if not inexact.any():
            break
        shift = shift - inexact.double()  # coarser weights where the sums would be too large
    if worst.max() >= EXACT or weight.abs().max() > 127:
        raise ValueError(f"not exact in float32: sums reach {worst.max():.0f}, weights {weight.abs().max():.0f}; limits {EXACT} and 127")
    return IntConv(weight.float(), offset.float(), shift.float(), bounds, conv.groups)


def _beside_weights(conv: nn.Conv2d, inputs: Tensor) -> Tensor:
    """A value an input channel, in the shape of the weights that meet it."""
    return (inputs[:, None] if conv.groups > 1 else inputs[None, :])[:, :, None, None]


def coarse_enough(conv: nn.Conv2d, in_step: Tensor, out_step: Tensor) -> Tensor:
    """`out_step`, but as coarse as weights of 8 bits need it: one step of an input is at most 127 of an output.

    Only channels that hardly ever fire want finer ones.
    """
    return torch.maximum(out_step, (conv.weight.double() * _beside_weights(conv, in_step)).abs().amax((1, 2, 3)) / 127)


@dataclass(frozen=True)
class IntScaleHyper:
    """Integer ScaleHyper: z_hat -> features, integers in SIGNED with `feature_step` real units a step."""

    up1: IntConv
    dw: IntConv
    up2: IntConv

    def __call__(self, z: Tensor) -> Tensor:
        t = F.pixel_shuffle(self.up1(z), 2)
        return F.pixel_shuffle(self.up2(torch.cat([t, self.dw(t)], 1)), 2)


@dataclass(frozen=True)
class IntScaleContext:
    """Integer ScaleContext: clipped symbols and features -> table index."""

    inp: IntConv
    dw: IntConv
    out: IntConv

    def __call__(self, t: Tensor) -> Tensor:
        t = self.inp(t)
        return self.out(torch.cat([t, self.dw(t)], 1))


@dataclass(frozen=True)
class IntHyperContext:
    """Integer HyperContext: hyper-latents, in 1 / UNIT of a scale from their mean -> means in the same unit, numbers of scales to add."""

    inp: IntConv
    out: IntConv

    def __call__(self, t: Tensor) -> Tensor:
        return self.out(self.inp(t))


class Peaks:
    """Largest magnitude a channel of named activations, over calibration pictures."""

    def __init__(self) -> None:
        self.peak: dict[str, Tensor] = {}

    def see(self, name: str, t: Tensor) -> Tensor:
        p = t.abs().amax((0, 2, 3))
        self.peak[name] = torch.maximum(self.peak[name], p) if name in self.peak else p
        return t

    def step(self, name: str, top: int) -> Tensor:
        return self.peak[name].clamp_min(1e-3).double() / top


@torch.no_grad()
def observe(codec: Codec, pictures: list[Tensor], levels: range) -> Peaks:
    """Run the float codec over pictures (1, 3, H, W) at each level and note the activation peaks of the scale path."""
    seen = Peaks()

    def hyper(net: ScaleHyper, z: Tensor) -> Tensor:
        t = F.pixel_shuffle(seen.see("up1", net.up1(z)), 2)
        return F.pixel_shuffle(seen.see("up2", net.up2(torch.cat([t, seen.see("dw", F.relu(net.dw(t)))], 1))), 2)

    def context(k: int, net: ScaleContext, t: Tensor) -> None:
        seen.see(f"dw{k}", F.relu(net.dw(seen.see(f"inp{k}", net.inp(t)))))

    for x in pictures:
        y = codec.g_a(x)
        for level in levels:
            scaled = y * codec.gain[level].exp()[:, None, None]
            z = codec.h_a(scaled).round().clamp(-Z_CLIP, Z_CLIP)
            symbols = residuals(codec, scaled, z)
            features = hyper(codec.h_scale, z)
            for k in range(SLICES):
                context(k, codec.scale[k], torch.cat([symbols[:, : k * codec.group].clamp(-CLIP, CLIP), features], 1))
    return seen


@torch.no_grad()
def residuals(codec: Codec, y: Tensor, z: Tensor) -> Tensor:
    """Symbols of all slices (rolled channel order) without skipping."""
    features, rolled = codec.h_mean(z), roll(y)
    known: list[Tensor] = []
    symbols: list[Tensor] = []
    for k in range(SLICES):
        mu = codec.mean[k](torch.cat([*known, features], 1))
        symbols.append((rolled[:, k * codec.group : (k + 1) * codec.group] - mu).round())
        known.append(mu + symbols[-1])
    return torch.cat(symbols, 1)


def _shuffled(t: Tensor) -> Tensor:
    """One step a channel after pixel_shuffle(2): the largest of the four that land in it."""
    return t.view(-1, 4).amax(1)


@torch.no_grad()
def integer_scale_path(codec: Codec, pictures: list[Tensor], levels: range) -> tuple[IntScaleHyper, list[IntScaleContext]]:
    """Quantise h_scale and scale[k] with steps measured on `pictures`."""
    seen = observe(codec, pictures, levels)
    one = lambda n, v: torch.full((n,), float(v), dtype=torch.float64)
    h = codec.h_scale
    z_step = one(codec.mz, 1)
    up1 = _shuffled(coarse_enough(h.up1, z_step, seen.step("up1", SIGNED[1])))  # four phases share a step: they meet in one map
    c = len(up1)
    dw = coarse_enough(h.dw, up1, seen.step("dw", UNSIGNED[1]))
    up2 = _shuffled(coarse_enough(h.up2, torch.cat([up1, dw]), seen.step("up2", SIGNED[1])))
    hyper = IntScaleHyper(
        quantise(h.up1, h.up1.bias, z_step, up1.repeat_interleave(4), one(codec.mz, Z_CLIP), SIGNED),
        quantise(h.dw, h.dw.bias, up1, dw, one(c, SIGNED[1]), UNSIGNED),
        quantise(
            h.up2, h.up2.bias, torch.cat([up1, dw]), up2.repeat_interleave(4), torch.cat([one(c, SIGNED[1]), one(c, UNSIGNED[1])]), SIGNED
        ),
    )
    contexts = []
    for k, s in enumerate(codec.scale):
        known = k * codec.group
        in_step = torch.cat([one(known, 1), up2])
        inp = coarse_enough(s.inp, in_step, seen.step(f"inp{k}", SIGNED[1]))
        dw = coarse_enough(s.dw, inp, seen.step(f"dw{k}", UNSIGNED[1]))
        n = len(inp)
        contexts.append(
            IntScaleContext(
                quantise(s.inp, s.inp.bias, in_step, inp, torch.cat([one(known, CLIP), one(len(up2), SIGNED[1])]), SIGNED),
                quantise(s.dw, s.dw.bias, inp, dw, one(n, SIGNED[1]), UNSIGNED),
                quantise(
                    s.out,
                    s.out.bias - math.log(SCALE_LOW) + LOG_STEP,
                    torch.cat([inp, dw]),
                    one(codec.group, LOG_STEP),
                    torch.cat([one(n, SIGNED[1]), one(n, UNSIGNED[1])]),
                    (0, TABLES - 1),
                ),
            )
        )
    return hyper, contexts


def table_scale(index: Tensor) -> Tensor:
    """Scale of a table index >= 1."""
    return SCALE_LOW * torch.exp(LOG_STEP * (index - 1))


@torch.no_grad()
def integer_hyper_contexts(contexts: HyperContexts, found: list[Tensor]) -> list[IntHyperContext]:
    """Quantise the networks of slices 1 to 3 with steps measured on hyper-latents of pictures, each (levels, Z, h, w)."""
    group, nets = contexts.group, []
    seen = [contexts.inputs(z, torch.arange(len(z))) for z in found]
    one = lambda n, v: torch.full((n,), float(v), dtype=torch.float64)
    for k, net in enumerate(contexts.net, 1):
        peaks = Peaks()
        for t in seen:
            peaks.see("hidden", F.relu(net.inp(t[:, : group * k])))
        in_step = one(group * k, 1 / UNIT)
        hidden = coarse_enough(net.inp, in_step, peaks.step("hidden", UNSIGNED[1]))
        out_step = torch.cat([one(group, 1 / UNIT), one(group, Z_LOG_STEP)])
        nets.append(
            IntHyperContext(
                quantise(net.inp, net.inp.bias, in_step, hidden, one(group * k, INPUT_MAX), UNSIGNED),
                quantise(net.out, net.out.bias, hidden, out_step, one(len(hidden), UNSIGNED[1]), SIGNED),
            )
        )
    return nets


@torch.no_grad()
def hyper_constants(contexts: HyperContexts) -> Tensor:
    """What photoarc/models/hyper_context.py calls constants: (levels, 5, Z) int32."""
    scale, mean, places = contexts.scale().double(), contexts.mean.double(), 1 << SHIFT
    rows = (
        places * UNIT / scale,
        places * (0.5 - UNIT * mean / scale),
        places * PARTS * scale / UNIT,
        places * (0.5 + PARTS * mean),
        ((scale / Z_SCALE_LOW).log() / Z_LOG_STEP).clamp(0, SCALES - 1),
    )
    return torch.stack([row.round() for row in rows], 1).int()


def z_table_scale(number: int) -> float:
    """Scale of a number of a table of hyper-latents."""
    return Z_SCALE_LOW * math.exp(Z_LOG_STEP * number)
