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

import coefficients
import export_coefficients
import jpegs
import torch
import train_coefficients

CHECKPOINT = Path(__file__).parents[2] / "training" / "checkpoints" / "jpeg-1.pt"


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
    pmfs = export_coefficients.probabilities(counts)
    assert np.allclose(pmfs.sum(1), 1)
    assert pmfs[20 * 9, middle + 1] == pytest.approx(0.5, abs=0.01)
    assert pmfs[20 * 9, middle - 1] == pytest.approx(0.5, abs=0.01)
    assert pmfs[20 * 9 + 8, middle] == pytest.approx(pmfs[20 * 9 + 8, middle + 1])  # a mean half way between two


class Adding:
    """Exchange that knows all coefficients and adds up their bits by the tables."""

    def __init__(self, model, planes):
        self.bits, self._model, self._planes = 0.0, model, planes

    def top(self, plane, where):
        return self._planes[plane][where]

    def group(self, group):
        values = np.concatenate([self._planes[group.plane][where].ravel() for where in group.places]).astype(np.int32)
        symbols = np.where(group.mirrored, group.offset - values, values - group.offset)
        for number in np.unique(group.index):
            table = self._model.tables[number - 1]
            here = np.clip(symbols[group.index == number] + table.reach, 0, 2 * table.reach + 1)
            self.bits += (24 - np.log2(table.frequencies[here])).sum()
        return values


@pytest.mark.parametrize("quality", [60, 92])
def test_the_exported_model_is_the_trained_one(quality):
    """Bits by exact integers and counted tables, against those of the float networks and their logistic distributions."""
    net = coefficients.Jpeg()
    net.load_state_dict(torch.load(CHECKPOINT, weights_only=True)["m"])
    scan = grey_jpeg(photo(256, 192)[..., 0], quality)
    steps = scans.layout(scan.head).planes[0].quantiser
    with torch.no_grad():
        trained = float(net.luma(torch.from_numpy(scan.coefficients[0]).float()[None], torch.from_numpy(steps.astype(np.float32))[None])[0])
    model = Coefficients(manifest.entry(manifest.JPEG_CODED_WITH))
    adding = Adding(model, scan.coefficients)
    (back,) = model.walk([Grid(*scan.coefficients[0].shape[1:], steps)], adding)
    assert np.array_equal(back, scan.coefficients[0])
    assert adding.bits == pytest.approx(trained, rel=0.04)


def test_from_photographs_to_a_codec(monkeypatch, photos, tmp_path):
    """Some steps of luma, some of chroma from there, and a model that codes and decodes."""
    one, two, models = tmp_path / "one.pt", tmp_path / "two.pt", tmp_path / "models"
    common = ("--photos", photos, "--tile", 256, "--crop", 128, "--batch", 1, "--device", "cpu", "--minutes", 0.02)
    run(monkeypatch, train_coefficients, *common, "--of", "luma", "--out", one)
    run(monkeypatch, train_coefficients, *common, "--of", "chroma", "--init", one, "--out", two)
    first, second = (torch.load(path, weights_only=True) for path in (one, two))
    assert min(first["it"], second["it"]) >= 1
    assert all(torch.equal(w, second["m"][k]) for k, w in first["m"].items() if k.startswith("luma"))
    assert any(not torch.equal(w, second["m"][k]) for k, w in first["m"].items() if k.startswith("cb"))
    about = ("--photos", photos, "--tile", 256, "--pictures", 1, "--id", 3, "--name", "jpeg-9", "--record", "a test", "--models", models)
    run(monkeypatch, export_coefficients, two, *about)
    with pytest.raises(SystemExit, match="model id 3 exists"):
        run(monkeypatch, export_coefficients, two, *about)
    folder = models / "jpeg-9"
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.*") if path.suffix != ".md"}
    model = Coefficients(replace(manifest.entry(manifest.JPEG_CODED_WITH), files=files, folder=folder))
    scan = grey_jpeg(photo(64, 40)[..., 0], 75)
    grid = Grid(*scan.coefficients[0].shape[1:], scans.layout(scan.head).planes[0].quantiser)
    (back,) = model.walk([grid], Adding(model, scan.coefficients))
    assert np.array_equal(back, scan.coefficients[0])
    assert "1.19 M parameters" in (folder / "CARD.md").read_text()
