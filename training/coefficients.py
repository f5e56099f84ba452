"""The model of JPEG coefficients in PyTorch: what quantised DCT coefficients are likely to be, given those that are known.

    luma      DC, coarse to fine;  AC by diagonals, each first on the white fields of the board of blocks, then on the black ones
    Cb, Cr    the same, beside the energies of luma, and Cr beside Cb

    known coefficients, companded --1x1--> t --5x5 a channel--> d --1x1 with t--> e --1x1 with d--> log2 scale, shift in scales
    known coefficients, as they are -----------------3x3 or 5x5---------------------------------> linear mean

The distribution of a coefficient is a logistic one about its mean while the networks learn; photoarc uses counted tables in its place.
Parallel orders of coding: Guo et al. 2022 (arXiv 2203.16357) by frequencies, He et al. 2021 (arXiv 2103.15306) by fields of a board.
At run time everything is exact integers (photoarc/models/coefficients.py, docs/format.md section 10), so that nothing here is more than
convolutions, ReLUs and concatenations of integers.

Shapes: v (B, 64, h, w) coefficients in zigzag order, h and w blocks, multiples of 8; q (B, 64) quantisation steps.
"""

import itertools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from integer import Peaks
from torch import Tensor, nn

from photoarc.models.coefficient_dc import NEIGHBOURS
from photoarc.models.coefficient_groups import BOARD, CHROMA_STARTS, LUMA_STARTS, PHASES
from photoarc.models.coefficient_plane import LINEAR_BEFORE

UNIT = 1 / 16  # of companded values, which are integers at run time
LOG2_LOW, LOG2_HIGH = -5.0, 8.0  # of scales, in quantisation steps
DC_STRIDES = (1, 2, 4)  # of the levels that are trained; the second set of networks codes all levels but the finest


def compand(d: Tensor) -> Tensor:
    """Signed logarithms of dequantised values: 14 steps of UNIT an octave, +-127 of them at most."""
    return torch.sign(d) * torch.round(14 * torch.log2(1 + d.abs() / 2)).clamp(max=127) * UNIT


def log_quantiser(q: Tensor) -> Tensor:
    """Logarithms of quantisation steps in the same unit."""
    return torch.round(14 * torch.log2(q)) * UNIT


