"""Train the synthesis of landed weights alone, against lattices in calm areas: the same latents, the same bytes, other pixels.

    python training/calm.py training/checkpoints/photo-2.pt --photos DIR --eyes 0.25 0.3 0.12 --minutes 40 --out out/calm.pt

Latents are rounded as they are when pictures are coded. Loss of a picture: lmbda D / lmbda^tilt as in train.py, and to D comes --lattice
times the energy of what repeats every 16 pixels in the error of its calm tiles (the same that bench.lattice measures, tile by tile: the
pattern depends on what lies below it). Half of the crops are from photographs with many such tiles. OUT is a checkpoint for export.py.
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from keep import rate
from model import of
from stopwatch import Stopwatch
from torch import Tensor
from train import WORTH, distances, draw, signals, tiles

PERIOD_PX, TILE_PX = 16, 64
CALM = 3.0  # grey levels rms of the source beside its plane; bench.lattice asks for 2
LOG_STEPS = 50
WARM = 50
ADAM = 0.2  # share of SOAP's learning rate, as in train.py
LUMA = (0.299, 0.587, 0.114)

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("weights", type=Path, help="checkpoint whose synthesis is trained; all else in it stays")
p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side; smaller pictures are left out")
p.add_argument("--out", type=Path, required=True, help="checkpoint to write; OUT.tsv lies beside it")
p.add_argument("--minutes", type=float, default=40)
p.add_argument("--steps", type=int, default=10**9, help="end of the schedule in steps, if that comes first")
p.add_argument("--lattice", type=float, default=20, help="what a unit of the energy is worth in MSE; 300 cost 2 to 3 dB")
p.add_argument("--batch", type=int, default=6)
p.add_argument("--crop", type=int, default=256)
p.add_argument("--zoom", type=float, default=2, help="half of the crops are up to so many times larger, and shrunk")
p.add_argument("--lr", type=float, default=3e-4, help="Adam's")
p.add_argument("--floor", type=float, default=0.02, help="share of the learning rate that the decay ends at")
p.add_argument("--tilt", type=float, default=0.4, help="as in train.py")
p.add_argument("--eyes", type=float, nargs=3, default=(0, 0, 0), metavar=("SSIM", "MS_SSIM", "LPIPS"), help="shares of the distortion")
p.add_argument("--lpips", type=Path, default=Path("bench/cache/lpips-alexnet.onnx"), help="its network; `python -m bench.lpips` builds it")
p.add_argument("--ema", type=float, default=0.998)
p.add_argument("--seed", type=int, default=0)


def beside_planes(pictures: Tensor) -> Tensor:
    """(B, H, W) -> (B, n, 64, 64): tiles without their means and slopes."""
    b = len(pictures)
    rows, columns = (side // TILE_PX for side in pictures.shape[1:])
    cut = pictures[:, : rows * TILE_PX, : columns * TILE_PX].reshape(b, rows, TILE_PX, columns, TILE_PX)
    found = cut.transpose(2, 3).reshape(b, -1, TILE_PX, TILE_PX)
    ramp = torch.arange(TILE_PX, dtype=pictures.dtype, device=pictures.device) - (TILE_PX - 1) / 2
    slope = ramp / ramp.square().sum() / TILE_PX
    found = found - found.mean((2, 3), keepdim=True)
    across, down = found.sum(2) @ slope, found.sum(3) @ slope
    return found - across[..., None, None] * ramp - down[..., None, None] * ramp[:, None]


def calm(x: Tensor, limit: float = CALM) -> Tensor:
    """(B, n): which tiles of luma (B, H, W) on 0..255 are calm."""
    return beside_planes(x).square().mean((2, 3)) < limit**2


def energies(errors: Tensor) -> Tensor:
    """(B, n) of errors (B, H, W): energy of the mean of each tile's 16 folds at a period of 16 pixels.

    What is random counts with a sixteenth of its own: an estimate without that could be lowered by making more of it.
    """
    found = beside_planes(errors)
    b, n = found.shape[:2]
    times = TILE_PX // PERIOD_PX
    folds = found.reshape(b, n, times, PERIOD_PX, times, PERIOD_PX).transpose(3, 4).reshape(b, n, times**2, PERIOD_PX, PERIOD_PX)
    return folds.mean(2).square().mean((2, 3))


def luma(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, H, W) on 0..255."""
    return torch.einsum("bchw,c->bhw", pictures, 255 * torch.tensor(LUMA, device=pictures.device))


