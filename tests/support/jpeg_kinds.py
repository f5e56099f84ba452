"""JPEG files of the kinds that people have beside the usual ones: made by Pillow, by jpegli, and by surgery on their bytes.

`python tests/support/jpeg_kinds.py [EFFORT]` prints which codec has which, and what it leaves.
"""

import io
import re
import sys

import numpy as np
import pictures
import pyjpegli
from PIL import Image

from photoarc import codecs
from photoarc.codecs import bitexact
from photoarc.options import EFFORT
from photoarc.pictures.jpeg import scans

PHOTO = pictures.photo(272, 208)
_SOF, _SOS, _EOI = b"\xff\xc0", b"\xff\xda", b"\xff\xd9"
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + np.random.default_rng(7).bytes(3000)


def sampled(*factors):
    """A picture with these (horizontal, vertical) sampling factors of Y, Cb, Cr: the blocks of one of 4:4:4, as far as they reach."""
    scan = scans.read(pictures.jpeg(PHOTO, quality=85, subsampling=0))
    at = scan.head.index(_SOF) + 10
    head = bytearray(scan.head)
    for n, (horizontal, vertical) in enumerate(factors):
        head[at + 3 * n + 1] = horizontal << 4 | vertical
    planes = []
    for plane, had in zip(scans.layout(bytes(head)).planes, scan.coefficients, strict=True):
        made = np.zeros((64, plane.rows, plane.columns), np.int16)
        rows, columns = min(plane.rows, had.shape[1]), min(plane.columns, had.shape[2])
        made[:, :rows, :columns] = had[:, :rows, :columns]
        planes.append(made)
    return scans.write(bytes(head), planes, scan.tail, 1)


