"""What repeats in calm areas, as a loss; training of the synthesis alone leaves all else as it was."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import photo
from PIL import Image
from scripts import run

pytest.importorskip("torch")

import calm
import keep
import torch
from model import Codec

from bench import lattice


def errors(period, seed=0, tiles=40, amplitude=0.5, noise=1.0):
    """(tiles, 64, 64): noise, a slope, and a pattern that repeats with this period."""
    rng = np.random.default_rng(seed)
    pattern = rng.normal(size=(period, period)) * amplitude
    slope = np.add.outer(np.arange(64), 2.0 * np.arange(64)) / 10
    return np.tile(pattern - pattern.mean(), (64 // period, 64 // period)) + noise * rng.normal(size=(tiles, 64, 64)) + slope, pattern.std()


@pytest.mark.parametrize("period", [8, 16])
def test_the_energy_is_that_of_the_pattern_and_a_sixteenth_of_what_is_random(period):
    for amplitude in (0.5, 0.0):
        found, rms = errors(period, amplitude=amplitude)
        energy = calm.energies(torch.from_numpy(found).float())
        assert energy.shape == (40, 1)
        assert float(energy.mean()) == pytest.approx(rms**2 + 1 / 16, rel=0.1)


def test_the_bench_finds_the_same_but_for_what_is_random():
    found, _ = errors(16, tiles=200)
    beside = calm.beside_planes(torch.from_numpy(found))[:, 0].numpy()
    energy = float(calm.energies(torch.from_numpy(found).float()).mean())
    assert lattice.measure(beside).rms[1] ** 2 == pytest.approx(energy - 1 / 16, rel=0.05)


def test_calm_tiles_are_those_near_a_plane():
    picture = np.zeros((1, 64, 192))
    picture[0, :, :64] = np.arange(64) * 3.0
    picture[0, :, 64:128] = np.random.default_rng(0).normal(size=(64, 64)) * 2
    picture[0, :, 128:] = np.random.default_rng(1).normal(size=(64, 64)) * 20
    assert calm.calm(torch.from_numpy(picture)).tolist() == [[True, True, False]]


def test_it_trains_the_synthesis_and_nothing_else(monkeypatch, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        soft = photo(140, 140, seed) // 16 + 100
        Image.fromarray(soft.astype(np.uint8)).save(tmp_path / "photos" / f"{seed}.png")
    torch.manual_seed(0)
    before = {k: v.half() if v.dtype == torch.float32 else v for k, v in Codec().state_dict().items()}
    torch.save({"m": before, "more": 7}, tmp_path / "a.pt")
    monkeypatch.setattr(calm, "LOG_STEPS", 1)
    monkeypatch.setattr(keep.os, "nice", lambda more: 0)
    arguments = ["--photos", tmp_path / "photos", "--tile", 128, "--crop", 128, "--batch", 2, "--steps", 3, "--out", tmp_path / "b.pt"]
    run(monkeypatch, calm, tmp_path / "a.pt", *arguments)
    found = torch.load(tmp_path / "b.pt", weights_only=True)
    assert found["more"] == 7
    changed = {k for k, v in found["m"].items() if not torch.equal(v, before[k])}
    assert changed
    assert all(k.startswith("g_s.") for k in changed)
    assert all(v.dtype == before[k].dtype for k, v in found["m"].items())
    rows = (tmp_path / "b.pt.tsv").read_text().splitlines()
    assert len(rows) == 4
    assert all(np.isfinite([float(v) for v in row.split("\t")]).all() for row in rows[1:])
