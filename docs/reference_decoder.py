"""A slow, plain decoder of `learned` payloads down to their integers: docs/format.md sections 7 and 8 as code.

    python docs/reference_decoder.py PAYLOAD MODEL_FOLDER     # prints the checksum that it finds and the one that is stored

Shares no code with photoarc and uses neither ONNX Runtime nor constriction: entropy decoding is plain Python integers, the scale networks
are int64 NumPy with the weights read from the ONNX files. Tests compare it with photoarc element by element; in ten years it tells a
stranger what the bytes mean. What follows after the integers (means, synthesis) is ordinary float convolution.
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

HEADER = struct.Struct("<BBBBHHIIHHIIIII16s")
PRECISION = 24
CLIP = 15
SLICES = 4
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
Z_PLACES, Z_PARTS, Z_SCALES = 8, 4, 40


class Ans:
    """Section 8.2: a stack of 32-bit words under a 64-bit state."""

    def __init__(self, words: list[int]) -> None:
        self.words = list(words)
        self.state = 0
        for _ in range(2):
            if self.words:
                self.state = self.state << 32 | self.words.pop()

    def pop(self, cumulative: list[int]) -> int:
        """One symbol index of a table given as its cumulative frequencies, 0 first, 2^24 last."""
        q = self.state & ((1 << PRECISION) - 1)
        low, high = 0, len(cumulative) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cumulative[middle] <= q else (low, middle)
        self.state = (self.state >> PRECISION) * (cumulative[low + 1] - cumulative[low]) + q - cumulative[low]
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return low


class Stream:
    """One band's ANS stream with its list of escaped values."""

    def __init__(self, data: bytes) -> None:
        words, escapes = struct.unpack_from("<II", data)
        self.ans = Ans(list(struct.unpack_from(f"<{words}I", data, 8)))
        self.escapes = list(struct.unpack_from(f"<{escapes}h", data, 8 + 4 * words))

    def pop(self, frequencies: np.ndarray, count: int) -> list[int]:
        """`count` symbols of one table."""
        cumulative = [0, *(int(c) for c in np.cumsum(frequencies, dtype=np.int64))]
        reach = len(frequencies) // 2 - 1
        values = [self.ans.pop(cumulative) - reach for _ in range(count)]
        return [self.escapes.pop(0) if v > reach else v for v in values]


def convolve(a: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int) -> np.ndarray:
    """int64 convolution of (C, h, w) with zero padding."""
    k = weight.shape[2]
    p = k // 2
    padded = np.pad(a, ((0, 0), (p, p), (p, p)))
    _, h, w = a.shape
    out = np.repeat(bias[:, None], h * w, 1).reshape(-1, h, w)
    for i in range(k):
        for j in range(k):
            window = padded[:, i : i + h, j : j + w]
            if groups == 1:
                out += np.einsum("oc,chw->ohw", weight[:, :, i, j], window)
            else:
                out += weight[:, 0, i, j, None, None] * window
    return out


def layers(path: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int, int, int]]:
    """The convolutions of an integer network in order: weight, bias, shift, groups, lowest and highest output."""
    graph = onnx.load(str(path)).graph
    value = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = []
    nodes = list(graph.node)
    for i, node in enumerate(nodes):
        if node.op_type != "Conv":
            continue
        multiply, floor, clip = nodes[i + 1 : i + 4]
        assert [n.op_type for n in (multiply, floor, clip)] == ["Mul", "Floor", "Clip"]
        weight, bias = value[node.input[1]], value[node.input[2]]
        assert np.array_equal(weight, np.rint(weight))
        assert np.array_equal(bias, np.rint(bias))
        shift = np.rint(-np.log2(value[multiply.input[1]].astype(np.float64))).astype(np.int64).ravel()
        groups = next(a.i for a in node.attribute if a.name == "group")
        bounds = [int(value[clip.input[k]]) for k in (1, 2)]
        found.append((weight.astype(np.int64), bias.astype(np.int64), shift, groups, *bounds))
    return found


def run(layer: tuple, a: np.ndarray) -> np.ndarray:
    """One integer layer: section 8.3."""
    weight, bias, shift, groups, low, high = layer
    return np.clip(convolve(a, weight, bias, groups) >> shift[:, None, None], low, high)


def shuffle(a: np.ndarray) -> np.ndarray:
    """(4 C, h, w) -> (C, 2 h, 2 w): channel 4 c + 2 i + j goes to rows 2 y + i, columns 2 x + j."""
    c, h, w = a.shape[0] // 4, *a.shape[1:]
    return a.reshape(c, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c, 2 * h, 2 * w)


