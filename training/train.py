"""Train the codec: KLT start, SOAP for matrices, Adam for the rest, cosine decay over a time budget.

    python training/train.py --photos DIR --minutes 480 --out night.pt                          from the KLT start
    python training/train.py --photos DIR --minutes 60 --init a.pt --lr 2e-4 --out b.pt         on from landed weights alone
    python training/train.py --photos DIR --minutes 25 --part 8.5 --out gpu.pt --resume         the same call until the 25 minutes are spent

A checkpoint knows how much of the budget is spent, so that calls of any length, and calls that a signal ends, join up to one schedule.
It holds `m`, the average to export (also alone, small, as OUT.weights), and `raw`, `opts`, `it`, `spent_s` to go on with --resume.

Loss of a picture: (bpp + lmbda * D) / lmbda^tilt, lmbda drawn from the model's levels for each picture. Rate sees uniform noise,
the decoder rounded latents (mixed quantisation, Minnen & Singh 2020, arXiv 2007.08739, section 3.3). D is MSE_255; with --eyes it is
a weighted sum of MSE_255 and of 1 - SSIM, 1 - MS-SSIM and LPIPS, each worth what a bit buys of it.
"""

import argparse
import copy
import math
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from model import Block, Codec, of
from PIL import Image
from soap import Soap
from ssim import similarity
from stopwatch import Stopwatch
from torch import Tensor

LOG_STEPS, SAVE_S = 100, 300
HIGH_LMBDA = 0.04  # levels 5 to 8: 36.7 to 42.2 dB on Kodak (photo-1), where archives live
# What a unit of 1 - SSIM, 1 - MS-SSIM and LPIPS is worth in MSE_255, at the lowest and at the highest level: the ratio of their slopes
# along the rates of photo-1 (LPIPS: photo-2), on 48 crops of 256 x 256 of the training pictures; in between nearly geometric.
WORTH = ((1170, 280), (2300, 1370), (620, 470))
Distances = Callable[[Tensor, Tensor], list[Tensor]]  # of pictures (B, 3, H, W) and what came back: (B,) by each measure
KLT = ("g_a.stem", "g_a.merge", "g_s.split", "g_s.head")  # start as transforms: Adam keeps their bases, which SOAP would turn

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side; smaller pictures are left out")
p.add_argument("--out", type=Path, required=True, help="checkpoint to write; OUT.weights and OUT.tsv lie beside it")
p.add_argument("--init", help="start from the averaged weights of this checkpoint instead of the KLT")
p.add_argument("--resume", action="store_true", help="go on from OUT if it exists")
p.add_argument("--minutes", type=float, default=60, help="budget of the whole schedule, over all calls")
p.add_argument("--part", type=float, default=math.inf, help="minutes of this call, compilation included")
p.add_argument("--steps", type=int, default=10**9, help="end of the schedule in steps, if that comes first")
p.add_argument("--batch", type=int, default=16)
p.add_argument("--crop", type=int, default=128)
p.add_argument(
    "--late", type=int, nargs=3, default=(60, 256, 5), metavar=("PERCENT", "CROP", "BATCH"), help="from PERCENT of the schedule on"
)
p.add_argument("--zoom", type=float, default=1, help="half of the crops are up to so many times larger, and shrunk")
p.add_argument("--lr", type=float, default=4e-3, help="SOAP's; Adam takes 0.2 of it")
p.add_argument("--warm", type=int, default=100, help="steps of linear warm-up")
p.add_argument("--floor", type=float, default=0.02, help="share of the learning rate that the decay ends at")
p.add_argument("--tilt", type=float, default=0.4, help="smaller: high levels weigh more in the loss; 0: as their bits do")
p.add_argument("--high", type=float, default=1, help="draw the levels of 36-44 dB this many times as often as the others")
p.add_argument(
    "--eyes", type=float, nargs=3, default=(0, 0, 0), metavar=("SSIM", "MS_SSIM", "LPIPS"), help="their shares of the distortion"
)
p.add_argument("--lpips", type=Path, default=Path("bench/cache/lpips-alexnet.onnx"), help="its network; `python -m bench.lpips` builds it")
p.add_argument("--ema", type=float, default=0.999)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)


