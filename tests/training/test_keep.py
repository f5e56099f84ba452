"""Training without an end: it goes on where it was, lands apart, waits while somebody times."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from pictures import photo
from PIL import Image
from scripts import run

pytest.importorskip("torch")
pytest.importorskip("fcntl")

import keep
import torch
from model import Codec

from bench import quiet


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(photo(300, 140, seed)).save(folder / f"{seed}.png")
    return folder


class Ticks:
    """A stopwatch of steps that take a second each."""

    def __init__(self, spent_s):
        self.spent_s = spent_s

    def step(self):
        self.spent_s += 1
        return self.spent_s


def test_it_steps_back_behind_every_other_session(monkeypatch, tmp_path):
    asked, group = [], tmp_path / "autogroup"
    monkeypatch.setattr(keep.os, "nice", lambda more: asked.append(more) or 0)
    monkeypatch.setattr(keep, "AUTOGROUP", group)
    keep.step_back()  # another system
    assert not group.exists()
    group.touch()
    keep.step_back()
    assert asked == [0, 19, 0, 19]
    assert group.read_text() == "19"


@pytest.fixture
def keeping(monkeypatch, photos, tmp_path):
    """`keep.py` on pictures of 128 x 128, at the priority that it finds."""
    monkeypatch.setattr(keep.os, "nice", lambda more: 0)
    monkeypatch.setattr(keep, "AUTOGROUP", tmp_path / "autogroup")
    monkeypatch.setattr(keep, "LOG_STEPS", 1)
    monkeypatch.setattr(keep, "Stopwatch", Ticks)
    landed, out = tmp_path / "landed.pt", tmp_path / "keep.pt"
    torch.manual_seed(0)
    torch.save({"m": Codec().state_dict()}, landed)
    tile = ["--tile", 128, "--crop", 64, "--batch", 2, "--device", "cpu", "--no-compile", "--warm", 2]

    def call(*more):
        run(monkeypatch, keep, "--photos", photos, "--init", landed, "--out", out, *tile, *more)
        return torch.load(out, weights_only=True)

    call.out = out
    return call


def rows(path):
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_goes_on_at_a_constant_rate_and_lands_apart(keeping):
    first = keeping("--steps", 3)
    second = keeping("--steps", 2)
    assert (first["it"], second["it"]) == (3, 5)
    assert second["spent_s"] > first["spent_s"]
    assert any((second["raw"][k] != v).any() for k, v in first["raw"].items())
    logged = rows(keeping.out.with_name("keep.pt.tsv"))
    assert [row["lr"] for row in logged] == ["2.00e-04", *["4.00e-04"] * 4]

    after = keeping("--land", 3 / 60)
    landed = torch.load(keeping.out.with_name("keep.pt.landing.weights"), weights_only=True)
    assert after["it"] == 5  # what goes on goes on as if nothing had landed
    assert landed["it"] == 8
    falling = [row["lr"] for row in rows(keeping.out.with_name("keep.pt.landing.tsv"))]
    assert falling == ["4.00e-04", "3.02e-04", "1.06e-04"]


def test_refuses_what_it_cannot_go_on_from(keeping, photos):
    with pytest.raises(SystemExit, match="nothing to go on from"):
        keeping("--land", 1)
    keeping("--steps", 1)
    Image.fromarray(photo(128, 128, 9)).save(photos / "more.png")
    with pytest.raises(SystemExit, match=r"was begun with 4 tiles, .* has 5"):
        keeping("--steps", 1)


def test_dear_crops_weigh_less():
    before = torch.tensor([[1.0, 4.0], [4.0, 1.0], [4.0, 4.0]])
    weighed = keep.weights(before, 0.5)
    np.testing.assert_allclose(weighed.mean(0), 1, rtol=1e-6)
    np.testing.assert_allclose(weighed[0, 0] / weighed[1, 0], 2, rtol=1e-6)
    assert (keep.weights(before, 0.0) == 1).all()


def test_waits_while_somebody_times(tmp_path, monkeypatch):
    monkeypatch.setattr(quiet, "ASK_AGAIN_S", 0.01)
    lock, waited, begun = tmp_path / "lock", [], threading.Event()

    def waits():
        begun.set()
        waited.append(quiet.wait(lock))

    thread = threading.Thread(target=waits)
    with quiet.timing(lock):
        thread.start()
        begun.wait()
        thread.join(0.1)
        assert not waited
    thread.join()
    assert waited[0] > 0
    assert quiet.wait(lock) < waited[0]
