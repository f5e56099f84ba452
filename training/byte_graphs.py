"""Write networks of JPEG coefficients in bytes as ONNX graphs: QLinearConv, layer by layer (byte_layers.py).

    features (B, F, h + 4, w + 4) uint8 -> bytes (places x B, 2 n, h/2, w/2) uint8: scales in 1/16 octave, shifts in 1/8 scale; 128 is 0
    linear (B, L, h + 2, w + 2) int16, if there are linear means -> means (places x B, n, h/2, w/2) float32: exact integers, in 1/256

B tiles are all of one shape; places are the outer dimension. Sums are 32-bit integers; the one float operation of
a layer is the product of a sum below 2^24 with a power of two, exact, and its rounding to the nearest, halves to the even neighbour.
Of DC, `linear` has two more rows and columns on every side: its convolution is 5x5, of differences alone, where the others are 3x3.
A place of h x w is that of 2x2 blocks; (h + 4) x (w + 4) is what its filters see.
"""

import copy
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import torch
from byte_layers import ACCUMULATED, HALO, ByteStep, integers
from coefficients import UNIT, Jpeg
from graphs import IR_VERSION, OPSET, Graph
from onnx import TensorProto, helper
from torch import Tensor, nn

from photoarc.models.coefficient_dc import LINEAR_MAX
from photoarc.models.coefficient_groups import BOARD, CHROMA_STARTS, LUMA_STARTS, PHASES

LINEAR_STEP = 1 / 256
ZERO = 128  # the byte that is 0 of signed activations
NEAR = 16  # channels that all groups of luma see of DC
Places = Sequence[tuple[int, int]]


class ByteGraph(Graph):
    """Graph of QLinearConv; all scales but the weights' are 1."""

    def layer(self, x: str, conv: nn.Conv2d, signed: int, behind: int, out_unit: Tensor | float = UNIT, stride: int = 1) -> str:
        """One layer without padding: its first `signed` inputs are 0 at ZERO, the others at 0, its output at `behind`.

        What is 0 at ZERO is so in the bias: the networks need not know of it, and inputs of both kinds meet in one layer.
        """
        weight, bias, k = (t.detach().double().numpy() for t in integers(conv, out_unit))
        depthwise = conv.groups > 1
        bias -= ZERO * (weight if depthwise and signed else weight[:, :signed]).sum((1, 2, 3))
        most = 255 * np.abs(weight).sum((1, 2, 3)) + np.abs(bias)
        if (most >= ACCUMULATED).any():
            raise SystemExit(f"{self.name}: a sum of up to {most.max():.0f} is not exact in float32")
        one, byte = self.constant(np.float32(1)), lambda zero: self.constant(np.uint8(zero))
        weights = [
            self.constant(weight.astype(np.int8)),
            self.constant(np.exp2(-k).astype(np.float32)),
            self.constant(np.zeros(len(k), np.int8)),
        ]
        side = list(weight.shape[2:])
        return self.op(
            "QLinearConv",
            *(x, one, byte(0), *weights, one, byte(behind), self.constant(bias.astype(np.int32))),
            group=conv.groups,
            kernel_shape=side,
            strides=[stride] * 2,
        )

    def name_last(self, name: str) -> str:
        """The last node's output under a name of its own."""
        self.nodes[-1].output[0] = name
        return name

    def cut(self, x: str, start: tuple[int, int], end: int = 1 << 30, step: int = 1) -> str:
        """Rows and columns from `start` to `end`."""
        if not any(start) and step == 1:
            return x
        ints = lambda *v: self.constant(np.array(v, np.int64))
        return self.op("Slice", x, ints(*start), ints(end, end), ints(2, 3), ints(step, step))

    def stack(self, xs: Sequence[str]) -> str:
        """One behind the other, as places are."""
        return xs[0] if len(xs) == 1 else self.op("Concat", *xs, axis=0)

    def outputs(self, found: Sequence[tuple[str, int, int]], doc: str) -> onnx.ModelProto:
        """The model with outputs (name, type, channels)."""
        infos = [helper.make_tensor_value_info(name, dtype, ("places", channels, "h", "w")) for name, dtype, channels in found]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, infos, self.weights)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="photoarc", doc_string=doc)
        onnx.checker.check_model(model, full_check=True)
        return model


