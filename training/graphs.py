"""Write the codec's networks as ONNX graphs, layer by layer from the weights.

Built by hand rather than by torch.onnx: the pictures' bytes go in and out as uint8, normalisation is folded into the first and last
weights, and the integer scale path keeps its exact form. One graph a network; `photoarc/models/hyperprior.py` calls them.

    analysis      pixels (H+8, W+8, 3) uint8 -> latents (1, M, H/16, W/16)
    hyper_analysis  scaled latents -> z_hat (1, Z, H/64, W/64), integers in +-Z_CLIP
    mean_hyper, mean_0..3     float;  hyper_context_1..3, scale_hyper, scale_0..3   exact integers
    synthesis     unscaled latents (1, M, h, w) -> blocks (1, 3 x 8 x 8, 2 h + 1, 2 w + 1) uint8 of the pixels with 4 px of margin
    synthesis_gradient  the same, blocks of the picture and how much each counts -> slope of the error (1, M, h, w)
"""

import numpy as np
import onnx
from integer import IntConv, IntHyperContext, IntScaleContext, IntScaleHyper
from model import Z_CLIP, Block, Codec
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET, IR_VERSION = 17, 8  # old enough for every ONNX Runtime since 1.14


class Graph:
    """Collects nodes and weights; every method appends one node and returns the name of its output."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int, shape: tuple) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value, order="C"), f"w{len(self.weights)}"))
        return self.weights[-1].name

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=f"{kind.lower()}{len(self.nodes)}", **attributes))
        return out

    def conv(self, x: str, weight: np.ndarray, bias: np.ndarray, *, stride: int = 1, groups: int = 1, pad: int = 0) -> str:
        w, b = self.constant(weight.astype(np.float32)), self.constant(bias.astype(np.float32))
        return self.op("Conv", x, w, b, group=groups, kernel_shape=weight.shape[2:], strides=[stride] * 2, pads=[pad] * 4)

    def concat(self, *xs: str) -> str:
        return xs[0] if len(xs) == 1 else self.op("Concat", *xs, axis=1)

    def clip(self, x: str, low: float, high: float) -> str:
        return self.op("Clip", x, self.constant(np.float32(low)), self.constant(np.float32(high)))

    def shuffle(self, x: str, block: int) -> str:
        return self.op("DepthToSpace", x, blocksize=block, mode="CRD")  # the channel order of torch's pixel_shuffle

    def model(self, output: str, dtype: int, shape: tuple, doc: str) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [helper.make_tensor_value_info(output, dtype, shape)], self.weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="photoarc", doc_string=doc
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def _a(t: Tensor) -> np.ndarray:
    return t.detach().double().numpy()


def _conv(g: Graph, x: str, c: nn.Conv2d, **kw: int) -> str:
    return g.conv(x, _a(c.weight), _a(c.bias), groups=c.groups, **kw)


class _Residual:
    """A block's nodes, and those that turn a slope by its output into one by its input, with the same kernels."""

    def __init__(self, g: Graph, x: str, b: Block):
        self._g, self._groups, self._pad = g, b.dw.groups, b.dw.padding[0]
        unit, scale, self._leak = _a(b.unit), float(b.scale), float(b.slope)
        self._dw = _a(b.dw.weight) / unit[:, None, None, None]
        t = _conv(g, g.conv(x, self._dw, _a(b.dw.bias), groups=self._groups, pad=self._pad), b.up)
        self._up = g.nodes[-1].input[1]
        self._hidden = g.op("LeakyRelu", t, alpha=self._leak) if self._leak else g.op("Relu", t)
        t = g.conv(self._hidden, _a(b.down.weight) * scale, _a(b.down.bias) * scale)
        self._down = g.nodes[-1].input[1]
        self.output = g.op("Add", x, t)

    def slope(self, y: str) -> str:
        """Slope by the block's input from that by its output."""
        g = self._g
        passed = g.op("Cast", g.op("Greater", self._hidden, g.constant(np.float32(0))), to=TensorProto.FLOAT)
        passed = g.op("Max", passed, g.constant(np.float32(self._leak))) if self._leak else passed
        t = g.op("Conv", y, g.op("Transpose", self._down, perm=[1, 0, 2, 3]))
        t = g.op("Conv", g.op("Mul", t, passed), g.op("Transpose", self._up, perm=[1, 0, 2, 3]))
        return g.op("Add", y, g.conv(t, self._dw[:, :, ::-1, ::-1], np.zeros(self._groups), groups=self._groups, pad=self._pad))


