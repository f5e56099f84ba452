"""Train the model of JPEG coefficients in bytes, without an end: goes on where it was, at a constant learning rate.

    python training/keep_coefficients.py --photos DIR --init training/checkpoints/jpeg-2.pt --out out/jpeg.pt      until a signal
    python training/keep_coefficients.py --photos DIR --out out/jpeg.pt --land 50                                  50 minutes of decay

The same call goes on where it was; a landing starts from there, writes OUT.landing.weights and leaves OUT as it is.

--init is a checkpoint in floats (train_coefficients.py); the networks in bytes begin as near to it as they can (byte_layers.py). Two steps
of luma, one of chroma. It runs at nice 19, saves every five minutes and on SIGTERM, and waits while somebody times (bench/quiet.py).
OUT.tsv: loss and bits a block of both.
"""

import argparse
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import jpegs
import numpy as np
import torch
from byte_layers import byte_jpeg, from_float
from coefficients import Jpeg, luma_energies, watch
from keep import rate, step_back
from stopwatch import Stopwatch
from torch import Tensor, nn
from train import save, signals, tiles
from train_coefficients import SOFT, Chroma, Luma

sys.path.append(str(Path(__file__).parent.parent))  # bench/ lies beside training/

from bench import quiet

LOG_STEPS, SAVE_S, PEAK_DRAWS = 150, 300, 12
TURNS = ("luma", "luma", "chroma")
CROPS = {"luma": 192, "chroma": 256}
COLUMNS = ("step", "minutes", "lr", *(f"{of}_{what}" for of in CROPS for what in ("loss", "bits_a_block", "bits_of_dc")), "waited_s")

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--photos", type=Path, required=True, help="folder of pictures: patches from prepare.py, or any photographs")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side; smaller pictures are left out")
p.add_argument("--out", type=Path, required=True, help="state to write and to go on from; OUT.weights and OUT.tsv lie beside it")
p.add_argument("--init", type=Path, help="weights in floats to start from, wanted the first time")
p.add_argument("--land", type=float, default=0, metavar="MINUTES", help="decay over so many minutes, from OUT into OUT.landing, and end")
p.add_argument("--steps", type=int, default=10**9, help="end this call after so many steps")
p.add_argument("--batch", type=int, default=8)
p.add_argument("--crop", type=int, help="192 for luma, 256 for chroma, if it is not given")
p.add_argument("--lr", type=float, default=1e-3, help="Adam's")
p.add_argument("--warm", type=int, default=200, help="steps of linear warm-up, the first time")
p.add_argument("--floor", type=float, default=0.02, help="share of the learning rate that a landing ends at")
p.add_argument("--ema", type=float, default=0.999)
p.add_argument("--seed", type=int, default=0)


@torch.no_grad()
def begun(init: Path, photos: Tensor, seed: int) -> Jpeg:
    """Networks in bytes from a checkpoint in floats, whose activations are measured on photographs."""
    jpeg = Jpeg()
    jpeg.load_state_dict(torch.load(init, map_location="cpu", weights_only=True)["m"])
    jpeg.float().eval()
    seen, rng = watch(jpeg), np.random.default_rng(seed)
    both = {of: trained(jpeg, of) for of in CROPS}
    for _ in range(PEAK_DRAWS):
        v, q, sampling = jpegs.draw(photos, photos.shape[-1] // 2, 4, rng)
        energies = luma_energies(v[0] * q[0][:, :, None, None], *sampling)
        for net in both.values():
            net(v, q, energies)
    return from_float(jpeg, seen)


def trained(jpeg: Jpeg, of: str) -> nn.Module:
    """Luma, or chroma, as a loss wants it."""
    return Luma(jpeg) if of == "luma" else Chroma(jpeg)


def start(a: argparse.Namespace, out: Path, photos: Tensor) -> dict:
    """State of OUT, or of OUT.landing if that was begun; else a new one from --init."""
    for path in (out, a.out):
        if path.exists():
            return torch.load(path, map_location="cpu", weights_only=True)
    if a.land or a.init is None:
        raise SystemExit(f"{a.out}: nothing to go on from; name weights in floats with --init")
    m = {k: w.clone() for k, w in begun(a.init, photos, a.seed).state_dict().items()}
    return {"m": m, "raw": m, "it": 0, "spent_s": 0.0, "landing_s": 0.0}


@dataclass
class Training:
    """Networks, their average, optimiser and log."""

    jpeg: Jpeg
    average: dict[str, Tensor]
    optimiser: torch.optim.Adam
    lines: dict[str, list[Tensor]] = field(default_factory=lambda: {of: [] for of in CROPS})

    def step(self, of: str, sample: tuple[list[Tensor], list[Tensor], tuple[int, int]], ema: float) -> None:
        """One step of luma or of chroma. Raises SystemExit if the loss is no number."""
        v, q, sampling = sample
        total, dc = trained(self.jpeg, of)(v, q, luma_energies(v[0] * q[0][:, :, None, None], *sampling))
        loss = torch.log(total + SOFT[of]).mean()
        if not math.isfinite(loss.item()):
            raise SystemExit(f"loss of {of} is {loss.item()}; the last good state stays: lower --lr")
        self.optimiser.zero_grad()  # to None: the other component's moments rest
        loss.backward()
        nn.utils.clip_grad_norm_([w for w in self.jpeg.parameters() if w.grad is not None], 5.0)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.jpeg.state_dict().values()), 1 - ema)
        self.lines[of].append(torch.stack((loss, total.mean(), dc.mean())).detach())

    def means(self) -> list[float]:
        """What the log says of the steps since it was asked last."""
        found = [torch.stack(lines).mean(0).tolist() if lines else [math.nan] * 3 for lines in self.lines.values()]
        self.lines = {of: [] for of in CROPS}
        return [value for three in found for value in three]


