"""Models: the manifest tells the truth, the scale path is exact everywhere, bands do not show."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pictures
import pytest
import reference_decoder as reference

from photoarc import models
from photoarc.errors import ModelCorrupt, ModelMissing
from photoarc.models import manifest
from photoarc.models.hyper_context import HyperContext
from photoarc.models.hyperprior import CLIP, Hyperprior
from photoarc.models.runtime import onnxruntime
from photoarc.models.slices import SLICES, roll
from photoarc.options import Tuning

LEVELS = [
    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
]


@pytest.fixture(scope="module", params=Tuning)
def model(request) -> Hyperprior:
    return models.load_for(request.param)


@pytest.fixture(scope="module")
def plain(model) -> reference.Model:
    return reference.Model(model.entry.folder)


@pytest.fixture(scope="module")
def integers(model):
    """Hyper-latents and symbols far beyond what pictures give: every activation bound is reached."""
    rng = np.random.default_rng(11)
    z = np.clip(np.rint(rng.laplace(0, 60, (1, model.hyper_context.constants.shape[2], 3, 5))), -255, 255).astype(np.float32)
    symbols = np.rint(rng.laplace(0, 9, (1, model.channels, 12, 20))).astype(np.float32)
    return z, symbols


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def threads(request) -> int:
    return request.param


@pytest.fixture(scope="module", params=LEVELS, ids=["plain", "basic", "all"])
def run(request, model, threads):
    """Runs one of the model's networks."""

    @cache
    def session(name):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.graph_optimization_level = threads, request.param
        return onnxruntime.InferenceSession(str(model.entry.folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])

    return lambda name, **inputs: session(name).run(None, inputs)[0]


