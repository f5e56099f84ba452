"""Progressive JPEGs that must be refused: scripts against the rules, segments out of place, damage."""

from dataclasses import replace

import numpy as np
import pictures
import pytest

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import progressive, segments
from photoarc.pictures.jpeg import scans as jpeg_scan

PHOTO = pictures.photo(96, 80)


def written(scan, data=None):
    """The file again; if it may be cut, it is `data`."""
    return jpeg_scan.write_planned(scan.plan, scan.coefficients, scan.tail, scan.padding, len(data) if scan.cut else None)


def _patched(number, offset, new):
    """Other bytes in this SOS segment."""
    data, at = pictures.progressive_jpeg(PHOTO), -1
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
    header = jpeg_scan.layout(jpeg_scan.read(pictures.progressive_jpeg(PHOTO[:, :, :1])).head).scans[0]
    scans = []
    for band in bands:
        first, last, high, low = map(int, band.replace("-", " ").split())
        scans.append(replace(header, first=first, last=last, high=high, low=low))
    if sound:
        progressive.check_script(scans, 1)
    else:
        with pytest.raises(PayloadError, match="order of progressive scans"):
            progressive.check_script(scans, 1)


def test_several_components_are_for_dc_only():
    dc = jpeg_scan.layout(jpeg_scan.read(pictures.progressive_jpeg(PHOTO)).head).scans[0]
    ac = replace(dc, first=1, last=63)
    progressive.check_script([dc, *(replace(ac, components=(n,)) for n in range(3))], 3)
    with pytest.raises(PayloadError, match="order of progressive scans"):
        progressive.check_script([dc, ac], 3)


def test_components_of_one_number():
    data = pictures.progressive_jpeg(PHOTO)
    at = data.index(b"\xff\xc2") + 13
    assert data[at] == 2
    with pytest.raises(PayloadError, match="components of the scan"):
        jpeg_scan.read(data[:at] + b"\3" + data[at + 1 :])


def test_fill_bytes_before_the_end():
    data = pictures.progressive_jpeg(PHOTO)
    assert data.endswith(b"\xff\xd9")
    tail = b"\xff\xff\xd9\0\4hi" + data
    scan = jpeg_scan.read(data[:-2] + tail)
    assert scan.tail == tail
    assert jpeg_scan.write(scan.head, scan.coefficients, scan.tail, scan.padding) == data[:-2] + tail


def _inserted(segment, before):
    data = pictures.progressive_jpeg(PHOTO)
    at = data.rindex(before)
    return data[:at] + segment + data[at:]


def _dqt(step):
    return b"\xff\xdb\0\x43\0" + bytes([step] * 64)


def test_between_scans():
    """Comments and tables that change nothing stay; other quantisers, a height, a frame do not."""
    data = pictures.progressive_jpeg(PHOTO)
    same = data[data.index(b"\xff\xdb") :][: 4 + 65]
    for segment in (b"\xff\xfe\0\4hi", same):
        changed = _inserted(segment, b"\xff\xda")
        scan = jpeg_scan.read(changed)
        assert written(scan) == changed
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
    head = jpeg_scan.read(pictures.progressive_jpeg(np.zeros((8, 8), np.uint8))).head
    scan = head[jpeg_scan.layout(head).scans[0].end :] + b"\0"
    with pytest.raises(PayloadError, match=f"more than {segments.MAX_SCANS} scans"):
        jpeg_scan.read(head + b"\0" + scan * segments.MAX_SCANS + b"\xff\xd9")


def test_values_beyond_16_bits():
    band = np.array([32767, -32767, 32768])
    assert progressive._narrow(band[:2]).tolist() == [32767, -32767]
    for n in (band, -band):
        with pytest.raises(PayloadError, match="out of range"):
            progressive._narrow(n)


def test_write_refuses_what_does_not_fit():
    scan = jpeg_scan.read(pictures.progressive_jpeg(PHOTO))
    y, cb, cr = scan.coefficients
    for planes, bits in (((y, cb), 1), ((cb, y, cr), 1), (scan.coefficients, 4), (scan.coefficients, -1)):
        with pytest.raises(PayloadError, match="do not fit"):
            jpeg_scan.write(scan.head, planes, scan.tail, bits)
    for k, value in ((0, 32767), (1, 32767), (9, -32768)):
        far = y.copy()
        far[k, 1, 1] = value
        with pytest.raises(PayloadError, match=r"Huffman code|out of range"):
            jpeg_scan.write(scan.head, (far, cb, cr), scan.tail, 1)


def test_every_truncation_is_refused_or_comes_back():
    data = pictures.progressive_jpeg(PHOTO[:24, :32], quality=40)
    whole = cut = 0
    for end in range(len(data)):
        try:
            scan = jpeg_scan.read(data[:end])
        except PayloadError:
            continue
        assert written(scan, data[:end]) == data[:end]
        assert scan.cut or data[end : end + 2] in (b"\xff\xc4", b"\xff\xda", b"\xff\xd9")
        whole, cut = whole + (not scan.cut), cut + scan.cut
    assert whole == 10 + 9 - 1  # behind each scan, and behind the tables of the next one, which the refinement of DC has not
    assert cut > 0
    assert written(jpeg_scan.read(data)) == data


@pytest.mark.parametrize("options", [{"quality": 60}, {"quality": 98, "subsampling": 0}, {"restart_marker_blocks": 3}], ids=str)
def test_mutations_are_refused_or_come_back(options):
    rng = np.random.default_rng(5)
    data = pictures.progressive_jpeg(pictures.photo(80, 64), **options)
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
            assert written(scan, changed) == bytes(changed)
            outcomes.append(True)
    assert 0 < sum(outcomes) < len(outcomes)