def _block(g: Graph, x: str, b: Block) -> str:
    return _Residual(g, x, b).output


def _up_kernel(c: nn.Conv2d) -> np.ndarray:
    """Weights and, as one more input, the bias of a 1x1 convolution before PixelShuffle(2): (inputs + 1, outputs, 2, 2)."""
    weight = np.concatenate([_a(c.weight)[:, :, 0, 0], _a(c.bias)[:, None]], 1)
    return weight.reshape(c.out_channels // 4, 2, 2, c.in_channels + 1).transpose(3, 0, 1, 2).astype(np.float32)


def _up(g: Graph, x: str, c: nn.Conv2d) -> str:
    """A 1x1 convolution and PixelShuffle(2) as one transposed convolution: a twentieth of the synthesis' time (EXPERIMENTS.md).

    Its bias is one a channel, the convolution's one a channel and phase: a channel of ones carries that. And a factor of 1 a channel:
    ONNX Runtime makes the sums of blocks part of its convolutions only where what is added comes from a convolution, too.
    """
    outputs = c.out_channels // 4
    x = g.op("ConvTranspose", _with_ones(g, x), g.constant(_up_kernel(c)), kernel_shape=[2, 2], strides=[2, 2])
    return g.conv(x, np.ones((outputs, 1, 1, 1)), np.zeros(outputs), groups=outputs)


def _with_ones(g: Graph, x: str) -> str:
    return g.op("Pad", x, g.constant(np.array([0, 0, 0, 0, 0, 1, 0, 0], np.int64)), g.constant(np.float32(1)))


def _layers(g: Graph, x: str, net: nn.Sequential) -> str:
    layers = list(net)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, Block):
            x = _block(g, x, layer)
        elif isinstance(following, nn.PixelShuffle):
            x = _up(g, x, layer)
        elif not isinstance(layer, nn.PixelShuffle):
            x = _conv(g, x, layer, stride=layer.stride[0])
    return x


