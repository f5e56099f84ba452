"""The model of JPEG coefficients in training: its data, its distribution, and the way from a checkpoint to a codec."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import photo
from PIL import Image
from scripts import run

from photoarc.models import manifest
from photoarc.models.coefficient_groups import Grid
from photoarc.models.coefficients import Coefficients
from photoarc.pictures.jpeg import scans

pytest.importorskip("torch")
pytest.importorskip("onnx")

import byte_graphs
import byte_layers
import coefficients
import export
import export_coefficients
import jpegs
import keep_coefficients
import table_merging
import torch
import train_coefficients

CHECKPOINT = Path(__file__).parents[2] / "training" / "checkpoints" / "jpeg-2.pt"


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(photo(512, 256, seed)).save(folder / f"{seed}.png")
    return folder


def grey_jpeg(pixels, quality):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return scans.read(out.getvalue())


def test_coefficients_are_those_that_a_program_writes():
    pixels = photo(64, 48)[..., 0]
    scan = grey_jpeg(pixels, 80)
    steps = scans.layout(scan.head).planes[0].quantiser
    assert np.array_equal(steps, np.floor((jpegs.LUMA * 40 + 50) / 100))  # quality 80: 200 - 2 x 80
    samples = torch.from_numpy(pixels.astype(np.float32) - 128)[None, None]
    made = jpegs.coefficients(samples, torch.from_numpy(steps.astype(np.float32))[None])[0].numpy()
    assert np.abs(made - scan.coefficients[0]).max() <= 1  # libjpeg's DCT rounds
    assert (made == scan.coefficients[0]).mean() > 0.99


def test_drawn_steps_and_coefficients_are_those_of_jpegs():
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(np.stack([photo(128, 128, seed).transpose(2, 0, 1) for seed in range(3)]))
    samplings = set()
    for _ in range(12):
        v, q, sampling = jpegs.draw(photos, 128, 2, rng)
        samplings.add(sampling)
        assert all(float(steps.min()) >= 1 and float(steps.max()) <= 255 for steps in q)
        assert v[0].shape == (2, 64, 16, 16)
        assert v[1].shape == v[2].shape == (2, 64, 16 // sampling[0], 16 // sampling[1])
        assert all(torch.equal(plane, plane.round()) for plane in v)
    assert samplings == set(jpegs.SAMPLINGS)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.4, 0.05), (-3.3, 20.0)])
def test_probabilities_add_up_to_one(mean, scale):
    v = torch.arange(-400.0, 401.0)
    assert float(torch.exp2(-coefficients.bits(v, torch.tensor(mean), torch.tensor(scale))).sum()) == pytest.approx(1, abs=1e-3)


def test_tables_add_up_and_follow_what_was_counted():
    counts = np.zeros((export_coefficients.SCALES * export_coefficients.FRACTIONS, 2 * export_coefficients.REACH_MAX + 1), np.int64)
    middle = export_coefficients.REACH_MAX
    counts[20 * 9, middle + 1] = 10**7  # scale 1, mean 0: counted on one side, believed on both
    masses = export_coefficients.masses(counts)
    pmfs = masses / masses.sum(1, keepdims=True)
    assert pmfs[20 * 9, middle + 1] == pytest.approx(0.5, abs=0.01)
    assert pmfs[20 * 9, middle - 1] == pytest.approx(0.5, abs=0.01)
    assert pmfs[20 * 9 + 8, middle] == pytest.approx(pmfs[20 * 9 + 8, middle + 1])  # a mean half way between two
    one = np.zeros(len(masses), np.uint16)
    found = export_coefficients.tables_of(masses, one)
    assert found["lengths"].tolist() == [len(found["frequencies"])]
    assert found["frequencies"].sum() == 1 << 24


def test_tables_that_are_the_same_become_one():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 50)) ** 8
    masses = 1e5 * np.stack([one, one, other, one, other, other])  # two scales, three fractions
    noisy = rng.poisson(masses).astype(float)
    assert table_merging.merge(noisy, 3).tolist() == [0, 0, 1, 0, 1, 1]
    assert table_merging.merge(noisy, 6).tolist() == [0, 0, 1, 2, 3, 3]  # neighbours only
    assert table_merging.merge(noisy, 3, 1).tolist() == [0] * 6


class Adding:
    """Exchange that is told all coefficients and adds up their bits by the tables."""

    def __init__(self, model):
        self.bits, self._model = 0.0, model

    def top(self, shape, known):
        assert known.shape == shape
        return known

    def active(self, tiles, starts, known):
        assert known.shape == (tiles,)
        assert known.max() < len(starts)
        return known

    def group(self, group, known):
        symbols = group.symbols(known)
        numbers = self._model.tables_of(group.index, [0] * group.index.shape[2])
        for number in np.unique(numbers[numbers > 0]):
            table = self._model.tables[number - 1]
            here = np.clip(symbols[numbers == number].astype(int) + table.reach, 0, 2 * table.reach + 1)
            self.bits += (24 - np.log2(table.frequencies[here])).sum()
        return known


def bits_of_training(jpeg, planes, grids):
    v = [torch.from_numpy(plane.astype(np.float32))[None] for plane in planes]
    q = [torch.from_numpy(grid.quantiser.astype(np.float32))[None] for grid in grids]
    energies = coefficients.luma_energies(v[0] * q[0][:, :, None, None], 2, 2)
    beside = v[1] * q[1][:, :, None, None]
    with torch.no_grad():
        return float(jpeg.luma(v[0], q[0])[0] + jpeg.cb(v[1], q[1], energies)[0] + jpeg.cr(v[2], q[2], energies, beside)[0])


def coded(width, height, quality):
    out = io.BytesIO()
    Image.fromarray(photo(width, height)).save(out, "JPEG", quality=quality, subsampling=2)
    scan = scans.read(out.getvalue())
    layout = scans.layout(scan.head).planes
    return scan.coefficients, [Grid(plane.rows, plane.columns, plane.quantiser) for plane in layout]


@pytest.mark.parametrize("quality", [60, 92])
def test_bits_are_those_of_training_and_nearly_those_in_floats(quality, tmp_path):
    """Exact integers and counted tables against the logistic distributions of training, both from a checkpoint in floats."""
    planes, grids = coded(512, 512, quality)
    trained = coefficients.Jpeg()
    trained.load_state_dict(torch.load(CHECKPOINT, weights_only=True)["m"])
    trained.float()
    seen = coefficients.watch(trained)
    in_floats = bits_of_training(trained, planes, grids)
    jpeg = byte_layers.from_float(trained, seen)
    in_bytes = bits_of_training(jpeg, planes, grids)
    assert in_bytes == pytest.approx(in_floats, rel=0.05)
    entry = manifest.entry(manifest.JPEG_CODED_WITH)
    export.write(tmp_path, byte_graphs.graphs(jpeg))
    (tmp_path / "tables.npz").write_bytes(entry.file("tables.npz").read_bytes())
    model = Coefficients(replace(entry, files=export.digests(tmp_path), folder=tmp_path))
    adding = Adding(model)
    assert all(map(np.array_equal, model.walk(grids, adding, planes), planes))
    assert adding.bits == pytest.approx(in_bytes, rel=0.04)


def test_from_photographs_to_a_codec(monkeypatch, photos, tmp_path):
    """Some steps of luma and of chroma in floats, one of each in bytes, and a model that codes."""
    one, two, three, models = tmp_path / "one.pt", tmp_path / "two.pt", tmp_path / "three.pt", tmp_path / "models"
    common = ("--photos", photos, "--tile", 256, "--crop", 128, "--batch", 1)
    in_floats = (*common, "--device", "cpu", "--minutes", 0.02)
    run(monkeypatch, train_coefficients, *in_floats, "--of", "luma", "--out", one)
    run(monkeypatch, train_coefficients, *in_floats, "--of", "chroma", "--init", one, "--out", two)
    first, second = (torch.load(path, weights_only=True) for path in (one, two))
    assert min(first["it"], second["it"]) >= 1
    assert all(torch.equal(w, second["m"][k]) for k, w in first["m"].items() if k.startswith("luma"))
    assert any(not torch.equal(w, second["m"][k]) for k, w in first["m"].items() if k.startswith("cb"))
    monkeypatch.setattr(keep_coefficients, "PEAK_DRAWS", 1)
    monkeypatch.setattr(keep_coefficients, "step_back", lambda: None)  # the others' tests come after it
    monkeypatch.setattr(keep_coefficients.quiet, "wait", lambda: 0.0)  # who times on this machine may take long
    run(monkeypatch, keep_coefficients, *common, "--init", two, "--out", three, "--steps", 3)
    about = ("--photos", photos, "--tile", 256, "--pictures", 1, "--id", 4, "--name", "jpeg-9", "--record", "a test", "--models", models)
    run(monkeypatch, export_coefficients, f"{three}.weights", *about)
    with pytest.raises(SystemExit, match="model id 4 exists"):
        run(monkeypatch, export_coefficients, f"{three}.weights", *about)
    folder = models / "jpeg-9"
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.*") if path.suffix != ".md"}
    assert len(files) == 57
    model = Coefficients(replace(manifest.entry(manifest.JPEG_CODED_WITH), files=files, folder=folder))
    planes, grids = coded(64, 40, 75)
    assert all(map(np.array_equal, model.walk(grids, Adding(model), planes), planes))
    assert "M parameters" in (folder / "CARD.md").read_text()