def tiles(folder: Path, side: int, device: str) -> Tensor:
    """(N, 3, side, side) uint8 on the device: all whole tiles of all pictures of a folder."""

    def cut(path: Path) -> np.ndarray:
        with Image.open(path, formats=("WEBP", "PNG", "JPEG")) as picture:
            a = np.array(picture.convert("RGB"))
        h, w = a.shape[0] // side, a.shape[1] // side
        return a[: h * side, : w * side].reshape(h, side, w, side, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, side, side)

    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in {".webp", ".png", ".jpg", ".jpeg"})
    with ThreadPoolExecutor() as pool:
        found = np.concatenate([np.empty((0, 3, side, side), np.uint8), *pool.map(cut, files)])
    if not len(found):
        raise SystemExit(f"{folder}: {len(files)} pictures, none of {side} pixels a side; make patches with prepare.py, or set --tile")
    print(f"{len(files)} pictures, {len(found)} tiles of {side} x {side}, {found.nbytes / 2**20:.0f} MiB on {device}", flush=True)
    return torch.from_numpy(found).to(device)


def draw(photos: Tensor, crop: int, batch: int, rng: np.random.Generator, zoom: float = 1, tile: np.ndarray | None = None) -> Tensor:
    """Random crops (B, 3, crop, crop) in [0, 1] of random tiles, or of `tile` (B,), in one of their eight orientations.

    Half of them are cut up to `zoom` times larger, as far as a tile goes, and shrunk: a few hundred photographs are seen at more scales.
    """
    n, _, side, _ = photos.shape
    larger = min(zoom, side / crop) ** rng.uniform(-1, 1, batch).clip(0)
    spans = (crop * larger).round().astype(int)
    tile = rng.integers(n, size=batch) if tile is None else tile
    where = np.stack([tile, *rng.integers(side - spans + 1, size=(2, batch))], 1)
    cuts = [photos[i, :, y : y + span, x : x + span] for (i, y, x), span in zip(where, spans, strict=True)]
    out = torch.cat([shrunk(cut[None], crop) for cut in cuts])
    turns = torch.from_numpy(rng.random((3, batch, 1, 1, 1)) < 0.5).to(photos.device)
    for turn, turned in zip(turns, (lambda t: t.flip(2), lambda t: t.flip(3), lambda t: t.mT), strict=True):
        out = torch.where(turn, turned(out), out)
    return out.div_(255).contiguous(memory_format=torch.channels_last)


def shrunk(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, side, side) of larger pictures on 0..255, in whole steps as a file would have them."""
    pictures = pictures.float()
    if pictures.shape[-1] == side:
        return pictures
    return F.interpolate(pictures, (side, side), mode="bicubic", antialias=True).round_().clamp_(0, 255)


def distances(eyes: Sequence[float], network: Path, device: str) -> Distances | None:
    """SSIM's, MS-SSIM's and LPIPS's distances of batches, 0 for equal pictures; None if nothing but the squared error counts.

    Raises SystemExit if LPIPS has a share and no network.
    """
    if not any(eyes):
        return None
    if not eyes[2]:
        return lambda x, y: [1 - s for s in similarity(x, y)]
    from lpips import Lpips  # needs onnx, which nothing else here does

    if not network.exists():
        raise SystemExit(f"{network}: LPIPS has a share of {eyes[2]:g} and no network; `python -m bench.lpips` builds it, or set --lpips")
    lpips = Lpips(network).to(device)
    return lambda x, y: [*(1 - s for s in similarity(x, y)), lpips(x, y)]


def losses(
    codec: torch.nn.Module, lams: Tensor, x: Tensor, level: Tensor, tilt: float, eyes: Sequence[float], distances: Distances | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, bpp and MSE on 0..255 of each picture (B,)."""
    x_hat, y_bits, z_bits = codec(x, level)
    bpp = (y_bits.flatten(1).sum(1) + z_bits.flatten(1).sum(1)) / (x.shape[2] * x.shape[3])
    mse = ((x_hat - x) ** 2).flatten(1).mean(1) * 255**2
    distortion = mse
    if distances:
        distortion = (1 - sum(eyes)) * mse
        height = level / (len(lams) - 1)
        for share, (lowest, highest), d in zip(eyes, WORTH, distances(x, x_hat), strict=False):  # without LPIPS there are two
            distortion = distortion + share * lowest * (highest / lowest) ** height * d
    lmbda = lams[level]
    return (bpp + lmbda * distortion) / lmbda**tilt, bpp, mse


