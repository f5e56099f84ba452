"""Networks of JPEG coefficients in bytes: training, export and plain 64-bit integers say the same."""

from __future__ import annotations

import copy

import numpy as np
import onnxruntime
import pytest
from pictures import photo
from PIL import Image
from scripts import run

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("fcntl")

import byte_check
import byte_graphs
import byte_layers
import byte_pruning
import coefficients
import jpegs
import keep_coefficients
import measure_coefficients
import torch
from byte_layers import HALO, ByteStep
from coefficients import UNIT, Jpeg

from photoarc.models.coefficient_groups import BOARD, PHASES

STEPS = {"luma, linear": (50, 15, 5, 96, 3), "luma": (159, 0, 15, 96, 3), "chroma": (63, 5, 9, 64, 3), "dc": (27, 1, 1, 48, 5)}


def step_of(kind):
    """A step whose weights are as large as they get, and as small."""
    features, linear, n, c, reach = STEPS[kind]
    torch.manual_seed(1)
    step = ByteStep(features, linear, n, c, reach)
    with torch.no_grad():
        for conv in (step.inp, step.dw, step.mid, step.out):
            rows = 2.0 ** torch.randint(-6, 5, (conv.out_channels, 1, 1, 1))
            conv.weight.copy_(torch.randn_like(conv.weight) * rows / conv.weight[0].numel() ** 0.5)
            conv.bias.copy_(torch.randn_like(conv.bias))
        if step.lin is not None:
            step.lin.weight.copy_(0.1 * torch.randn_like(step.lin.weight))
    return step


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def inputs(kind, side):
    """Features about 0, (2, F, side + 4, side + 4), at their extremes and at random."""
    rng, shape = np.random.default_rng(2), (2, STEPS[kind][0], side + 4, side + 4)
    yield np.zeros(shape, np.int64)
    for value in (-128, 127):
        yield np.full(shape, value)
    yield rng.integers(-128, 128, shape)
    yield rng.choice([-128, 127], shape)


@pytest.mark.parametrize("kind", list(STEPS))
def test_graphs_and_training_are_exact_integers(kind):
    step = step_of(kind)
    places = PHASES[:1] if kind == "dc" else BOARD[0]
    net = session(byte_graphs.graph("step", step, places, dc=kind == "dc"))
    seen = set()
    for x in inputs(kind, 12):
        fed = {"features": (x + byte_graphs.ZERO).astype(np.uint8)}
        if step.lin is not None:
            margin = 4 if kind == "dc" else 2
            linear = np.sign(x[:, :1, : 12 + margin, : 12 + margin]).repeat(STEPS[kind][1], 1) * 2047
            fed["linear"] = linear.astype(np.int16)
        out = net.run(None, fed)
        wanted = byte_check.found_bytes(step, x, places)
        assert np.array_equal(out[0].astype(int) - byte_graphs.ZERO, wanted)
        seen |= set(np.unique(wanted))
        if step.lin is not None:
            assert np.array_equal(out[1], byte_check.found_means(step, kind, linear, places, dc=kind == "dc"))
            assert kind != "dc" or not byte_graphs.linear_weight(step.lin, kind, dc=True).sum()
        inside = torch.from_numpy(x).float()
        inside[:, :, :HALO] = inside[:, :, -HALO:] = inside[:, :, :, :HALO] = inside[:, :, :, -HALO:] = 0
        wanted = byte_check.found_bytes(step, inside.numpy().astype(np.int64), places)
        with torch.no_grad():
            scale, shift = step(inside[:, :, HALO:-HALO, HALO:-HALO] * UNIT, places)
        scale, shift = (np.concatenate(np.split(t.numpy(), len(places), 2)) for t in (scale, shift))
        n = scale.shape[1]
        assert np.array_equal((scale - byte_layers.CENTRE) * 16, wanted[:, :n])
        assert np.array_equal(shift * 8, np.clip(wanted[:, n:], -31, 31))
    assert {-128, 127} < seen


def test_every_graph_of_the_model_loads_and_is_small():
    found = byte_graphs.graphs(byte_layers.byte_jpeg())
    assert len(found) == 56
    assert sum(len(model.SerializeToString()) for model in found.values()) < 2_000_000
    assert session(found["cr_4_1"]).get_inputs()[0].shape[1] > 128


def test_balanced_networks_are_the_same():
    torch.manual_seed(0)
    jpeg = Jpeg()
    step = jpeg.luma.steps[3][1]
    torch.nn.init.normal_(step.out.weight)
    seen = coefficients.watch(jpeg)
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(np.stack([photo(128, 128, seed).transpose(2, 0, 1) for seed in range(2)]))
    v, q, _ = jpegs.draw(photos, 128, 2, rng)
    with torch.no_grad():
        before = jpeg.luma(v[0], q[0])[0]
        balanced = copy.deepcopy(step)
        byte_layers.balance(balanced, "luma.steps.3.1", seen)
        assert not torch.equal(balanced.mid.weight, step.mid.weight)
        jpeg.luma.steps[3][1] = balanced
        assert torch.allclose(jpeg.luma(v[0], q[0])[0], before, rtol=1e-4)


