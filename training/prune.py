"""Take hidden channels that do next to nothing out of the transforms' blocks; the last layer of each block is fitted anew to the rest.

    python training/prune.py a.pt b.pt --photos DIR --analysis 0.25 --synthesis 0

Optimal brain surgeon (Hassibi & Stork 1993) on one layer: of the hidden channels h of a block, whose output is W h, the one goes whose loss
changes W h least when W is refitted by least squares, on the covariance of h over photographs at all levels; then the next. Channels that
never fire cost nothing to lose. Widths stay multiples of 32: ONNX Runtime's CPU kernels take 32 channels at once.
"""

import argparse

import torch
from export import pictures
from model import Block, Codec, load
from torch import Tensor, nn

GRID = 32
SIDE_PX = 256

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("checkpoint")
p.add_argument("out", help="checkpoint to write; holds the averaged weights alone")
p.add_argument("--photos", required=True, help="folder of photographs, never a test set")
p.add_argument("--pictures", type=int, default=24)
p.add_argument("--analysis", type=float, default=0.0, help="what a block of g_a may lose: squared error of 0..255 a pixel, all colours")
p.add_argument("--synthesis", type=float, default=0.0, help="the same of g_s, whose loss is seen at once")


def surgeon(covariance: Tensor, weight: Tensor, allowed: float) -> tuple[Tensor, Tensor, list[tuple[int, float]]]:
    """Which hidden channels stay (hidden,), weights (out, hidden) for them, and the path: channels left, mean squared change of the output.

    `covariance` (hidden, hidden) is E[h h^T], doubles.
    """
    n = len(covariance)
    inverse = torch.linalg.inv(covariance + torch.eye(n) * (1e-9 * covariance.diagonal().mean() + 1e-15))
    left, w, lost = torch.ones(n, dtype=torch.bool), weight.clone(), 0.0
    stays, best, path = left.clone(), w.clone(), [(n, 0.0)]
    while left.sum() > GRID:
        cost = (w**2).sum(0) / inverse.diagonal()
        i = int(torch.where(left, cost, torch.inf).argmin())
        lost += float(cost[i])
        w = w - torch.outer(w[:, i], inverse[i] / inverse[i, i])
        inverse = inverse - torch.outer(inverse[:, i], inverse[i]) / inverse[i, i]
        inverse[i, i] = 1  # its row and column are zero from now on
        left[i], w[:, i] = False, 0
        if left.sum() % GRID == 0:
            path.append((int(left.sum()), lost))
            if lost <= allowed:
                stays, best = left.clone(), w * left
    return stays, best, path


@torch.no_grad()
def covariance(codec: Codec, block: Block, photos: list[Tensor]) -> Tensor:
    """E[h h^T] of a block's hidden channels, over photographs that go through the codec at one level each, in turn."""
    total, count = torch.zeros(block.up.out_channels, block.up.out_channels, dtype=torch.float64), 0

    def look(_: nn.Module, hidden: tuple[Tensor]) -> None:
        nonlocal count
        h = hidden[0].movedim(1, -1).flatten(0, -2).double()
        total.add_(h.T @ h)
        count += len(h)

    handle = block.down.register_forward_pre_hook(look)
    for i, x in enumerate(photos):
        codec(x, torch.tensor([i % codec.levels]))
    handle.remove()
    return total / count


@torch.no_grad()
def prune(block: Block, seen: Tensor, allowed: float) -> list[tuple[int, float]]:
    """Narrow a block in place; the path as `surgeon` gives it."""
    stays, weight, path = surgeon(seen, (block.scale * block.down.weight)[:, :, 0, 0].double(), allowed)
    up, down = nn.Conv2d(block.up.in_channels, int(stays.sum()), 1), nn.Conv2d(int(stays.sum()), block.down.out_channels, 1)
    up.weight.copy_(block.up.weight[stays])
    up.bias.copy_(block.up.bias[stays])
    down.weight.copy_(weight[:, stays, None, None] / block.scale)
    down.bias.copy_(block.down.bias)
    block.up, block.down = up, down
    return path


def main() -> None:
    """Command line."""
    a = p.parse_args()
    codec = load(a.checkpoint)
    large = [x for x in pictures(a.photos, a.pictures, 3) if min(x.shape[2:]) >= SIDE_PX]
    if not large:
        raise SystemExit(f"{a.photos}: no pictures of {SIDE_PX} x {SIDE_PX} pixels or more among those chosen")
    photos = [x[:, :, :SIDE_PX, :SIDE_PX] for x in large]
    per_pixel = 255**2 / 8**2  # a position of the blocks stands for 8 x 8 pixels
    for name, net, allowed in (("g_a", codec.g_a, a.analysis), ("g_s", codec.g_s, a.synthesis)):
        for i, block in enumerate(net.b8):
            seen = covariance(codec, block, photos)
            path = prune(block, seen, allowed / per_pixel)
            dead = int((seen.diagonal() == 0).sum())
            print(f"{name} block {i}: {path[0][0]} -> {block.up.out_channels} channels, {dead} never fire; left and squared error:", end="")
            print("".join(f"  {n} {lost * per_pixel:.3f}" for n, lost in path[1:]), flush=True)
    torch.save({"m": codec.state_dict(), "it": 0}, a.out)


if __name__ == "__main__":
    main()
