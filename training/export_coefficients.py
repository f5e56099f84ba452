"""Turn a checkpoint of train_coefficients.py into a model that photoarc runs: graphs in exact integers, counted tables, a manifest entry.

    python training/export_coefficients.py jpeg.pt --photos DIR --id 3 --name jpeg-1 --record "how it was trained"

The graphs are written first; the tables are counted by photoarc's own walk through coefficients of training photographs
(photoarc/models/coefficients.py). Refuses to touch a model id that a manifest already names, unless --replace is given.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import export
import jpegs
import numpy as np
import onnx
import torch
from coefficients import UNIT, Jpeg, Step, luma_energies, watch
from graphs import Graph
from integer import EXACT, IntConv, Peaks, coarse_enough, quantise
from onnx import TensorProto
from tables import frequencies
from torch import Tensor
from train import tiles

from photoarc.models import manifest
from photoarc.models.coefficient_groups import Grid, Group
from photoarc.models.coefficients import BOARD, FRACTIONS, HALF_SHIFTS, LINEAR_MAX, LOG_MAX, PHASES, QUANTISER_MAX, Coefficients

SCALES = 53  # rows of tables: log2 of the scale from -5 to 8 in quarters
SIGNED, UNSIGNED = (-255, 255), (0, 511)
WIDE = (-8191, 8191)
SCALE_STEP, SHIFT_STEP, LINEAR_STEP = 1 / 64, 1 / 8, 1 / 256
REACH_MAX = 1023
Places = tuple[tuple[int, int], ...]
PRIOR = 2000  # symbols that the logistic distribution is worth beside what was counted


def log_tables() -> dict[str, np.ndarray]:
    """Logarithms as integers: limits of dequantised values, of quantisation steps, in both units."""
    q = np.arange(1, QUANTISER_MAX + 1)
    companded = np.minimum(np.round(14 * np.log2(1 + np.arange(LOG_MAX + 1) / 2)), 127).astype(int)
    spread = np.arange(-HALF_SHIFTS, HALF_SHIFTS + 1) * SHIFT_STEP * np.exp2(np.arange(SCALES) / 4 - 5)[:, None]
    return {
        "log_limits": np.searchsorted(companded, np.arange(1, companded[-1] + 1)).astype(np.uint16),
        "log_quantiser": np.concatenate([[0], np.round(14 * np.log2(q))]).astype(np.uint8),
        "scale_quantiser": np.concatenate([[0], np.round(64 * np.log2(q))]).astype(np.uint16),
        "spread": np.round(32 * spread).astype(np.int32),
    }


def integer_layers(step: Step, name: str, seen: Peaks, base: Tensor) -> tuple[IntConv, IntConv, IntConv, IntConv]:
    """inp, dw, mid, out of one step; `base` (n,) is added to its log2 scales."""
    one = lambda n, v: torch.full((n,), float(v), dtype=torch.float64)
    units, c, n = one(step.inp.in_channels, UNIT), step.inp.out_channels, len(base)
    t = coarse_enough(step.inp, units, seen.step(f"{name}.inp", SIGNED[1]))
    d = coarse_enough(step.dw, t, seen.step(f"{name}.dw", UNSIGNED[1]))
    both = torch.cat([t, d])
    e = coarse_enough(step.mid, both, seen.step(f"{name}.mid", UNSIGNED[1]))
    tops = one(c, SIGNED[1]), one(c, UNSIGNED[1])
    return (
        quantise(step.inp, step.inp.bias, units, t, one(step.inp.in_channels, 127), SIGNED),
        quantise(step.dw, step.dw.bias, t, d, tops[0], UNSIGNED),
        quantise(step.mid, step.mid.bias, both, e, torch.cat(tops), UNSIGNED),
        quantise(
            step.out,
            step.out.bias + torch.cat([base, torch.zeros(n)]),
            torch.cat([d, e]),
            torch.cat([one(n, SCALE_STEP), one(n, SHIFT_STEP)]),
            torch.cat([tops[1], tops[1]]),
            WIDE,
        ),
    )


class Builder(Graph):
    """Graph whose weights are bytes, and whose activations ONNX Runtime makes part of its convolutions."""

    def int_conv(self, x: str, c: IntConv, *, stride: int = 1, pads: tuple[int, ...] | None = None) -> str:
        """`clip((conv(x) + bias) >> shift)`: the shift is in the weights, the clip before the floor."""
        step = np.exp2(-c.shift.numpy()).astype(np.float32)
        weight = self.op("Mul", self.small(c.weight.numpy(), np.int8), self.constant(step[:, None, None, None]))
        k = c.weight.shape[-1]
        sizes = {"kernel_shape": [k, k], "strides": [stride] * 2, "pads": pads or [k // 2] * 4}
        t = self.op("Conv", x, weight, self.constant(c.bias.numpy() * step), group=c.groups, **sizes)
        low, high = c.bounds
        return self.op("Floor", self.clip(t, low, high + 0.5))

    def small(self, integers: np.ndarray, dtype: type) -> str:
        """Integers as float32, stored as `dtype`."""
        return self.op("Cast", self.constant(integers.astype(dtype)), to=TensorProto.FLOAT)

    def floats(self, name: str, dtype: int, channels: int) -> str:
        """An input of integers (1, channels, rows, columns), as float32."""
        return self.op("Cast", self.input(name, dtype, (1, channels, f"{name}_rows", f"{name}_columns")), to=TensorProto.FLOAT)

    def take(self, x: str, places: Places) -> str:
        """(1, C, rows, columns) -> (places, C, rows / 2, columns / 2)."""
        ints = lambda *v: self.constant(np.array(v, np.int64))
        return self.stack(*(self.op("Slice", x, ints(i, j), ints(1 << 30, 1 << 30), ints(2, 3), ints(2, 2)) for i, j in places))

    def stack(self, *xs: str) -> str:
        return xs[0] if len(xs) == 1 else self.op("Concat", *xs, axis=0)


def graph(name: str, step: Step, layers: tuple[IntConv, ...], places: Places, *, dc: bool) -> onnx.ModelProto:
    """One step: `features` and `linear` in their order in training, `shift` -> scales, shifts, linear means of the places."""
    g = Builder(name)
    inp, dw, mid, out = layers
    n = step.out.out_channels // 2
    t = g.int_conv(g.floats("features", TensorProto.INT8, step.inp.in_channels), inp)
    d = g.stack(*(g.int_conv(t, dw, stride=2, pads=(2 - i, 2 - j, 1 + i, 1 + j)) for i, j in places))  # 5x5 at these places only
    t = g.take(t, places)
    o = g.int_conv(g.concat(d, g.int_conv(g.concat(t, d), mid)), out)
    scale, shift = (f"{o}_{part}" for part in ("scale", "shift"))
    g.nodes.append(onnx.helper.make_node("Split", [o, g.constant(np.array([n, n], np.int64))], [scale, shift], name="split", axis=1))
    about = g.input("shift", TensorProto.FLOAT, (1, n, 1, 1))  # minus the logarithm of the quantisation step
    row = g.op("Add", g.op("Add", scale, about), g.constant(np.float32(5 / SCALE_STEP + 8)))
    row = g.clip(g.op("Floor", g.op("Mul", row, g.constant(np.float32(1 / 16)))), 0, SCALES - 1)
    found = [row, g.clip(shift, -HALF_SHIFTS, HALF_SHIFTS)]
    if step.lin is not None:
        weight = step.lin.weight.double().numpy() / LINEAR_STEP
        if dc:  # nothing but differences
            weight = np.round(weight - weight.mean())
            weight[..., weight.shape[2] // 2, weight.shape[3] // 2] -= weight.sum((1, 2, 3))[:, None]
        weight = np.round(weight)
        if np.abs(weight).max() > 32767 or (np.abs(weight).sum((1, 2, 3)) * LINEAR_MAX).max() >= EXACT:
            raise SystemExit(f"{name}: linear mean is not exact in float32: weights of {np.abs(weight).sum((1, 2, 3)).max():.0f} in all")
        y, pad = g.floats("linear", TensorProto.INT16, weight.shape[1]), 0 if dc else weight.shape[-1] // 2
        means = g.op("Conv", y, g.small(weight, np.int16), kernel_shape=weight.shape[2:], pads=[pad] * 4)
        found.append(g.take(means, places))
    return g.model(
        g.concat(*found), TensorProto.FLOAT, (len(places), len(found) * n, "h", "w"), "exact integers: scale, shift, linear mean"
    )


@torch.no_grad()
def graphs(jpeg: Jpeg, seen: Peaks) -> dict[str, onnx.ModelProto]:
    """All steps of all components, by file stem."""
    found = {}
    for name, component in jpeg.named_children():
        for level, nets in enumerate(component.dc):
            for phase, (step, place) in enumerate(zip(nets, PHASES, strict=True)):
                stem = f"{name}_dc_{level}_{phase}"
                layers = integer_layers(step, f"{name}.dc.{level}.{phase}", seen, component.base[:1] + 3)
                found[stem] = graph(stem, step, layers, (place,), dc=True)
        for group, (ks, nets) in enumerate(zip(component.groups, component.steps, strict=True)):
            for black, (step, places) in enumerate(zip(nets, BOARD, strict=True)):
                stem = f"{name}_{group}_{black}"
                layers = integer_layers(step, f"{name}.steps.{group}.{black}", seen, component.base[ks])
                found[stem] = graph(stem, step, layers, places, dc=False)
    return found


class Counting:
    """Exchange that knows all coefficients, and counts the symbols of each table."""

    def __init__(self, tables: int) -> None:
        self.counts = np.zeros((tables, 2 * REACH_MAX + 1), np.int64)
        self.planes: list[np.ndarray] = []

    def top(self, plane: int, where: tuple[slice, slice, slice]) -> np.ndarray:
        return self.planes[plane][where]

    def group(self, group: Group) -> np.ndarray:
        values = group.gather(self.planes)
        symbols = group.symbols(values).clip(-REACH_MAX, REACH_MAX)
        flat = (group.index.astype(np.int64) - 1) * self.counts.shape[1] + symbols + REACH_MAX
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        return values


def probabilities(counts: np.ndarray) -> np.ndarray:
    """PMFs (tables, 2 * REACH_MAX + 1): what was counted, and a logistic distribution with a wide shoulder worth PRIOR symbols."""
    row, fraction = np.divmod(np.arange(len(counts)), FRACTIONS)
    scale, mean = np.exp2(row / 4 - 5)[:, None], (fraction / 16)[:, None]
    edges = np.arange(-REACH_MAX, REACH_MAX + 2) - 0.5 - mean
    mass = lambda s: np.diff(0.5 * np.tanh(edges / s / 2), axis=1)
    model = 0.9 * mass(scale) + 0.09 * mass(2 * scale) + 0.01 * mass(6 * scale + 0.1)
    both = counts.astype(float)
    both[::FRACTIONS] += counts[::FRACTIONS, ::-1]  # means on whole steps: symmetrical
    return (both + PRIOR * model / model.sum(1, keepdims=True)) / (both.sum(1, keepdims=True) + PRIOR)


def tables_of(pmfs: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of tables.npz for the coder."""
    rows = [frequencies(p) for p in pmfs]
    return {"lengths": np.array([len(f) for f in rows], np.uint32), "frequencies": np.concatenate(rows)}


