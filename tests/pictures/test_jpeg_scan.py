"""The scan of a sequential JPEG: coefficients that are right, bytes that come back, and everything that must be refused."""

import io

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import huffman, scans, segments, sequential

PHOTO = pictures.photo(96, 80)
NOISE = np.random.default_rng(1).integers(0, 256, (120, 200, 3), np.uint8)


def _back(data):
    scan = scans.read(data)
    assert scans.write_planned(scan.plan, scan.coefficients, scan.tail, scan.padding, len(data) if scan.cut else None) == data
    assert data.startswith(scan.head)
    assert data.endswith(scan.tail)
    assert scan.tail.startswith(b"\xff\xd9") or not scan.tail or scan.cut
    return scan


@pytest.mark.parametrize("quality", [5, 25, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_round_trip(quality, subsampling):
    scan = _back(pictures.jpeg(pictures.photo(173, 131), quality=quality, subsampling=subsampling, optimize=quality % 2 == 1))
    assert len(scan.coefficients) == 3
    assert scan.padding == 1


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 7},
        {"restart_marker_blocks": 60000},
        {"restart_marker_rows": 1},
        {"restart_marker_rows": 2, "subsampling": 0, "optimize": True},
        {"keep_rgb": True},
    ],
)
@pytest.mark.parametrize("pixels", [pictures.photo(333, 217), pictures.photo(333, 217)[:, :, :1], NOISE], ids=["photo", "grey", "noise"])
def test_round_trip_with_restarts(options, pixels):
    if pixels.shape[2] == 1 and "keep_rgb" in options:
        options = {}
    scan = _back(pictures.jpeg(pixels, **options))
    assert (scans.layout(scan.head).scans[0].restart_interval > 0) == any(name.startswith("restart") for name in options)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 9), (8, 8), (16, 16), (17, 33), (1, 2000), (3000, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(size, channels):
    scan = _back(pictures.jpeg(pictures.photo(*size)[:, :, :channels], quality=85, subsampling=2))
    width, height = size
    if channels == 1:
        assert scan.coefficients[0].shape == (64, -(-height // 8), -(-width // 8))
    else:
        rows, columns = -(-height // 16), -(-width // 16)
        assert [c.shape for c in scan.coefficients] == [(64, 2 * rows, 2 * columns), (64, rows, columns), (64, rows, columns)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("grey", [0, 128, 200])
def test_flat_pictures_never_fall_in_step(channels, grey):
    scan = _back(pictures.jpeg(np.full((1500, 2000, channels), grey, np.uint8)))
    assert all((c == c[:, :1, :1]).all() for c in scan.coefficients)


def test_several_batches_and_restarts_in_the_middle(monkeypatch):
    rows, often, seldom = {"restart_marker_rows": 3}, {"restart_marker_blocks": 1}, {"restart_marker_blocks": 11}
    for options in ({}, {"quality": 100}, rows, often, seldom, {"progressive": True}, {"progressive": True, **rows}):
        data = pictures.jpeg(pictures.photo(400, 300), **options)
        with monkeypatch.context() as small:
            small.setattr(huffman, "_MAX_LANES", 32)
            small.setattr(huffman, "_SLICE_LANES", 5)
            small.setattr(huffman, "_MIN_CHUNK_BYTES", 64)
            small.setattr(huffman, "_MAX_CHUNK_BYTES", 128)
            small.setattr(sequential, "_STRIP_COEFFICIENTS", 64)
            scan = _back(data) if "progressive" not in options else scans.read(data)
        for one, other in zip(scan.coefficients, scans.read(data).coefficients, strict=True):
            assert (one == other).all()


def _cosines():
    n = np.arange(8)
    return np.where(n == 0, np.sqrt(1 / 8), 0.5)[:, None] * np.cos((2 * n + 1) * n[:, None] * np.pi / 16)  # (frequency, sample)


@pytest.mark.parametrize("quality", [30, 90])
def test_coefficients_are_those_that_pillow_decodes(quality):
    pixels = pictures.photo(150, 93)[:, :, :1]
    data = pictures.jpeg(pixels, quality=quality)
    scan = scans.read(data)
    (plane,) = scans.layout(scan.head).planes
    natural = np.empty((64, plane.rows, plane.columns))
    natural[list(segments.ZIGZAG)] = scan.coefficients[0] * plane.quantiser.astype(float)[:, None, None]
    blocks = natural.reshape(8, 8, plane.rows, plane.columns)
    samples = np.einsum("uvrc,uy,vx->rycx", blocks, _cosines(), _cosines()).reshape(8 * plane.rows, 8 * plane.columns)
    decoded = np.asarray(Image.open(io.BytesIO(data)), float)
    assert np.abs(np.clip(samples + 128, 0, 255)[:93, :150] - decoded).max() <= 1


@pytest.mark.parametrize("sampling", ["11 11 11", "21 11 11", "22 11 11", "12 11 11", "41 11 11", "14 11 11", "22 21 12", "42 11 11"])
def test_blocks_are_in_the_order_in_which_pillow_decodes_them(sampling):
    """Luma of one grey per block, through `write` and Pillow, in samplings that Pillow itself does not write."""
    head = scans.read(pictures.jpeg(PHOTO, quality=90, restart_marker_blocks=2)).head
    for n, factors in enumerate(bytes.fromhex(sampling)):
        at = head.index(b"\xff\xc0") + 11 + 3 * n
        head = head[:at] + bytes([factors]) + head[at + 1 :]
    plan = scans.layout(head)
    planes = [np.zeros((64, plane.rows, plane.columns), np.int16) for plane in plan.planes]
    planes[0][0] = np.random.default_rng(2).integers(-300, 300, planes[0].shape[1:])
    written = scans.write(head, planes, b"\xff\xd9", 1)
    for one, other in zip(planes, _back(written).coefficients, strict=True):
        assert (one == other).all()
    decoded = Image.open(io.BytesIO(written))
    decoded.draft("YCbCr", None)
    grey = planes[0][0] * float(plan.planes[0].quantiser[0]) / 8 + 128
    expected = np.clip(np.repeat(np.repeat(grey, 8, axis=0), 8, axis=1), 0, 255)[:80, :96]
    assert np.abs(expected - np.asarray(decoded, float)[:, :, 0]).max() <= 1


def test_zigzag_and_signs_by_hand():
    """One block: DC 2 and the coefficient at row 1, column 0 (second in zigzag order) -3, tables of one's own."""
    dht = b"\xff\xc4\0\x14\0" + bytes([1] + [0] * 15) + b"\2"  # DC: 0 = size 2
    dht += b"\xff\xc4\0\x15\x10" + bytes([0, 2] + [0] * 14) + b"\0\x12"  # AC: 00 = end of block, 01 = one zero, size 2
    head = b"\xff\xd8\xff\xdb\0\x43\0" + bytes(range(1, 65)) + dht
    head += b"\xff\xc0\0\x0b\x08\0\x08\0\x08\1\1\x11\0" + b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    data = head + bytes([0b0_10_01_00_0, 0b0_1111111]) + b"\xff\xd9tail"  # 2 is 10, -3 is 00 (T.81 F.1.2.1.1)
    scan = _back(data)
    assert scan.head == head
    assert scan.tail == b"\xff\xd9tail"
    assert scan.coefficients[0][:, 0, 0].tolist() == [2, 0, -3] + 61 * [0]
    assert segments.ZIGZAG[:6] == (0, 1, 8, 16, 9, 2)
    plane = scans.layout(head).planes[0]
    assert plane.quantiser.tolist() == list(range(1, 65))
    zeros = _back(data[: len(head) + 1] + b"\0" + scan.tail)
    assert zeros.padding == 0
    for value, k in ((1, 0), (0, 0), (1, 1), (8, 2), (2, 63), (-32768, 0), (-32768, 5)):
        changed = scan.coefficients[0].copy()
        changed[k] = value
        with pytest.raises(PayloadError):
            scans.write(head, (changed,), scan.tail, 1)


def test_components_of_one_number():
    data = bytearray(pictures.jpeg(PHOTO))
    for marker, first, step in ((0xC0, 10, 3), (0xDA, 5, 2)):
        at = data.index(bytes([0xFF, marker])) + first
        data[at : at + 3 * step : step] = bytes(3)
    assert len(_back(bytes(data)).coefficients) == 3


def test_wide_quantisers():
    tables = [list(range(1, 65)), [300] * 63 + [1000]]
    scan = _back(pictures.jpeg(PHOTO, quality=-1, qtables=tables, subsampling=0))
    planes = scans.layout(scan.head).planes
    assert planes[1].quantiser.tolist() == tables[1]
    assert sorted(planes[0].quantiser.tolist()) == tables[0]


def test_write_refuses_what_does_not_fit():
    scan = scans.read(pictures.jpeg(PHOTO))
    y, cb, cr = scan.coefficients
    for planes, padding in (
        ((y, cb), 1),
        ((cb, y, cr), 1),
        ((y, cb, cr.astype(np.int32)), 1),
        (scan.coefficients, 2),
        ((y, cb, cr[:32]), 1),
    ):
        with pytest.raises(PayloadError, match="do not fit"):
            scans.write(scan.head, planes, scan.tail, padding)
    far = y.copy()
    far[1, 0, 0] = 1024  # size 11: no code for it in the tables of annex K
    with pytest.raises(PayloadError, match="without a Huffman code"):
        scans.write(scan.head, (far, cb, cr), scan.tail, 1)
    far[1, 0, 0] = 1023
    written = scans.write(scan.head, (far, cb, cr), scan.tail, 1)
    assert (scans.read(written).coefficients[0] == far).all()
    far[0, 0, :2] = 32767, -32767
    with pytest.raises(PayloadError, match="DC"):
        scans.write(scan.head, (far, cb, cr), scan.tail, 1)


def test_any_coefficients_come_back():
    """Long runs, large values and everything between, with the tables of annex K."""
    rng = np.random.default_rng(3)
    scan = scans.read(pictures.jpeg(pictures.photo(160, 96), restart_marker_blocks=5))
    planes = []
    for c in scan.coefficients:
        values = np.rint(rng.laplace(0, 30, c.shape)).clip(-1023, 1023) * (rng.random(c.shape) < rng.choice([0.01, 0.04, 0.9], c.shape[1:]))
        planes.append(values.astype(np.int16))
    written = scans.write(scan.head, planes, scan.tail, 0)
    again = scans.read(written)
    assert again.padding == 0
    for one, other in zip(planes, again.coefficients, strict=True):
        assert (one == other).all()
    Image.open(io.BytesIO(written)).load()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no start marker"),
        (b"\xff\xd8", "truncated"),
        (b"\xff\xd8\xff\xda", "truncated"),
        (pictures.png(PHOTO), "no start marker"),
    ],
)
def test_refused(data, reason):
    with pytest.raises(PayloadError, match=reason):
        scans.read(data)


def _changed(marker, offset, new):
    data = pictures.jpeg(PHOTO, restart_marker_blocks=4)
    at = data.index(bytes([0xFF, marker])) + offset
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ((0xC0, 1, b"\xc9"), "arithmetic coding"),
        ((0xC0, 1, b"\xc3"), "lossless JPEG"),
        ((0xC0, 4, b"\x0c"), "12 bits a channel"),
        ((0xC0, 5, b"\0\0"), "height is not in its header"),
        ((0xC0, 5, b"\xff\xff\xff\xff"), "claims"),
        ((0xC0, 11, b"\x44"), "sampling factors"),
        ((0xC4, 4, b"\x20"), "Huffman table"),
        ((0xC4, 4, b"\x02"), "Huffman table missing"),
        ((0xC4, 5, b"\x03"), "Huffman table"),
        ((0xDA, 4, b"\x01"), "scan header"),
        ((0xDA, 5, b"\x02"), "components of the scan"),
        ((0xDA, 12, b"\x20"), "scan of some coefficients"),
        ((0xDD, 4, b"\0\5"), "restart markers|come back"),
        ((0xDD, 4, b"\0\0"), "restart markers"),
        ((0xD0, 1, b"\xd1"), "come back"),
        ((0xD9, 1, b"\xda"), "truncated"),
    ],
)
def test_refused_with_the_reason(patch, reason):
    with pytest.raises(PayloadError, match=reason):
        scans.read(_changed(*patch))


def test_too_many_coefficients():
    head = scans.read(pictures.jpeg(PHOTO)).head
    at = head.index(b"\xff\xc0") + 5
    with pytest.raises(PayloadError, match="too many coefficients"):
        scans.layout(head[:at] + b"\xff\xff\xff\xff" + head[at + 4 :])


@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 2}, {"subsampling": 0}], ids=str)
def test_every_prefix_with_something_of_the_picture_comes_back(options):
    data = pictures.jpeg(PHOTO[:32, :40], quality=30, **options)
    head = len(scans.read(data).head)
    for end in range(len(data) - 2):
        if end < head:
            with pytest.raises(PayloadError, match=r"truncated|broken"):
                scans.read(data[:end])
        else:
            scan = _back(data[:end])
            assert len(scan.tail) < 40  # bytes of blocks that are not whole
    assert scans.read(data[:-2]).tail == b""
    assert not scans.read(data[:-2]).cut
    _back(data[:-2])
    _back(data)


@pytest.mark.parametrize("options", [{"quality": 60}, {"quality": 100, "subsampling": 2}, {"restart_marker_blocks": 3, "optimize": True}])
def test_mutations_are_refused_or_come_back(options):
    rng = np.random.default_rng(5)
    data = pictures.jpeg(pictures.photo(120, 100), **options)
    start = len(scans.read(data).head)
    outcomes = []
    for turn in range(100):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(start if turn % 2 else 0, len(data)))
            if turn % 5 == 4:
                del changed[at : at + int(rng.integers(1, 9))]
            else:
                changed[at % len(changed)] = int(rng.integers(256))
        try:
            _back(bytes(changed))
        except PayloadError:
            outcomes.append(False)
        else:
            outcomes.append(True)
    assert 0 < sum(outcomes) < len(outcomes)
