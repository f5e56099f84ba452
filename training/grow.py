"""Give each transform one more block, which does nothing until it is trained: weights go on from where they are, with more room.

    python training/grow.py a.pt b.pt --photos DIR

g_a's comes last, g_s's first: both lie beside the latents. They begin as identities (Net2Net, Chen et al. 2016, arXiv 1511.05641,
section 2.3) and take their inputs in units of what photographs are there. Their filters have the sides that a band's neighbours allow:
a transform must not see more than four latents away (`halo` in photoarc/models/hyperprior.py), which are eight places at 1/8. g_a's
blocks alone see as far as that with four filters of 5; g_s's three, its head and a filter of 3.
"""

import argparse

import torch
from export import pictures
from model import SIDE, Block, Codec, load
from torch import Tensor

OUTPUT = 0.6  # of the mean unit: what is added begins smaller than what is there
CHANNELS = 256

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("checkpoint")
p.add_argument("out", help="checkpoint to write; holds the averaged weights alone")
p.add_argument("--photos", required=True, help="folder of photographs, never a test set")
p.add_argument("--pictures", type=int, default=24)


def identity(t: Tensor, side: int) -> Block:
    """A block that changes nothing yet, for inputs like t (B, c, h, w)."""
    block = Block(t.shape[1], CHANNELS, side)
    block.unit.copy_((t.square().mean((0, 2, 3)) + 1e-4).sqrt())
    block.scale.copy_(OUTPUT * block.unit.mean())
    return block


@torch.no_grad()
def grow(codec: Codec, photos: list[Tensor]) -> None:
    """One more block in g_a and in g_s, in place; photos (B, 3, H, W) in [0, 1]."""
    after: list[Tensor] = []
    before: list[Tensor] = []
    hooks = [
        codec.g_a.b8.register_forward_hook(lambda _, __, t: after.append(t)),
        codec.g_s.b8.register_forward_pre_hook(lambda _, t: before.append(t[0])),
    ]
    for i, x in enumerate(photos):
        codec(x, torch.tensor([i % codec.levels]))
    for hook in hooks:
        hook.remove()
    flat = lambda ts: torch.cat([t.flatten(2) for t in ts], 2)[..., None]
    codec.g_a.b8.append(identity(flat(after), SIDE))
    codec.g_s.b8.insert(0, identity(flat(before), 3))


def main() -> None:
    """Command line."""
    a = p.parse_args()
    torch.manual_seed(0)
    codec = load(a.checkpoint)
    grow(codec, pictures(a.photos, a.pictures, 3))
    for name, net in (("g_a", codec.g_a), ("g_s", codec.g_s)):
        print(name, *(f"{block.up.out_channels} channels, filters of {block.dw.kernel_size[0]};" for block in net.b8))
    torch.save({"m": codec.state_dict(), "it": 0}, a.out)


if __name__ == "__main__":
    main()
