"""The one scan of a sequential JPEG as quantised DCT coefficients, and back to the same bytes.

    file = head (SOI to the end of the SOS header), entropy-coded data with restart markers, tail (EOI and what follows)

Source: ITU-T T.81 annexes A (order of blocks) and F (sequential mode). Baseline and extended sequential, Huffman-coded, 8 bit,
one or three components in one interleaved scan. Whatever else a file is, or does not come back as, is refused with
`PayloadError`: `read` writes what it has read and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures import jpeg, jpeg_bits, jpeg_huffman
from photoarc.pictures.jpeg_huffman import HuffmanTable

MAX_COEFFICIENTS = 64_000_000
_SOS, _DHT, _DRI = 0xDA, 0xC4, 0xDD
_MARKER = re.compile(rb"\xff+([^\xff])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_NOT_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_STRIP_COEFFICIENTS = 1 << 18  # at a time in `write`: its arrays stay in the cache


@dataclass(frozen=True, slots=True)
class Plane:
    """One component: its size in blocks, padded to whole MCUs, and how many of them are in an MCU.

    `quantiser`: (64,) in zigzag order.
    """

    rows: int
    columns: int
    horizontal: int
    vertical: int
    quantiser: NDArray[np.uint16]
    dc: HuffmanTable
    ac: HuffmanTable


@dataclass(frozen=True, slots=True)
class Layout:
    """What the head of a file says about its scan. `restart_interval`: in MCUs, 0 = none."""

    planes: tuple[Plane, ...]
    width_px: int
    height_px: int
    restart_interval: int

    @property
    def mcus(self) -> int:
        """Number of MCUs in the scan."""
        return self.planes[0].rows * self.planes[0].columns // (self.planes[0].horizontal * self.planes[0].vertical)

    @property
    def mcu_blocks(self) -> int:
        """Blocks of all planes in an MCU."""
        return sum(plane.horizontal * plane.vertical for plane in self.planes)

    @property
    def interval(self) -> int:
        """MCUs that are coded without a restart."""
        return self.restart_interval or self.mcus


@dataclass(frozen=True, slots=True)
class Scan:
    """A file taken apart.

    `coefficients`: (64, rows, columns) per plane, zigzag order first, DC without prediction. `padding`: the bit, 0 or 1, that
    fills the last byte of each restart interval.
    """

    head: bytes
    coefficients: tuple[NDArray[np.int16], ...]
    tail: bytes
    padding: int


def layout(head: bytes) -> Layout:
    """What the head of a JPEG file says: SOI to the end of the SOS header. Raises PayloadError if `read` does not read such files."""
    parts = jpeg.split(head + b"\xff\xd9")
    frame = parts.frame
    if frame.progressive:
        raise PayloadError("progressive JPEG")
    segments = list(_segments(head))
    tables: dict[tuple[bool, int], HuffmanTable] = {}
    restart_interval = 0
    for marker, body, _ in segments:
        if marker == _DHT:
            tables.update(jpeg_huffman.huffman_tables(body))
        elif marker == _DRI:
            if len(body) != 2:
                raise PayloadError("broken JPEG: restart interval")
            restart_interval = int.from_bytes(body, "big")
    _, body, end = segments[-1]
    count = len(frame.components)
    if end != len(head) or body[:1] != bytes([count]) or len(body) != 4 + 2 * count or body[-3:] != b"\0\x3f\0":
        raise PayloadError("not a JPEG of one sequential scan")
    if any(body[1 + 2 * n] != part.id for n, part in enumerate(frame.components)):
        raise PayloadError("broken JPEG: components of the scan")
    # One component is not interleaved: an MCU is a block, whatever the sampling factors (T.81 A.2.2).
    sampling = [(part.horizontal, part.vertical) for part in frame.components] if count > 1 else [(1, 1)]
    wide, high = (max(axis) for axis in zip(*sampling, strict=True))
    mcu_columns, mcu_rows = -(-frame.width_px // (8 * wide)), -(-frame.height_px // (8 * high))
    mcu_blocks = sum(h * v for h, v in sampling)
    if mcu_blocks > 10:  # T.81 B.2.3
        raise PayloadError("broken JPEG: sampling factors")
    if 64 * mcu_blocks * mcu_columns * mcu_rows > MAX_COEFFICIENTS:
        raise PayloadError("JPEG of too many coefficients")
    planes = []
    for n, (part, (h, v)) in enumerate(zip(frame.components, sampling, strict=True)):
        quantiser = np.array(parts.tables[part.table], np.uint16)[list(jpeg.ZIGZAG)]
        selected = body[2 + 2 * n]
        dc, ac = tables.get((False, selected >> 4)), tables.get((True, selected & 15))
        if dc is None or ac is None:
            raise PayloadError("broken JPEG: Huffman table missing")
        planes.append(Plane(mcu_rows * v, mcu_columns * h, h, v, quantiser, dc, ac))
    return Layout(tuple(planes), frame.width_px, frame.height_px, restart_interval)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(marker, body, end) of each segment up to the first SOS."""
    at, marker = 2, 0
    while marker != _SOS:
        match = _MARKER.match(data, at)
        if match is None:
            raise PayloadError("broken JPEG: garbage between segments" if data[at:].strip(b"\xff") else "truncated JPEG")
        marker, body_at = match[1][0], match.end() + 2
        at = match.end() + int.from_bytes(data[match.end() : body_at], "big")
        if max(at, body_at) > len(data):
            raise PayloadError("truncated JPEG")
        if at < body_at:
            raise PayloadError("broken JPEG: marker out of place")
        yield marker, data[body_at:at], at


