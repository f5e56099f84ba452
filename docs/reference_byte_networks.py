"""Networks of JPEG coefficients as plain 64-bit integers, with the weights of their ONNX files: docs/format-jpeg.md section 10.3."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from reference_decoder import convolve


class Network:
    """Section 10.3: the layers of one ONNX file as integers, in order: inp, depthwise, mid, out; the weights of linear means, if any."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(str(path)).graph
        value = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        maker = {n.output[0]: n for n in graph.node}
        self.layers, self.linear_weight = [], None
        for node in graph.node:
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            if node.op_type == "Conv":
                self.linear_weight = value[maker[node.input[1]].input[0]].astype(int)
            if node.op_type != "QLinearConv" or (groups > 1 and len(self.layers) > 1):
                continue  # the depthwise convolution again, for other blocks
            one, zero, weight, step, no_zeros, out_one, out_zero, bias = (value[name] for name in node.input[1:])
            assert (one, zero, out_one) == (1, 0, 1)
            assert not no_zeros.any()
            assert np.array_equal(np.log2(step), np.rint(np.log2(step)))
            bounds = {0: (0, 255), 128: (-128, 127)}[int(out_zero)]
            signed = (weight.shape[1], weight.shape[1], weight.shape[1] // 2, 0)[len(self.layers)]  # input channels
            weight = weight.astype(int)
            self.layers.append((weight, bias + 128 * weight[:, :signed].sum((1, 2, 3)), -np.log2(step).astype(int), groups, *bounds))

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift (n, h, w) of every block."""
        inp, depthwise, mid, out = self.layers
        t = run(inp, np.pad(features, ((0, 0), (2, 2), (2, 2))))
        d = run(depthwise, t)[:, 2:-2, 2:-2]
        e = run(mid, np.concatenate([t[:, 2:-2, 2:-2], d]))
        scale, shift = np.split(run(out, np.concatenate([d, e])), 2)
        return scale, shift

    def linear(self, known: np.ndarray) -> np.ndarray:
        """Linear mean (n, h, w) of every block."""
        return convolve(known, self.linear_weight, np.zeros(len(self.linear_weight), int), 1)


def run(layer: tuple, a: np.ndarray) -> np.ndarray:
    """One integer layer; halves go to the even neighbour."""
    weight, bias, shift, groups, low, high = layer
    sums, k = convolve(a, weight, bias, groups), shift[:, None, None]
    to_even = np.where(k > 0, (1 << np.maximum(k, 1) - 1) - 1 + ((sums >> k) & 1), 0)
    return np.clip((sums + to_even) >> k, low, high)
