"""Networks as ONNX graphs: the same as in PyTorch, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from photoarc.codecs.photo.structure import weigh
from photoarc.models.runtime import onnxruntime

pytest.importorskip("torch")
pytest.importorskip("onnx")

import curvature
import graphs
import model
import onnx
import torch

from bench import cost

MODEL = Path(__file__).parents[2] / "models_onnx" / "photo-1"


def test_cost_by_hand():
    """h_scale on 128 x 64 pixels: 96 -> 256 at 1/64, 3x3 depthwise on 64 at 1/32, 128 -> 256 at 1/32."""
    graph = onnx.load(MODEL / "scale_hyper.onnx")
    assert cost.count(graph, 128, 64) == cost.Macs(0, 96 * 256 * 2 + 128 * 256 * 8, 64 * 9 * 8)


def test_cost_of_windows_by_hand():
    """g_a of photo-1 on 128 x 64 pixels: 16x16 stem, 5x5 blocks of 128 -> 224, 192, 192, 96 at 1/8, 2x2 merge."""
    macs = cost.count(onnx.load(MODEL / "analysis.onnx"), 128, 64)
    eighths, sixteenths = 16 * 8, 8 * 4
    assert macs.dense == 3 * 256 * 128 * eighths + 128 * 4 * 320 * sixteenths
    assert macs.pointwise == 2 * 128 * (224 + 192 + 192 + 96) * eighths
    assert macs.depthwise == 4 * 25 * 128 * eighths


def test_cost_of_transposed_windows_by_hand():
    """g_s of photo-2 on 128 x 64 pixels: 2x2 of 321 -> 128 at 1/16, a factor a channel, blocks of 128 -> 256 at 1/8, 2x2 head."""
    macs = cost.count(onnx.load(MODEL.parent / "photo-2" / "synthesis.onnx"), 128, 64)
    eighths, sixteenths = 16 * 8, 8 * 4
    assert macs.dense == 128 * 4 * 192 * (16 + 1) * (8 + 1)
    assert macs.pointwise == 321 * 4 * 128 * sixteenths + 2 * 128 * 4 * 256 * eighths
    assert macs.depthwise == (9 + 3 * 25 + 1) * 128 * eighths


def test_weights_make_a_codec_of_their_widths():
    codec = model.Codec(analysis=((32, 5), (64, 5), (96, 5), (32, 5)), synthesis=((64, 3), (64, 5), (32, 5)))
    again = model.of(codec.state_dict())
    assert [b.up.out_channels for b in (*again.g_a.b8, *again.g_s.b8)] == [32, 64, 96, 32, 64, 64, 32]


def test_graphs_are_the_networks_with_units_and_slopes():
    torch.manual_seed(2)
    codec = model.Codec(synthesis=((32, 5), (64, 5), (32, 3))).eval()
    with torch.no_grad():
        for block in codec.g_s.b8:
            block.unit.uniform_(0.01, 4)
            block.scale.fill_(0.06)
            block.down.weight.normal_()
            block.down.bias.normal_()
    latents = torch.randn(1, 320, 2, 3)
    seen = onnxruntime.InferenceSession(graphs.synthesis(codec).SerializeToString()).run(None, {"latents": latents.numpy()})[0]
    blocks = torch.pixel_unshuffle(
        torch.nn.functional.pad(codec.g_s(latents), (4, 4, 4, 4)), 8
    )  # the graph has the margin, which the network cuts off
    inner = np.s_[:, :, 1:-1, 1:-1]
    expected = (blocks * 255).round().clamp(0, 255).detach().numpy()
    assert np.abs(seen[inner] - expected[inner]).max() <= 1
    assert np.ptp(expected[inner]) > 100


def test_checkpoints_of_before_have_plain_blocks():
    old = {k: v for k, v in model.Codec().state_dict().items() if not k.endswith((".unit", ".scale", ".slope"))}
    assert {float(block.slope) for block in model.of(old).g_a.b8} == {0}
    assert {float(block.slope) for block in model.Codec().g_a.b8} == {np.float32(model.SLOPE)}


@pytest.mark.parametrize("structure", [False, True])
def test_slope_of_the_error_is_pytorchs(structure):
    """Both kinds of ReLU, blocks with units, pixels that do not count, means over pixels."""
    torch.manual_seed(0)
    codec = model.Codec().eval()
    codec.init_klt(torch.rand(8, 3, 128, 128))
    for block, leak in zip(codec.g_s.b8, (0.0, 0.01, 0.2), strict=True):
        torch.nn.init.normal_(block.down.weight, std=0.3)
        block.slope.fill_(leak)
    y = (0.1 * torch.randn(1, 320, 4, 6)).requires_grad_()
    target = torch.rand(1, 3, 72, 104) * 255
    counted = torch.zeros_like(target)
    counted[:, :, 4:-4, 4:60] = 1
    off = 255 * codec.g_s(y) - target[:, :, 4:-4, 4:-4]
    error = (off**2 * counted[:, :, 4:-4, 4:-4]).sum()
    feed = {name: torch.nn.functional.pixel_unshuffle(t, 8) for name, t in {"target": target, "counted": counted}.items()}
    if structure:
        means = []
        for side in (2, 4):
            weights = 9 * torch.rand(1, 3, 72 // side, 104 // side)
            margin = 4 // side
            inside = weights[:, :, margin:-margin, margin:-margin]
            weights = torch.nn.functional.pad(inside, (margin,) * 4)
            error = error + (torch.nn.functional.avg_pool2d(off, side) ** 2 * inside).sum()
            means.append(torch.nn.functional.pixel_unshuffle(weights, 8 // side))
        feed["means"] = torch.cat(means, 1)
    error.backward()
    graph = graphs.synthesis_gradient(codec, structure).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (slope,) = session.run(None, {"latents": y.detach().numpy(), **{name: t.numpy() for name, t in feed.items()}})
    assert y.grad is not None
    np.testing.assert_allclose(slope, y.grad.numpy(), atol=1e-4 * float(y.grad.abs().max()))


def test_curvature_is_the_error_of_a_step():
    """Squared error of one latent moved by a step, without blocks: the sum of its filter's squares."""
    codec = model.Codec()
    codec.init_klt(torch.rand(8, 3, 128, 128))
    found = curvature.curvature(codec, [torch.rand(1, 3, 256, 256)] * 4)
    step = codec.igain[4].exp().detach()
    y = torch.zeros(1, 320, 8, 8)
    y[:, 7, 4, 4] = step[7]
    with torch.no_grad():
        error = float(((255 * (codec.g_s(y) - codec.g_s(0 * y))) ** 2).sum())
    assert float(found[4, 7]) == pytest.approx(error, rel=0.1)


def test_curvature_counts_the_structure_and_the_gains():
    """One latent moved by a step, two grey pictures: what its filter costs by the weights that the search takes."""
    codec = model.Codec()
    codec.init_klt(torch.rand(8, 3, 128, 128))
    added, channel = torch.zeros_like(codec.gain), 7
    added[:, channel] = 0.5
    found = curvature.curvature(codec, [torch.full((1, 3, 256, 256), 0.5)] * 2, added, [800.0] * codec.levels)
    y = torch.zeros(1, 320, 8, 8)
    y[:, channel, 4, 4] = (codec.igain[4, channel] - 0.5).exp().detach()
    with torch.no_grad():
        off = (255 * (codec.g_s(y) - codec.g_s(0 * y)))[0].permute(1, 2, 0).numpy()
    weights = weigh(np.full(off.shape, 127, np.uint8), 800, np.ones(off.shape[:2], np.float32))
    assert float(found[4, channel]) == pytest.approx(weights.error(off), rel=0.1)
