"""Learn what hyper-latents tell of each other: networks of their own behind a trained codec, which stays as it is.

    python training/hyper_contexts.py out/night.pt.weights --photos out/patches --out out/night.contexts.pt

writes a checkpoint that has both, for export.py. train.py knows nothing of this: it counts hyper-latents by a prior of their own, a little
too dear. Crops are as large as the tiles, where a crop of train.py has hardly a hyper-latent with all its neighbours.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from model import SLICES, Z_CLIP, Codec, load, roll
from torch import Tensor, nn
from train import draw, tiles

from photoarc.models.hyper_context import INPUT_MAX

UNIT = 16  # integer steps a scale of a normalised hyper-latent
SCALE_MIN = 0.1
LOG_SCALES = (-4.0, 5.0)  # contexts move none beyond: distributions would have no slope left
ENLARGED = 8  # every so many crops are half a tile at twice its size: cameras' own pixels are softer than those of shrunk photographs
WARM, STEADY = 30, 0.2  # steps of warm-up; share of the steps before the learning rate falls to 0
LOG_STEPS = 500


class HyperContext(nn.Module):
    """From normalised hyper-latents of the slices before: means to add and logs of scales; made for integers, of two convolutions."""

    def __init__(self, known: int, out: int, c: int = 96):
        super().__init__()
        self.inp = nn.Conv2d(known, c, 3, padding=1)
        self.out = nn.Conv2d(c, 2 * out, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, t: Tensor) -> Tensor:
        return self.out(F.relu(self.inp(t)))


class HyperContexts(nn.Module):
    """Logistic distributions of hyper-latents: mean and scale of a level and channel, which contexts move from the second slice on."""

    def __init__(self, levels: int, channels: int):
        super().__init__()
        self.group = channels // SLICES
        self.mean = nn.Parameter(torch.zeros(levels, channels))
        self.log_scale = nn.Parameter(torch.zeros(levels, channels))
        self.net = nn.ModuleList(HyperContext(self.group * k, self.group) for k in range(1, SLICES))

    def scale(self) -> Tensor:
        """Scales (levels, channels)."""
        return self.log_scale.exp().clamp_min(SCALE_MIN)

    def inputs(self, z: Tensor, level: Tensor) -> Tensor:
        """What the networks see of hyper-latents (B, Z, h, w), rolled, in scales from the mean."""
        apart = (z - self.mean[level].detach()[:, :, None, None]) / self.scale()[level].detach()[:, :, None, None]
        return roll(apart).clamp(-INPUT_MAX / UNIT, INPUT_MAX / UNIT)

    def forward(self, z: Tensor, level: Tensor) -> Tensor:
        """Bits of hyper-latents (B, Z, h, w), rolled order; level (B,)."""
        seen = self.inputs(z, level)
        moved = [net(seen[:, : self.group * k]).split(self.group, 1) for k, net in enumerate(self.net, 1)]
        spread = lambda p: roll(p[level][:, :, None, None].expand_as(z))
        none = torch.zeros_like(seen[:, : self.group])
        scale = spread(self.scale())
        mean = spread(self.mean) + torch.cat([none, *(m for m, _ in moved)], 1) * scale
        scale = (scale.log() + torch.cat([none, *(s for _, s in moved)], 1)).clamp(*LOG_SCALES).exp()
        apart = roll(z) - mean
        return -torch.log2((torch.sigmoid((apart + 0.5) / scale) - torch.sigmoid((apart - 0.5) / scale)).clamp_min(1e-7))


@torch.no_grad()
def hyper_latents(codec: Codec, gain: Tensor, picture: Tensor) -> Tensor:
    """Z_hat of a picture (1, 3, H, W) in [0, 1] at every level, with log gains (levels, M): (levels, Z, H/64, W/64)."""
    return codec.h_a(codec.g_a(picture) * gain.exp()[:, :, None, None]).round().clamp(-Z_CLIP, Z_CLIP)


def gather(codec: Codec, gain: Tensor, photos: Tensor, crops: int, seed: int) -> Tensor:
    """Hyper-latents (crops, levels, Z, h, w) int16 of whole tiles in any of their eight orientations, some of them enlarged."""
    rng, side = np.random.default_rng(seed), photos.shape[-1]
    found = []
    for number in range(crops):
        x = draw(photos, side if number % ENLARGED else side // 2, 1, rng)
        if x.shape[-1] < side:
            x = (F.interpolate(x, (side, side), mode="bicubic") * 255).round().clamp(0, 255) / 255
        found.append(hyper_latents(codec, gain, x).short())
    return torch.stack(found)


def learn(found: Tensor, steps: int, batch: int, lr: float, seed: int) -> HyperContexts:
    """Contexts for hyper-latents (crops, levels, Z, h, w), by Adam."""
    torch.manual_seed(seed)
    crops, levels, channels = found.shape[:3]
    contexts = HyperContexts(levels, channels)
    with torch.no_grad():
        few = found[::4].float()
        contexts.mean.copy_(few.mean((0, 3, 4)))
        contexts.log_scale.copy_((few.std((0, 3, 4)) * math.sqrt(3) / math.pi).clamp_min(2 * SCALE_MIN).log())
    optimiser = torch.optim.Adam(contexts.parameters(), lr)
    total = 0.0
    for it in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1, (it + 1) / WARM, (steps - it) / (steps * (1 - STEADY)))
        level = torch.randint(levels, (batch,))
        bits = contexts(found[torch.randint(crops, (batch,)), level].float(), level).sum((1, 2, 3)).mean() / found[0, 0, 0].numel()
        optimiser.zero_grad()
        bits.backward()
        torch.nn.utils.clip_grad_norm_(contexts.parameters(), 1.0)
        optimiser.step()
        total += bits.item()
        if not math.isfinite(total):
            raise SystemExit(f"{total} bits at step {it + 1}; lower --lr")
        if (it + 1) % LOG_STEPS == 0:
            print(f"{it + 1}\t{total / LOG_STEPS:.2f} bits a place", flush=True)
            total = 0.0
    return contexts


def tilt(gains: str | None, codec: Codec) -> Tensor:
    """Log gains (levels, M) to add to the trained ones, from a file that tune.py wrote."""
    if gains is None:
        return torch.zeros(codec.levels, codec.m)
    return torch.from_numpy(np.loadtxt(gains, delimiter="\t")).float()


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint", type=Path)
    p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
    p.add_argument("--tile", type=int, default=512, help="as in train.py")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--gains", help="as in export.py: log gains to add to the trained ones")
    p.add_argument("--crops", type=int, default=2400, help="of whole tiles, whose hyper-latents are learned from")
    p.add_argument("--steps", type=int, default=8000)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--lr", type=float, default=4e-3)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    codec = load(str(a.checkpoint))
    gain = codec.gain.detach() + tilt(a.gains, codec)
    contexts = learn(gather(codec, gain, tiles(a.photos, a.tile, "cpu"), a.crops, a.seed), a.steps, a.batch, a.lr, a.seed)
    torch.save({"m": codec.state_dict(), "z": contexts.state_dict()}, a.out)


if __name__ == "__main__":
    main()
