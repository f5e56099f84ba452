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

import byte_graphs
import byte_layers
import coefficients
import export_bytes
import jpegs
import keep_coefficients
import measure_coefficients
import torch
from byte_layers import HALO, SIGNED, UNSIGNED, ByteStep
from coefficients import UNIT, Jpeg

from photoarc.models.coefficients import BOARD, PHASES

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


def layer(x, conv, bounds, out_unit=UNIT, stride=1):
    """A layer in int64: x (B, C, h, w) whole units."""
    weight, bias, k = (t.detach().numpy().astype(np.int64) for t in byte_layers.integers(conv, out_unit))
    assert np.abs(weight).max() <= 64
    side = weight.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (2, 3))[:, :, ::stride, ::stride]
    sums = np.einsum("bchwij,cij->bchw", windows, weight[:, 0]) if conv.groups > 1 else np.einsum("bchwij,ocij->bohw", windows, weight)
    sums += bias[:, None, None]
    assert np.abs(sums).max() < 1 << 24
    k = k[:, None, None]
    floor, half = sums >> k, np.where(k > 0, 1 << np.maximum(k - 1, 0), 1 << 40)
    rest = sums - (floor << k)
    return np.clip(floor + ((rest > half) | ((rest == half) & (floor % 2 == 1))), *bounds)


@torch.no_grad()
def reference(step, x, places):
    """Bytes about 0, in int64."""
    t = layer(x, step.inp, SIGNED)
    d = np.concatenate([layer(t[:, :, i:, j:], step.dw, UNSIGNED, stride=2) for i, j in places])
    t = np.concatenate([t[:, :, HALO + i : -HALO : 2, HALO + j : -HALO : 2] for i, j in places])
    e = layer(np.concatenate([t, d], 1), step.mid, UNSIGNED)
    return layer(np.concatenate([d, e], 1), step.out, SIGNED, step.out_units())


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
        wanted = reference(step, x, places)
        assert np.array_equal(out[0].astype(int) - byte_graphs.ZERO, wanted)
        seen |= set(np.unique(wanted))
        if step.lin is not None:
            weight = byte_graphs.linear_weight(step.lin, kind, dc=kind == "dc").astype(np.int64)
            windows = np.lib.stride_tricks.sliding_window_view(linear, weight.shape[2:], (2, 3))
            sums = np.einsum("bchwij,ocij->bohw", windows, weight)
            assert np.array_equal(out[1], np.concatenate([sums[:, :, i::2, j::2] for i, j in places]))
            assert kind != "dc" or not weight.sum()
        inside = torch.from_numpy(x).float()
        inside[:, :, :HALO] = inside[:, :, -HALO:] = inside[:, :, :, :HALO] = inside[:, :, :, -HALO:] = 0
        wanted = reference(step, inside.numpy().astype(np.int64), places)
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


def test_export_counts_tables_and_refuses_other_graphs(keeping, monkeypatch, capsys):
    keeping("--steps", 1)
    folder, out = keeping.out.parent / "photos", keeping.out.parent / "jpeg-9"
    about = (f"{keeping.out}.weights", "--photos", folder, "--tile", 256, "--pictures", 1, "--out", out)
    run(monkeypatch, export_bytes, *about)
    with np.load(out / "tables.npz") as tables:
        assert len(tables["lengths"]) == 53 * 9
        assert tables["frequencies"].dtype == np.uint32
    assert len(list(out.glob("*.onnx"))) == 56
    assert "in 57 files" in capsys.readouterr().out

    def moved(conv, unit):
        weight, bias, k = byte_layers.integers(conv, unit)
        return weight, bias + 3 * torch.exp2(k), k

    monkeypatch.setattr(byte_graphs, "integers", moved)
    with pytest.raises(SystemExit, match="other scales than training"):
        run(monkeypatch, export_bytes, *about)
