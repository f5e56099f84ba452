"""JPEG files of the kinds that people have beside the usual ones: made by Pillow, by jpegli, and by surgery on their bytes."""

import io
import re

import numpy as np
import pictures
import pyjpegli
from PIL import Image

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
        "CMYK": cmyk,
        "YCCK": ycck(cmyk),
        "RGB": pictures.jpeg(PHOTO, quality=85, keep_rgb=True),
        "arithmetic coding": changed(plain, _SOF, 1, b"\xc9"),
        "12 bits": changed(plain, _SOF, 4, b"\x0c"),
    }
