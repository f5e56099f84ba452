"""docs/reference_coefficients.py, which is docs/format.md section 10 as plain code, and photoarc agree on every coefficient."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import jpeg_kinds
import numpy as np
import onnx
import pictures
import pytest
import reference_byte_networks
import reference_coefficients as reference
from PIL import Image

from photoarc import models
from photoarc.codecs import dct, jpeg_rest
from photoarc.entropy import lzma2
from photoarc.models import manifest
from photoarc.models.runtime import onnxruntime
from photoarc.pictures.jpeg import scans

FOLDER = manifest.entry(manifest.JPEG_CODED_WITH).folder
PLAIN = reference.Model(FOLDER)
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.onnx"))
LEVELS = [onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL]
S444, S422, S420 = range(3)  # Pillow's numbers


def jpeg(width, height, sampling=None, quality=80, noise=2.0, **options):
    """A JPEG file that the tests draw; without sampling a grey one."""
    picture = Image.fromarray(pictures.photo(width, height, width + height, noise))
    if sampling is not None:
        options["subsampling"] = sampling
    out = io.BytesIO()
    (picture if sampling is not None else picture.convert("L")).save(out, "JPEG", quality=quality, **options)
    return out.getvalue()


CMYK = pictures.cmyk_jpeg(pictures.photo(56, 40))


def half_empty():
    """Noise on the left, grey on the right, a ramp between them."""
    pixels = pictures.photo(8 * 100, 8 * 20, 3, 9.0)
    pixels[:, 8 * 33 :] = 128
    pixels[:, 8 * 34 : 8 * 66] += np.arange(8 * 32, dtype=np.uint8)[None, :, None] // 4
    return pictures.jpeg(pixels, quality=90)


@pytest.fixture(autouse=True)
def _any_size(monkeypatch):
    """Heads of tiny files are most of them: none may be refused because it does not shrink."""
    monkeypatch.setattr(dct, "_LEAST_SAVING", -99)


def equal(planes, others):
    return all(np.array_equal(plane, other) for plane, other in zip(planes, others, strict=True))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg(40, 24, S420), id="4:2:0"),
        pytest.param(jpeg(40, 24, S444, 90), id="4:4:4"),
        pytest.param(jpeg(40, 24, S422, 90), id="4:2:2"),
        pytest.param(jpeg(40, 24, S420, 100, noise=40.0), id="steps of 1, noise"),
        pytest.param(jpeg(40, 24, S420, 3), id="steps of 255"),
        pytest.param(jpeg(33, 17, S420, 60), id="odd, 4:2:0"),
        pytest.param(jpeg(19, 41, S444, 60), id="odd, 4:4:4"),
        pytest.param(jpeg(8, 8), id="one block"),
        pytest.param(jpeg(8, 8, S444), id="one block, 4:4:4"),
        pytest.param(jpeg(16, 16, S420), id="one block of chroma"),
        pytest.param(jpeg(56, 40), id="grey"),
        pytest.param(jpeg(72, 8), id="one row"),
        pytest.param(jpeg(8, 72), id="one column"),
        pytest.param(jpeg(24, 16), id="two rows"),
        pytest.param(jpeg(24, 24, S444, restart_marker_blocks=1), id="restarts"),
        pytest.param(CMYK, id="CMYK"),
        pytest.param(jpeg_kinds.ycck(CMYK), id="YCCK"),
        pytest.param(jpeg_kinds.sampled((3, 1), (2, 1), (2, 1)), id="chroma that is no divisor"),
    ],
)
def test_coefficients(data):
    ((planes, found, stored),) = reference.decode(dct.encode(data), PLAIN)
    assert found == stored
    assert equal(planes, scans.read(data).coefficients)


@pytest.mark.parametrize("method", range(3))
def test_heads(method, monkeypatch):
    data = jpeg(16, 16, S420)
    if method < 2:  # what another writer may choose
        monkeypatch.setattr(jpeg_rest, "_smallest", lambda rest: bytes([method]) + (lzma2.compress(rest) if method else rest))
    payload = dct.encode(data)
    assert payload[reference.HEADER.size + reference.PICTURE.size :][:2] == bytes([0, method])
    ((planes, found, stored),) = reference.decode(payload, PLAIN)
    assert found == stored
    assert equal(planes, scans.read(data).coefficients)


def test_thumbnails():
    small = [jpeg(40, 24, S420), jpeg(24, 40, S444)]
    data = jpeg(48, 32, S420, exif=pictures.exif(text=small[0] + bytes(99) + small[1]))
    pieces = [data, *small]
    decoded = reference.decode(dct.encode(data), PLAIN)
    assert len(decoded) == len(pieces)
    for (planes, found, stored), piece in zip(decoded, pieces, strict=True):
        assert found == stored
        assert equal(planes, scans.read(piece).coefficients)


def test_the_tables_that_deflate_knows():
    assert reference.huffman_segments() == jpeg_rest.TABLES


@pytest.mark.parametrize("sampling", [None, S444, S420])
@pytest.mark.parametrize("seed", range(2))
def test_coefficients_that_no_picture_has(sampling, seed, monkeypatch):
    """Every limit is reached: of logarithms, linear means, offsets, reaches of tables."""
    data, rng = jpeg(56, 40, sampling, 1 if seed else 100), np.random.default_rng(seed)
    scan = scans.read(data)
    wild = [np.clip(rng.standard_cauchy(plane.shape) * 30, -16383, 16383).astype(np.int16) for plane in scan.coefficients]
    wild[0][0, :2] = rng.choice([-16383, 16383], wild[0][0, :2].shape)
    monkeypatch.setattr(scans, "read_parsed", lambda _: replace(scan, coefficients=tuple(wild)))
    payload = dct.transcode(data)
    ((planes, found, stored),) = reference.decode(payload, PLAIN)
    assert found == stored
    assert equal(planes, wild)
    decoded = []
    monkeypatch.setattr(scans, "write_planned", lambda _plan, planes, *_: decoded.extend(planes) or data)
    assert dct.decode(payload, len(data)) == data
    assert equal(decoded, wild)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg(8 * 35, 8 * 37, S444), id="several tiles"),
        pytest.param(jpeg(8 * 66, 8 * 33, S420, 40), id="odd ones, 4:2:0"),
        pytest.param(half_empty(), id="tiles with few groups, none, all"),
    ],
)
def test_tiles(data):
    ((planes, found, stored),) = reference.decode(dct.encode(data), PLAIN)
    assert found == stored
    assert equal(planes, scans.read(data).coefficients)


def test_command(tmp_path):
    payload = dct.encode(jpeg(16, 16))
    (tmp_path / "payload").write_bytes(payload)
    command = [sys.executable, reference.__file__, str(tmp_path / "payload"), str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    crc = f"{reference.PICTURE.unpack_from(payload, reference.HEADER.size)[-1]:08x}"
    assert done.stdout == f"found {crc}, stored {crc}: equal\n"


def inputs(name, rng):
    """Those that make the sums of the first layer and of the linear means as large as they can be, and random ones."""
    network, found = PLAIN.network(name), {}
    rows, columns = 12, 14
    largest = np.clip(128 * at_their_largest(network.layers[0][0], rows + 4, columns + 4, rng), -128, 127)
    found["features"] = (largest.astype(int) + 128).astype(np.uint8)
    if network.linear_weight is not None:
        margin = 4 if "dc" in name else 2
        found["linear"] = (at_their_largest(network.linear_weight, rows + margin, columns + margin, rng) * 2047).astype(np.int16)
    return found


def at_their_largest(weight, rows, columns, rng):
    """(2, C, rows, columns) of -1 .. 1: in half of the places the signs of the weights of some output, else random."""
    out, channels, k = weight.shape[:3]
    found = rng.uniform(-1, 1, (2, channels, rows + k, columns + k))
    for y in range(0, rows, k):
        for x in range(0, columns, k):
            if (kind := rng.integers(4)) < 2:
                found[0, :, y : y + k, x : x + k] = np.sign(weight[rng.integers(out)]) * (-1) ** kind
            elif kind == 2:
                found[0, :, y : y + k, x : x + k] = rng.choice([-1, 1], (channels, k, k))
    return found[:, :, :rows, :columns]


def bytes_of(network, features):
    """In int64, at all blocks that have two others on every side."""
    inp, depthwise, mid, out = network.layers
    t = reference_byte_networks.run(inp, features.astype(np.int64) - 128)
    d = reference_byte_networks.run(depthwise, t)
    e = reference_byte_networks.run(mid, np.concatenate([t, d]))
    return 128 + reference_byte_networks.run(out, np.concatenate([d, e]))[:, 2:-2, 2:-2]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_int64_in_every_element(name):
    network, rng = PLAIN.network(name), np.random.default_rng(NETWORKS.index(name))
    given = inputs(name, rng)
    wanted = [[bytes_of(network, features) for features in given["features"]]]
    if "linear" in given:
        margin = 2 if "dc" in name else 1
        wanted.append([network.linear(linear.astype(np.int64))[:, margin:-margin, margin:-margin] for linear in given["linear"]])
    places = [reference.PHASES[int(name[-1])]] if "dc" in name else (reference.WHITE, reference.BLACK)[int(name[-1])]
    wanted = [np.concatenate([np.stack(tiles)[:, :, i::2, j::2] for i, j in places]) for tiles in wanted]
    for level in LEVELS:
        for threads in (1, 2):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.graph_optimization_level = threads, level
            session = onnxruntime.InferenceSession(str(FOLDER / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
            found = session.run(None, given)
            assert len(found) == len(wanted)
            assert all(map(np.array_equal, found, wanted))


@pytest.mark.parametrize("name", NETWORKS)
def test_sums_stay_exact_in_float32(name):
    """The bounds of docs/format-jpeg.md section 10.3: bytes of 0..255 and the biases that the files have."""
    network = PLAIN.network(name)
    for number, (weight, bias, shift, *_) in enumerate(network.layers):
        signed = (weight.shape[1], weight.shape[1], weight.shape[1] // 2, 0)[number]
        stored = bias - 128 * weight[:, :signed].sum((1, 2, 3))
        assert np.abs(weight).max() <= 64
        assert shift.min() >= 0
        assert shift.max() <= 20
        assert (255 * np.abs(weight).sum((1, 2, 3)) + np.abs(stored)).max() < 1 << 24
    if network.linear_weight is not None:
        assert np.abs(network.linear_weight).max() <= 32767
        assert np.abs(network.linear_weight).sum((1, 2, 3)).max() * 2047 < 1 << 24
        assert "dc" not in name or not network.linear_weight.sum()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_weights_for_all_fields(name):
    graph = onnx.load(str(FOLDER / f"{name}.onnx")).graph
    value = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    found = [n for n in graph.node if n.op_type == "QLinearConv" and any(a.name == "group" and a.i > 1 for a in n.attribute)]
    assert len(found) == (1 if "dc" in name else 2)
    assert all(np.array_equal(value[a], value[b]) for n in found for a, b in zip(n.input[1:], found[0].input[1:], strict=True))
    linear = [n for n in graph.node if n.op_type == "Conv"]
    assert len({n.input[1] for n in linear}) <= 1


def test_tables():
    model = models.load_coefficients(manifest.JPEG_CODED_WITH)
    assert len(model.tables) == len(PLAIN.tables) == max(PLAIN.table_of) + 1
    assert len(PLAIN.table_of) == 9 * len(PLAIN.spread)
    assert np.all(np.diff(PLAIN.log_limits) >= 0)
    assert PLAIN.log_limits.min() > 0
    assert PLAIN.log_limits.max() <= 4095
    assert PLAIN.spread.shape[1] == 63
    assert len(PLAIN.log_quantiser) == len(PLAIN.scale_quantiser) == 256
    assert len(PLAIN.log_limits) <= 127
    assert max(PLAIN.log_quantiser) <= 127
    assert np.abs(PLAIN.spread).max() <= 32000
