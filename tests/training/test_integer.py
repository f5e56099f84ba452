"""The scale path in integers gives what the float networks give, dead channels or not."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import photo

pytest.importorskip("torch")
pytest.importorskip("scipy")

import integer
import model
import torch


@pytest.fixture
def codec() -> model.Codec:
    torch.manual_seed(0)
    found = model.Codec()
    found.init_klt(torch.stack([picture(seed)[0] for seed in range(12)]))
    return found.eval()


def picture(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.array(photo(128, 128, seed))).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("dead", [False, True])
def test_indices_are_those_of_the_float_scales(codec: model.Codec, dead: bool) -> None:
    with torch.no_grad():
        for net in (codec.h_scale, *codec.scale):
            if dead:  # ReLUs that never fire, and a channel that nothing reaches
                net.dw.bias[:5] = -100.0
        if dead:
            codec.scale[0].inp.weight[7] *= 1e-6
            codec.scale[0].inp.bias[7] = 0.0
        hyper, contexts = integer.integer_scale_path(codec, [picture(20), picture(21)], range(0, 9, 4))
        y = codec.g_a(picture(22)) * codec.gain[4].exp()[:, None, None]
        z = codec.h_a(y).round().clamp(-model.Z_CLIP, model.Z_CLIP)
        index = contexts[0](hyper(z))
        wanted = (codec.scale[0](codec.h_scale(z)) - np.log(integer.SCALE_LOW)) / integer.LOG_STEP + 1
    apart = (index - wanted.clamp(0, integer.TABLES - 1)).abs()
    assert float(apart.mean()) < 0.5
    assert float(apart.max()) < 3
    for layer in (*vars(hyper).values(), *(layer for net in contexts for layer in vars(net).values())):
        assert float(layer.weight.abs().max()) <= 127