def read(data: bytes) -> Scan:
    """Take a JPEG file apart. Raises PayloadError unless `write` gives the same bytes again."""
    if data[:2] != b"\xff\xd8":
        raise PayloadError("broken JPEG: no start marker")
    jpeg.check_claims(data)
    *_, (_, _, start) = _segments(data)
    head = data[:start]
    plan = layout(head)
    after = _NOT_DATA.search(data, start)
    if after is None:
        raise PayloadError("truncated JPEG")
    if after[0] != b"\xff\xd9":
        raise PayloadError("JPEG of several scans, or with fill bytes")
    intervals = [part.replace(b"\xff\0", b"\xff") for part in _RESTART.split(data[start : after.start()])]
    if len(intervals) != -(-plan.mcus // plan.interval):
        raise PayloadError("broken JPEG: restart markers")
    coefficients = _decode(plan, intervals)
    tail = data[after.start() :]
    coded, free = _encode(plan, coefficients)
    padding = next((part[-1] & 1 for part, bits in zip(intervals, free, strict=True) if bits and part), 1)
    if _join(head, coded, free, tail, padding) != data:
        raise PayloadError("JPEG that would not come back as it is")
    return Scan(head, coefficients, tail, padding)


def write(head: bytes, coefficients: Sequence[NDArray[np.int16]], tail: bytes, padding: int) -> bytes:
    """The file that `read` took apart. Raises PayloadError if there is no code for a coefficient."""
    plan = layout(head)
    kinds = [(part.dtype, part.shape) for part in coefficients]
    if kinds != [(np.dtype(np.int16), (64, plane.rows, plane.columns)) for plane in plan.planes] or padding not in (0, 1):
        raise PayloadError("coefficients do not fit the head of the JPEG")
    return _join(head, *_encode(plan, coefficients), tail, padding)


def _scan_order(plan: Layout, planes: Sequence[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """(..., rows, columns) arrays per plane as (..., MCU rows, MCU columns, rows of blocks in an MCU, columns): T.81 A.2.3."""
    out = []
    for plane, values in zip(plan.planes, planes, strict=True):
        h, v = plane.horizontal, plane.vertical
        blocks = values.reshape(*values.shape[:-2], plane.rows // v, v, plane.columns // h, h)
        out.append(np.moveaxis(blocks, -3, -2))
    return out


def _decode(plan: Layout, intervals: Sequence[bytes]) -> tuple[NDArray[np.int16], ...]:
    """Entropy-coded data, without markers and stuffing, -> coefficients."""
    sizes = [plane.rows * plane.columns for plane in plan.planes]
    starts = np.cumsum([0, *sizes]) * 64
    flat = np.zeros(starts[-1], np.int16)
    # Of each block in the order of the scan: where its DC is, and how far it is from there to the next coefficient.
    places = [
        (start + np.arange(size, dtype=np.int64)).reshape(p.rows, p.columns)
        for start, size, p in zip(starts, sizes, plan.planes, strict=False)
    ]
    by_plane = [p.reshape(plan.mcus, -1) for p in _scan_order(plan, places)]
    place = np.concatenate(by_plane, axis=1).ravel()
    stride = np.tile(np.repeat(sizes, [p.shape[1] for p in by_plane]), plan.mcus)
    counts = [p.shape[1] for p in by_plane]
    dc = [plane.dc for plane, n in zip(plan.planes, counts, strict=True) for _ in range(n)]
    ac = [plane.ac for plane, n in zip(plan.planes, counts, strict=True) for _ in range(n)]
    machine = jpeg_huffman.machine(dc, ac)
    for number, k, value in jpeg_huffman.decode(machine, intervals, plan.interval * plan.mcu_blocks):
        inside = slice(np.searchsorted(number, len(place)))  # the last interval may be shorter, and has padding
        block, index = number[inside], k[inside]
        if index.max(initial=0) > 63:
            raise PayloadError("broken JPEG: run beyond its block")
        flat[place[block] + index * stride[block]] = value[inside]
    for places_of in by_plane:
        dcs = places_of.ravel()
        flat[dcs] = _undo_prediction(flat[dcs], plan.interval * places_of.shape[1])
    return tuple(
        flat[start : start + 64 * size].reshape(64, p.rows, p.columns) for start, size, p in zip(starts, sizes, plan.planes, strict=False)
    )


def _undo_prediction(differences: NDArray[np.int16], reset: int) -> NDArray[np.int16]:
    """DC values in the order of the scan, predicted from the one before, or from 0 every `reset` values (T.81 F.1.1.5.1)."""
    total = np.concatenate([[0], np.cumsum(differences, dtype=np.int64)])
    before = total[: len(differences) : reset]
    values = total[1:] - np.repeat(before, reset)[: len(differences)]
    out: NDArray[np.int16] = values.astype(np.int16)
    if (out != values).any():
        raise PayloadError("broken JPEG: DC out of range")
    return out


def _predict(values: NDArray[np.int16], reset: int) -> NDArray[np.int16]:
    differences = np.diff(values.astype(np.int32), prepend=0)
    differences[::reset] = values[::reset]
    out: NDArray[np.int16] = differences.astype(np.int16)
    if (out != differences).any() or (out == -32768).any():
        raise PayloadError("DC out of range")
    return out


def _encode(plan: Layout, coefficients: Sequence[NDArray[np.int16]]) -> tuple[list[bytes], list[int]]:
    """Coefficients -> intervals without stuffing and markers, and the number of bits that are free (0) at the end of each."""
    planes = [np.asarray(c, np.int16) for c in coefficients]
    if min(int(c.min()) for c in planes) == -32768:
        raise PayloadError("coefficient out of range")
    ordered = _scan_order(plan, planes)
    mcu_rows, mcu_columns = ordered[0].shape[1:3]
    counts = [part.shape[-2] * part.shape[-1] for part in ordered]
    differences = [_predict(part[0].ravel(), plan.interval * n).reshape(part.shape[1:]) for part, n in zip(ordered, counts, strict=True)]
    tables = [t for plane in plan.planes for t in (plane.dc, plane.ac)]
    codes = np.concatenate([jpeg_huffman.codes(t) for t in tables])
    dc_base = np.tile(np.repeat(512 * np.arange(len(planes)), counts), mcu_columns)
    intervals: list[bytes] = []
    free: list[int] = []
    parts: list[bytes] = []
    rest, rest_bits = 0, 0  # what does not fill a byte yet
    step = max(1, _STRIP_COEFFICIENTS // (64 * len(dc_base)))
    for low in range(0, mcu_rows, step):
        rows = min(step, mcu_rows - low)
        strip = np.empty((rows, mcu_columns, sum(counts), 64), np.int16)
        at = 0
        for part, difference, n in zip(ordered, differences, counts, strict=True):
            target = strip[:, :, at : at + n].reshape(rows, mcu_columns, *part.shape[-2:], 64)
            target[...] = np.moveaxis(part[:, low : low + rows], 0, -1)
            target[..., 0] = difference[low : low + rows]
            at += n
        first = low * mcu_columns
        cuts = np.arange(-(-max(first, 1) // plan.interval) * plan.interval, first + rows * mcu_columns, plan.interval) - first
        bases = np.tile(dc_base, rows)
        done, ends, pads, bits = jpeg_bits.encode(strip.reshape(-1, 64), codes, bases, cuts * plan.mcu_blocks, rest, rest_bits)
        begin = 0
        for end, pad in zip(ends, pads, strict=True):
            intervals.append(b"".join([*parts, done[begin:end]]))
            free.append(pad)
            parts, begin = [], end
        whole = bits // 8
        parts.append(done[begin:whole])
        rest_bits = bits % 8
        rest = done[whole] if rest_bits else 0
    if rest_bits:
        parts.append(bytes([rest]))
    intervals.append(b"".join(parts))
    free.append(-rest_bits % 8)
    return intervals, free


def _join(head: bytes, intervals: Sequence[bytes], free: Sequence[int], tail: bytes, padding: int) -> bytes:
    """Fill up each interval's last byte, put zeros behind FF, and markers between intervals."""
    out = [head]
    for n, (part, bits) in enumerate(zip(intervals, free, strict=True)):
        if n:
            out.append(bytes([0xFF, 0xD0 + (n - 1) % 8]))
        filled = part[:-1] + bytes([part[-1] | (1 << bits) - 1]) if padding and bits else part
        out.append(filled.replace(b"\xff", b"\xff\0"))
    return b"".join([*out, tail])
