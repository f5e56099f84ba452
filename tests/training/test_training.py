"""Training's own arithmetic: crops, checkpoints that join up, patches, losses, the rule for landing weights."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from pictures import photo, screenshot
from PIL import Image
from scripts import run

from photoarc.folderbench import metrics

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("scipy")

import card
import evaluate
import lpips as training_lpips
import model
import onnx
import prepare
import ssim
import stopwatch
import torch
import train
import tune

from bench import lpips as bench_lpips

MODEL = Path(__file__).parents[2] / "models_onnx" / "photo-1"


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(photo(300, 140, seed)).save(folder / f"{seed}.png")
    return folder


def training(monkeypatch, photos, out, *more):
    """`train.py` on pictures of 128 x 128."""
    args = ["--photos", photos, "--out", out, "--device", "cpu", "--no-compile", "--tile", 128, "--crop", 64, "--batch", 1]
    run(monkeypatch, train, *args, "--late", 60, 128, 1, *more)
    return torch.load(out, weights_only=True)


def test_tiles_are_whole_and_in_place(photos):
    tiles = train.tiles(photos, 128, "cpu")
    assert tiles.shape == (6, 3, 128, 128)
    assert np.array_equal(tiles[1].permute(1, 2, 0).numpy(), photo(300, 140, 0)[:128, 128:256])


def test_crops_are_the_same_for_the_same_seed(photos):
    tiles = train.tiles(photos, 128, "cpu")
    first, again, other = (train.draw(tiles, 64, 9, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (9, 3, 64, 64)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() < first.max() <= 1


def test_crops_are_pixels_of_the_tiles():
    """Each crop, in one of eight orientations, is a window of a tile whose every value is different."""
    tiles = torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8)
    for crop in train.draw(tiles, 4, 20, np.random.default_rng(0)).mul(255).round():
        values = crop[0].flatten().sort().values
        assert len(set(values.tolist())) == 16
        corner = values[0]
        assert torch.equal(values.view(4, 4), corner + torch.arange(4)[:, None] * 8 + torch.arange(4))
        assert torch.equal(crop[1], crop[0] + 64)


def test_half_of_the_crops_are_shrunk():
    """On a ramp of 3 a pixel, crops that were cut up to twice as large rise by up to 6; all hold whole values, as files do."""
    ramp = (3 * torch.arange(64, dtype=torch.uint8)).expand(1, 3, 64, 64)
    crops = train.draw(ramp, 16, 60, np.random.default_rng(0), zoom=2).mul(255)
    assert torch.allclose(crops, crops.round(), atol=1e-3)
    rises = torch.stack([c.diff(dim=k)[:, 4:-4, 4:-4].abs().mean() for c in crops for k in (1, 2)]).view(-1, 2).amax(1)
    assert 20 < (rises - 3).abs().lt(1e-3).sum() < 40
    assert 5 < rises.max() < 6.1
    assert rises.min() > 2.9


def test_a_zoom_ends_where_a_tile_does():
    tiles = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    assert train.draw(tiles, 16, 9, np.random.default_rng(0), zoom=4).shape == (9, 3, 16, 16)
    assert train.draw(tiles, 20, 9, np.random.default_rng(0), zoom=4).shape == (9, 3, 20, 20)


def test_a_pause_is_not_training(monkeypatch, photos, tmp_path):
    """A clock that moves by a second each time it is read, and once by an hour."""
    clock = iter([*range(3), *range(3603, 9999)])
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: float(next(clock)))
    assert training(monkeypatch, photos, tmp_path / "a.pt", "--steps", 5)["spent_s"] == 4


def test_checkpoints_join_up(monkeypatch, photos, tmp_path):
    out = tmp_path / "a.pt"
    first = training(monkeypatch, photos, out, "--steps", 2)
    assert (first["it"], first["spent_s"] > 0) == (2, True)
    second = training(monkeypatch, photos, out, "--steps", 3, "--resume")
    assert second["it"] == 3
    assert second["spent_s"] > first["spent_s"]
    moved = [k for k, v in second["raw"].items() if not torch.equal(v, first["raw"][k])]
    assert "g_s.head.weight" in moved
    assert "lams" not in moved
    assert set(torch.load(f"{out}.weights", weights_only=True)) == {"m", "it"}
    assert Path(f"{out}.tsv").read_text().startswith("step\tminutes\tlr\tloss")


def test_channels_that_do_not_fire_are_named():
    codec = model.Codec(analysis=((32, 5),) * 3, synthesis=((32, 5),) * 3)
    x, level = torch.rand(2, 3, 64, 64), torch.tensor([1, 7])
    with torch.no_grad():
        codec.g_a.b8[1].up.bias[3:8] -= 1000
        codec.g_s.b8[2].up.bias[:] = -1000
    before = train.silent(codec, x, level)
    assert before["g_a.b8.1"] >= 5
    assert before["g_s.b8.2"] == 32
    assert not codec.g_a.b8[1]._forward_hooks


def test_a_signal_ends_with_a_checkpoint(monkeypatch, photos, tmp_path, capsys):
    drawn = train.draw

    def draw(*args):
        if args[1] == 64:  # not for the KLT
            signal.raise_signal(signal.SIGTERM)
        return drawn(*args)

    monkeypatch.setattr(train, "draw", draw)
    assert training(monkeypatch, photos, tmp_path / "a.pt")["it"] == 1
    assert "stopped by signal 15: step 1" in capsys.readouterr().out


def test_prepare_keeps_photographs_once(tmp_path):
    folder, apart, out = tmp_path / "in", tmp_path / "apart", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    apart.mkdir()
    Image.fromarray(photo(512, 400, 1)).save(folder / "deep" / "a.png")
    Image.fromarray(photo(512, 400, 1)).resize((480, 375)).save(folder / "deep" / "copy.jpg", quality=70)
    Image.fromarray(photo(512, 400, 2)).save(folder / "test.png")
    Image.fromarray(photo(512, 400, 2)).resize((256, 200)).save(apart / "test.png")
    Image.fromarray(photo(250, 200, 3)).save(folder / "small.png")
    Image.fromarray(screenshot(512, 400)).save(folder / "screen.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    tally = prepare.prepare(out, [folder], [apart], 128, 2.0, 2)
    assert tally.pop("patches") in (1, 2)
    assert tally == {
        "photographs": 1,
        "near-duplicate": 2,
        "too small": 1,
        "graphics": 1,
        "cannot be read: UnidentifiedImageError": 1,
    }
    for file in out.glob("*.webp"):
        with Image.open(file) as patch:
            assert (patch.format, patch.size) == ("WEBP", (128, 128))


def test_parts_hold_everything_and_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(9):
        (tmp_path / f"{k}.webp").write_bytes(rng.bytes(30_000 + 1000 * k))
    parts = prepare.tar_parts(tmp_path, 0.1)
    assert len(parts) > 1
    assert all(f.stat().st_size <= 0.1 * 2**20 for f in parts)
    names = []
    for part in parts:
        with tarfile.open(part) as tar:
            names += tar.getnames()
    assert names == [f"{k}.webp" for k in range(9)]


def test_bits_go_where_they_bring_most(monkeypatch):
    """Four groups of one channel, a logarithm of bits each, squared errors that weigh 16, 4, 1, 1: steps must differ by factors of 2."""
    weight = np.array([16.0, 4.0, 1.0, 1.0])

    def measured(model, found, level, added):
        error = (weight * np.exp(-2 * added)).sum()
        return np.array([[10 + added.sum(), *[-10 * np.log10(error)] * 3]] * 3)

    monkeypatch.setattr(tune, "measure", measured)
    added = tune.optimum(None, [], 4.0, np.arange(4), rounds=12)
    assert added - added[2] == pytest.approx(np.log(np.sqrt(weight)), abs=0.02)
    assert added.sum() == pytest.approx(0, abs=0.1)  # the rate stays


def test_weights_land_only_if_better_on_every_set():
    def rows(clic):
        rates = (("psnr", "all", -1.0), ("psnr", "37-44 dB", 3.0), ("lpips", "all", 2.0))
        kodak = [("kodak", "b", "a", metric, span, rate) for metric, span, rate in rates]
        return [*kodak, ("clic2k", "b", "a", "psnr", "all", clic)]

    assert evaluate.verdict(rows(-0.5), ["kodak", "clic2k"], "a", "b", "psnr")[0]
    assert not evaluate.verdict(rows(0.5), ["kodak", "clic2k"], "a", "b", "psnr")[0]
    assert not evaluate.verdict(rows(-0.5)[:1], ["kodak", "clic2k"], "a", "b", "psnr")[0]


def test_similarity_is_that_of_the_metrics():
    """What is trained on is what the bench measures, and its slope points from the noise to the picture."""
    rng = np.random.default_rng(4)
    originals = np.stack([photo(208, 192, seed) for seed in (1, 2)])
    noisy = np.clip(originals + rng.normal(0, [[[[4]]], [[[15]]]], originals.shape), 0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 for a in (originals, noisy))
    y.requires_grad_()
    one_scale, five_scales = ssim.similarity(x, y)
    for k in range(2):
        quality = metrics.compare(metrics.reference(originals[k]), noisy[k])
        assert (one_scale[k].item(), five_scales[k].item()) == pytest.approx((quality.ssim, quality.ms_ssim), abs=1e-5)
    (one_scale.sum() + five_scales.sum()).backward()
    assert ((x - y) * y.grad).sum() > 0
    with pytest.raises(ValueError, match="161 pixels"):
        ssim.similarity(x[..., :160], y[..., :160])


def lpips_network(tmp_path):
    """A network of LPIPS's shape with made-up weights; the real ones have to be fetched."""
    rng = np.random.default_rng(5)
    shapes = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
    weights = {"AlexNet_0": {}}
    for k, (side, inputs, outputs) in enumerate(shapes):
        kernel = rng.normal(0, (side * side * inputs) ** -0.5, (side, side, inputs, outputs)).astype(np.float32)
        weights["AlexNet_0"][f"Conv_{k}"] = {"kernel": kernel, "bias": rng.normal(0, 0.1, outputs).astype(np.float32)}
        weights[f"NetLinLayer_{k}"] = {"Conv_0": {"kernel": rng.random((1, 1, outputs, 1), np.float32)}}
    path = tmp_path / "lpips.onnx"
    onnx.save(bench_lpips.network(weights), str(path))
    return path