@pytest.fixture
def keeping(monkeypatch, tmp_path):
    """`keep_coefficients.py` on two small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(photo(256, 256, seed)).save(folder / f"{seed}.png")
    monkeypatch.setattr(keep_coefficients, "LOG_STEPS", 3)
    monkeypatch.setattr(keep_coefficients, "PEAK_DRAWS", 1)
    monkeypatch.setattr(keep_coefficients, "step_back", lambda: None)  # the others' tests come after it
    monkeypatch.setattr(keep_coefficients.quiet, "wait", lambda: 0.0)  # who times on this machine may take long
    init, out = tmp_path / "float.pt", tmp_path / "kept.pt"
    torch.manual_seed(0)
    torch.save({"m": Jpeg().state_dict()}, init)

    def call(*more):
        about = ("--photos", folder, "--tile", 256, "--crop", 128, "--batch", 1, "--out", out, "--init", init)
        run(monkeypatch, keep_coefficients, *about, *more)
        return torch.load(out, weights_only=True)

    call.out = out
    return call


def test_training_goes_on_where_it_was_and_lands_apart(keeping, capsys, monkeypatch):
    first = keeping("--steps", 3)
    assert first["it"] == 3
    assert any(not torch.equal(w, first["m"][k]) for k, w in first["raw"].items() if k.startswith("cr"))
    second = keeping("--steps", 3)
    assert second["it"] == 6
    assert second["opt"]["state"][0]["step"] == 4  # luma has two of three
    assert len((keeping.out.parent / "kept.pt.tsv").read_text().splitlines()) == 3
    keeping("--land", 0.0001)
    landed = torch.load(f"{keeping.out}.landing.weights", weights_only=True)
    assert landed["it"] > 6
    assert torch.load(keeping.out, weights_only=True)["it"] == 6
    table = ("--set", f"kodak={keeping.out.parent / 'photos'}", "--every", 1, "--qualities", 80)
    capsys.readouterr()
    run(monkeypatch, measure_coefficients, keeping.out.parent / "float.pt", f"{keeping.out}.weights", *table)
    row = capsys.readouterr().out.splitlines()[1].split("\t")
    assert row[0] == "kodak q80"
    assert float(row[5]) > 0


@pytest.mark.parametrize("output", [0, 1])
def test_a_graph_that_finds_something_else_is_refused(output):
    torch.manual_seed(0)
    jpeg = byte_layers.byte_jpeg()
    sessions = {name: session(graph) for name, graph in byte_graphs.graphs(jpeg).items()}
    asked = []

    def right(name, fed):
        asked.append(name)
        return sessions[name].run(None, fed)

    def wrong(name, fed):
        found = right(name, fed)
        if name == "luma_2_1":
            found[output][-1, -1, -1, -1] += 1
        return found

    byte_check.compare(jpeg, right)
    assert set(asked) == set(sessions)
    with pytest.raises(SystemExit, match=r"luma_2_1: its graph finds others"):
        byte_check.compare(jpeg, wrong)


def test_hidden_channels_that_say_the_same_are_taken_out():
    torch.manual_seed(0)
    jpeg = byte_layers.byte_jpeg()
    for step in byte_pruning.steps(jpeg):
        torch.nn.init.normal_(step.out.weight, std=0.05)
    first, rng = jpeg.luma.steps[0][0], np.random.default_rng(0)
    with torch.no_grad():
        first.mid.weight[:50] = 0
        first.mid.bias[:50] = 1.25  # always the same, and not 0
        first.out.weight[:, 96 + 50 : 96 + 60] = 0  # nobody looks at them
    photos = torch.from_numpy(np.stack([photo(128, 128, seed).transpose(2, 0, 1) for seed in range(2)]))
    v, q, _ = jpegs.draw(photos, 128, 2, rng)
    with torch.no_grad(), byte_pruning.watched(jpeg) as seen:
        before = jpeg.luma(v[0], q[0])[0]
    assert all(step in seen for nets in jpeg.luma.steps for step in nets)
    left = byte_pruning.prune(jpeg, seen)
    assert left == sum(step.mid.out_channels for step in seen)
    assert first.mid.out_channels <= 48  # 36 at most, in multiples of 16
    assert all(step.mid.out_channels % 16 == 0 for step in seen)
    with torch.no_grad():
        assert torch.allclose(jpeg.luma(v[0], q[0])[0], before, rtol=1e-3)
    sessions = {name: session(graph) for name, graph in byte_graphs.graphs(jpeg).items()}
    byte_check.compare(jpeg, lambda name, fed: sessions[name].run(None, fed))
