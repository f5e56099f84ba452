"""Train without an end: goes on where it was, at a constant learning rate, and decays only when a landing is due.

    python training/keep.py --photos DIR --init training/checkpoints/photo-1.pt --out out/keep.pt      until a signal; the same call goes on
    python training/keep.py --photos DIR --out out/keep.pt --land 50                                   50 minutes of decay from there

A landing writes OUT.landing.weights and leaves OUT as it is: what goes on afterwards goes on as if nothing had landed (the schedule of
Hu et al. 2024, arXiv 2404.06395: warm-up, stable, decay). A landing that is interrupted goes on, too.

It runs at nice 19, saves every ten minutes and on SIGTERM, and waits while somebody times (bench/quiet.py). A crop weighs 1 / J0^--weigh,
J0 the loss of its tile under the weights of --init, so that a few textures do not steer alone.
OUT.tsv: loss by quantile of crops, each relative to J0 of its tile, and the seconds that were waited.
"""

import argparse
import contextlib
import math
import os
import sys
from pathlib import Path

import numpy as np
import torch
from model import Codec, of
from stopwatch import Stopwatch
from torch import Tensor
from train import HIGH_LMBDA, descend, distances, draw, losses, optimisers, save, set_rates, signals, tiles

sys.path.append(str(Path(__file__).parent.parent))  # bench/ lies beside training/

from bench import quiet

AUTOGROUP = Path("/proc/self/autogroup")
LOG_STEPS, SAVE_S = 100, 600
QUANTILES = (0.1, 0.5, 0.9)
COLUMNS = ("step", "minutes", "lr", "loss", "bpp", "mse", *(f"q{100 * q:.0f}" for q in QUANTILES), "waited_s", "s_per_step")

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side; smaller pictures are left out")
p.add_argument("--out", type=Path, required=True, help="state to write and to go on from; OUT.weights and OUT.tsv lie beside it")
p.add_argument("--init", type=Path, help="landed weights to start from, wanted the first time")
p.add_argument("--land", type=float, default=0, metavar="MINUTES", help="decay over so many minutes, from OUT into OUT.landing, and end")
p.add_argument("--steps", type=int, default=10**9, help="end this call after so many steps")
p.add_argument("--batch", type=int, default=5)
p.add_argument("--crop", type=int, default=256)
p.add_argument("--zoom", type=float, default=2, help="half of the crops are up to so many times larger, and shrunk")
p.add_argument("--lr", type=float, default=4e-4, help="SOAP's; Adam takes 0.2 of it")
p.add_argument("--warm", type=int, default=200, help="steps of linear warm-up, the first time")
p.add_argument("--floor", type=float, default=0.02, help="share of the learning rate that a landing ends at")
p.add_argument("--weigh", type=float, default=0.5, metavar="A", help="crops weigh 1 / J0^A; 0: all the same")
p.add_argument("--tilt", type=float, default=0.4, help="smaller: high levels weigh more in the loss; 0: as their bits do")
p.add_argument("--high", type=float, default=1, help="draw the levels of 36-44 dB this many times as often as the others")
p.add_argument("--eyes", type=float, nargs=3, default=(0, 0, 0), metavar=("SSIM", "MS_SSIM", "LPIPS"), help="shares of the distortion")
p.add_argument("--lpips", type=Path, default=Path("bench/cache/lpips-alexnet.onnx"), help="its network; `python -m bench.lpips` builds it")
p.add_argument("--ema", type=float, default=0.999)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)


@torch.no_grad()
def landed_losses(codec: Codec, photos: Tensor, crop: int, tilt: float, seed: int) -> Tensor:
    """(N, levels): loss of a crop of each tile at the lowest, the middle and the highest level; geometric in between."""
    rng = np.random.default_rng(seed)
    last = codec.levels - 1
    asked = (0, last // 2, last)
    rows = []
    for tile in range(len(photos)):
        x = draw(photos, crop, 1, rng, 1, np.array([tile])).expand(len(asked), -1, -1, -1)
        level = torch.tensor(asked, device=photos.device)
        rows.append(losses(codec, codec.lams, x, level, tilt, (0, 0, 0), None)[0])
    known = torch.stack(rows).clamp_min(1e-3).log().cpu().numpy()
    return torch.from_numpy(np.exp([np.interp(range(codec.levels), asked, row) for row in known])).float()


def weights(before: Tensor, power: float) -> Tensor:
    """(N, levels): what a crop of a tile weighs, 1 on the mean of each level."""
    w = before**-power
    return w / w.mean(0)


def rate(lr: float, it: int, warm: int, decayed: float, floor: float) -> float:
    """Learning rate of a step: warm-up, constant, then a cosine from 1 to `floor` as `decayed` goes from 0 to 1."""
    return lr * min(1, (it + 1) / warm) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * decayed)))