def pack(t: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
    """The given places of every 2x2, one after the other: (B, C, places x h/2, w/2)."""
    return torch.cat([t[:, :, i::2, j::2] for i, j in places], 2)


def shifted(t: Tensor, dy: int, dx: int) -> Tensor:
    """T at (y + dy, x + dx), edges repeated."""
    h, w = t.shape[2:]
    return F.pad(t, (2, 2, 2, 2), mode="replicate")[:, :, 2 + dy : 2 + dy + h, 2 + dx : 2 + dx + w]


def weave(parts: Mapping[tuple[int, int], Tensor]) -> Tensor:
    """The four places of every 2x2 together again."""
    top, bottom = (torch.stack([parts[i, 0], parts[i, 1]], -1).flatten(-2) for i in (0, 1))
    return torch.stack([top, bottom], -2).flatten(2, 3)


def bits(v: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Bits of integers under a discretised logistic distribution."""
    a = (v - mean).abs()
    return -torch.log2((torch.sigmoid((0.5 - a) / scale) - torch.sigmoid((-0.5 - a) / scale)).clamp_min(1e-7))


class Step(nn.Module):
    """One group of n coefficients on some places of every 2x2."""

    def __init__(self, features: int, linear: int, n: int, c: int, reach: int = 3):
        super().__init__()
        self.inp = nn.Conv2d(features, c, 1)
        self.dw = nn.Conv2d(c, c, 5, padding=2, groups=c)
        self.mid = nn.Conv2d(2 * c, c, 1)
        self.out = nn.Conv2d(2 * c, 2 * n, 1)
        self.lin = nn.Conv2d(linear, n, reach, padding=reach // 2, bias=False) if linear else None
        nn.init.dirac_(self.dw.weight, groups=c)
        with torch.no_grad():
            self.dw.weight += 0.05 * torch.randn_like(self.dw.weight)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        if self.lin is not None:
            nn.init.zeros_(self.lin.weight)

    def forward(self, x: Tensor, places: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """log2 of the scale and shift of the mean in scales, each (B, n, places x h/2, w/2)."""
        t = self.inp(x)
        d = F.relu(self.dw(t))
        t, d = pack(t, places), pack(d, places)
        e = F.relu(self.mid(torch.cat([t, d], 1)))
        a, m = self.out(torch.cat([d, e], 1)).chunk(2, 1)
        return a, m

    def mean(self, y: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
        """Linear mean, dequantised, of known values y."""
        return pack(self.lin(y * UNIT), places) / UNIT if self.lin is not None else torch.zeros(())


class Component(nn.Module):
    """Luma, Cb or Cr. `energies`: channels of what luma tells of itself; `beside`: another component of the same grid is known."""

    def __init__(self, starts: Sequence[int], c: int, energies: int = 0, beside: bool = False, step: type[Step] = Step):
        super().__init__()
        self.groups = [list(range(*span)) for span in itertools.pairwise(starts)]
        side = energies + 16 * beside
        self.dc = nn.ModuleList(
            nn.ModuleList(step(2 * len(NEIGHBOURS) + 3 + side * finest, 1, 1, 48, 5) for _ in PHASES) for finest in (True, False)
        )
        self.steps = nn.ModuleList()
        for ks in self.groups:
            n, known = len(ks), ks[0] - 1
            features, linear = 16 + energies + 2 * known + n + 1 + 2 * n * beside, 5 + known
            self.steps.append(
                nn.ModuleList(
                    step(features + 2 * n * black, (linear + n * black) if ks[0] < LINEAR_BEFORE else 0, n, c) for black in (0, 1)
                )
            )
        self.base = nn.Parameter(torch.zeros(64))  # log2 of the scale of each coefficient, before anything is known

    def finer(self, nets: nn.ModuleList, g: Tensor, q: Tensor, side: Sequence[Tensor]) -> Tensor:
        """Bits (B,) of the three phases of a level of dequantised DC g (B, 1, h, w)."""
        half, quarter = (lambda t: torch.floor(t / 2 + 0.5)), (lambda t: torch.floor(t / 4 + 0.5))
        c = g[:, :, 0::2, 0::2]
        right, down, diagonal = shifted(c, 0, 1), shifted(c, 1, 0), shifted(c, 1, 1)
        parts = {(0, 0): c, (0, 1): half(c + right), (1, 0): half(c + down), (1, 1): quarter(c + right + down + diagonal)}
        total = torch.zeros(len(g), device=g.device)
        for net, place in zip(nets, PHASES, strict=True):
            f = weave(parts)
            around = compand(torch.cat([shifted(f, y, x) - f for y, x in NEIGHBOURS], 1))
            steps = log_quantiser(torch.stack([q[:, 0], q[:, 1:6].log2().mean(1).exp2()], 1))
            x = torch.cat([around, around.abs(), steps[:, :, None, None].expand(-1, -1, *f.shape[2:]), compand(f), *side], 1)
            a, m = net(x, [place])
            w = net.lin.weight
            linear = pack(F.conv2d(F.pad(f, (2, 2, 2, 2), mode="replicate"), w - w.mean()), [place])
            v, step = g[:, :, place[0] :: 2, place[1] :: 2], q[:, :1, None, None]
            scale = torch.exp2((a + 3 + self.base[0] - torch.log2(step)).clamp(LOG2_LOW, LOG2_HIGH))
            total = total + bits(v / step, (parts[place] + linear) / step + m * scale, scale).sum((1, 2, 3))
            parts[place] = v
            if place == (1, 1):  # better estimates of the other two
                parts[0, 1] = quarter(c + right + v + shifted(v, -1, 0))
                parts[1, 0] = quarter(c + down + v + shifted(v, 0, -1))
        return total

    def forward(self, v: Tensor, q: Tensor, energies: Tensor | None = None, beside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Bits (B,) of all coefficients but DC's coarsest level, and those of DC among them; `beside` is dequantised."""
        d, step = v * q[:, :, None, None], q[:, :, None, None]
        dc, h, w = d[:, :1], *v.shape[2:]
        side = [] if energies is None else [energies]
        above, dc_side = torch.zeros(()), list(side)
        if beside is not None:
            above = compand(beside)
            moves = compand(torch.cat([shifted(beside[:, :1], y, x) - beside[:, :1] for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0))], 1))
            dc_side += [moves, moves.abs(), above[:, 1:5], above[:, 1:5].abs()]
        dc_bits = torch.stack(
            [self.finer(self.dc[stride > 1], dc[:, :, ::stride, ::stride], q, [] if stride > 1 else dc_side) for stride in DC_STRIDES]
        ).sum(0)

        left, right, up, down = (shifted(dc, y, x) for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0)))
        cross = shifted(dc, 1, 1) + shifted(dc, -1, -1) - shifted(dc, -1, 1) - shifted(dc, 1, -1)
        slopes = torch.cat([right - left, down - up, left + right - 2 * dc, up + down - 2 * dc, cross], 1)
        moves, bends = compand(torch.cat([left - dc, right - dc, up - dc, down - dc], 1)), compand(slopes[:, :4])
        near = [moves, moves.abs(), bends, bends.abs(), *side]
        logs = compand(d)
        white = torch.zeros(h, w, device=v.device)
        for i, j in BOARD[0]:
            white[i::2, j::2] = 1
        mean_step = log_quantiser(q[:, 1:6].log2().mean(1).exp2())[:, None, None, None].expand(-1, -1, h, w)
        total = dc_bits
        for ks, nets in zip(self.groups, self.steps, strict=True):
            lower = logs[:, 1 : ks[0]]
            x = [*near, lower, lower.abs(), log_quantiser(step[:, ks]).expand(-1, -1, h, w), mean_step]
            if beside is not None:
                x += [above[:, ks], above[:, ks].abs()]
            y = [slopes, d[:, 1 : ks[0]]]
            for black, (net, places) in enumerate(zip(nets, BOARD, strict=True)):
                if black:
                    x += [logs[:, ks] * white, logs[:, ks].abs() * white]
                    y += [d[:, ks] * white]
                a, m = net(torch.cat(x, 1), places)
                scale = torch.exp2((a + self.base[ks][:, None, None] - torch.log2(step[:, ks])).clamp(LOG2_LOW, LOG2_HIGH))
                mean = net.mean(torch.cat(y, 1), places) / step[:, ks] + m * scale
                total = total + bits(pack(v[:, ks], places), mean, scale).sum((1, 2, 3))
        return total, dc_bits