def main() -> None:
    """Command line."""
    a = p.parse_args()
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    photos = tiles(a.photos, a.tile, "cpu")
    shares = np.concatenate([calm(luma(some.float() / 255), 2).float().mean(1).numpy() for some in photos.split(16)])
    often = shares / shares.sum()
    checkpoint = torch.load(a.weights, map_location="cpu", weights_only=True)
    codec = of(checkpoint["m"]).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    net = codec.g_s.requires_grad_(True)
    average = copy.deepcopy(net.state_dict())
    optimiser = torch.optim.Adam(net.parameters(), a.lr, betas=(0.9, 0.99))
    seen = distances(a.eyes, a.lpips, "cpu")
    stop, watch, it, spent_s, lines = signals(), Stopwatch(0.0), 0, 0.0, []
    log = Path(f"{a.out}.tsv")
    log.write_text("step\tminutes\tlr\tloss\tmse\tlattice_rms\tcalm_tiles\n")

    def write() -> None:
        m = {k: average[k.removeprefix("g_s.")].to(v.dtype) if k.startswith("g_s.") else v for k, v in checkpoint["m"].items()}
        torch.save(checkpoint | {"m": m}, a.out)

    while (done := max(it / a.steps, spent_s / 60 / a.minutes)) < 1 and not stop:
        for group in optimiser.param_groups:
            group["lr"] = rate(a.lr, it, WARM, done, a.floor)
        half = a.batch // 2
        which = np.concatenate([rng.choice(len(photos), half, p=often), rng.integers(len(photos), size=a.batch - half)])
        x = draw(photos, a.crop, a.batch, rng, a.zoom, which)
        level = torch.from_numpy(rng.integers(codec.levels, size=a.batch))
        with torch.no_grad():
            y_hat = codec.latents(x, level)[0]
        x_hat = net(y_hat)
        mse = ((x_hat - x) ** 2).flatten(1).mean(1) * 255**2
        distortion = (1 - sum(a.eyes)) * mse
        height = level / (codec.levels - 1)
        if seen:
            for share, (lowest, highest), d in zip(a.eyes, WORTH, seen(x, x_hat), strict=False):
                distortion = distortion + share * lowest * (highest / lowest) ** height * d
        there = calm(luma(x)).float()
        repeats = (energies(luma(x_hat) - luma(x)) * there).sum(1) / there.sum(1).clamp_min(1)
        lmbda = codec.lams[level]
        loss = (lmbda ** (1 - a.tilt) * (distortion + a.lattice * repeats)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        it += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(net.state_dict().values()), 1 - min(a.ema, (it + 1) / (it + 10)))
        seen_tiles = there.sum().clamp_min(1)
        lines.append(torch.stack((loss, mse.mean(), (repeats * there.sum(1)).sum() / seen_tiles, there.sum())).detach())
        spent_s = watch.step()
        if it % LOG_STEPS == 0:
            *means, energy, count = torch.stack(lines).mean(0).tolist()
            numbers = "\t".join(f"{v:.4f}" for v in (*means, energy**0.5))
            lines = []
            with log.open("a") as file:
                file.write(f"{it}\t{spent_s / 60:.2f}\t{group['lr']:.2e}\t{numbers}\t{count:.1f}\n")
    write()
    print(f"step {it}, {spent_s / 60:.1f} minutes; {a.out}", flush=True)


if __name__ == "__main__":
    main()