@torch.no_grad()
def silent(codec: Codec, x: Tensor, level: Tensor) -> dict[str, int]:
    """Hidden channels that fire nowhere in a batch, by block; blocks that have none are left out.

    Plain ReLUs that never fire get no gradient and stay so: all 1,280 of the transforms at 1/16 once did, unnoticed, for 23 % of the cost.
    Leaky ones come back, or can be taken out by prune.py: they are linear.
    """
    found: dict[str, int] = {}
    codec = copy.deepcopy(codec)  # hooks on the codec itself would make torch.compile start anew

    def watch(name: str, block: Block) -> None:
        def look(_: torch.nn.Module, hidden: tuple[Tensor]) -> None:
            if dead := int((hidden[0].amax((0, 2, 3)) <= 0).sum()):
                found[name] = dead

        block.down.register_forward_pre_hook(look)

    for name, block in codec.named_modules():
        if isinstance(block, Block):
            watch(name, block)
    codec(x, level)
    return found


def optimisers(codec: Codec, lr: float) -> list[torch.optim.Optimizer]:
    """SOAP for dense convolutions, Adam for the KLT layers, depthwise filters, biases, gains and the prior."""
    dense = [w for n, w in codec.named_parameters() if w.ndim == 4 and w.shape[1] > 1 and not n.startswith(KLT)]
    taken = {id(w) for w in dense}
    rest = [w for w in codec.parameters() if id(w) not in taken]
    return [Soap(dense, lr), torch.optim.Adam(rest, 0.2 * lr, betas=(0.9, 0.98))]


def signals() -> list[int]:
    """Fills up with the numbers of Ctrl-C and SIGTERM from now on, which end a loop between two steps."""
    stop: list[int] = []
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, _: stop.append(number))
    return stop


def set_rates(opts: Sequence[torch.optim.Optimizer], rates: Sequence[float]) -> None:
    """One learning rate an optimiser, for all of its groups."""
    for o, lr in zip(opts, rates, strict=True):
        for group in o.param_groups:
            group["lr"] = lr


def descend(codec: Codec, opts: Sequence[torch.optim.Optimizer], loss: Tensor, average: dict[str, Tensor], it: int, ema: float) -> None:
    """Step `it`, counted from 1, down the slope of a loss.

    The average forgets its start within the first steps: 0.2, 0.25 ... up to `ema`.
    """
    for o in opts:
        o.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(codec.parameters(), 2.0)
    for o in opts:
        o.step()
    with torch.no_grad():
        torch._foreach_lerp_(list(average.values()), list(codec.state_dict().values()), 1 - min(ema, (it + 1) / (it + 10)))


def save(path: Path, state: dict, average: dict[str, Tensor]) -> None:
    """OUT and OUT.weights, each put in place at once."""
    m = {k: v.detach().cpu() for k, v in average.items()}
    for name, content in ((path, {"m": m, **state}), (Path(f"{path}.weights"), {"m": m, "it": state["it"]})):
        torch.save(content, f"{name}.partial")
        os.replace(f"{name}.partial", name)


