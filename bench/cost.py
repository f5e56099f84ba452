"""Multiply-accumulates a pixel, network by network, counted in the ONNX graphs of a model.

    python -m bench.cost models_onnx/photo-1
    python -m bench.cost models_onnx/jpeg-2                 of a 4:2:0 JPEG: pixels are those of the picture

Shapes come from ONNX's shape inference on a picture of --width x --height (margins, where a network computes them, are counted). One MAC is
one multiplication and addition of a convolution or matrix product; biases, ReLU, shuffles and casts are not counted, as is usual.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import numpy_helper

ENCODER, DECODER, SEARCH = {"analysis", "hyper_analysis"}, {"synthesis"}, "synthesis_gradient"
BOTH = ("mean_", "scale_", "hyper_context_")  # the entropy networks run once in either direction
MARGIN_PX = 4  # on each side of what the analysis sees
LATENT_PX, Z_PX = 16, 64
BLOCK_PX = {"luma": 8, "cb": 16, "cr": 16}  # of the models of JPEG coefficients
BLOCK_MARGIN, LINEAR_MARGIN = 4, 2  # rows and columns that their inputs have beyond what is coded, and linear inputs of AC
COARSER = 1 / 3  # all levels of DC but the finest, in runs on the finest: 1/4 + 1/16 + ...


@dataclass(frozen=True)
class Macs:
    """MACs of one network by kind of layer."""

    dense: int = 0  # convolutions with a window, not depthwise
    pointwise: int = 0  # 1x1 convolutions and matrix products
    depthwise: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.dense + self.pointwise + self.depthwise


def input_shape(network: str, name: str, dims: list[int], width_px: int, height_px: int) -> list[int]:
    """Sizes of a network's input; `dims` has 0 where the graph leaves them open."""
    component, _, rest = network.partition("_")
    if component in BLOCK_PX:
        side, margin = BLOCK_PX[component], LINEAR_MARGIN if name == "linear" and not rest.startswith("dc") else BLOCK_MARGIN
        return [1, dims[1], height_px // side + margin, width_px // side + margin]
    if name == "pixels":
        return [height_px + 2 * MARGIN_PX, width_px + 2 * MARGIN_PX, 3]
    if name in {"target", "counted", "means"}:
        return [*dims[:2], height_px // BLOCK_PX["luma"] + 1, width_px // BLOCK_PX["luma"] + 1]
    side = Z_PX if name == "z" else LATENT_PX
    return [*dims[:2], height_px // side, width_px // side]


def count(model: onnx.ModelProto, width_px: int, height_px: int) -> Macs:
    """MACs of one run. Raises ValueError for a product whose shape inference does not know."""
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(
            dims, input_shape(model.graph.name, value.name, [d.dim_value for d in dims], width_px, height_px), strict=True
        ):
            dim.dim_value = size
    for value in model.graph.output:  # names such as "h" in the outputs would contradict the sizes
        value.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {w.name: list(w.dims) for w in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        shapes[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    macs = {"dense": 0, "pointwise": 0, "depthwise": 0}
    for node in graph.node:
        if node.op_type in {"Conv", "ConvInteger", "QLinearConv"}:
            out, weight = shapes[node.output[0]], shapes[node.input[3 if node.op_type == "QLinearConv" else 1]]
            each = math.prod(weight[1:])  # (O, I / groups, k, k)
            kind = "depthwise" if weight[1] == 1 and _groups(node) > 1 else "pointwise" if weight[2:] == [1, 1] else "dense"
        elif node.op_type in {"MatMul", "Gemm", "MatMulInteger"}:
            out, each, kind = shapes[node.output[0]], shapes[node.input[0]][-1], "pointwise"
        elif node.op_type == "ConvTranspose":  # each of its inputs meets every output channel at every place of the kernel
            out, weight = shapes[node.input[0]], shapes[node.input[1]]  # (I, O / groups, k, k)
            each, kind = math.prod(weight[1:]), "pointwise" if _strides(node) == weight[2:] else "dense"
        elif node.op_type in {"Einsum", "QLinearMatMul"}:
            raise ValueError(f"{node.name}: {node.op_type} is not counted yet; add it to bench/cost.py")
        else:
            continue
        if not out or 0 in out:
            raise ValueError(f"{node.name}: shape inference leaves its output open ({out})")
        macs[kind] += math.prod(out) * each
    return Macs(**macs)


def _groups(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def _strides(node: onnx.NodeProto) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == "strides"), [1, 1])


def networks(folder: Path, width_px: int, height_px: int) -> dict[str, Macs]:
    """Every graph of a model, by file stem."""
    found = {f.stem: count(onnx.load(f), width_px, height_px) for f in sorted(folder.glob("*.onnx"))}
    if not found:
        raise SystemExit(f"{folder}: no ONNX graphs")
    return found


def parameters(folder: Path) -> int:
    """Weights and biases of all graphs (the constants of integer clipping and shapes are few, and counted), the synthesis' once."""
    found = (onnx.load(f) for f in folder.glob("*.onnx") if f.stem != SEARCH)
    return sum(numpy_helper.to_array(w).size for graph in found for w in graph.graph.initializer)


def sums(found: dict[str, Macs]) -> dict[str, int]:
    """MACs of one encoding pass and of decoding; models of JPEG coefficients run the same networks either way."""
    if any(name.startswith(tuple(BLOCK_PX)) for name in found):
        return {"either way": round(sum(m.total * (COARSER if "_dc_1_" in name else 1) for name, m in found.items()))}
    entropy = sum(m.total for name, m in found.items() if name.startswith(BOTH))
    found_sums = {
        "encode": entropy + sum(m.total for name, m in found.items() if name in ENCODER),
        "decode": entropy + sum(m.total for name, m in found.items() if name in DECODER),
    }
    return found_sums | ({"a step of the search": found[SEARCH].total} if SEARCH in found else {})


def table(folder: Path, width_px: int = 768, height_px: int = 512) -> str:
    """Markdown: kMAC a pixel by network and kind of layer, then the sums."""
    found, pixels = networks(folder, width_px, height_px), width_px * height_px

    def cell(n: float) -> str:
        return f"{n / pixels / 1000:.2f}"

    rows = [(name, cell(m.dense), cell(m.pointwise), cell(m.depthwise), cell(m.total)) for name, m in found.items()]
    rows += [(f"**{name}**", "", "", "", cell(n)) for name, n in sums(found).items()]
    head = ("kMAC a pixel", "windowed", "pointwise", "depthwise", "all")
    return "\n".join(["| " + " | ".join(r) + " |" for r in (head, ("---", *["---:"] * 4), *rows)])


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path, help="folder of a model")
    p.add_argument("--width", type=int, default=768)
    p.add_argument("--height", type=int, default=512)
    a = p.parse_args()
    print(table(a.model, a.width, a.height))
    print(f"\n{parameters(a.model) / 1e6:.2f} M parameters; picture of {a.width} x {a.height}")


if __name__ == "__main__":
    main()
