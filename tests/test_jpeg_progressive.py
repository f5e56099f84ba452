"""Progressive JPEGs: the same coefficients as in sequential ones, bytes that come back, and scripts that must be refused."""

import io
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.errors import PayloadError
from photoarc.pictures import jpeg, jpeg_progressive, jpeg_progressive_bits, jpeg_scan
from photoarc.pictures.jpeg_scan import Scan

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


def progressive(pixels, **options):
    return pictures.jpeg(pixels, progressive=True, **options)


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
    scan = back(progressive(pixels, **options))
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
    scan = back(progressive(pixels, **options))
    restarts = any(name.startswith("restart") for name in options)
    assert all((part.restart_interval > 0) == restarts for part in jpeg_scan.layout(scan.head).scans)
    assert_equal(scan.coefficients, jpeg_scan.read(pictures.jpeg(pixels, **options)).coefficients)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 9), (8, 8), (9, 8), (17, 33), (24, 40), (1, 900), (900, 5)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(size, channels):
    pixels = pictures.photo(*size)[:, :, :channels]
    scan = back(progressive(pixels, quality=88))
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
    scan = back(progressive(FLAT))
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
    data = progressive(pictures.photo(160, 240)[:, :, :1], **restarts)
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
    head = jpeg_scan.read(progressive(np.zeros((8, 56), np.uint8))).head
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
    data = [progressive(pictures.photo(200, 150), quality=97), progressive(pictures.photo(200, 150), restart_marker_blocks=4)]
    scans = [back(d) for d in data]
    monkeypatch.setattr(jpeg_progressive_bits, "_CHUNK", 64)
    monkeypatch.setattr(jpeg_progressive_bits, "_STRIP_COEFFICIENTS", 64)
    for scan, expected in zip(scans, data, strict=True):
        assert jpeg_scan.write(scan.head, scan.coefficients, scan.tail, scan.padding) == expected


def _patched(number, offset, new):
    """Other bytes in this SOS segment."""
    data, at = progressive(PHOTO), -1
    for _ in range(number + 1):
        at = data.index(b"\xff\xda", at + 1)
    return data[: at + offset] + new + data[at + offset + len(new) :]


# Pillow's scans: 0 DC, 1 Y 1-5 to bit 2, 2 Cr, 3 Cb 1-63 to bit 1, 4 Y 6-63, 5 Y refined, 6 DC refined, 7 Cr, 8 Cb, 9 Y refined.
@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ((0, 11, b"\0\x3f"), "order of progressive scans|table missing"),  # DC and AC in one
        ((0, 13, b"\x0e"), "order of progressive scans"),  # a bit that there is not
        ((0, 13, b"\x10"), "order of progressive scans|come back"),  # refines what was not sent
        ((1, 7, b"\0\5"), "order of progressive scans"),  # AC behind DC
        ((1, 7, b"\5\1"), "order of progressive scans"),
        ((1, 7, b"\1\x40"), "order of progressive scans"),
        ((4, 7, b"\5\x3f"), "order of progressive scans"),  # 5 twice
        ((5, 9, b"\x20"), "order of progressive scans"),  # leaves out a bit
        ((9, 9, b"\x21"), "order of progressive scans"),  # a bit twice
        ((2, 5, b"\2"), "order of progressive scans"),  # Cb in place of Cr
        ((2, 5, b"\x09"), "components of the scan"),
        ((2, 4, b"\2"), "scan header"),
        ((2, 6, b"\3"), "table missing"),
    ],
)
def test_scripts_that_are_refused(patch, reason):
    with pytest.raises(PayloadError, match=reason):
        jpeg_scan.read(_patched(*patch))


@pytest.mark.parametrize(
    ("bands", "sound"),
    [
        (["0-0 0 2", "0-0 2 1", "1-63 0 13", "1-9 13 12", "1-9 12 11"], True),
        (["0-0 0 14"], False),
        (["0-5 0 0"], False),
        (["0-0 0 2", "0-0 2 0"], False),
        (["0-0 0 2", "0-0 1 0"], False),
        (["0-0 0 0", "0-0 0 0"], False),
        (["0-0 1 0"], False),
        (["1-5 0 0"], False),
        (["0-0 0 0", "5-4 0 0"], False),
        (["0-0 0 0", "1-64 0 0"], False),
        (["0-0 0 0", "1-5 0 2", "1-6 2 1"], False),
    ],
    ids=str,
)
def test_scripts_by_the_rules(bands, sound):
    header = jpeg_scan.layout(jpeg_scan.read(progressive(PHOTO[:, :, :1])).head).scans[0]
    scans = []
    for band in bands:
        first, last, high, low = map(int, band.replace("-", " ").split())
        scans.append(replace(header, first=first, last=last, high=high, low=low))
    if sound:
        jpeg_progressive.check_script(scans, 1)
    else:
        with pytest.raises(PayloadError, match="order of progressive scans"):
            jpeg_progressive.check_script(scans, 1)