def test_lpips_is_that_of_the_bench(tmp_path):
    """Values, the slope, and the random phase in training."""
    network = lpips_network(tmp_path)
    original = photo(96, 128, 1)
    noisy = np.clip(original + np.random.default_rng(2).normal(0, 9, original.shape), 0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(a).permute(2, 0, 1)[None].float() / 255 for a in (original, noisy))
    y.requires_grad_()
    lpips = training_lpips.Lpips(network).eval()
    found = lpips(x, y)
    expected = bench_lpips.distance(*(bench_lpips.features(a, network) for a in (original, noisy)))
    assert found.item() == pytest.approx(expected, rel=1e-4)
    found.sum().backward()
    assert ((x - y) * y.grad).sum() < 0
    assert lpips(x, x).item() == 0
    torch.manual_seed(0)
    assert len({round(lpips.train()(x, y).item(), 9) for _ in range(12)}) > 1


def test_training_for_lpips_names_the_network_that_is_missing(tmp_path):
    assert train.distances((0, 0, 0), tmp_path / "none.onnx", "cpu") is None
    assert len(train.distances((0.2, 0.3, 0), tmp_path / "none.onnx", "cpu")(*torch.rand(2, 1, 3, 176, 176))) == 2
    assert len(train.distances((0.2, 0.3, 0.1), lpips_network(tmp_path), "cpu")(*torch.rand(2, 1, 3, 176, 176))) == 3
    with pytest.raises(SystemExit, match="no network"):
        train.distances((0.2, 0.3, 0.1), tmp_path / "none.onnx", "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["psnr", "ssim"])
def test_a_candidate_is_measured_where_it_lies(monkeypatch, tmp_path, capsys, tuning):
    """The same model under another id and name, in a folder of its own: measured with real bytes, and no better."""
    (tmp_path / "pictures").mkdir()
    Image.fromarray(photo(208, 192, 5)).save(tmp_path / "pictures" / "a.png")
    shutil.copytree(MODEL, tmp_path / "candidate")
    copied = card.entry(MODEL) | {"id": 4242, "name": "candidate"}
    (tmp_path / "manifest.json").write_text(json.dumps({"models": [copied]}))
    sets = ["--set", f"drawn={tmp_path / 'pictures'}", "--out", tmp_path / "out", "--levels", 0, 4, 8, "--workers", 1, "--tune", tuning]
    monkeypatch.setattr(sys, "argv", [str(a) for a in ["evaluate.py", MODEL, tmp_path / "candidate", *sets]])
    with pytest.raises(SystemExit, match="1"):
        evaluate.main()
    assert "drawn +0.00 %: not better on every set, must not land" in capsys.readouterr().out
    rows = evaluate.rows.read(tmp_path / "out" / "drawn.tsv", evaluate.rows.Row)
    assert [r.bytes for r in rows[:3]] == [r.bytes for r in rows[3:]]
    assert len({r.codec for r in rows}) == 2


def test_models_are_named_by_their_folder(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"models": [{"id": 7, "name": "x", "files": {"a.onnx": "00"}}]}))
    assert card.entry(tmp_path / "x")["id"] == 7
    with pytest.raises(SystemExit, match=r"not in .*, which lists x"):
        card.entry(tmp_path / "y")


def test_card_is_made_of_the_manifest_and_of_measurements(tmp_path):
    found = card.entry(MODEL)
    assert "Not measured." in card.card(MODEL)
    head, rates = "set\tmodel\tquality\tpictures\tbpp\tpsnr_db\tms_ssim\n", "set\tmodel\tanchor\tmetric\trange\tbd_rate_percent\n"
    (tmp_path / "means.tsv").write_text(f"{head}kodak\t{card.label(found)}\t50\t24\t0.8\t34.6\t0.98\n")
    (tmp_path / "bd.tsv").write_text(rates)
    text = card.card(MODEL, tmp_path)
    assert "| kodak | 24 | 50 | 0.8 | 34.6 | 0.98 |" in text
    assert all(digest in text for digest in (found["sha256"], *found["files"].values()))
    (tmp_path / "means.tsv").write_text(f"{head}kodak\tphoto-1-00000000\t50\t24\t0.8\t34.6\t0.98\n")
    with pytest.raises(SystemExit, match="holds no measurements of photo-1-"):
        card.card(MODEL, tmp_path)
