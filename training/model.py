"""The learned codec in PyTorch: one variable-rate model, less than 10 kMAC/px each way with the entropy networks.

    x --g_a--> y --gain(level)--> r = round(y - mu) --coded--> y_hat = r + mu --1/gain--> g_s --> x_hat
               |                                ^ mu: h_mean(z_hat), y_hat of slices < k     (float is fine)
               h_a -> z -> round -> z_hat --> h_*  scale: h_scale(z_hat), r of slices < k     (exact integers at run time)

Mean-scale hyperprior (Minnen et al. 2018, arXiv 1809.02736) with channel-wise slices (Minnen & Singh 2020, arXiv 2007.08739) whose channels
are rolled by the 2x2 phase of their position (quadtree partition of DCVC-DC, arXiv 2302.14402, written as a channel split), and a vector of
gains a level (Cui et al. 2021, arXiv 2003.02012). Means and scales have networks of their own: only the scales pick probability tables.

Shapes: x (B, 3, H, W) in [0, 1], H and W multiples of 64; y (B, 320, H/16, W/16); z (B, 96, H/64, W/64).
g_a and g_s start as two nested Karhunen-Loeve transforms (8x8x3 -> 128, then 2x2x128 -> 320), so that the untrained codec already works.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from convolution import Convolution
from torch import Tensor, nn

SLICES = 4
CLIP = 15  # symbols are clipped to +-CLIP before they steer the scales of later slices
Z_CLIP = 255  # hyper-latents are clipped to +-Z_CLIP
SCALE_MIN = 0.11
SIDE = 5  # of the transforms' depthwise filters, where nothing else is said
SLOPE = 0.01  # below zero, so that no hidden channel is without a gradient for ever


def roll(y: Tensor, sign: int = 1) -> Tensor:
    """Roll the channels of (B, C, h, w) by a quarter a 2x2 phase, so that slice k mixes positions and channels (sign=-1 undoes it)."""
    quarter = y.shape[1] // SLICES
    phases = [y[:, :, i::2, j::2] for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))]
    r = [torch.roll(p, sign * k * quarter, 1) for k, p in enumerate(phases)]
    top, bottom = torch.stack([r[0], r[2]], -1).flatten(-2), torch.stack([r[3], r[1]], -1).flatten(-2)
    return torch.stack([top, bottom], -2).flatten(2, 3)


class Block(nn.Module):
    """Depthwise k x k mixing and a pointwise MLP, residual; starts as the identity.

    What goes in is divided by `unit` (c,), what is added multiplied by `scale`: constants of the model, of 1 where nobody sets them. Adam's
    and SOAP's steps are of one size for all weights; channels of unlike deviation would not learn alike.
    """

    def __init__(self, c: int, hidden: int, k: int = 3):
        super().__init__()
        self.dw = Convolution(c, c, k, padding=k // 2, groups=c)
        self.up = Convolution(c, hidden, 1)
        self.down = Convolution(hidden, c, 1)
        self.register_buffer("unit", torch.ones(c))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("slope", torch.tensor(SLOPE))
        nn.init.dirac_(self.dw.weight, groups=c)
        nn.init.zeros_(self.dw.bias)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
        with torch.no_grad():
            self.dw.weight += 0.1 * torch.randn_like(self.dw.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(self.dw(x / self.unit[:, None, None]))
        return x + self.scale * self.down(torch.maximum(hidden, self.slope * hidden))


class Analysis(nn.Module):
    """g_a. The stem is a 16x16 filter at stride 8, written as a 2x2 convolution over 8x8 blocks shifted by half a block."""

    def __init__(self, c8: int, m: int, blocks: Sequence[tuple[int, int]]):
        super().__init__()
        self.stem = Convolution(192, c8, 2)
        self.b8 = nn.Sequential(*[Block(c8, hidden, side) for hidden, side in blocks])
        self.merge = Convolution(c8 * 4, m, 1)

    def forward(self, x: Tensor) -> Tensor:
        t = self.stem(F.pixel_unshuffle(F.pad(x - 0.5, (4, 4, 4, 4), mode="replicate"), 8))  # (B, c8, H/8, W/8)
        return self.merge(F.pixel_unshuffle(self.b8(t), 2))  # (B, m, H/16, W/16)


class Synthesis(nn.Module):
    """g_s, the mirror of g_a."""

    def __init__(self, c8: int, m: int, blocks: Sequence[tuple[int, int]]):
        super().__init__()
        self.split = Convolution(m, c8 * 4, 1)
        self.b8 = nn.Sequential(*[Block(c8, hidden, side) for hidden, side in blocks])
        self.head = Convolution(c8, 192, 2, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        t = self.b8(F.pixel_shuffle(self.split(y), 2))
        return F.pixel_shuffle(self.head(t), 8)[:, :, 4:-4, 4:-4] + 0.5


class HyperAnalysis(nn.Module):
    """h_a: y -> z, at 1/4 of the latents' resolution."""

    def __init__(self, m: int, mz: int, c: int = 128):
        super().__init__()
        self.net = nn.Sequential(Convolution(m, c, 1), Block(c, c), Convolution(c, c, 2, 2), Block(c, c), Convolution(c, mz, 2, 2))

    def forward(self, y: Tensor) -> Tensor:
        return self.net(y)


