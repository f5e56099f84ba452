"""Turn a checkpoint of keep_coefficients.py into graphs of QLinearConv and counted tables, compared with training before they are written.

    python training/export_bytes.py out/jpeg.pt.landing.weights --photos DIR --out out/jpeg-2

The tables are counted on coefficients of training photographs by the walk that will use them (byte_walk.py); the graphs must find what the
networks in training do, to the bit. photoarc does not read such a model yet: the walk is to move into photoarc/models first.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import export
import jpegs
import numpy as np
import onnxruntime
import torch
from byte_graphs import ZERO, graphs
from byte_layers import CENTRE, HALO, SCALE_UNIT, ByteStep, byte_jpeg
from byte_walk import Fields, Walk, active, arrays
from coefficients import UNIT, Jpeg
from export_coefficients import FRACTIONS, REACH_MAX, SCALES, log_tables, probabilities, tables_of, write
from onnx import ModelProto
from train import tiles

from photoarc.models.coefficient_groups import Grid
from photoarc.models.coefficients import CHROMA_STARTS, LUMA_STARTS, PHASES

SIDE = 8  # blocks of what graphs are compared on
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("checkpoint", type=Path)
p.add_argument("--photos", type=Path, required=True, help="folder of photographs for the tables (training data)")
p.add_argument("--tile", type=int, default=512, help="pictures are cut into tiles of this side, a multiple of 64")
p.add_argument("--pictures", type=int, default=120, help="how many of them make the tables")
p.add_argument("--out", type=Path, required=True, help="folder to write")


class Counting:
    """Exchange that knows all coefficients, and counts the symbols of each table."""

    def __init__(self) -> None:
        self.counts = np.zeros((SCALES * FRACTIONS, 2 * REACH_MAX + 1), np.int64)
        self.planes: list[np.ndarray] = []

    def top(self, plane: int, step: int) -> np.ndarray:
        return self.planes[plane][0, ::step, ::step]

    def active(self, plane: int) -> np.ndarray:
        return active(self.planes[plane], CHROMA_STARTS if plane else LUMA_STARTS)

    def group(self, plane: int, fields: Sequence[Fields], index: np.ndarray, offset: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        known = self.planes[plane]
        some = [known[which, i::step, j::step][:, mask].ravel() for which, (i, j, step), mask in fields]
        values = np.concatenate(some).astype(np.int32)
        symbols = np.where(mirrored, offset - values, values - offset).clip(-REACH_MAX, REACH_MAX)
        flat = (index.astype(np.int64) - 1) * self.counts.shape[1] + symbols + REACH_MAX
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        return values


def session(graph: ModelProto) -> onnxruntime.InferenceSession:
    """A graph, ready to run on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


@torch.no_grad()
def compare(jpeg: Jpeg, sessions: dict[str, onnxruntime.InferenceSession]) -> None:
    """Raises SystemExit unless DC's graphs (whose channels are in training's order) find what their networks do."""
    rng = np.random.default_rng(0)
    for name, component in jpeg.named_children():
        for level, nets in enumerate(component.dc):
            for phase, (step, place) in enumerate(zip(nets, PHASES, strict=True)):
                assert isinstance(step, ByteStep)
                seen = rng.integers(-127, 128, (1, step.inp.in_channels, SIDE, SIDE))
                scale, _ = step(torch.from_numpy(seen).float() * UNIT, [place])
                wide = np.pad(seen + ZERO, ((0, 0), (0, 0), (HALO, HALO), (HALO, HALO)), constant_values=ZERO).astype(np.uint8)
                fed = {"features": wide, "linear": np.zeros((1, 1, *wide.shape[2:]), np.int16)}
                found = sessions[f"{name}_dc_{level}_{phase}"].run(None, fed)[0][:, :1].astype(int) - ZERO
                if not np.array_equal(found, ((scale - CENTRE) / SCALE_UNIT).numpy()):
                    raise SystemExit(f"{name}_dc_{level}_{phase}: the graph finds other scales than training")


def main() -> None:
    """Command line."""
    a = p.parse_args()
    jpeg = byte_jpeg()
    jpeg.load_state_dict(torch.load(a.checkpoint, map_location="cpu", weights_only=True)["m"])
    found = graphs(jpeg.eval())
    sessions = {name: session(graph) for name, graph in found.items()}
    compare(jpeg, sessions)
    logs, counting = log_tables(), Counting()
    walk = Walk(lambda name, fed: sessions[name].run(None, fed), arrays(logs))
    torch.manual_seed(1)
    photos, rng = tiles(a.photos, a.tile, "cpu"), np.random.default_rng(1)
    for _ in range(a.pictures):
        v, q, _ = jpegs.draw(photos, a.tile, 1, rng)
        counting.planes = [plane[0].numpy().astype(np.int16) for plane in v]
        grids = [Grid(*plane.shape[2:], step[0].numpy().astype(np.uint16)) for plane, step in zip(v, q, strict=True)]
        back = walk(grids, counting)
        if not all(np.array_equal(one, other) for one, other in zip(back, counting.planes, strict=True)):
            raise SystemExit("the walk loses coefficients")
    pmfs = probabilities(counting.counts)
    symbols = counting.counts.sum()
    mean_bits = -(counting.counts * np.log2(np.maximum(pmfs, 1e-30))).sum() / symbols
    print(f"{symbols:,} symbols, {mean_bits:.4f} bits each by their own tables")
    write(a.out, found, logs | tables_of(pmfs))
    print(f"{a.out}: {sum(path.stat().st_size for path in a.out.iterdir()):,} bytes in {len(export.digests(a.out))} files")


if __name__ == "__main__":
    main()
