"""Pruning: what may go, and what is left does its work."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import model
import prune
import torch


def test_channels_that_never_fire_are_pruned_and_nothing_changes():
    block = model.Block(8, 96)
    block.slope.zero_()
    with torch.no_grad():
        block.down.weight.normal_()
        block.up.bias[::2] = -1000
        x = torch.randn(4, 8, 32, 32)
        before = block(x)
        h = torch.relu(block.up(block.dw(x))).movedim(1, -1).flatten(0, -2).double()
        path = prune.prune(block, h.T @ h / len(h), 1e-6)
    assert block.up.out_channels == 64  # 48 fire: the next multiple of 32
    assert [n for n, _ in path] == [96, 64, 32]
    assert path[2][1] > 0.01  # any of the 48 would be missed
    assert torch.allclose(block(x), before, atol=1e-4)


def test_what_is_left_takes_over_from_what_is_pruned():
    """Three channels that are twice others: the others do their work, and the change foretold is the one that comes."""
    rng = torch.Generator().manual_seed(3)
    h = torch.rand(500, 40, generator=rng, dtype=torch.float64)
    h[:, 37:] = 2 * h[:, :3]
    weight = torch.randn(5, 40, generator=rng, dtype=torch.float64)
    seen = h.T @ h / len(h)
    left, w, path = prune.surgeon(seen, weight, 100)
    assert left.sum() == 32
    assert (w[:, ~left] == 0).all()
    change = ((h @ (w - weight).T) ** 2).sum(1).mean()
    assert change == pytest.approx(path[-1][1], rel=1e-4)
    refitted = torch.linalg.lstsq(h[:, left], h @ weight.T).solution.T
    assert torch.allclose(w[:, left], refitted, atol=1e-4)
    assert not any(left[i] and left[37 + i] for i in range(3))  # one of each pair went
