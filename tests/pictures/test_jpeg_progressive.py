"""Progressive JPEGs: the same coefficients as in sequential ones, and bytes that come back."""

import io
import shutil
import subprocess

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.pictures.jpeg import progressive_bits
from photoarc.pictures.jpeg import scans as jpeg_scan

JPEGTRAN = shutil.which("jpegtran")
needs_jpegtran = pytest.mark.skipif(JPEGTRAN is None, reason="no jpegtran")
PHOTO = pictures.photo(96, 80)
NOISE = np.random.default_rng(1).integers(0, 256, (72, 104, 3), np.uint8)
FLAT = np.full((1600, 1600, 1), 90, np.uint8)
SCRIPTS = {
    "DC only": "0,1,2: 0-0, 0, 2; 0,1,2: 0-0, 2, 1; 0,1,2: 0-0, 1, 0;",
    "DC apart": "0: 0-0, 0, 0; 2: 0-0, 0, 0; 1: 0-0, 0, 0; 0: 1-63, 0, 0; 1: 1-63, 0, 0; 2: 1-63, 0, 0;",
    "DC of two": "0,2: 0-0, 0, 1; 1: 0-0, 0, 0; 0: 0-0, 1, 0; 2: 0-0, 1, 0; 0: 1-63, 0, 3;",
    "spectral": "0,1,2: 0-0, 0, 0; " + "".join(f"{c}: {a}-{b}, 0, 0; " for c in range(3) for a, b in ((1, 1), (2, 9), (10, 62), (63, 63))),
    "bits": "0,1,2: 0-0, 0, 0; 0: 1-63, 0, 6; "
    + "".join(f"0: 1-63, {n}, {n - 1}; " for n in range(6, 0, -1))
    + "1: 1-20, 0, 3; 1: 1-20, 3, 2; 1: 21-63, 0, 1; 2: 1-63, 0, 0; 1: 1-20, 2, 1; 1: 1-20, 1, 0; 1: 21-63, 1, 0;",
}


def jpegtran(folder, data, *options, scans=None):
    """What libjpeg writes without loss."""
    source, script = folder / "source.jpg", folder / "scans.txt"
    source.write_bytes(data)
    script.write_text(scans or "")
    with_script = ["-scans", str(script)] if scans else ["-progressive"]
    return subprocess.run([JPEGTRAN, *with_script, *options, str(source)], capture_output=True, check=True).stdout


def back(data, bits=1):
    scan = jpeg_scan.read(data)
    assert scan.padding == bits
    assert scan.head.count(b"\xff\xda") == len(jpeg_scan.layout(scan.head).scans)
    assert scan.tail.startswith(b"\xff\xd9")
    assert jpeg_scan.write(scan.head, scan.coefficients, scan.tail, scan.padding) == data
    return scan