def resumed(state: dict, lr: float) -> Training:
    """Training as a state has it."""
    jpeg = byte_jpeg()
    jpeg.load_state_dict(state["raw"])
    jpeg = jpeg.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam([w for w in jpeg.parameters() if w.requires_grad], lr, betas=(0.9, 0.98))
    if "opt" in state:
        optimiser.load_state_dict(state["opt"])
    average = {k: state["m"][k].to(w, copy=True) for k, w in jpeg.state_dict().items()}
    return Training(jpeg, average, optimiser)


def main() -> None:
    """Command line."""
    a = p.parse_args()
    step_back()
    out = Path(f"{a.out}.landing") if a.land else a.out
    out.parent.mkdir(parents=True, exist_ok=True)
    photos = tiles(a.photos, a.tile, "cpu")
    state = start(a, out, photos)
    now, it, landing_s = resumed(state, a.lr), state["it"], state["landing_s"]
    torch.manual_seed(a.seed + it)  # a call that goes on sees other crops than the one before
    rng = np.random.default_rng((a.seed, it))
    stop, first, log, waited_s = signals(), it, Path(f"{out}.tsv"), 0.0
    if not log.exists():
        log.write_text("\t".join(COLUMNS) + "\n")
    watch_, begun_s = Stopwatch(state["spent_s"]), state["spent_s"]
    saved_s = spent_s = begun_s

    def checkpoint() -> None:
        raw = {k: w.detach().clone() for k, w in now.jpeg.state_dict().items()}
        landed_s = landing_s + spent_s - begun_s if a.land else 0.0
        save(out, {"raw": raw, "opt": now.optimiser.state_dict(), "it": it, "spent_s": spent_s, "landing_s": landed_s}, now.average)

    while not stop and it - first < a.steps:
        decayed = (landing_s + spent_s - begun_s) / 60 / a.land if a.land else 0.0
        if decayed >= 1:
            break
        lr = rate(a.lr, it, a.warm, decayed, a.floor)
        for group in now.optimiser.param_groups:
            group["lr"] = lr
        of = TURNS[it % len(TURNS)]
        it += 1
        now.step(of, jpegs.draw(photos, a.crop or CROPS[of], a.batch, rng), min(a.ema, it / (it + 9)))
        spent_s = watch_.step()
        waited = quiet.wait()
        waited_s += waited
        if waited >= quiet.ASK_AGAIN_S:
            watch_ = Stopwatch(spent_s)  # what was waited is not training
        if it % LOG_STEPS == 0:
            line = f"{it}\t{spent_s / 60:.2f}\t{lr:.2e}\t" + "\t".join(f"{value:.4f}" for value in now.means())
            with log.open("a") as file:
                file.write(f"{line}\t{waited_s:.0f}\n")
        if spent_s - saved_s > SAVE_S:
            checkpoint()
            saved_s = spent_s
    checkpoint()
    print(f"step {it}, {spent_s / 60:.1f} minutes; {out}", flush=True)


if __name__ == "__main__":
    main()
