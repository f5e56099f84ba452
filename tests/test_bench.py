"""The bench's own arithmetic: metrics, Bjontegaard deltas, codecs, raw rows."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import photo

sys.path.insert(0, str(Path(__file__).parent.parent))  # bench/ is beside the package, not in it

pytest.importorskip("scipy")

import photoarc
from bench import bdrate, codecs, crops, papers, readme, rows, run, tables
from photoarc.folderbench import metrics


def picture(height=192, width=208, seed=3):
    return photo(width, height, seed)


def slow_ms_ssim(a, b):
    """The two papers' formulas in float64, window as an explicit 11x11 sum."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x):
        return np.einsum("hwij,ij->hw", np.lib.stride_tricks.sliding_window_view(x, (11, 11)), window)

    def halve(x):
        return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4

    values = []
    for channel in range(3):
        x, y, value = a[:, :, channel].astype(float), b[:, :, channel].astype(float), 1.0
        for level, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            mx, my = blur(x), blur(y)
            vx, vy, cv = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
            value_map = (2 * cv + 58.5225) / (vx + vy + 58.5225)
            if level == 4:
                value_map = value_map * (2 * mx * my + 6.5025) / (mx * mx + my * my + 6.5025)
            value *= value_map.mean() ** exponent
            if level < 4:
                x, y = halve(x), halve(y)
        values.append(value)
    return np.mean(values)


def test_identical_pictures():
    p = picture()
    quality = metrics.compare(metrics.reference(p), p)
    assert quality.psnr_db == math.inf
    assert quality.ssim == pytest.approx(1, abs=1e-6)
    assert quality.ms_ssim == pytest.approx(1, abs=1e-6)


def test_psnr_of_a_known_error():
    p = np.full((64, 64, 3), 100, np.uint8)
    assert metrics.psnr(p, p + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5))
    q = p.copy()
    q[..., 1] += 3  # only green: the error is shared by three channels
    assert metrics.psnr(p, q) == pytest.approx(10 * math.log10(255**2 / 3))


def test_ms_ssim_agrees_with_the_formulas_of_the_papers():
    p = picture()
    rng = np.random.default_rng(0)
    for sigma in (3, 25):
        q = np.clip(p + rng.normal(0, sigma, p.shape), 0, 255).astype(np.uint8)
        assert metrics.compare(metrics.reference(p), q).ms_ssim == pytest.approx(slow_ms_ssim(p, q), abs=2e-6)


def test_more_noise_is_worse_and_a_shift_costs_structure():
    p = picture()
    original = metrics.reference(p)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, p.shape)
    noisy = [metrics.compare(original, np.clip(p + s * noise, 0, 255).astype(np.uint8)) for s in (2, 8, 32)]
    for metric in ("psnr_db", "ssim", "ms_ssim"):
        values = [getattr(q, metric) for q in noisy]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]
    shifted = metrics.compare(original, np.roll(p, 2, axis=1))
    brighter = metrics.compare(original, np.clip(p.astype(int) + 6, 0, 255).astype(np.uint8))
    assert shifted.ms_ssim < brighter.ms_ssim  # SSIM forgives brightness, PSNR does not


def test_small_pictures_have_no_ms_ssim():
    for side, has_ssim, has_ms in ((8, False, False), (11, True, False), (160, True, False), (161, True, True)):
        p = picture(side, side + 7)
        quality = metrics.compare(metrics.reference(p), p)
        assert math.isnan(quality.ssim) != has_ssim
        assert math.isnan(quality.ms_ssim) != has_ms
    with pytest.raises(ValueError, match="cannot be compared"):
        metrics.compare(metrics.reference(p), p[1:])


def test_decibels():
    assert metrics.decibels(0.99) == pytest.approx(20)
    assert metrics.decibels(1.0) == math.inf


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


CHEAP = ("photoarc-fast", "photoarc-lzma", "jpeg", "webp", "jpeg2000", "jpegxl", "photoarc-lossless", "webp-lossless", "png", "xz")


@pytest.mark.parametrize("name", CHEAP)
def test_codecs_come_back(name):
    (codec,) = codecs.select([name])
    p = picture()
    payload = codec.encode(p, codec.settings[-1])
    back = codec.decode(payload)
    assert back.shape == p.shape
    assert back.dtype == np.uint8
    assert codec.lossless == (metrics.psnr(p, back) == math.inf)
    assert 150 < codec.container(payload) < 260 if name.startswith("photoarc") else codec.container(payload) == 0


def test_rows_survive_their_file(tmp_path):
    a = rows.Row("jpeg", 75, "a", 768, 512, 1000, 1000, 0.02, 31.25, 0.9, 0.95, 0.01, 0.002)
    b = rows.Row("png", 0, "a", 768, 512, 9000, 9000, 0.2, math.inf, 1, 1, 0.1, 0.002)
    rows.write(tmp_path / "x.tsv", [a, b], rows.Row)
    assert rows.read(tmp_path / "x.tsv", rows.Row) == [a, b]
    new = rows.Row("jpeg", 80, "a", 768, 512, 1100, 1100, 0.02, 32.0, 0.9, 0.95, 0.01, 0.002)
    assert rows.merged([a, b], [new]) == [new, b]


def test_measuring_a_picture(tmp_path):
    codecs_png = codecs.select(["png"])[0]
    (tmp_path / "one.png").write_bytes(codecs_png.encode(picture(), 0))
    assert run.pictures(tmp_path) == [tmp_path / "one.png"]
    first, second = run.measure(tmp_path / "one.png", "jpeg", (50, 90))
    assert (first.image, first.width, first.height, first.bpp) == ("one", 208, 192, pytest.approx(first.bytes * 8 / 208 / 192))
    assert first.bytes < second.bytes
    assert first.psnr_db < second.psnr_db


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


RESULTS = rows.RESULTS / photoarc.__version__
SETS = sorted(path.stem for path in RESULTS.glob("*.tsv") if not path.stem.endswith("-times"))


@pytest.mark.parametrize("name", SETS)
def test_tables_and_figures_are_made_from_the_rows(name):
    assert (RESULTS / f"{name}.md").read_text() == tables.text(name), f"stale; python -m bench.tables {name}"
    assert (RESULTS / f"{name}-papers.md").read_text() == papers.text(name), f"stale; python -m bench.papers {name}"
    for what in ("psnr", "ms-ssim", "speed"):
        figure = RESULTS / f"{name}-{what}.svg"
        assert rows.fingerprint(name) in figure.read_text(), f"{figure.name} is stale; python -m bench.figures {name}"


def test_the_folders_are_those_measured():
    assert (RESULTS / "folders.md").read_text() == papers.folders(), "stale; python -m bench.papers kodak"


def test_the_results_in_the_readme_are_those_of_the_rows():
    text = readme.README.read_text()
    assert readme.updated(text) == text, "stale; python -m bench.readme"
    with pytest.raises(ValueError, match="needs the lines"):
        readme.updated("# no markers")