def test_scale_path_equals_int64_in_every_element(model, plain, integers, run):
    z, symbols = integers
    wanted = plain.features(z[0].astype(np.int64))
    features = run("scale_hyper", z=z)
    assert np.array_equal(features[0], wanted)
    assert np.abs(wanted).max() == 127  # the bounds were reached
    for k in range(SLICES):
        known = {"symbols": np.clip(symbols[:, : k * model.channels // SLICES], -CLIP, CLIP)} if k else {}
        index = run(f"scale_{k}", features=features, **known)
        assert np.array_equal(index[0], plain.index(k, symbols[0].astype(np.int64), wanted))
        assert len(np.unique(index)) > 10


def test_contexts_of_hyper_latents_equal_int64_in_every_element(model, plain, integers, run):
    """At every level, hyper-latents far beyond what pictures give, in shapes that phases do not divide."""
    z, _ = integers
    context = HyperContext(model.hyper_context.constants, model.hyper_context.tables, lambda k, t: run(f"hyper_context_{k}", z=t))
    for level in range(model.levels):
        known, rolled = context.begin(level, z.shape[2:]), roll(z.astype(np.int32), 1)
        tables = set()
        for k in range(SLICES):
            less, index = known.expect(k)
            wanted_less, wanted_number = plain.hyper_expectation(k, rolled[0].astype(np.int64), level)
            assert np.array_equal(less[0], wanted_less)
            assert np.array_equal(index[0], wanted_number + 1)
            known.rolled[:, known.channels(k)] = rolled[:, known.channels(k)]  # what is not known yet is not looked at
            tables |= set(index.ravel().tolist())
        assert len(tables) > 40


def test_hyper_latents_are_what_is_coded_and_what_was_expected(model):
    z = np.rint(np.random.default_rng(4).laplace(0, 3, (1, model.hyper_context.constants.shape[2], 5, 4)))
    known = model.hyper_context.begin(4.4, (5, 4))
    for k, (apart, index) in enumerate(model.hyper_context.coded(z, 4.4)):
        less, table = known.expect(k)
        assert np.array_equal(index, table)
        known.rolled[:, known.channels(k)] = apart + less
    assert np.array_equal(roll(known.rolled, -1), z)


def test_sums_of_the_scale_path_stay_exact_in_float32(plain):
    """The bound of docs/format.md section 8.3, with the largest inputs there can be."""
    layers = [
        ("z", plain.hyper[0]),
        *((None, layer) for layer in plain.hyper[1:]),
        *((None, layer) for net in (*plain.context, *plain.hyper_context) for layer in net),
    ]
    for kind, (weight, bias, _, _, _, _) in layers:
        largest = 255 if kind == "z" or weight.shape[1] > 1 else 127
        assert (np.abs(weight).sum((1, 2, 3)) * largest + np.abs(bias)).max() < 1 << 24
        assert np.abs(weight).max() <= 127


def test_roll_is_undone(model):
    y = np.random.default_rng(0).standard_normal((1, model.channels, 8, 12)).astype(np.float32)
    rolled = roll(y, 1)
    assert not np.array_equal(rolled, y)
    assert np.array_equal(roll(rolled, -1), y)


def test_encoder_and_decoder_have_the_same_latents(model):
    pixels = np.pad(pictures.photo(192, 128, 3), ((4, 4), (4, 4), (0, 0)), mode="edge")
    y = model.scale(model.analyze(pixels), 5.3)
    z = model.hyper(y)
    symbols, index, y_hat = model.quantize(y, z, np.ones(y.shape[2:], bool))
    assert np.array_equal(model.dequantize(z, symbols), y_hat)
    assert not symbols[index == 0].any()
    assert np.abs(y_hat - y)[roll((index > 0).astype(np.float32), -1) > 0].max() <= 0.5 + 1e-3


def test_manifest_names_every_file_and_its_hash(model):
    assert {p.name for p in model.entry.folder.iterdir()} == {*model.entry.files, "CARD.md"}
    for name in model.entry.files:
        model.entry.file(name)
    assert model.entry.licence
    assert model.entry.training


def test_a_changed_model_file_is_refused(model, tmp_path, monkeypatch):
    folder = tmp_path / model.entry.name
    folder.mkdir()
    for name in model.entry.files:
        (folder / name).write_bytes((model.entry.folder / name).read_bytes())
    (folder / "tables.npz").write_bytes(b"x" + (folder / "tables.npz").read_bytes()[1:])
    (tmp_path / "manifest.json").write_text((model.entry.folder.parent / "manifest.json").read_text())
    monkeypatch.setattr(manifest, "FOLDERS", (tmp_path,))
    manifest.entries.cache_clear()
    try:
        with pytest.raises(ModelCorrupt, match=r"tables.npz has SHA-256 .*, expected .*; install photoarc again"):
            Hyperprior(manifest.entry(model.entry.id))
        (folder / "tables.npz").unlink()
        with pytest.raises(ModelMissing, match=r"file tables.npz not found"):
            Hyperprior(manifest.entry(model.entry.id))
        with pytest.raises(ModelMissing, match="unknown to this version of photoarc"):
            manifest.entry(999)
    finally:
        manifest.entries.cache_clear()


@pytest.mark.parametrize("text", ["", "{}", '{"models": [{}]}', '{"models": 3}'])
def test_a_broken_manifest_is_named(tmp_path, monkeypatch, text):
    (tmp_path / "manifest.json").write_text(text)
    monkeypatch.setattr(manifest, "FOLDERS", (tmp_path,))
    manifest.entries.cache_clear()
    try:
        with pytest.raises(ModelCorrupt, match=r"manifest.json cannot be read"):
            manifest.entries()
    finally:
        manifest.entries.cache_clear()


def test_model_identity_covers_what_a_decoder_needs(model):
    import hashlib

    encoder = {"analysis.onnx", "hyper_analysis.onnx", "synthesis_gradient.onnx", "encoder.npz"}
    text = "".join(f"{n} {h}\n" for n, h in sorted(model.entry.files.items()) if n not in encoder)
    assert hashlib.sha256(text.encode()).digest() == model.entry.sha256
    assert json.loads((model.entry.folder.parent / "manifest.json").read_text())["models"]


def test_running_a_network_writes_nothing_down_for_others(tmp_path: Path) -> None:
    """Events for Microsoft would lie in a database below the home folder until they are sent."""
    program = "import numpy; from photoarc import models; print(models.load(2).synthesize(numpy.zeros((1, 320, 4, 4), 'f')).shape)"
    # Not the whole environment: ONNX Runtime keeps silent by itself where variables tell of tests.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = kept | {"HOME": str(tmp_path), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(64, 64, 3)"
    assert [*tmp_path.rglob("*")] == []
