"""Turn a checkpoint of keep_coefficients.py into a model that photoarc runs: graphs of QLinearConv, counted tables, a manifest entry.

    python training/export_coefficients.py out/jpeg.pt.landing.weights --photos DIR --id 4 --name jpeg-2 --record "how it was trained"

The graphs are compared with 64-bit integers before they are written; tables are counted by photoarc's own walk through coefficients of
training photographs (photoarc/models/coefficients.py). Refuses to touch a model id that a manifest already names, unless --replace is
given.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import byte_check
import byte_pruning
import export
import jpegs
import numpy as np
import onnxruntime
import table_merging
import torch
from byte_graphs import graphs
from byte_layers import byte_jpeg
from coefficients import Jpeg, luma_energies
from onnx import ModelProto
from tables import frequencies
from train import tiles

from photoarc.models import manifest
from photoarc.models.coefficient_groups import QUANTISER_MAX, Grid, Group
from photoarc.models.coefficient_tables import FRACTIONS, HALF_SHIFTS, LOG_MAX
from photoarc.models.coefficients import Coefficients

SCALES = 53  # rows of tables: log2 of the scale from -5 to 8 in quarters
SHIFT_STEP = 1 / 8
REACH_MAX = 1023
PRIOR = 2000  # symbols that the logistic distribution is worth beside what was counted


def log_tables() -> dict[str, np.ndarray]:
    """Logarithms as integers: limits of dequantised values, of quantisation steps, in both units."""
    q = np.arange(1, QUANTISER_MAX + 1)
    companded = np.minimum(np.round(14 * np.log2(1 + np.arange(LOG_MAX + 1) / 2)), 127).astype(int)
    spread = np.arange(-HALF_SHIFTS, HALF_SHIFTS + 1) * SHIFT_STEP * np.exp2(np.arange(SCALES) / 4 - 5)[:, None]
    return {
        "log_limits": np.searchsorted(companded, np.arange(1, companded[-1] + 1)).astype(np.uint16),
        "log_quantiser": np.concatenate([[0], np.round(14 * np.log2(q))]).astype(np.uint8),
        "scale_quantiser": np.concatenate([[0], np.round(16 * np.log2(q))]).astype(np.uint8),
        "spread": np.round(32 * spread).astype(np.int32),
    }


class Counting:
    """Exchange that knows all coefficients, and counts the symbols of each table."""

    def __init__(self) -> None:
        self.counts = np.zeros((SCALES * FRACTIONS, 2 * REACH_MAX + 1), np.int64)

    def top(self, shape: tuple[int, ...], known: np.ndarray) -> np.ndarray:
        return known

    def active(self, tiles: int, starts: Sequence[int], known: np.ndarray) -> np.ndarray:
        return known

    def group(self, group: Group, known: np.ndarray) -> np.ndarray:
        there = group.index > 0
        symbols = group.symbols(known)[there].astype(np.int64).clip(-REACH_MAX, REACH_MAX)
        flat = (group.index[there].astype(np.int64) - 1) * self.counts.shape[1] + symbols + REACH_MAX
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        return known


def masses(counts: np.ndarray) -> np.ndarray:
    """(scales x fractions, 2 * REACH_MAX + 1): what was counted, and a logistic distribution with a wide shoulder worth PRIOR symbols."""
    row, fraction = np.divmod(np.arange(len(counts)), FRACTIONS)
    scale, mean = np.exp2(row / 4 - 5)[:, None], (fraction / 16)[:, None]
    edges = np.arange(-REACH_MAX, REACH_MAX + 2) - 0.5 - mean
    mass = lambda s: np.diff(0.5 * np.tanh(edges / s / 2), axis=1)
    model = 0.9 * mass(scale) + 0.09 * mass(2 * scale) + 0.01 * mass(6 * scale + 0.1)
    both = counts.astype(float)
    both[::FRACTIONS] += counts[::FRACTIONS, ::-1]  # means on whole steps: symmetrical
    return both + PRIOR * model / model.sum(1, keepdims=True)


def tables_of(known: np.ndarray, table_of: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of tables.npz for the coder: `table_of` each scale and fraction of masses."""
    joined = np.stack([known[table_of == number].sum(0) for number in range(table_of.max() + 1)])
    rows = [frequencies(p) for p in joined / joined.sum(1, keepdims=True)]
    return {"lengths": np.array([len(f) for f in rows], np.uint32), "frequencies": np.concatenate(rows), "table_of": table_of}


