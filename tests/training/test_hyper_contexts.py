"""What hyper-latents tell of each other: it is learned, and the integers say what the floats do."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import export
import hyper_contexts
import integer
import model
import torch

from photoarc.models.hyper_context import PARTS, HyperContext

LEVELS, CHANNELS = 3, 32


def alike(crops: int, deviation: float) -> torch.Tensor:
    """Hyper-latents (crops, levels, Z, h, w) that differ from picture to picture and hardly within one."""
    numbers = torch.Generator().manual_seed(1)
    pictures = 6 * torch.randn(crops, 1, CHANNELS, 1, 1, generator=numbers)
    return (pictures + deviation * torch.randn(crops, LEVELS, CHANNELS, 4, 6, generator=numbers)).round().short()


def test_likeness_of_neighbours_is_learned():
    learned = hyper_contexts.learn(alike(256, 0.5), steps=300, batch=16, lr=1e-2, seed=0)
    with torch.no_grad():
        bits = learned(alike(272, 0.5)[256:].flatten(0, 1).float(), torch.arange(LEVELS).repeat(16)).mean((0, 2, 3))
    first, *later = bits.split(CHANNELS // model.SLICES)
    assert 4 < float(first.mean()) < 5.5  # a deviation of 6 has an entropy of 4.6 bits
    assert all(float(part.mean()) < 0.85 * float(first.mean()) for part in later)


def test_integers_are_the_float_contexts():
    torch.manual_seed(3)
    contexts = hyper_contexts.HyperContexts(LEVELS, CHANNELS)
    found = [crop.float() for crop in alike(6, 2)]
    with torch.no_grad():
        contexts.mean.normal_()
        contexts.log_scale.fill_(1.5).add_(0.2 * torch.randn(LEVELS, CHANNELS))
        for net in contexts.net:
            net.out.weight.normal_(std=0.05)
        nets = integer.integer_hyper_contexts(contexts, found[:5])
        z, level = found[5][1:2], torch.tensor([1])
        seen = contexts.inputs(z, level)
        whole = HyperContext(integer.hyper_constants(contexts).numpy(), [], lambda k, t: nets[k - 1](torch.from_numpy(t)).numpy())
        known = whole.begin(1.0, (4, 6))
        known.rolled = model.roll(z).int().numpy()
        for k in range(model.SLICES):
            here = slice(k * contexts.group, (k + 1) * contexts.group)
            wanted_mean, wanted_scale = (
                model.roll(p[1][None, :, None, None].expand_as(z))[:, here].numpy() for p in (contexts.mean, contexts.log_scale)
            )
            if k:
                by_mean, by_scale = contexts.net[k - 1](seen[:, : here.start]).split(contexts.group, 1)
                wanted_mean = wanted_mean + by_mean.numpy() * np.exp(wanted_scale)
                wanted_scale = wanted_scale + by_scale.numpy()
            less, index = known.expect(k)
            scale, part = np.divmod(index.astype(int) - 1, PARTS)
            assert np.abs(less + part / PARTS - 0.5 - wanted_mean).mean() < 0.2  # a quarter's rounding is 0.06
            assert np.abs(np.log(integer.z_table_scale(0)) + integer.Z_LOG_STEP * scale - wanted_scale).mean() < 0.5 * integer.Z_LOG_STEP


def test_a_checkpoint_without_contexts_is_not_exported(tmp_path):
    codec = model.Codec()
    torch.save({"m": codec.state_dict()}, tmp_path / "plain.pt")
    with pytest.raises(SystemExit, match=r"plain\.pt has no contexts of hyper-latents"):
        export.learned_contexts(str(tmp_path / "plain.pt"), codec)


def test_hyper_latents_are_those_of_tiles_at_every_level():
    codec = model.Codec().eval()
    tiles = torch.randint(256, (2, 3, 128, 128), dtype=torch.uint8)
    found = hyper_contexts.gather(codec, codec.gain.detach(), tiles, crops=9, seed=0)
    assert found.shape == (9, codec.levels, codec.mz, 2, 2)
    again = hyper_contexts.gather(codec, codec.gain.detach(), tiles, crops=9, seed=0)
    assert torch.equal(found, again)
