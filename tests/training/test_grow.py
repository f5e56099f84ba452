"""Growing: one more block in each transform, which changes nothing until it is trained, and sees no further than bands do."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import grow
import model
import torch

from photoarc.models.hyperprior import Hyperprior

LEVEL = torch.tensor([4])


@pytest.fixture
def grown() -> tuple[model.Codec, model.Codec]:
    """A small codec, and the same grown."""
    torch.manual_seed(5)
    before = model.Codec(analysis=((32, 5),) * 3, synthesis=((32, 5),) * 3).eval()
    after = model.of(before.state_dict()).eval()
    grow.grow(after, [torch.rand(1, 3, 64, 128), torch.rand(1, 3, 128, 64)])
    return before, after


@torch.no_grad()
def test_new_blocks_change_nothing(grown):
    before, after = grown
    x = torch.rand(1, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(before(x, LEVEL), after(x, LEVEL), strict=True))


def test_new_blocks_learn_and_their_weights_make_the_same_codec(grown):
    _, after = grown
    x = torch.rand(1, 3, 64, 64)
    ((after(x, LEVEL)[0] - x) ** 2).sum().backward()
    for block in (after.g_a.b8[-1], after.g_s.b8[0]):
        assert block.down.weight.grad.abs().max() > 0
        assert block.unit.min() > 0
        assert block.slope > 0
    again = model.of(after.state_dict()).eval()
    assert [b.dw.kernel_size[0] for b in (*again.g_a.b8, *again.g_s.b8)] == [5, 5, 5, 5, 3, 5, 5, 5]
    with torch.no_grad():
        assert torch.equal(again(x, LEVEL)[0], after.eval()(x, LEVEL)[0])


def test_transforms_see_no_further_than_a_bands_neighbours(grown):
    """Slopes by all that is seen: latents by pixels, and pixels by latents, end `halo` latents away."""
    _, after = grown
    with torch.no_grad():
        for block in (*after.g_a.b8, *after.g_s.b8):
            block.dw.weight.normal_()
            block.down.weight.normal_()
    halo, middle = Hyperprior.halo, 8
    x = torch.rand(1, 3, 16 * 2 * middle, 64, requires_grad=True)
    after.g_a(x)[0, :, middle].sum().backward()
    rows = torch.nonzero(x.grad.abs().sum((0, 1, 3))).flatten()
    assert rows.min() >= 16 * (middle - halo) - 4  # and the margin of the first layer
    assert rows.max() < 16 * (middle + 1 + halo) + 4
    y = torch.rand(1, after.m, 2 * middle, 4, requires_grad=True)
    after.g_s(y)[0, :, 16 * middle : 16 * (middle + 1)].sum().backward()
    rows = torch.nonzero(y.grad.abs().sum((0, 1, 3))).flatten()
    assert rows.min() == middle - halo  # as far as it may
    assert rows.max() == middle + halo
