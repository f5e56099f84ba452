"""The walk with networks in bytes: a decoder finds what an encoder had, at the bits that training expects."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from pictures import photo
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("onnx")

import byte_graphs
import byte_layers
import byte_walk
import coefficients
import torch
from coefficients import Jpeg, luma_energies

from photoarc.entropy.ans import Decoder, Encoder
from photoarc.models import manifest
from photoarc.models.coefficient_groups import Grid
from photoarc.models.coefficients import CHROMA_STARTS, LUMA_STARTS, Coefficients
from photoarc.pictures.jpeg import scans

CHECKPOINT = Path(__file__).parents[2] / "training" / "checkpoints" / "jpeg-1.pt"


class Writer:
    """Exchange that knows all coefficients; `bits` by the tables of jpeg-1."""

    def __init__(self, planes, tables):
        self.planes, self.tables, self.groups, self.bits = planes, tables, [], 0.0

    def top(self, plane, step):
        return self.planes[plane][0, ::step, ::step]

    def active(self, plane):
        return byte_walk.active(self.planes[plane], CHROMA_STARTS if plane else LUMA_STARTS)

    def group(self, plane, fields, index, offset, mirrored):
        known = self.planes[plane]
        some = [known[which, i::step, j::step][:, mask].ravel() for which, (i, j, step), mask in fields]
        values = np.concatenate(some).astype(np.int32)
        symbols = np.where(mirrored, offset - values, values - offset)
        for number in np.unique(index):
            table = self.tables[number - 1]
            here = np.clip(symbols[index == number] + table.reach, 0, 2 * table.reach + 1)
            self.bits += (24 - np.log2(table.frequencies[here])).sum()
        self.groups.append((symbols.astype(np.int32), index))
        return values

    def finish(self):
        encoder = Encoder()
        for symbols, index in reversed(self.groups):
            encoder.push(symbols, index, self.tables)
        return encoder.finish()


class Reader:
    """Exchange that reads what a Writer wrote."""

    def __init__(self, stream, writer):
        self.decoder, self.writer = Decoder(stream), writer
        self.top, self.active = writer.top, writer.active

    def group(self, plane, fields, index, offset, mirrored):
        symbols = self.decoder.pop(index, self.writer.tables)
        return np.where(mirrored, offset - symbols, offset + symbols)


@pytest.fixture(scope="module")
def jpeg():
    """Networks in bytes that say something."""
    torch.manual_seed(3)
    made = byte_layers.byte_jpeg()
    with torch.no_grad():
        for step in made.modules():
            if isinstance(step, byte_layers.ByteStep):
                step.out.weight.copy_(torch.randn_like(step.out.weight) * 0.02)
                if step.lin is not None:
                    step.lin.weight.copy_(torch.randn_like(step.lin.weight) * 0.01)
    return made


def walk_of(jpeg, model):
    sessions = {
        name: onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        for name, graph in byte_graphs.graphs(jpeg).items()
    }
    with np.load(model.entry.file("tables.npz")) as npz:
        return byte_walk.Walk(lambda name, fed: sessions[name].run(None, fed), byte_walk.arrays(dict(npz)))


def coded(width, height, **how):
    out = io.BytesIO()
    Image.fromarray(photo(width, height)).save(out, "JPEG", quality=80, **how)
    scan = scans.read(out.getvalue())
    layout = scans.layout(scan.head).planes
    return scan.coefficients, [Grid(plane.rows, plane.columns, plane.quantiser) for plane in layout]


@pytest.mark.parametrize(("width", "height", "how"), [(320, 576, {"subsampling": 0}), (312, 200, {"subsampling": 2}), (72, 30, {})])
def test_decoder_finds_what_encoder_had(jpeg, width, height, how):
    planes, grids = coded(width, height, **how)
    for plane in planes:
        plane[9:, :32, :32] = 0  # a tile with few groups
    model = Coefficients(manifest.entry(manifest.JPEG_CODED_WITH))
    walk, writer = walk_of(jpeg, model), Writer(planes, model.tables)
    assert all(np.array_equal(a, b) for a, b in zip(walk(grids, writer), planes, strict=True))
    assert writer.active(0)[0, 0] == 3
    back = walk(grids, Reader(writer.finish(), writer))
    assert all(np.array_equal(a, b) for a, b in zip(back, planes, strict=True))


def bits_of(jpeg, planes, grids):
    v = [torch.from_numpy(plane.astype(np.float32))[None] for plane in planes]
    q = [torch.from_numpy(grid.quantiser.astype(np.float32))[None] for grid in grids]
    energies = luma_energies(v[0] * q[0][:, :, None, None], 2, 2)
    beside = v[1] * q[1][:, :, None, None]
    with torch.no_grad():
        return float(jpeg.luma(v[0], q[0])[0] + jpeg.cb(v[1], q[1], energies)[0] + jpeg.cr(v[2], q[2], energies, beside)[0])


def test_bits_are_those_of_training_and_nearly_those_in_floats():
    planes, grids = coded(512, 512, subsampling=2)
    trained = Jpeg()
    trained.load_state_dict(torch.load(CHECKPOINT, weights_only=True)["m"])
    trained.float()
    seen = coefficients.watch(trained)
    in_floats = bits_of(trained, planes, grids)
    jpeg = byte_layers.from_float(trained, seen)
    in_bytes = bits_of(jpeg, planes, grids)
    assert in_bytes == pytest.approx(in_floats, rel=0.05)
    model = Coefficients(manifest.entry(manifest.JPEG_CODED_WITH))
    writer = Writer(planes, model.tables)
    walk_of(jpeg, model)(grids, writer)
    assert writer.bits == pytest.approx(in_bytes, rel=0.04)