def luma_energies(d: Tensor, down: int, across: int) -> Tensor:
    """Mean magnitude of companded luma by group, over the down x across blocks that meet one of chroma; in whole UNITs, rounded down."""
    f = compand(d).abs() / UNIT
    spans = list(itertools.pairwise(LUMA_STARTS))
    found = [F.avg_pool2d(f[:, a:b].sum(1, keepdim=True), (down, across)) / (b - a) for a, b in spans]
    return torch.floor(torch.cat(found, 1) + 1e-4) * UNIT


class Jpeg(nn.Module):
    """All three components, of steps in floats or in bytes (byte_layers.py)."""

    def __init__(self, step: type[Step] = Step) -> None:
        super().__init__()
        energies = len(LUMA_STARTS) - 1
        self.luma = Component(LUMA_STARTS, 96, step=step)
        self.cb = Component(CHROMA_STARTS, 64, energies, step=step)
        self.cr = Component(CHROMA_STARTS, 64, energies, beside=True, step=step)


def watch(jpeg: Jpeg) -> Peaks:
    """Note the largest activation of every channel of every step of a float model from now on."""
    seen = Peaks()
    for name, step in jpeg.named_modules():
        if isinstance(step, Step):
            step.inp.register_forward_hook(lambda _m, _x, t, name=name: (seen.see(f"{name}.inp", t), None)[1])
            step.dw.register_forward_hook(lambda _m, _x, t, name=name: (seen.see(f"{name}.dw", t.relu()), None)[1])
            step.mid.register_forward_hook(lambda _m, _x, t, name=name: (seen.see(f"{name}.mid", t.relu()), None)[1])
    return seen