def test_several_components_are_for_dc_only():
    dc = jpeg_scan.layout(jpeg_scan.read(progressive(PHOTO)).head).scans[0]
    ac = replace(dc, first=1, last=63)
    jpeg_progressive.check_script([dc, *(replace(ac, components=(n,)) for n in range(3))], 3)
    with pytest.raises(PayloadError, match="order of progressive scans"):
        jpeg_progressive.check_script([dc, ac], 3)


def test_components_of_one_number():
    data = progressive(PHOTO)
    at = data.index(b"\xff\xc2") + 13
    assert data[at] == 2
    with pytest.raises(PayloadError, match="components of the scan"):
        jpeg_scan.read(data[:at] + b"\3" + data[at + 1 :])


def test_fill_bytes_before_the_end():
    data = progressive(PHOTO)
    assert data.endswith(b"\xff\xd9")
    with pytest.raises(PayloadError, match="out of place"):
        jpeg_scan.read(data[:-2] + b"\xff\xff\xd9\0\4hi" + data)


def _inserted(segment, before):
    data = progressive(PHOTO)
    at = data.rindex(before)
    return data[:at] + segment + data[at:]


def _dqt(step):
    return b"\xff\xdb\0\x43\0" + bytes([step] * 64)


def test_between_scans():
    """Comments and tables that change nothing stay; other quantisers, a height, a frame do not."""
    data = progressive(PHOTO)
    same = data[data.index(b"\xff\xdb") :][: 4 + 65]
    for segment in (b"\xff\xfe\0\4hi", same):
        scan = back(_inserted(segment, b"\xff\xda"))
        assert scan.head.count(segment) > data.count(segment)
    for segment, reason in (
        (_dqt(77), "quantisation tables change"),
        (b"\xff\xdc\0\4\0\x50", "height is not in its header"),
        (data[data.index(b"\xff\xc2") :][:19], "several frames"),
        (b"\xff\xcc\0\4\0\0", "arithmetic"),
        (b"junk", "come back|restart|table|code|truncated|garbage"),
    ):
        with pytest.raises(PayloadError, match=reason):
            jpeg_scan.read(_inserted(segment, b"\xff\xda"))


def test_scans_without_end():
    head = jpeg_scan.read(progressive(np.zeros((8, 8), np.uint8))).head
    scan = head[jpeg_scan.layout(head).scans[0].end :] + b"\0"
    with pytest.raises(PayloadError, match=f"more than {jpeg.MAX_SCANS} scans"):
        jpeg_scan.read(head + b"\0" + scan * jpeg.MAX_SCANS + b"\xff\xd9")


def test_values_beyond_16_bits():
    band = np.array([32767, -32767, 32768])
    assert jpeg_progressive._narrow(band[:2]).tolist() == [32767, -32767]
    for n in (band, -band):
        with pytest.raises(PayloadError, match="out of range"):
            jpeg_progressive._narrow(n)


def test_write_refuses_what_does_not_fit():
    scan = jpeg_scan.read(progressive(PHOTO))
    y, cb, cr = scan.coefficients
    for planes, bits in (((y, cb), 1), ((cb, y, cr), 1), (scan.coefficients, 4), (scan.coefficients, -1)):
        with pytest.raises(PayloadError, match="do not fit"):
            jpeg_scan.write(scan.head, planes, scan.tail, bits)
    for k, value in ((0, 32767), (1, 32767), (9, -32768)):
        far = y.copy()
        far[k, 1, 1] = value
        with pytest.raises(PayloadError, match=r"Huffman code|out of range"):
            jpeg_scan.write(scan.head, (far, cb, cr), scan.tail, 1)


def test_every_truncation_is_refused():
    data = progressive(PHOTO[:24, :32], quality=40)
    for end in range(len(data)):
        with pytest.raises(PayloadError):
            jpeg_scan.read(data[:end])
    back(data)


@pytest.mark.parametrize("options", [{"quality": 60}, {"quality": 98, "subsampling": 0}, {"restart_marker_blocks": 3}], ids=str)
def test_mutations_are_refused_or_come_back(options):
    rng = np.random.default_rng(5)
    data = progressive(pictures.photo(80, 64), **options)
    outcomes = []
    for turn in range(80):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(20 if turn % 4 else 0, len(changed)))
            if turn % 5 == 4:
                del changed[at : at + int(rng.integers(1, 9))]
            else:
                changed[at] = int(rng.integers(256))
        try:
            scan = jpeg_scan.read(bytes(changed))
        except PayloadError:
            outcomes.append(False)
        else:
            assert isinstance(scan, Scan)
            assert jpeg_scan.write(scan.head, scan.coefficients, scan.tail, scan.padding) == bytes(changed)
            outcomes.append(True)
    assert 0 < sum(outcomes) < len(outcomes)
