"""A whole architecture, untrained: the 8x8 DCT of three colours as two ONNX graphs, coefficients by tables that nobody learned.

Its model would be a file in photoarc/models, its band coder one in photoarc/codecs/photo; test_toy_architecture.py adds the row.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from photoarc.entropy.ans import Decoder, Encoder
from photoarc.entropy.tables import PRECISION, Table
from photoarc.models.session import Network

SIDE, CHANNELS = 8, 192
COARSEST, OCTAVES = 96.0, 6  # step of level 0, and how much finer the last level's is
REACH = 60
COLOURS = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])


def waves():
    """The DCT's basis: wave, place."""
    wave, place = np.mgrid[:SIDE, :SIDE]
    return np.cos(np.pi * wave * (2 * place + 1) / (2 * SIDE)) * np.sqrt(np.where(wave, 2, 1) / SIDE)


def kernel():
    """Channels (colour, wave down, wave across), and what each sees of three colours of 8x8 pixels: orthonormal."""
    seen = np.einsum("kc,uy,vx->kuvcyx", COLOURS, waves(), waves())
    return seen.reshape(CHANNELS, 3, SIDE, SIDE).astype(np.float32)


def wave_numbers():
    """Of each channel, waves down and across together."""
    return np.tile(np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel(), 3)


def graph(name, source, target, nodes, **constants):
    """An ONNX model of one input and one output, each (name, type)."""
    arrays = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    ends = [[helper.make_tensor_value_info(key, kind, None)] for key, kind in (source, target)]
    chain = [helper.make_node(op, inputs, [output], **attributes) for op, inputs, output, attributes in nodes]
    whole = helper.make_graph(chain, name, *ends, arrays)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def analysis():
    nodes = [
        ("Cast", ["pixels"], "floats", {"to": TensorProto.FLOAT}),
        ("Sub", ["floats", "middle"], "centred", {}),
        ("Transpose", ["centred"], "planes", {"perm": [2, 0, 1]}),
        ("Unsqueeze", ["planes", "first"], "batch", {}),
        ("Conv", ["batch", "kernel"], "latents", {"strides": [SIDE, SIDE]}),
    ]
    constants = {"middle": np.float32(128), "first": np.array([0]), "kernel": kernel()}
    return graph("analysis", ("pixels", TensorProto.UINT8), ("latents", TensorProto.FLOAT), nodes, **constants)


def synthesis():
    nodes = [
        ("ConvTranspose", ["latents", "kernel"], "batch", {"strides": [SIDE, SIDE]}),
        ("Squeeze", ["batch", "first"], "planes", {}),
        ("Transpose", ["planes"], "centred", {"perm": [1, 2, 0]}),
        ("Add", ["centred", "middle"], "floats", {}),
        ("Round", ["floats"], "whole", {}),
        ("Clip", ["whole", "least", "most"], "clipped", {}),
        ("Cast", ["clipped"], "pixels", {"to": TensorProto.UINT8}),
    ]
    constants = {"kernel": kernel(), "first": np.array([0]), "middle": np.float32(128), "least": np.float32(0), "most": np.float32(255)}
    return graph("synthesis", ("latents", TensorProto.FLOAT), ("pixels", TensorProto.UINT8), nodes, **constants)


def save(folder):
    """Its files; returns their names."""
    onnx.save(analysis(), str(folder / "analysis.onnx"))
    onnx.save(synthesis(), str(folder / "synthesis.onnx"))
    return ["analysis.onnx", "synthesis.onnx"]


class Dct:
    """PhotoModel; nothing in it looks beyond its own 8x8 pixels."""

    stride_px, margin_px, halo = SIDE, 0, 0
    for_search = None

    def __init__(self, entry):
        self.entry, self.levels = entry, entry.levels
        self.order = np.argsort(wave_numbers(), kind="stable")
        self._analysis, self._synthesis = (Network(entry.file(f"{name}.onnx"), entry.id) for name in ("analysis", "synthesis"))

    def _step(self, level, step):
        own = np.float32(COARSEST * 2 ** (-OCTAVES * level / (self.levels - 1)))
        return own if step is None else own * step

    def analyze(self, pixels):
        return self._analysis(pixels=pixels)

    def scale(self, latents, level, step=None):
        return latents / self._step(level, step)

    def unscale(self, y_hat, level, step=None):
        return y_hat * self._step(level, step)

    def synthesize(self, latents):
        return self._synthesis(latents=np.ascontiguousarray(latents))


def table(spread):
    """Geometric on both sides of 0, the escape last."""
    shares = 0.5 ** (np.abs(np.arange(-REACH, REACH + 2)) / spread)
    frequencies = np.maximum(np.floor(shares / shares.sum() * (1 << PRECISION)), 1).astype(np.int64)
    frequencies[REACH] += (1 << PRECISION) - frequencies.sum()
    return Table(frequencies.astype(np.uint32))


class DctBands:
    """BandCoder: the fewer waves a channel has, the wider its table."""

    def __init__(self, model):
        self._tables = [table(4 / (1 + number)) for number in range(2 * SIDE - 1)]
        self._index = (wave_numbers() + 1).astype(np.uint8)[:, None, None]

    def encode_band(self, y, level, coded, improve):
        symbols = np.clip(np.rint(y[0]), -32767, 32767).astype(np.int32) * coded
        encoder = Encoder()
        encoder.push(symbols.ravel(), (self._index * coded).ravel(), self._tables)
        return encoder.finish(), (symbols,), self.dequantize((symbols,))

    def read_band(self, stream, level, coded):
        decoder, index = Decoder(stream), self._index * coded
        symbols = decoder.pop(index.ravel(), self._tables).reshape(index.shape)
        decoder.finish()
        return (symbols,)

    def dequantize(self, integers):
        return integers[0].astype(np.float32)[None]