def start(a: argparse.Namespace, out: Path, photos: Tensor) -> dict:
    """State of OUT, or of OUT.landing if that was begun; else a new one from --init."""
    for path in (out, a.out):
        if path.exists():
            return torch.load(path, map_location="cpu", weights_only=True)
    if a.land or a.init is None:
        raise SystemExit(f"{a.out}: nothing to go on from; name landed weights with --init")
    m = torch.load(a.init, map_location="cpu", weights_only=True)["m"]
    codec = of(m).to(a.device, memory_format=torch.channels_last)
    before = landed_losses(codec, photos, a.crop, a.tilt, a.seed) if a.weigh else torch.ones(len(photos), codec.levels)
    return {"m": m, "raw": m, "it": 0, "spent_s": 0.0, "waited_s": 0.0, "landing_s": 0.0, "before": before}


def step_back() -> None:
    """Be last to get a processor. Linux schedules each session of processes as one (sched(7), autogroups), whatever their nice."""
    os.nice(19 - os.nice(0))
    if AUTOGROUP.exists():
        with contextlib.suppress(OSError):  # only root may raise it again; nobody needs to
            AUTOGROUP.write_text("19")


def main() -> None:
    """Command line."""
    a = p.parse_args()
    step_back()
    out = Path(f"{a.out}.landing") if a.land else a.out
    photos = tiles(a.photos, a.tile, a.device)
    state = start(a, out, photos)
    if len(state["before"]) != len(photos):
        raise SystemExit(f"{a.out}: was begun with {len(state['before'])} tiles, {a.photos} has {len(photos)}; start anew with --init")
    it, landing_s, waited_s = state["it"], state["landing_s"], state["waited_s"]
    codec = of(state["raw"]).to(a.device, memory_format=torch.channels_last).train()
    live = codec.state_dict()  # the tensors themselves, not copies
    average = {k: state["m"][k].to(v) for k, v in live.items()}
    opts = optimisers(codec, a.lr)
    for o, kept in zip(opts, state.get("opts", [o.state_dict() for o in opts]), strict=True):
        o.load_state_dict(kept)
    shares = [o.defaults["lr"] / a.lr for o in opts]
    weigh = weights(state["before"], a.weigh)
    torch.manual_seed(a.seed + it)  # a call that goes on sees other noise and other crops than the one before
    rng = np.random.default_rng((a.seed, it))
    often = np.where(codec.lams.cpu().numpy() > HIGH_LMBDA, a.high, 1.0)
    seen = distances(a.eyes, a.lpips, a.device)
    forward = torch.compile(codec, dynamic=False) if a.compile else codec

    stop = signals()
    log = Path(f"{out}.tsv")
    if not log.exists():
        log.write_text("\t".join(COLUMNS) + "\n")
    watch = Stopwatch(state["spent_s"])
    begun_s = logged_s = saved_s = spent_s = state["spent_s"]
    first, lines, ratios = it, [], []

    def checkpoint() -> None:
        raw = {k: v.detach().cpu() for k, v in live.items()}
        moments = {"opts": [o.state_dict() for o in opts], "it": it, "spent_s": spent_s, "waited_s": waited_s}
        landing = {"landing_s": landing_s + spent_s - begun_s if a.land else 0.0, "before": state["before"]}
        save(out, {"raw": raw, **moments, **landing}, average)

    while not stop and it - first < a.steps:
        decayed = (landing_s + spent_s - begun_s) / 60 / a.land if a.land else 0.0
        if decayed >= 1:
            break
        lr = rate(a.lr, it, a.warm, decayed, a.floor)
        set_rates(opts, [lr * share for share in shares])
        which = rng.integers(len(photos), size=a.batch)
        x = draw(photos, a.crop, a.batch, rng, a.zoom, which)
        level = rng.choice(codec.levels, a.batch, p=often / often.sum())
        each, bpp, mse = losses(forward, codec.lams, x, torch.from_numpy(level).to(a.device), a.tilt, a.eyes, seen)
        loss = (each * weigh[which, level].to(each)).mean()
        it += 1
        descend(codec, opts, loss, average, it, a.ema)
        lines.append(torch.stack((loss, bpp.mean(), mse.mean())).detach())
        ratios.append(each.detach().cpu() / state["before"][which, level])
        spent_s = watch.step()
        waited = quiet.wait()
        waited_s += waited
        if waited >= quiet.ASK_AGAIN_S:
            watch = Stopwatch(spent_s)  # what was waited is not training
        if (it % LOG_STEPS == 0 or spent_s - saved_s > SAVE_S) and not math.isfinite(loss.item()):
            raise SystemExit(f"loss is {loss.item()} at step {it}; the last good state stays: lower --lr")
        if it % LOG_STEPS == 0:
            quantiles = torch.cat(ratios).quantile(torch.tensor(QUANTILES)).tolist()
            means = [*torch.stack(lines).mean(0).tolist(), *quantiles]
            line = f"{it}\t{spent_s / 60:.2f}\t{lr:.2e}\t" + "\t".join(f"{v:.4f}" for v in means)
            with log.open("a") as file:
                file.write(f"{line}\t{waited_s:.0f}\t{(spent_s - logged_s) / len(lines):.4f}\n")
            lines, ratios, logged_s = [], [], spent_s
        if spent_s - saved_s > SAVE_S:
            checkpoint()
            saved_s = spent_s
    checkpoint()
    print(f"step {it}, {spent_s / 60:.1f} minutes, {waited_s:.0f} s waited; {out}", flush=True)


if __name__ == "__main__":
    main()