def write(folder: Path, found: dict[str, ModelProto], arrays: dict[str, np.ndarray]) -> None:
    """All files of the model."""
    export.write(folder, found)
    np.savez_compressed(folder / "tables.npz", **arrays)


def session(graph: ModelProto) -> onnxruntime.InferenceSession:
    """A graph, ready to run on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


@torch.no_grad()
def without_idle(jpeg: Jpeg, a: argparse.Namespace) -> None:
    """Take out what tells nothing in --photos."""
    torch.manual_seed(2)
    photos, rng = tiles(a.photos, a.tile, "cpu"), np.random.default_rng(2)
    with byte_pruning.watched(jpeg) as seen:
        for _ in range(max(1, a.pictures // 5)):
            v, q, sampling = jpegs.draw(photos, a.tile // 2, 4, rng)
            jpeg.luma(v[0], q[0])
            energies = luma_energies(v[0] * q[0][:, :, None, None], *sampling)
            jpeg.cb(v[1], q[1], energies)
            jpeg.cr(v[2], q[2], energies, v[1] * q[1][:, :, None, None])
    before = sum(step.mid.out_channels for step in seen)
    print(f"{byte_pruning.prune(jpeg, seen)} of {before} channels of e are left")


def count(found: dict[str, ModelProto], a: argparse.Namespace) -> np.ndarray:
    """Symbols of each table in --pictures of --photos, by networks with tables of the prior alone."""
    torch.manual_seed(1)
    photos, rng, counting = tiles(a.photos, a.tile, "cpu"), np.random.default_rng(1), Counting()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, found, log_tables() | tables_of(masses(counting.counts), np.arange(SCALES * FRACTIONS, dtype=np.uint16)))
        entry = next(iter(manifest.entries().values()))
        model = Coefficients(replace(entry, id=a.id, name=a.name, files=export.digests(folder), folder=folder))
        for k in range(a.pictures):
            v, q, _ = jpegs.draw(photos, a.tile, 1, rng)
            planes = [plane[0].numpy().astype(np.int16) for plane in v]
            grids = [Grid(*plane.shape[2:], step[0].numpy().astype(np.uint16)) for plane, step in zip(v, q, strict=True)]
            back = model.walk(grids, counting, planes)
            if not all(np.array_equal(one, other) for one, other in zip(back, planes, strict=True)):
                raise SystemExit("the walk loses coefficients")
            if k % 20 == 19:
                print(f"{k + 1} pictures counted", flush=True)
    return counting.counts


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint", type=Path)
    p.add_argument("--photos", type=Path, required=True, help="folder of photographs for the tables (training data)")
    p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side, a multiple of 64")
    p.add_argument("--pictures", type=int, default=120, help="how many of them make the tables")
    export.arguments(p)
    a = p.parse_args()
    others = export.listed(a)
    jpeg = byte_jpeg()
    jpeg.load_state_dict(torch.load(a.checkpoint, map_location="cpu", weights_only=True)["m"])
    without_idle(jpeg.float().eval(), a)
    found = graphs(jpeg)
    sessions = {name: session(graph) for name, graph in found.items()}
    byte_check.compare(jpeg, lambda name, fed: sessions[name].run(None, fed))
    counts = count(found, a)
    known = masses(counts)
    table_of = table_merging.merge(known, FRACTIONS)
    print(f"{counts.sum():,} symbols, {table_of.max() + 1} tables")
    write(a.models / a.name, found, log_tables() | tables_of(known, table_of))
    export.register(a, others, "coefficients", 1)


if __name__ == "__main__":
    main()