def linear_weight(conv: nn.Conv2d, name: str, *, dc: bool) -> np.ndarray:
    """Weights of linear means in LINEAR_STEPs. Raises SystemExit if float32 could not be exact."""
    weight = conv.weight.detach().double().numpy() / LINEAR_STEP
    if dc:  # nothing but differences
        weight = np.round(weight - weight.mean())
        weight[..., weight.shape[2] // 2, weight.shape[3] // 2] -= weight.sum((1, 2, 3))[:, None]
    weight = np.round(weight)
    most = np.abs(weight).sum((1, 2, 3)).max()
    if np.abs(weight).max() > 32767 or most * LINEAR_MAX >= ACCUMULATED:
        raise SystemExit(f"{name}: linear mean is not exact in float32: weights of {most:.0f} in all")
    return weight


@torch.no_grad()
def graph(name: str, step: ByteStep, places: Places, *, dc: bool, order: Sequence[int] | None = None) -> onnx.ModelProto:
    """One step; `order` says of each channel of features which one it is in training."""
    g = ByteGraph(name)
    x = g.input("features", TensorProto.UINT8, ("tiles", step.inp.in_channels, "rows", "columns"))
    if order is not None:
        step = copy.deepcopy(step)
        step.inp.weight.copy_(step.inp.weight[:, order])
    t = g.layer(x, step.inp, step.inp.in_channels, ZERO)
    d = g.stack([g.layer(g.cut(t, place), step.dw, step.dw.in_channels, 0, stride=2) for place in places])
    t = g.stack([g.cut(t, (HALO + i, HALO + j), -HALO, 2) for i, j in places])
    e = g.layer(g.concat(t, d), step.mid, step.inp.out_channels, 0)
    g.layer(g.concat(d, e), step.out, 0, ZERO, step.out_units())
    found = [(g.name_last("bytes"), TensorProto.UINT8, step.out.out_channels)]
    if step.lin is not None:
        weight = linear_weight(step.lin, name, dc=dc)
        y = g.op("Cast", g.input("linear", TensorProto.INT16, ("tiles", weight.shape[1], "y", "x")), to=TensorProto.FLOAT)
        w, side = g.op("Cast", g.constant(weight.astype(np.int16)), to=TensorProto.FLOAT), list(weight.shape[2:])
        g.op("Concat", *(g.op("Conv", g.cut(y, place), w, kernel_shape=side, strides=[2, 2]) for place in places), axis=0)
        found.append((g.name_last("means"), TensorProto.FLOAT, len(weight)))
    return g.outputs(found, "exact integers: scales and shifts, linear means")


def channels(start: int, end: int, near: int, *, black: bool, beside: bool) -> list[int]:
    """For each channel that a group's network sees in photoarc, in order: its number in training (Component.forward).

    Logarithm and magnitude of a coefficient stand side by side, so that what each network sees begins with what the one before it saw.
    """
    n, known = end - start, start - 1
    lower = near + 2 * known
    after = lower + n + 1
    pairs = lambda first, count: [first + half * count + k for k in range(count) for half in (0, 1)]
    own = pairs(after + 2 * n * beside, n) if black else []
    return [*range(near), *pairs(near, known), *own, *(pairs(after, n) if beside else []), *range(lower, after)]


def steps_of(jpeg: Jpeg) -> Iterator[tuple[str, ByteStep, list[int]]]:
    """All steps of all components: file stem, step, and the order of its channels in photoarc."""
    for name, component in jpeg.named_children():
        for level, nets in enumerate(component.dc):
            for phase, step in enumerate(nets):
                yield f"{name}_dc_{level}_{phase}", step, list(range(step.inp.in_channels))
        starts, near = (LUMA_STARTS, NEAR) if name == "luma" else (CHROMA_STARTS, NEAR + len(LUMA_STARTS) - 1)
        for group, (span, nets) in enumerate(zip(itertools.pairwise(starts), component.steps, strict=True)):
            for black, step in enumerate(nets):
                yield f"{name}_{group}_{black}", step, channels(*span, near, black=bool(black), beside=name == "cr")


def places_of(stem: str) -> Places:
    """Where a step codes."""
    last = int(stem[-1])
    return (PHASES[last],) if "_dc_" in stem else BOARD[last]


def graphs(jpeg: Jpeg) -> dict[str, onnx.ModelProto]:
    """All steps of all components, by file stem."""
    return {stem: graph(stem, step, places_of(stem), dc="_dc_" in stem, order=order) for stem, step, order in steps_of(jpeg)}