def analysis(codec: Codec) -> onnx.ModelProto:
    """g_a with its stem as one 16x16 convolution at stride 8 over bytes: (b / 255 - 0.5) is folded into weights and bias."""
    net, g = codec.g_a, Graph("analysis")
    stem = _a(net.stem.weight).reshape(-1, 3, 8, 8, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(-1, 3, 16, 16)
    x = g.op("Cast", g.input("pixels", TensorProto.UINT8, ("H", "W", 3)), to=TensorProto.FLOAT)
    x = g.op("Unsqueeze", g.op("Transpose", x, perm=[2, 0, 1]), g.constant(np.array([0], np.int64)))
    x = g.conv(x, stem / 255, _a(net.stem.bias) - 0.5 * stem.sum((1, 2, 3)), stride=8)
    x = _layers(g, x, net.b8)
    merge = _a(net.merge.weight).reshape(codec.m, -1, 2, 2)  # 1x1 after pixel_unshuffle(2) is 2x2 at stride 2
    x = g.conv(x, merge, _a(net.merge.bias), stride=2)
    return g.model(x, TensorProto.FLOAT, (1, codec.m, "h", "w"), "g_a: pixels with 4 px of margin -> latents")


def synthesis(codec: Codec) -> onnx.ModelProto:
    """g_s with pixels as bytes: (v + 0.5) * 255 is folded into the head. NumPy joins the blocks six times as fast as Transpose would."""
    net, g = codec.g_s, Graph("synthesis")
    x = _up(g, g.input("latents", TensorProto.FLOAT, (1, codec.m, "h", "w")), net.split)
    x = _layers(g, x, net.b8)
    x = g.conv(x, _a(net.head.weight) * 255, _a(net.head.bias) * 255 + 127.5, pad=1)  # (1, 192, 2h+1, 2w+1)
    x = g.op("Cast", g.op("Round", g.clip(x, 0, 255)), to=TensorProto.UINT8)
    return g.model(
        x, TensorProto.UINT8, (1, 192, "rows", "columns"), "g_s: latents / gain -> blocks of 3 x 8 x 8 pixels, margin of 4 included"
    )


def _mean_kernel() -> np.ndarray:
    """8x8 blocks of three colours -> their means over 2x2 and 4x4 pixels, (60, 192, 1, 1): the order of photoarc.codecs.photo.structure."""
    rows = []
    for side in (2, 4):
        for colour, top, left in np.ndindex(3, 8 // side, 8 // side):
            row = np.zeros((3, 8, 8))
            row[colour, top * side : (top + 1) * side, left * side : (left + 1) * side] = side**-2
            rows.append(row.ravel())
    return np.array(rows)[:, :, None, None]


def synthesis_gradient(codec: Codec, structure: bool = False) -> onnx.ModelProto:
    """Slope of the weighted squared error of pixels 0..255 by each latent: g_s forth, as in `synthesis`, and back, each kernel stored once.

    With `structure`, the squared errors of their means over 2x2 and 4x4 pixels count as well (photoarc.codecs.photo.structure).
    """
    net, g = codec.g_s, Graph("synthesis_gradient")
    split = g.constant(_up_kernel(net.split))
    x = _with_ones(g, g.input("latents", TensorProto.FLOAT, (1, codec.m, "h", "w")))
    x = g.op("ConvTranspose", x, split, kernel_shape=[2, 2], strides=[2, 2])
    blocks = []
    for block in net.b8:
        blocks.append(_Residual(g, x, block))
        x = blocks[-1].output
    kernel = _a(net.head.weight) * 255
    x = g.clip(g.conv(x, kernel, _a(net.head.bias) * 255 + 127.5, pad=1), 0, 255)
    target = g.input("target", TensorProto.FLOAT, (1, 192, "rows", "columns"))
    off = g.op("Sub", x, target)
    x = g.op("Mul", off, g.input("counted", TensorProto.FLOAT, (1, 192, "rows", "columns")))
    if structure:
        means = _mean_kernel()
        count = g.input("means", TensorProto.FLOAT, (1, len(means), "rows", "columns"))
        t = g.op("Mul", g.conv(off, means, np.zeros(len(means))), count)
        x = g.op("Add", x, g.conv(t, means.transpose(1, 0, 2, 3), np.zeros(means.shape[1])))
    x = g.conv(x, 2 * kernel.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1], np.zeros(kernel.shape[1]))
    for backward in reversed(blocks):
        x = backward.slope(x)
    x = g.op("Conv", x, split, kernel_shape=[2, 2], strides=[2, 2])  # the last channel is that of the bias
    bounds = (g.constant(np.array([n], np.int64)) for n in (0, codec.m, 1))
    x = g.op("Slice", x, *bounds)
    return g.model(
        x, TensorProto.FLOAT, (1, codec.m, "hs", "ws"), "latents / gain, blocks, how much each counts -> slope of the error by the latents"
    )


def hyper_analysis(codec: Codec) -> onnx.ModelProto:
    """h_a and rounding; runs in the encoder only, so floats are free."""
    g = Graph("hyper_analysis")
    x = _layers(g, g.input("latents", TensorProto.FLOAT, (1, codec.m, "h", "w")), codec.h_a.net)
    return g.model(g.clip(g.op("Round", x), -Z_CLIP, Z_CLIP), TensorProto.FLOAT, (1, codec.mz, "hz", "wz"), "h_a: latents * gain -> z_hat")


def mean_hyper(codec: Codec) -> onnx.ModelProto:
    """h_mean."""
    g = Graph("mean_hyper")
    x = _layers(g, g.input("z", TensorProto.FLOAT, (1, codec.mz, "hz", "wz")), codec.h_mean.net)
    return g.model(x, TensorProto.FLOAT, (1, codec.h_mean.net[-1].out_channels, "h", "w"), "h_mean: z_hat -> mean features")


def mean_context(codec: Codec, k: int) -> onnx.ModelProto:
    """mean[k]: y_hat of the slices before k, mean features -> mu of slice k."""
    g, net = Graph(f"mean_{k}"), codec.mean[k]
    known = [g.input("known", TensorProto.FLOAT, (1, codec.group * k, "h", "w"))] if k else []
    features = g.input("features", TensorProto.FLOAT, (1, net.inp.in_channels - codec.group * k, "h", "w"))
    x = _conv(g, _block(g, _conv(g, g.concat(*known, features), net.inp), net.block), net.out)
    return g.model(x, TensorProto.FLOAT, (1, codec.group, "h", "w"), "y_hat of earlier slices, mean features -> mu")


def _int_conv(g: Graph, x: str, c: IntConv) -> str:
    t = g.conv(x, _a(c.weight), _a(c.bias), groups=c.groups, pad=c.weight.shape[-1] // 2)
    t = g.op("Mul", t, g.constant(np.exp2(-_a(c.shift)).astype(np.float32)[:, None, None]))
    return g.clip(g.op("Floor", t), *c.bounds)


def scale_hyper(net: IntScaleHyper) -> onnx.ModelProto:
    """Integer h_scale: z_hat -> features, integers held in float32."""
    g = Graph("scale_hyper")
    t = g.shuffle(_int_conv(g, g.input("z", TensorProto.FLOAT, (1, net.up1.weight.shape[1], "hz", "wz")), net.up1), 2)
    x = g.shuffle(_int_conv(g, g.concat(t, _int_conv(g, t, net.dw)), net.up2), 2)
    return g.model(x, TensorProto.FLOAT, (1, net.up2.weight.shape[0] // 4, "h", "w"), "exact integers: z_hat -> scale features")


def scale_context(net: IntScaleContext, k: int, group: int) -> onnx.ModelProto:
    """Integer scale[k]: clipped symbols of the slices before k, features -> table index."""
    g = Graph(f"scale_{k}")
    symbols = [g.input("symbols", TensorProto.FLOAT, (1, group * k, "h", "w"))] if k else []
    features = g.input("features", TensorProto.FLOAT, (1, net.inp.weight.shape[1] - group * k, "h", "w"))
    t = _int_conv(g, g.concat(*symbols, features), net.inp)
    x = g.op("Cast", _int_conv(g, g.concat(t, _int_conv(g, t, net.dw)), net.out), to=TensorProto.UINT8)
    return g.model(x, TensorProto.UINT8, (1, group, "h", "w"), "exact integers: clipped symbols, scale features -> table index")


def hyper_context(net: IntHyperContext, k: int) -> onnx.ModelProto:
    """Integer context of slice k of the hyper-latents: those of the slices before, normalised -> steps of mean and scale."""
    g = Graph(f"hyper_context_{k}")
    x = _int_conv(g, _int_conv(g, g.input("z", TensorProto.FLOAT, (1, net.inp.weight.shape[1], "h", "w")), net.inp), net.out)
    return g.model(x, TensorProto.FLOAT, (1, net.out.weight.shape[0], "h", "w"), "exact integers: earlier hyper-latents -> means, scales")