def main() -> None:
    """Command line."""
    a = p.parse_args()
    if a.device.startswith("cuda"):  # TF32, not bfloat16: that would round latents of 200 to whole steps
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True  # two shapes a run

    # Where to start: a checkpoint of this very run, landed weights, or the Karhunen-Loeve transforms of the pictures.
    begun = torch.load(a.out, map_location="cpu", weights_only=True) if a.resume and a.out.exists() else {}
    it, spent_s = begun.get("it", 0), begun.get("spent_s", 0.0)
    torch.manual_seed(a.seed)
    photos = tiles(a.photos, a.tile, a.device)
    if begun:
        codec = of(begun["raw"])
    elif a.init:
        codec = of(torch.load(a.init, map_location="cpu", weights_only=True)["m"])
    else:
        codec = Codec()
        codec.init_klt(draw(photos, 128, 96, np.random.default_rng(a.seed)).cpu())
    codec = codec.to(a.device, memory_format=torch.channels_last).train()
    live = codec.state_dict()  # the tensors themselves, not copies
    average = {k: begun["m"][k].to(v) if begun else v.clone() for k, v in live.items()}
    opts = optimisers(codec, a.lr)
    for o, state in zip(opts, begun.get("opts", [o.state_dict() for o in opts]), strict=True):
        o.load_state_dict(state)
    peaks = [o.defaults["lr"] for o in opts]
    torch.manual_seed(a.seed + it)  # a call that goes on sees other noise and other crops than the one before
    rng = np.random.default_rng((a.seed, it))
    often = np.where(codec.lams.cpu().numpy() > HIGH_LMBDA, a.high, 1.0)
    seen = distances(a.eyes, a.lpips, a.device)
    forward = torch.compile(codec, dynamic=False) if a.compile else codec

    stop = signals()
    log = Path(f"{a.out}.tsv")
    if not begun:
        log.write_text("step\tminutes\tlr\tloss\tbpp\tmse\tsilent\ts_per_step\n")
    watch, lines = Stopwatch(spent_s), []
    first = saved = logged_s = spent_s

    def checkpoint() -> None:
        raw = {k: v.detach().cpu() for k, v in live.items()}
        save(a.out, {"raw": raw, "opts": [o.state_dict() for o in opts], "it": it, "spent_s": spent_s}, average)

    while (done := max(it / a.steps, spent_s / 60 / a.minutes)) < 1 and spent_s - first < 60 * a.part and not stop:
        crop, batch = (a.crop, a.batch) if done < a.late[0] / 100 else a.late[1:]
        scale = min(1, (it + 1) / a.warm) * (a.floor + (1 - a.floor) * 0.5 * (1 + math.cos(math.pi * done)))
        set_rates(opts, [peak * scale for peak in peaks])
        x = draw(photos, crop, batch, rng, a.zoom)
        level = torch.from_numpy(rng.choice(codec.levels, batch, p=often / often.sum())).to(a.device)
        loss, bpp, mse = (each.mean() for each in losses(forward, codec.lams, x, level, a.tilt, a.eyes, seen))
        it += 1
        descend(codec, opts, loss, average, it, a.ema)
        lines.append(torch.stack((loss, bpp, mse)).detach())
        spent_s = watch.step()
        if it % LOG_STEPS == 0:
            means = torch.stack(lines).mean(0).tolist()
            if not math.isfinite(means[0]):
                raise SystemExit(f"loss is {means[0]} at step {it}; the last good checkpoint stays: lower --lr and --resume")
            dead = sum(silent(codec, x, level).values())
            line = f"{it}\t{spent_s / 60:.2f}\t{peaks[0] * scale:.2e}\t" + "\t".join(f"{v:.4f}" for v in means) + f"\t{dead}"
            with log.open("a") as file:
                file.write(f"{line}\t{(spent_s - logged_s) / len(lines):.4f}\n")
            print(line, flush=True)
            lines, logged_s = [], spent_s
            if spent_s - saved > SAVE_S:
                checkpoint()
                saved = spent_s
    checkpoint()
    why = f"stopped by signal {stop[0]}" if stop else "schedule done" if done >= 1 else "part done"
    print(f"{why}: step {it}, {spent_s / 60:.1f} of {a.minutes:g} minutes; {a.out}", flush=True)


if __name__ == "__main__":
    main()