def write(folder: Path, found: dict[str, onnx.ModelProto], arrays: dict[str, np.ndarray]) -> None:
    """All files of the model."""
    export.write(folder, found)
    np.savez_compressed(folder / "tables.npz", **arrays)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument("--photos", type=Path, required=True, help="folder of photographs for activation steps and tables (training data)")
    p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side, a multiple of 64")
    p.add_argument("--pictures", type=int, default=120, help="how many of them make the tables")
    export.arguments(p)
    a = p.parse_args()
    others = export.listed(a)
    jpeg = Jpeg()
    jpeg.load_state_dict(torch.load(a.checkpoint, map_location="cpu", weights_only=True)["m"])
    jpeg.eval()
    torch.manual_seed(1)
    photos, rng = tiles(a.photos, a.tile, "cpu"), np.random.default_rng(1)

    seen = watch(jpeg)
    with torch.no_grad():
        for _ in range(12):
            v, q, sampling = jpegs.draw(photos, a.tile // 2, 4, rng)
            jpeg.luma(v[0], q[0])
            energies = luma_energies(v[0] * q[0][:, :, None, None], *sampling)
            jpeg.cb(v[1], q[1], energies)
            jpeg.cr(v[2], q[2], energies, v[1] * q[1][:, :, None, None])
    found = graphs(jpeg, seen)

    arrays, counting = log_tables(), Counting(SCALES * FRACTIONS)
    with tempfile.TemporaryDirectory() as temporary:  # tables from the prior alone, to walk with
        folder = Path(temporary)
        write(folder, found, arrays | tables_of(probabilities(counting.counts)))
        files = export.digests(folder)
        model = Coefficients(replace(next(iter(manifest.entries().values())), id=a.id, name=a.name, files=files, folder=folder))
        for k in range(a.pictures):
            v, q, _ = jpegs.draw(photos, a.tile, 1, rng)
            counting.planes = [plane[0].numpy().astype(np.int16) for plane in v]
            grids = [Grid(*plane.shape[2:], step[0].numpy().astype(np.uint16)) for plane, step in zip(v, q, strict=True)]
            model.walk(grids, counting)
            if k % 20 == 19:
                print(f"{k + 1} pictures counted", flush=True)
    pmfs = probabilities(counting.counts)
    symbols = counting.counts.sum()
    mean_bits = -(counting.counts * np.log2(np.maximum(pmfs, 1e-30))).sum() / symbols
    print(f"{symbols:,} symbols, {mean_bits:.4f} bits each by their own tables")
    write(a.models / a.name, found, arrays | tables_of(pmfs))
    export.register(a, others, "coefficients", 1)


if __name__ == "__main__":
    main()