def in_scans(*groups, restart_interval=0, **options):
    """A sequential picture with a scan for each group of components."""
    scan = scans.read(pictures.jpeg(PHOTO, quality=85, **options))
    plan, at = scans.layout(scan.head), scan.head.index(_SOS)
    components = [scan.head[at + 5 + 2 * n : at + 7 + 2 * n] for n in range(3)]
    head = scan.head[:at]
    if restart_interval:
        head += b"\xff\xdd\0\4" + restart_interval.to_bytes(2, "big")
    for group in groups:
        head += _SOS + (6 + 2 * len(group)).to_bytes(2, "big") + bytes([len(group)]) + b"".join(components[n] for n in group) + b"\0\x3f\0"
    planes = [np.array(part) for part in scan.coefficients]
    for (n,) in (group for group in groups if len(group) == 1):  # a scan of one component has no blocks beside the picture
        plane, high, wide = plan.planes[n], max(p.vertical for p in plan.planes), max(p.horizontal for p in plan.planes)
        planes[n][:, -(-plan.height_px * plane.vertical // (8 * high)) :] = 0
        planes[n][:, :, -(-plan.width_px * plane.horizontal // (8 * wide)) :] = 0
    return scans.write(head, planes, scan.tail, 1)


def jpegli(pixels, quality=80):
    """What jpegli writes: progressive, tables of its own."""
    return pyjpegli.encode(pixels.tobytes(), pixels.shape[1], pixels.shape[0], quality=quality)


# A script of MozJPEG (jcparam.c): components, first, last, high, low; DC of each by itself, luma in bands that are refined.
_MOZJPEG = (
    *(((0,), 0, 0, 0, 0), ((1, 2), 0, 0, 0, 0), ((0,), 1, 8, 0, 2), ((0,), 9, 63, 0, 2)),
    *(((1,), 1, 8, 0, 1), ((2,), 1, 8, 0, 1), ((1,), 9, 63, 0, 1), ((2,), 9, 63, 0, 1)),
    *(((0,), 1, 63, 2, 1), ((0,), 1, 63, 1, 0), ((1,), 1, 63, 1, 0), ((2,), 1, 63, 1, 0)),
)


def mozjpeg():
    """A progressive picture in the scans of MozJPEG, with one table for all symbols of DC, and one for those of AC."""
    scan = scans.read(pictures.jpeg(PHOTO, quality=85, subsampling=2))
    frame = scan.head.index(_SOF)
    head = scan.head[:frame] + b"\xff\xc2" + scan.head[frame + 2 : frame + 19]
    for ac in (0, 0x10):
        counts, symbols = ([0] * 7 + [254, 2], range(256)) if ac else ([0, 0, 0, 15], range(15))
        body = bytes([ac, *counts, *[0] * (16 - len(counts)), *symbols])
        head += b"\xff\xc4" + (2 + len(body)).to_bytes(2, "big") + body
    for group, first, last, high, low in _MOZJPEG:
        components = b"".join(bytes([scan.head[frame + 10 + 3 * n], 0]) for n in group)
        head += _SOS + (6 + len(components)).to_bytes(2, "big") + bytes([len(group)]) + components + bytes([first, last, high << 4 | low])
    planes = [np.array(plane) for plane in scan.coefficients]
    high, wide = (-(-side // 8) for side in PHOTO.shape[:2])
    planes[0][1:, high:], planes[0][1:, :, wide:] = 0, 0  # AC has no blocks beside the picture
    for plane in planes[1:]:
        plane[1:, -(-high // 2) :], plane[1:, :, -(-wide // 2) :] = 0, 0
    planes[0][0, high:], planes[0][0, :, wide:] = 0, 0
    return scans.write(head, planes, b"\xff\xd9", 1)


def changed(data, marker, offset, new):
    """Bytes at an offset from a marker, replaced."""
    at = data.index(marker) + offset
    return data[:at] + new + data[at + len(new) :]


def components(count):
    """A head that names so many components, and not much more."""
    plain = pictures.jpeg(PHOTO, quality=85)
    at = plain.index(_SOF)
    rows = b"".join(bytes([n + 1, 0x11, 0]) for n in range(count))
    frame = _SOF + (8 + len(rows)).to_bytes(2, "big") + plain[at + 4 : at + 9] + bytes([count]) + rows
    return plain[:at] + frame + plain[at + 19 :]


def ycck(cmyk):
    """The same samples, called Y, Cb, Cr and black by Adobe's segment."""
    at = cmyk.index(b"Adobe") + 11
    return cmyk[:at] + b"\2" + cmyk[at + 1 :]


def padded_otherwise(data):
    """Before the first restart marker where that is padding alone, the last bit is 0 and not 1."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    for found in re.finditer(rb"[^\xff]\xff[\xd0-\xd7]", data):
        at = found.start()
        changed = data[:at] + bytes([data[at] & 0xFE]) + data[at + 1 :]
        if changed != data and np.array_equal(np.asarray(Image.open(io.BytesIO(changed))), pixels):
            return changed
    raise AssertionError("no padding in it")


def wide_steps(data):
    """Extended sequential, with tables of 16 bits; the last step of the first one is 300."""
    tables, at, number = [], data.index(b"\xff\xdb"), 0
    while data[at : at + 5] == b"\xff\xdb\0\x43" + bytes([number]):
        steps = [*data[at + 5 : at + 69]]
        steps[63] = 300 if number == 0 else steps[63]
        tables.append(b"\xff\xdb\0\x83" + bytes([0x10 | number]) + b"".join(step.to_bytes(2, "big") for step in steps))
        at, number = at + 69, number + 1
    first, frame = data.index(b"\xff\xdb"), data.index(_SOF)
    return data[:first] + b"".join(tables) + data[at:frame] + b"\xff\xc1" + data[frame + 2 :]


def height_behind(data):
    """The height is 0 in the frame header and stands in a DNL segment behind the scan."""
    at = data.index(_SOF) + 5
    assert data.endswith(_EOI)
    return data[:at] + b"\0\0" + data[at + 2 : -2] + b"\xff\xdc\0\4" + data[at : at + 2] + _EOI


def kinds():
    """Name -> file."""
    plain = pictures.jpeg(PHOTO, quality=85)
    cmyk = pictures.cmyk_jpeg(PHOTO)
    mpf = plain[:2] + b"\xff\xe2\0\x06MPF\0" + plain[2:]
    return {
        "4:2:0": plain,
        "4:2:2": pictures.jpeg(PHOTO, quality=85, subsampling=1),
        "4:4:4": pictures.jpeg(PHOTO, quality=85, subsampling=0),
        "grey": pictures.jpeg(PHOTO[:, :, :1], quality=85),
        "4:4:0": sampled((1, 2), (1, 1), (1, 1)),
        "4:1:1": sampled((4, 1), (1, 1), (1, 1)),
        "4:1:0": sampled((4, 2), (1, 1), (1, 1)),
        "chroma no divisor": sampled((3, 1), (2, 1), (2, 1)),
        "chroma of two sizes": sampled((2, 1), (2, 1), (1, 1)),
        "restart intervals": pictures.jpeg(PHOTO, quality=85, restart_marker_blocks=5),
        "three scans": in_scans((0,), (1,), (2,), subsampling=2),
        "two scans, restarts": in_scans((0,), (1, 2), subsampling=1, restart_interval=7),
        "progressive": pictures.progressive_jpeg(PHOTO, quality=85),
        "progressive, jpegli": jpegli(PHOTO),
        "bytes after EOI": plain + b"written by a camera",
        "zeros after EOI": plain + bytes(4000),
        "no EOI": plain[:-2],
        "cut": plain[: len(plain) * 3 // 4],
        "cut, then ended": plain[: len(plain) * 3 // 4] + _EOI,
        "cut, restart intervals": pictures.jpeg(PHOTO, quality=85, restart_marker_blocks=5)[:6000],
        "cut, progressive": pictures.progressive_jpeg(PHOTO, quality=85)[:6000],
        "MPF, second picture": mpf + pictures.jpeg(PHOTO[::4, ::4], quality=80),
        "gain map behind": plain + pictures.jpeg(PHOTO[::2, ::2, :1], quality=80),
        "film behind": plain + FILM,
        "padding of two kinds": padded_otherwise(pictures.jpeg(PHOTO, quality=85, restart_marker_blocks=5)),
        "steps of 16 bits": wide_steps(plain),
        "two EXIF segments": pictures.jpeg(PHOTO, quality=85, segments=[(0xE1, b"Exif\0\0" + pictures.exif(n)) for n in (1, 6)]),
        "height behind the scan (DNL)": height_behind(plain),
        "progressive, MozJPEG": mozjpeg(),
        "lossless": changed(plain, _SOF, 1, b"\xc3"),
        "hierarchical": changed(plain, _SOF, 1, b"\xc5"),
        "five components": components(5),
        "CMYK": cmyk,
        "YCCK": ycck(cmyk),
        "RGB": pictures.jpeg(PHOTO, quality=85, keep_rgb=True),
        "arithmetic coding": changed(plain, _SOF, 1, b"\xc9"),
        "12 bits": changed(plain, _SOF, 4, b"\x0c"),
    }


def table(effort):
    """Of each kind the codec that has it at this effort, and its share of the bytes, as Markdown."""
    yield "| kind | bytes | codec | left | why not dct |"
    yield "|---|---|---|---|---|"
    for name, data in kinds().items():
        found = bitexact.code(data, effort)
        left = f"{100 * len(found.payload) / len(data):.1f} %"
        yield f"| {name} | {len(data):,} | {codecs.codec_name(found.codec_id)} | {left} | {found.refused} |"


if __name__ == "__main__":
    print(*table(int(sys.argv[1]) if len(sys.argv) > 1 else EFFORT), sep="\n")