class MeanHyper(nn.Module):
    """z_hat -> features for the means. May run in float: symbols are coded relative to the mean."""

    def __init__(self, mz: int, out: int, c: int = 128):
        super().__init__()
        up = lambda i: (Convolution(i, c * 4, 1), nn.PixelShuffle(2), Block(c, c))
        self.net = nn.Sequential(*up(mz), *up(c), Convolution(c, out, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class MeanContext(nn.Module):
    """Mean of slice k from the mean features and y_hat of the slices before it."""

    def __init__(self, known: int, hyper: int, out: int, c: int = 160):
        super().__init__()
        self.inp = Convolution(known + hyper, c, 1)
        self.block = Block(c, c, 5)
        self.out = Convolution(c, out, 1)

    def forward(self, t: Tensor) -> Tensor:
        return self.out(self.block(self.inp(t)))


class ScaleHyper(nn.Module):
    """z_hat -> features for the scales. Convolution, ReLU, concatenation: integer.py turns it into exact integers."""

    def __init__(self, mz: int, c: int):
        super().__init__()
        self.up1 = Convolution(mz, c * 4, 1)
        self.dw = Convolution(c, c, 3, padding=1, groups=c)
        self.up2 = Convolution(c * 2, c * 4, 1)
        nn.init.dirac_(self.dw.weight, groups=c)

    def forward(self, z: Tensor) -> Tensor:
        t = F.pixel_shuffle(self.up1(z), 2)
        return F.pixel_shuffle(self.up2(torch.cat([t, F.relu(self.dw(t))], 1)), 2)


class ScaleContext(nn.Module):
    """Log-scale of slice k from the scale features and the clipped symbols of the slices before it; made for integers as well."""

    def __init__(self, known: int, feat: int, out: int, c: int = 96):
        super().__init__()
        self.inp = Convolution(known + feat, c, 1)
        self.dw = Convolution(c, c, 5, padding=2, groups=c)
        self.out = Convolution(c * 2, out, 1)
        nn.init.dirac_(self.dw.weight, groups=c)

    def forward(self, t: Tensor) -> Tensor:
        t = self.inp(t)
        return self.out(torch.cat([t, F.relu(self.dw(t))], 1))


class Factorized(nn.Module):
    """Prior of z: a mixture of three logistics a channel (Balle et al. 2018, arXiv 1802.01436, 6.1, simplified), stretched a level."""

    def __init__(self, c: int, levels: int, k: int = 3):
        super().__init__()
        self.mu = nn.Parameter(torch.randn(c, k) * 0.5)
        self.ls = nn.Parameter(torch.zeros(c, k) + 0.5)
        self.w = nn.Parameter(torch.zeros(c, k))
        self.width = nn.Parameter(torch.zeros(levels, c))  # log of a level's width relative to the shared shape

    def cdf(self, x: Tensor) -> Tensor:
        """Cumulative distribution at x (B, C, h, w)."""
        v = lambda p: p[None, :, None, None, :]
        logits = (x[..., None] - v(self.mu)) * torch.exp(-v(self.ls))
        return (torch.sigmoid(logits) * torch.softmax(v(self.w), -1)).sum(-1)

    def bits(self, x: Tensor, level: Tensor) -> Tensor:
        s = torch.exp(-self.width[level])[:, :, None, None]
        return -torch.log2((self.cdf((x + 0.5) * s) - self.cdf((x - 0.5) * s)).clamp_min(1e-9))


def gauss_bits(r: Tensor, scale: Tensor) -> Tensor:
    """Bits of residuals under a discretised Gaussian."""
    k = 1 / (scale.clamp_min(SCALE_MIN) * math.sqrt(2))
    a = r.abs()
    return -torch.log2((0.5 * (torch.erfc((a - 0.5) * k) - torch.erfc((a + 0.5) * k))).clamp_min(1e-9))


class Codec(nn.Module):
    """All networks; `forward` gives the training quantities. Blocks may differ: `prune.py` takes channels away, `grow.py` adds a block."""

    def __init__(
        self,
        m: int = 320,
        c8: int = 128,
        mz: int = 96,
        hyper: int = 192,
        feat: int = 64,
        levels: int = 9,
        lmbda: tuple[float, float] = (0.001, 0.4),
        analysis: Sequence[tuple[int, int]] = ((192, SIDE),) * 3,  # hidden channels and side of the filters of g_a's blocks
        synthesis: Sequence[tuple[int, int]] = ((256, SIDE),) * 3,  # and of g_s's
    ):
        super().__init__()
        self.m, self.mz, self.levels, self.group = m, mz, levels, m // SLICES
        self.g_a, self.g_s, self.h_a = Analysis(c8, m, analysis), Synthesis(c8, m, synthesis), HyperAnalysis(m, mz)
        self.h_mean, self.h_scale, self.prior = MeanHyper(mz, hyper), ScaleHyper(mz, feat), Factorized(mz, levels)
        self.mean = nn.ModuleList(MeanContext(self.group * k, hyper, self.group) for k in range(SLICES))
        self.scale = nn.ModuleList(ScaleContext(self.group * k, feat, self.group) for k in range(SLICES))
        t = torch.linspace(0, 1, levels)
        self.register_buffer("lams", torch.exp(math.log(lmbda[0]) * (1 - t) + math.log(lmbda[1]) * t))
        step = 0.5 * torch.log(26 / self.lams)  # the high-rate optimal step for bpp + lmbda * MSE, in 0..255 units
        self.gain = nn.Parameter(math.log(255.0) - step[:, None].repeat(1, m))
        self.igain = nn.Parameter(step[:, None].repeat(1, m) - math.log(255.0))

    def forward(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X (B, 3, H, W), level (B,) -> x_hat, bits of y, bits of z. In training the rate sees noise, the decoder rounded latents."""
        y_hat, y_bits, z_bits = self.latents(x, level)
        return self.g_s(y_hat), y_bits, z_bits

    def latents(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same before g_s: what g_s gets, bits of y, bits of z."""
        y = self.g_a(x) * self.gain[level].exp()[:, :, None, None]
        z = self.h_a(y)
        noisy = lambda t: t + torch.empty_like(t).uniform_(-0.5, 0.5) if self.training else t.round()
        straight = lambda t: t + (t.round() - t).detach()
        z_bits, z_hat = self.prior.bits(noisy(z), level), straight(z)
        mean_features, scale_features = self.h_mean(z_hat), self.h_scale(z_hat)
        rolled = roll(y)
        known: list[Tensor] = []
        symbols: list[Tensor] = []
        means: list[Tensor] = []
        log_scales: list[Tensor] = []
        for k in range(SLICES):
            means.append(self.mean[k](torch.cat([*known, mean_features], 1)))
            log_scales.append(self.scale[k](torch.cat([*symbols, scale_features], 1)))
            r = rolled[:, k * self.group : (k + 1) * self.group] - means[k]
            known.append(means[k] + straight(r))
            symbols.append(r.detach().round().clamp(-CLIP, CLIP))
        residual = rolled - torch.cat(means, 1)
        y_bits = gauss_bits(noisy(residual), torch.exp(torch.cat(log_scales, 1).clamp(-3, 6)))
        y_hat = roll(torch.cat(known, 1), -1)
        return y_hat * self.igain[level].exp()[:, :, None, None], y_bits, z_bits

    @torch.no_grad()
    def init_klt(self, x: Tensor) -> None:
        """Start the transforms as two nested Karhunen-Loeve transforms of sample crops x (B, 3, H, W) in [0, 1]."""

        def klt(t: Tensor, n: int) -> Tensor:
            v = t.permute(0, 2, 3, 1).reshape(-1, t.shape[1])
            v = v - v.mean(0)
            return torch.linalg.eigh((v.T @ v).double() / len(v))[1].flip(1)[:, :n].float()

        c8 = self.g_a.stem.out_channels
        v = klt(F.pixel_unshuffle(x - 0.5, 8), c8).view(3, 8, 8, c8)
        w = torch.zeros(3, 8, 8, c8, 2, 2)  # the 8x8 basis spread over the four half-shifted blocks that it meets
        for i in (0, 1):
            for j in (0, 1):
                w[:, 4 * (1 - i) : 8 - 4 * i, 4 * (1 - j) : 8 - 4 * j, :, i, j] = v[:, 4 * i : 4 + 4 * i, 4 * j : 4 + 4 * j]
        w = w.flatten(0, 2)
        self.g_a.stem.weight.copy_(w.transpose(0, 1))
        self.g_s.head.weight.copy_(w.flip(2, 3))
        t = self.g_a.stem(F.pixel_unshuffle(F.pad(x - 0.5, (4, 4, 4, 4), mode="replicate"), 8))
        for block in (*self.g_a.b8, *self.g_s.b8):
            block.unit.copy_((t.square().mean((0, 2, 3)) + 1e-4).sqrt())
            block.scale.fill_(0.06)  # the mean unit is 0.1: what is added begins smaller than what is there
        t = F.pixel_unshuffle(t, 2)
        b = klt(t, self.m)[:, torch.arange(self.m).view(-1, SLICES).T.flatten()]  # each slice gets every 4th component
        self.g_a.merge.weight.copy_(b.T[:, :, None, None])
        self.g_s.split.weight.copy_(b[:, :, None, None])
        for conv in (self.g_a.stem, self.g_s.head, self.g_a.merge, self.g_s.split):
            conv.bias.zero_()
        std = (self.g_a.merge(t) * self.gain[self.levels // 2].exp()[:, None, None]).std((0, 2, 3))
        for s in self.scale:
            s.out.bias.copy_(std.view(SLICES, -1).mean(0).clamp_min(0.05).log())


def of(weights: Mapping[str, Tensor]) -> Codec:
    """Codec with these weights, its blocks as many and as wide as they are. Raises KeyError or RuntimeError if they are not a codec's.

    Checkpoints of the photo-1 and photo-2 before `grow.py` have no units and scales in their blocks, and plain ReLUs.
    """

    def blocks(net: str) -> list[tuple[int, int]]:
        found = []
        while (name := f"{net}.b8.{len(found)}") + ".up.weight" in weights:
            found.append((weights[f"{name}.up.weight"].shape[0], weights[f"{name}.dw.weight"].shape[-1]))
        return found

    codec = Codec(analysis=blocks("g_a"), synthesis=blocks("g_s"))
    fresh = codec.state_dict().items()
    plain = {k: torch.zeros(()) if k.endswith(".slope") else v for k, v in fresh if k.endswith((".unit", ".scale", ".slope"))}
    codec.load_state_dict(plain | {k: v.float() for k, v in weights.items()})
    return codec


def load(path: str) -> Codec:
    """Codec in evaluation mode with the (averaged) weights of a checkpoint."""
    return of(torch.load(path, map_location="cpu", weights_only=True)["m"]).eval()