def roll(a: np.ndarray, sign: int) -> np.ndarray:
    """(C, h, w) in rolled order (section 8.4); sign = -1 undoes it."""
    out = a.copy()
    for k, (i, j) in enumerate(PHASES):
        out[:, i::2, j::2] = np.roll(a[:, i::2, j::2], sign * k * (len(a) // SLICES), axis=0)
    return out


class Model:
    """Integer half of a model folder."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "tables.npz", allow_pickle=False) as t:
            self.y = np.split(t["y_frequencies"], np.cumsum(t["y_lengths"])[:-1])
            self.z = np.split(t["z_frequencies"], np.cumsum(t["z_lengths"])[:-1])
            self.z_constants = t["z_constants"].astype(np.int64)
            self.levels, self.channels = t["log_gain"].shape
        self.hyper = layers(folder / "scale_hyper.onnx")
        self.hyper_context = [layers(folder / f"hyper_context_{k}.onnx") for k in range(1, SLICES)]
        self.context = [layers(folder / f"scale_{k}.onnx") for k in range(SLICES)]

    def hyper_expectation(self, k: int, rolled: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray]:
        """What slice k of the hyper-latents is coded less, and the numbers of its tables, from the slices before it (section 8.3)."""
        spread = [roll(np.broadcast_to(c[:, None, None], rolled.shape), 1) for c in self.z_constants[level]]
        group = len(rolled) // SLICES
        factor, offset, step, mean, scale = (c[k * group : (k + 1) * group] if i > 1 else c[: k * group] for i, c in enumerate(spread))
        if k:
            t = np.clip((factor * rolled[: k * group] + offset) >> Z_PLACES, -127, 127)
            for layer in self.hyper_context[k - 1]:
                t = run(layer, t)
            mean = mean + step * t[:group]
            scale = np.clip(scale + t[group:], 0, Z_SCALES - 1)
        quarters = (mean >> Z_PLACES) + 2
        return quarters >> 2, Z_PARTS * scale + (quarters & 3)

    def features(self, z: np.ndarray) -> np.ndarray:
        """Z (Z, h/4, w/4) -> scale features (F, h, w)."""
        up1, depthwise, up2 = self.hyper
        t = shuffle(run(up1, z))
        return shuffle(run(up2, np.concatenate([t, run(depthwise, t)])))

    def index(self, k: int, symbols: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Table indices of slice k from the symbols of earlier slices."""
        inp, depthwise, out = self.context[k]
        known = np.clip(symbols[: k * self.channels // SLICES], -CLIP, CLIP)
        t = run(inp, np.concatenate([known, features]))
        return run(out, np.concatenate([t, run(depthwise, t)]))


def decode_band(model: Model, data: bytes, nearest_level: int, coded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hyper-latents (Z, h/4, w/4) and symbols (M, h, w) of one band; `coded` (h, w) marks latents that lie in the picture."""
    h, w = coded.shape
    stream = Stream(data)
    channels = model.z_constants.shape[2]
    rolled = np.zeros((channels, h // 4, w // 4), np.int64)
    for k in range(SLICES):
        less, number = model.hyper_expectation(k, rolled, nearest_level)
        here = rolled[k * channels // SLICES : (k + 1) * channels // SLICES]
        for table in np.unique(number):
            where = number == table
            here[where] = less[where] + stream.pop(model.z[table], int(where.sum()))
    z = roll(rolled, -1)
    features = model.features(z)
    symbols = np.zeros((model.channels, h, w), np.int64)
    group = model.channels // SLICES
    for k in range(SLICES):
        index = model.index(k, symbols, features) * coded
        here = symbols[k * group : (k + 1) * group]
        for table in range(1, len(model.y) + 1):
            where = index == table
            if where.any():
                here[where] = stream.pop(model.y[table - 1], int(where.sum()))  # in raster order: channel, row, column
    assert not stream.escapes
    assert not stream.ans.words
    assert stream.ans.state == 0
    return z, symbols


def decode(payload: bytes, model: Model) -> tuple[list[tuple[np.ndarray, np.ndarray]], int, int]:
    """Integers of each band, the checksum over them, and the stored checksum."""
    fields = HEADER.unpack_from(payload)
    version, _, _, _, _, quality_c, width, height, units, _, stored, metadata, writer, alpha, cells, _ = fields
    assert version == 1
    nearest_level = int(quality_c / 10000 * (model.levels - 1) + 0.5)
    at = HEADER.size + metadata + writer + alpha
    steps = payload[at : at + cells]
    at += cells
    padded_height, padded_width = -(-height // 64) * 64, -(-width // 64) * 64
    found, checksum = [], zlib.crc32(struct.pack("<H", quality_c) + steps)
    for top in range(0, padded_height, units * 64):
        bottom = min(top + units * 64, padded_height)
        rows = np.arange(top // 16, bottom // 16) < -(-height // 16)
        columns = np.arange(padded_width // 16) < -(-width // 16)
        (size,) = struct.unpack_from("<I", payload, at)
        z, symbols = decode_band(model, payload[at + 4 : at + 4 + size], nearest_level, rows[:, None] & columns)
        at += 4 + size
        for integers in (z, symbols):
            checksum = zlib.crc32(integers.astype("<i2").tobytes(), checksum)
        found.append((z, symbols))
    assert at == len(payload)
    return found, checksum, stored


if __name__ == "__main__":
    _, found_crc, stored_crc = decode(Path(sys.argv[1]).read_bytes(), Model(Path(sys.argv[2])))
    print(f"found {found_crc:08x}, stored {stored_crc:08x}: {'equal' if found_crc == stored_crc else 'DIFFERENT'}")
