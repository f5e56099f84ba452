"""Train the model of JPEG coefficients: SOAP for matrices, Adam for the rest, cosine decay over a time budget.

    python training/train_coefficients.py --photos DIR --of luma --minutes 50 --out jpeg.pt
    python training/train_coefficients.py --photos DIR --of chroma --minutes 20 --init jpeg.pt --out jpeg.pt

Luma and chroma share no weights: each is trained by itself, --init brings the rest. The checkpoint holds `m`, the average to export. Ctrl-C
and SIGTERM end with a checkpoint.

Loss of a picture: log(bits a block + SOFT), so that good qualities do not outweigh the others by what they cost.
"""

import argparse
import math
import signal
from pathlib import Path

import jpegs
import numpy as np
import torch
from coefficients import Component, Jpeg, luma_energies
from soap import Soap
from stopwatch import Stopwatch
from torch import Tensor, nn
from train import set_rates, tiles

LOG_STEPS, SAVE_STEPS = 200, 500
SOFT = {"luma": 20, "chroma": 3}  # bits a block that weigh nothing
ADAM = 0.5

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side; smaller pictures are left out")
p.add_argument("--of", choices=list(SOFT), required=True, help="what to train")
p.add_argument("--out", type=Path, required=True, help="checkpoint to write; OUT.tsv lies beside it")
p.add_argument("--init", type=Path, help="start from this checkpoint")
p.add_argument("--minutes", type=float, default=60)
p.add_argument("--batch", type=int, default=8)
p.add_argument("--crop", type=int, help="192 for luma, 256 for chroma, if it is not given")
p.add_argument("--lr", type=float, default=3e-3, help="SOAP's; Adam takes ADAM of it")
p.add_argument("--warm", type=int, default=100, help="steps of linear warm-up")
p.add_argument("--floor", type=float, default=0.02, help="share of the learning rate that the decay ends at")
p.add_argument("--ema", type=float, default=0.999)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False, help="takes minutes for each sampling of chroma")


class Luma(nn.Module):
    """Bits a block (B,) of luma, and of its DC."""

    def __init__(self, jpeg: Jpeg):
        super().__init__()
        self.luma = jpeg.luma

    def forward(self, v: list[Tensor], q: list[Tensor], _energies: Tensor) -> tuple[Tensor, Tensor]:
        blocks = v[0].shape[2] * v[0].shape[3]
        total, dc = self.luma(v[0], q[0])
        return total / blocks, dc / blocks


class Chroma(nn.Module):
    """The same of Cb and Cr together."""

    def __init__(self, jpeg: Jpeg):
        super().__init__()
        self.cb, self.cr = jpeg.cb, jpeg.cr

    def forward(self, v: list[Tensor], q: list[Tensor], energies: Tensor) -> tuple[Tensor, Tensor]:
        blocks = v[1].shape[2] * v[1].shape[3]
        cb, cb_dc = self.cb(v[1], q[1], energies)
        cr, cr_dc = self.cr(v[2], q[2], energies, v[1] * q[1][:, :, None, None])
        return (cb + cr) / blocks, (cb_dc + cr_dc) / blocks


@torch.no_grad()
def init_scales(component: Component, v: Tensor, q: Tensor) -> None:
    """Begin with scales as coefficients v (B, 64, h, w) have them."""
    component.base.copy_(torch.log2((v * q[:, :, None, None]).std((0, 2, 3)).clamp_min(0.3) / 2))
    component.base[0] = 0


def main() -> None:
    """Command line."""
    a = p.parse_args()
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    photos = tiles(a.photos, a.tile, "cpu")
    crop = a.crop or (192 if a.of == "luma" else 256)
    jpeg = Jpeg()
    if a.init:
        jpeg.load_state_dict(torch.load(a.init, map_location="cpu", weights_only=True)["m"])
    else:
        v, q, _ = jpegs.draw(photos, crop, 48, rng)
        for component, *sample in zip(jpeg.children(), v, q, strict=True):
            init_scales(component, *sample)
    trained = (Luma(jpeg) if a.of == "luma" else Chroma(jpeg)).to(a.device, memory_format=torch.channels_last)
    live = jpeg.state_dict()  # the tensors themselves, not copies
    average = {k: w.clone() for k, w in live.items()}
    dense = [w for w in trained.parameters() if w.ndim == 4 and w.shape[1] > 1]
    taken = {id(w) for w in dense}
    rest = [w for w in trained.parameters() if id(w) not in taken]
    opts = [Soap(dense, a.lr), torch.optim.Adam(rest, ADAM * a.lr, betas=(0.9, 0.98))]
    forward = torch.compile(trained, dynamic=False) if a.compile else trained

    stop: list[int] = []
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, _: stop.append(number))
    log = Path(f"{a.out}.tsv")
    log.write_text("step\tminutes\tloss\tbits_a_block\tbits_of_dc\n")
    save = lambda: torch.save({"m": {k: w.detach().cpu() for k, w in average.items()}, "it": it}, a.out)
    watch, it, lines = Stopwatch(), 0, []
    while (done := watch.spent_s / 60 / a.minutes) < 1 and not stop:
        rate = a.lr * min(1, (it + 1) / a.warm) * (a.floor + (1 - a.floor) * 0.5 * (1 + math.cos(math.pi * done)))
        set_rates(opts, [rate, ADAM * rate])
        v, q, sampling = jpegs.draw(photos, crop, a.batch, rng)
        energies = luma_energies(v[0] * q[0][:, :, None, None], *sampling)
        there = lambda ts: [t.to(a.device) for t in ts]
        total, dc = forward(there(v), there(q), energies.to(a.device))
        loss = torch.log(total + SOFT[a.of]).mean()
        for optimiser in opts:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
        for optimiser in opts:
            optimiser.step()
        it += 1
        watch.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(live.values()), 1 - min(a.ema, (it + 1) / (it + 10)))
        lines.append(torch.stack((loss, total.mean(), dc.mean())).detach())
        if it % LOG_STEPS == 0:
            means = torch.stack(lines).mean(0).tolist()
            if not math.isfinite(means[0]):
                raise SystemExit(f"loss is {means[0]} at step {it}; the last good checkpoint stays: lower --lr")
            line = f"{it}\t{watch.spent_s / 60:.2f}\t" + "\t".join(f"{m:.4f}" for m in means)
            with log.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)
            lines = []
        if it % SAVE_STEPS == 0:
            save()
    save()
    print(f"{'stopped by a signal' if stop else 'schedule done'}: step {it}; {a.out}", flush=True)


if __name__ == "__main__":
    main()