def assert_equal(planes, others):
    assert len(planes) == len(others)
    for one, other in zip(planes, others, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("quality", [5, 25, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("pixels", [pictures.photo(173, 131), NOISE], ids=["photo", "noise"])
def test_the_same_coefficients_as_sequential(pixels, quality, subsampling):
    options = {"quality": quality, "subsampling": subsampling}
    scan = back(pictures.progressive_jpeg(pixels, **options))
    assert_equal(scan.coefficients, jpeg_scan.read(pictures.jpeg(pixels, **options)).coefficients)
    assert len(jpeg_scan.layout(scan.head).scans) == 10


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 7},
        {"restart_marker_rows": 1},
        {"restart_marker_rows": 2, "subsampling": 0, "quality": 98},
        {"keep_rgb": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("pixels", [pictures.photo(233, 117), pictures.photo(233, 117)[:, :, :1]], ids=["photo", "grey"])
def test_restarts(pixels, options):
    if pixels.shape[2] == 1 and "keep_rgb" in options:
        options = {}
    scan = back(pictures.progressive_jpeg(pixels, **options))
    restarts = any(name.startswith("restart") for name in options)
    assert all((part.restart_interval > 0) == restarts for part in jpeg_scan.layout(scan.head).scans)
    assert_equal(scan.coefficients, jpeg_scan.read(pictures.jpeg(pixels, **options)).coefficients)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 9), (8, 8), (9, 8), (17, 33), (24, 40), (1, 900), (900, 5)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(size, channels):
    pixels = pictures.photo(*size)[:, :, :channels]
    scan = back(pictures.progressive_jpeg(pixels, quality=88))
    sequential = jpeg_scan.read(pictures.jpeg(pixels, quality=88)).coefficients
    # AC of blocks beyond the edge is not in the file.
    for n, (plane, other) in enumerate(zip(scan.coefficients, sequential, strict=True)):
        scale = 16 if n else 8
        inside = slice(-(-size[1] // scale)), slice(-(-size[0] // scale))
        assert plane.shape == other.shape
        assert (plane[0] == other[0]).all()
        assert (plane[:, *inside] == other[:, *inside]).all()
        assert not plane[1:, inside[0].stop :].any()
        assert not plane[1:, :, inside[1].stop :].any()


def test_runs_of_ends_of_bands_beyond_their_longest():
    assert FLAT.size // 64 > 0x7FFF
    scan = back(pictures.progressive_jpeg(FLAT))
    assert (scan.coefficients[0] == scan.coefficients[0][:, :1, :1]).all()


@needs_jpegtran
@pytest.mark.parametrize("options", [[], ["-restart", "3B"]], ids=["", "restarts"])
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_scripts(tmp_path, name, options, channels):
    scans = SCRIPTS[name]
    if channels == 1:
        scans = "".join("0:" + part.split(":")[1] + ";" for part in scans.split(";") if part.strip().startswith("0"))
    source = pictures.jpeg(pictures.photo(133, 75)[:, :, :channels], quality=93)
    scan = back(jpegtran(tmp_path, source, *options, scans=scans))
    assert len(jpeg_scan.layout(scan.head).scans) == scans.count(";")
    for n, (plane, other) in enumerate(zip(scan.coefficients, jpeg_scan.read(source).coefficients, strict=True)):
        low = {"DC only": 15, "DC of two": 15 if n else 3}.get(name, 0)  # bits of AC that are never sent
        sent = np.sign(other) * (np.abs(other) >> low << low)
        sent[0] = other[0]
        inside = slice(-(-75 // (16 if n else 8))), slice(-(-133 // (16 if n else 8)))
        assert (plane[:, *inside] == sent[:, *inside]).all()
        assert plane[0].any()


def _sparse(shape, seed):
    """Blocks full of coefficients of any size, of large ones only (nothing new when the last bits come), nearly and wholly empty."""
    rng = np.random.default_rng(seed)
    values = np.rint(rng.laplace(0, 6, shape)).clip(-900, 900) * (rng.random(shape) < rng.choice([0, 0.02, 0.2, 1], shape[1:]))
    large = rng.choice([-7, -6, 4, 5], shape)
    values = np.where(np.arange(shape[1])[:, None] % 5 < 3, large * (rng.random(shape) < rng.choice([0.3, 0.9], shape[1:])), values)
    values[0] = rng.integers(-900, 900, shape[1:])
    return values.astype(np.int16)


@needs_jpegtran
@pytest.mark.parametrize("options", [[], ["-restart", "17B"]], ids=["", "restarts"])
def test_buffered_correction_bits_overflow_as_in_libjpeg(tmp_path, options):
    scan = jpeg_scan.read(pictures.jpeg(pictures.photo(320, 320)[:, :, :1], quality=50))
    values = _sparse(scan.coefficients[0].shape, seed=4)
    data = jpegtran(tmp_path, jpeg_scan.write(scan.head, (values,), scan.tail, 1), *options)
    assert_equal(back(data).coefficients, (values,))


def _with_all_codes(head):
    """In front of every scan, tables with codes for all symbols."""
    dc = b"\0" + bytes([0] * 3 + [12] + [0] * 12) + bytes(range(12))
    ac = b"\x10" + bytes([0] * 7 + [255] + [0] * 8) + bytes(range(255))
    dht = b"\xff\xc4" + (2 + len(dc + ac)).to_bytes(2, "big") + dc + ac
    starts = [head.rindex(b"\xff\xda", 0, scan.end) for scan in jpeg_scan.layout(head).scans]
    return dht.join(head[low:high] for low, high in zip([0, *starts], [*starts, len(head)], strict=True))


@pytest.mark.parametrize("restarts", [{}, {"restart_marker_blocks": 9}], ids=["", "restarts"])
def test_both_habits_come_back_and_are_what_pillow_decodes(restarts):
    data = pictures.progressive_jpeg(pictures.photo(160, 240)[:, :, :1], **restarts)
    head = _with_all_codes(jpeg_scan.read(data).head)
    plain = jpeg_scan.read(pictures.jpeg(pictures.photo(160, 240)[:, :, :1]))
    values = _sparse(plain.coefficients[0].shape, seed=5)
    expected = np.asarray(Image.open(io.BytesIO(jpeg_scan.write(plain.head, (values,), plain.tail, 1))))
    files = [jpeg_scan.write(head, (values,), b"\xff\xd9", bits) for bits in range(4)]
    assert len(set(files)) == 4
    for bits, file in enumerate(files):
        assert_equal(back(file, bits).coefficients, (values,))
        assert (np.asarray(Image.open(io.BytesIO(file))) == expected).all()


def test_ends_of_bands_apart_by_hand():
    """Seven blocks of which two have a coefficient: libjpeg's habit joins what the other keeps apart."""
    head = jpeg_scan.read(pictures.progressive_jpeg(np.zeros((8, 56), np.uint8))).head
    cut = next(part.end for part in jpeg_scan.layout(head).scans if not part.first)
    dht = b"\xff\xc4\0\x17\x10" + bytes([0, 4] + [0] * 14) + b"\0\1\x10\x11"  # 00: run of 1, 01: coefficient, 10: run of 2 or 3
    head = head[:cut] + dht + b"\xff\xda\0\x08\1\1\0\1\5\0"
    values = np.zeros((64, 1, 7), np.int16)
    values[1, 0, [1, 4]] = 1, -1
    joined = 0b00_01_1_10_1_01_0_10_1  # 1 empty; block 1: 1, with 3 ends; block 4: -1, with 3 ends
    apart = 0b00_01_1_00_10_0_01_0_00_10_0
    for bits, expected, size in ((1, joined, 14), (3, apart, 18)):
        filled = (expected << -size % 8 | (1 << -size % 8) - 1).to_bytes(-(-size // 8), "big")
        written = jpeg_scan.write(head, (values,), b"\xff\xd9", bits)
        assert written[written.rindex(b"\0\1\5\0") + 4 :] == filled + b"\xff\xd9"
        assert back(written, bits).head == head


def test_small_chunks_give_the_same(monkeypatch):
    data = [
        pictures.progressive_jpeg(pictures.photo(200, 150), quality=97),
        pictures.progressive_jpeg(pictures.photo(200, 150), restart_marker_blocks=4),
    ]
    scans = [back(d) for d in data]
    monkeypatch.setattr(progressive_bits, "_CHUNK", 64)
    monkeypatch.setattr(progressive_bits, "_STRIP_COEFFICIENTS", 64)
    for scan, expected in zip(scans, data, strict=True):
        assert jpeg_scan.write(scan.head, scan.coefficients, scan.tail, scan.padding) == expected
