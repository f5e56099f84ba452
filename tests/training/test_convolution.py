"""Slopes of the convolutions that are trained, against PyTorch's own."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import convolution
import torch
from convolution import Convolution
from torch import nn

SHAPES = {
    "pointwise": (6, 10, 1, {}),
    "depthwise 5x5": (6, 6, 5, {"padding": 2, "groups": 6}),
    "depthwise 3x3": (6, 6, 3, {"padding": 1, "groups": 6}),
    "2x2": (6, 10, 2, {}),
    "stride": (6, 10, 2, {"stride": 2}),
    "dense 3x3": (6, 10, 3, {"padding": 1}),
}


def slopes(layer, x, by):
    """What comes forth, and the slopes of its product with `by` by the input, the weights and the bias."""
    x = x.clone().requires_grad_()
    y = layer(x)
    by = by[:, : y.shape[1], : y.shape[2], : y.shape[3]]
    return y, *torch.autograd.grad((y * by).sum(), (x, layer.weight, layer.bias))


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("tiles", "error"), [(False, 1e-5), (True, 0.01)])
def test_slopes_are_those_of_pytorch(monkeypatch, memory_format, shape, tiles, error):
    monkeypatch.setattr(convolution, "TILES", tiles)
    torch.manual_seed(0)
    channels, out, side, more = SHAPES[shape]
    ours, theirs = Convolution(channels, out, side, **more), nn.Conv2d(channels, out, side, **more)
    theirs.load_state_dict(ours.state_dict())
    x, by = (torch.randn(3, c, 9, 11).contiguous(memory_format=memory_format) for c in (channels, out))
    found, expected = slopes(ours, x, by), slopes(theirs, x, by)
    assert torch.equal(found[0], expected[0])
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < error * b.norm()


def test_an_input_without_slope_is_taken():
    layer = Convolution(3, 4, 1)
    layer(torch.randn(1, 3, 2, 2)).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.bias.grad, torch.full((4,), 4.0))


def test_outside_training_it_is_pytorchs_own_with_slopes_of_any_order():
    layer = Convolution(2, 2, 1).double().eval()
    assert torch.autograd.gradgradcheck(lambda x: layer(x) ** 2, torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True))
