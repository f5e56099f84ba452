"""The scans of a JPEG as quantised DCT coefficients, and back to the same bytes.

    sequential = head (SOI to the end of the SOS header), entropy-coded data with restart markers, tail (EOI and what follows)
    progressive = the same with data behind each of several SOS headers; its head is all before the tail without these data

Source: ITU-T T.81 annexes A (order of blocks), F (sequential mode), G (progressive mode). Baseline and extended sequential with
one interleaved scan, and progressive; Huffman-coded, 8 bit, one or three components. Whatever else a file is, or does not come
back as, is refused with `PayloadError`: `read` writes what it has read and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import huffman, progressive_bits, segments, sequential_bits
from photoarc.pictures.jpeg import progressive as jpeg_progressive
from photoarc.pictures.jpeg.huffman import HuffmanTable
from photoarc.pictures.jpeg.progressive import ScanHeader
from photoarc.pictures.jpeg.progressive_bits import Intervals, NonZeros
from photoarc.pictures.kinds import JPEG_SOI

MAX_COEFFICIENTS = 40_000_000  # a 4:2:0 photograph of 26 megapixels; coding it takes 8 bytes each
_SOS, _EOI, _DHT, _DRI, _SOF2 = 0xDA, 0xD9, 0xC4, 0xDD, 0xC2
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


@dataclass(frozen=True, slots=True)
class Layout:
    """What the head of a file says about its scans: one of all components, or those of a progressive file."""

    planes: tuple[Plane, ...]
    width_px: int
    height_px: int
    progressive: bool
    scans: tuple[ScanHeader, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A file taken apart.

    `coefficients`: (64, rows, columns) per plane, zigzag order first, DC without prediction. `padding`: the bit, 0 or 1, that
    fills the last byte of each restart interval; of a progressive file plus 2 if its ends of bands are `apart`.
    """

    head: bytes
    coefficients: tuple[NDArray[np.int16], ...]
    tail: bytes
    padding: int


def layout(head: bytes) -> Layout:
    """What the head of a JPEG file says: SOI to the end of the last SOS header. Raises PayloadError if `read` does not read such files."""
    parts = segments.split(head + b"\xff\xd9")
    frame = parts.frame
    count = len(frame.components)
    # One component is not interleaved: an MCU is a block, whatever the sampling factors (T.81 A.2.2).
    sampling = [(part.horizontal, part.vertical) for part in frame.components] if count > 1 else [(1, 1)]
    scans: list[ScanHeader] = []
    tables: dict[tuple[bool, int], HuffmanTable] = {}
    restart_interval, at = 0, 2
    while at < len(head):
        for marker, body, end in _segments(head, at):
            at = end
            if marker == _DHT:
                tables.update(huffman.huffman_tables(body))
            elif marker == _DRI:
                if len(body) != 2:
                    raise PayloadError("broken JPEG: restart interval")
                restart_interval = int.from_bytes(body, "big")
            elif marker == _SOS:
                scans.append(_scan_header(frame, sampling, body, tables, restart_interval, at))
    if not frame.progressive and len(scans) != 1:
        raise PayloadError("not a JPEG of one sequential scan")
    mcu_columns, mcu_rows = _mcus(frame, sampling)
    mcu_blocks = sum(h * v for h, v in sampling)
    if mcu_blocks > 10:  # T.81 B.2.3
        raise PayloadError("broken JPEG: sampling factors")
    if 64 * mcu_blocks * mcu_columns * mcu_rows > MAX_COEFFICIENTS:
        raise PayloadError("JPEG of too many coefficients")
    if frame.progressive:
        jpeg_progressive.check_script(scans, count)
        first = segments.split(head[: scans[0].end] + b"\xff\xd9").tables
        if any(first[part.table] != parts.tables[part.table] for part in frame.components):
            raise PayloadError("JPEG whose quantisation tables change")
    planes = []
    for part, (h, v) in zip(frame.components, sampling, strict=True):
        quantiser = np.array(parts.tables[part.table], np.uint16)[list(segments.ZIGZAG)]
        planes.append(Plane(mcu_rows * v, mcu_columns * h, h, v, quantiser))
    return Layout(tuple(planes), frame.width_px, frame.height_px, frame.progressive, tuple(scans))


def _mcus(frame: segments.Frame, sampling: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Columns and rows of MCUs with all components."""
    wide, high = (max(axis) for axis in zip(*sampling, strict=True))
    return -(-frame.width_px // (8 * wide)), -(-frame.height_px // (8 * high))


def _scan_header(
    frame: segments.Frame,
    sampling: Sequence[tuple[int, int]],
    body: bytes,
    tables: Mapping[tuple[bool, int], HuffmanTable],
    restart_interval: int,
    end: int,
) -> ScanHeader:
    """SOS segment (T.81 B.2.3) with what is in force there."""
    count = len(frame.components)
    if not frame.progressive and (body[:1] != bytes([count]) or len(body) != 4 + 2 * count or body[-3:] != b"\0\x3f\0"):
        raise PayloadError("not a JPEG of one sequential scan")
    if len(body) < 6 or len(body) != 4 + 2 * body[0]:
        raise PayloadError("broken JPEG: scan header")
    first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
    ids = bytes(part.id for part in frame.components)
    components = [ids.find(number) % (count + 1) for number in body[1:-3:2]] if body[1:-3:2] != ids else list(range(count))
    ascending = all(one < other for one, other in zip(components, [*components[1:], count], strict=True))
    if not ascending:
        raise PayloadError("broken JPEG: components of the scan")
    mcu_columns, mcu_rows = _mcus(frame, sampling)
    if len(components) == 1:  # only blocks with something of the picture, and an MCU is a block (T.81 A.2.2)
        (h, v), (wide, tall) = sampling[components[0]], (max(axis) for axis in zip(*sampling, strict=True))
        mcu_columns, mcu_rows = -(-frame.width_px * h // (8 * wide)), -(-frame.height_px * v // (8 * tall))
    inside = tuple(sampling[n] for n in components) if len(components) > 1 else ((1, 1),)
    needs = (not first and not high, last > 0)  # sequential: both; progressive: one, or none to refine DC
    found = [[tables.get((bool(ac), s >> 4 * (1 - ac) & 15)) for s in body[2:-3:2]] if need else [] for ac, need in enumerate(needs)]
    dc, ac = (tuple(table for table in part if table is not None) for part in found)
    if len(dc) + len(ac) < sum(needs) * len(components):
        raise PayloadError("broken JPEG: Huffman table missing")
    return ScanHeader(
        components=tuple(components),
        sampling=inside,
        mcu_rows=mcu_rows,
        mcu_columns=mcu_columns,
        first=first,
        last=last,
        high=high,
        low=low,
        dc=dc,
        ac=ac,
        restart_interval=restart_interval,
        end=end,
    )


def _segments(data: bytes, at: int = 2) -> Iterator[tuple[int, bytes, int]]:
    """(marker, body, end) of each segment up to the next SOS."""
    marker = 0
    while marker != _SOS:
        match = _MARKER.match(data, at)
        if match is None:
            raise PayloadError("broken JPEG: garbage between segments" if data[at:].strip(b"\xff") else "truncated JPEG")
        marker, body_at = match[1][0], match.end() + 2
        at = match.end() + int.from_bytes(data[match.end() : body_at], "big")
        if max(at, body_at) > len(data):
            raise PayloadError("truncated JPEG")
        if at < body_at or marker == _EOI:
            raise PayloadError("broken JPEG: marker out of place")
        yield marker, data[body_at:at], at


def read(data: bytes) -> Scan:
    """Take a JPEG file apart. Raises PayloadError unless `write` gives the same bytes again."""
    if data[:2] != JPEG_SOI:
        raise PayloadError("broken JPEG: no start marker")
    segments.check_claims(data)
    *before, (_, _, start) = _segments(data)
    progressive = any(marker == _SOF2 for marker, _, _ in before)
    if not progressive:
        layout(data[:start])  # says why a file is refused, before its data do
    pieces, coded, end = [], [], 0
    while True:
        pieces.append(data[end:start])
        after = _NOT_DATA.search(data, start)
        if after is None:
            raise PayloadError("truncated JPEG")
        end = after.start()
        coded.append([part.replace(b"\xff\0", b"\xff") for part in _RESTART.split(data[start:end])])
        if after[0] == b"\xff\xd9":
            break
        if not progressive:
            raise PayloadError("JPEG of several scans, or with fill bytes")
        *_, (_, _, start) = _segments(data, end)
    head, tail = b"".join(pieces), data[end:]
    plan = layout(head)
    if any(len(intervals) != -(-scan.mcus // scan.interval) for scan, intervals in zip(plan.scans, coded, strict=True)):
        raise PayloadError("broken JPEG: restart markers")
    coefficients = _decode_progressive(plan, coded) if plan.progressive else _decode(plan, coded[0])
    known: dict[int, NonZeros] = {}
    refusal = PayloadError("JPEG that would not come back as it is")
    for apart in (False, True) if plan.progressive else (False,):
        written: list[Intervals] = []
        try:
            for had, now in zip(coded, _encode_all(plan, coefficients, known, apart=apart), strict=True):
                if [len(part) for part in had] != [len(part) for part in now[0]]:
                    break
                written.append(now)
        except PayloadError as error:
            refusal = error
        if len(written) < len(coded):
            continue
        ends = (
            (part[-1], bits) for had, (_, free) in zip(coded, written, strict=True) for part, bits in zip(had, free, strict=True) if part
        )
        padding = next((last & 1 for last, bits in ends if bits), 1)
        if _join(head, plan, written, tail, padding) == data:
            return Scan(head, coefficients, tail, padding | apart << 1)
    raise refusal


def write(head: bytes, coefficients: Sequence[NDArray[np.int16]], tail: bytes, padding: int) -> bytes:
    """The file that `read` took apart. Raises PayloadError if there is no code for a coefficient."""
    plan = layout(head)
    kinds = [(part.dtype, part.shape) for part in coefficients]
    if kinds != [(np.dtype(np.int16), (64, plane.rows, plane.columns)) for plane in plan.planes] or padding not in range(
        4 if plan.progressive else 2
    ):
        raise PayloadError("coefficients do not fit the head of the JPEG")
    return _join(head, plan, _encode_all(plan, coefficients, {}, apart=padding > 1), tail, padding & 1)


def _scan_order(plan: Layout, planes: Sequence[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """(..., rows, columns) arrays per plane as (..., MCU rows, MCU columns, rows of blocks in an MCU, columns): T.81 A.2.3."""
    out = []
    for plane, values in zip(plan.planes, planes, strict=True):
        h, v = plane.horizontal, plane.vertical
        blocks = values.reshape(*values.shape[:-2], plane.rows // v, v, plane.columns // h, h)
        out.append(np.moveaxis(blocks, -3, -2))
    return out


def _decode(plan: Layout, intervals: Sequence[bytes]) -> tuple[NDArray[np.int16], ...]:
    """Entropy-coded data of a sequential scan, without markers and stuffing, -> coefficients."""
    (scan,) = plan.scans
    sizes = [plane.rows * plane.columns for plane in plan.planes]
    starts = np.cumsum([0, *sizes]) * 64
    flat = np.zeros(starts[-1], np.int16)
    # Of each block in the order of the scan: where its DC is, and how far it is from there to the next coefficient.
    places = [
        (start + np.arange(size, dtype=np.int64)).reshape(p.rows, p.columns)
        for start, size, p in zip(starts, sizes, plan.planes, strict=False)
    ]
    by_plane = [p.reshape(scan.mcus, -1) for p in _scan_order(plan, places)]
    place = np.concatenate(by_plane, axis=1).ravel()
    stride = np.tile(np.repeat(sizes, [p.shape[1] for p in by_plane]), scan.mcus)
    counts = [p.shape[1] for p in by_plane]
    dc = [table for table, n in zip(scan.dc, counts, strict=True) for _ in range(n)]
    ac = [table for table, n in zip(scan.ac, counts, strict=True) for _ in range(n)]
    machine = huffman.machine(dc, ac)
    for number, k, value in huffman.decode(machine, intervals, scan.interval * scan.mcu_blocks):
        inside = slice(np.searchsorted(number, len(place)))  # the last interval may be shorter, and has padding
        block, index = number[inside], k[inside]
        if index.max(initial=0) > 63:
            raise PayloadError("broken JPEG: run beyond its block")
        flat[place[block] + index * stride[block]] = value[inside]
    for places_of in by_plane:
        dcs = places_of.ravel()
        flat[dcs] = sequential_bits.undo_prediction(flat[dcs], scan.interval * places_of.shape[1])
    return tuple(
        flat[start : start + 64 * size].reshape(64, p.rows, p.columns) for start, size, p in zip(starts, sizes, plan.planes, strict=False)
    )


def _decode_progressive(plan: Layout, coded: Sequence[Sequence[bytes]]) -> tuple[NDArray[np.int16], ...]:
    blocks = [np.zeros((plane.rows, plane.columns, 64), np.int16) for plane in plan.planes]
    for scan, intervals in zip(plan.scans, coded, strict=True):
        jpeg_progressive.decode(scan, intervals, blocks)
    return tuple(np.ascontiguousarray(np.moveaxis(part, -1, 0)) for part in blocks)


def _encode_all(plan: Layout, coefficients: Sequence[NDArray[np.int16]], known: dict[int, NonZeros], *, apart: bool) -> Iterator[Intervals]:
    """Of each scan: intervals without stuffing and markers, and the number of bits that are free (0) at the end of each."""
    planes = [np.asarray(c, np.int16) for c in coefficients]
    if min(int(c.min()) for c in planes) == -32768:
        raise PayloadError("coefficient out of range")
    for scan in plan.scans:
        yield progressive_bits.encode(scan, planes, known, apart=apart) if plan.progressive else _encode(plan, planes)


def _encode(plan: Layout, planes: Sequence[NDArray[np.int16]]) -> Intervals:
    """Coefficients -> intervals of a sequential scan."""
    (scan,) = plan.scans
    ordered = _scan_order(plan, planes)
    mcu_rows, mcu_columns = ordered[0].shape[1:3]
    counts = [part.shape[-2] * part.shape[-1] for part in ordered]
    differences = [
        sequential_bits.predict(part[0].ravel(), scan.interval * n).reshape(part.shape[1:]) for part, n in zip(ordered, counts, strict=True)
    ]
    tables = [t for pair in zip(scan.dc, scan.ac, strict=True) for t in pair]
    codes = np.concatenate([huffman.codes(t) for t in tables])
    dc_base = np.tile(np.repeat(512 * np.arange(len(planes)), counts), mcu_columns)
    out = sequential_bits.Intervals()
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
        cuts = np.arange(-(-max(first, 1) // scan.interval) * scan.interval, first + rows * mcu_columns, scan.interval) - first
        bases = np.tile(dc_base, rows)
        out.add(*sequential_bits.encode(strip.reshape(-1, 64), codes, bases, cuts * scan.mcu_blocks, out.rest, out.rest_bits))
    return out.finish()


def _join(head: bytes, plan: Layout, coded: Iterable[Intervals], tail: bytes, padding: int) -> bytes:
    """Fill up each interval's last byte, put zeros behind FF, markers between intervals, and each scan behind its header."""
    out, at = [], 0
    for scan, (intervals, free) in zip(plan.scans, coded, strict=True):
        out.append(head[at : scan.end])
        at = scan.end
        for n, (part, bits) in enumerate(zip(intervals, free, strict=True)):
            if n:
                out.append(bytes([0xFF, 0xD0 + (n - 1) % 8]))
            filled = part[:-1] + bytes([part[-1] | (1 << bits) - 1]) if padding and bits else part
            out.append(filled.replace(b"\xff", b"\xff\0"))
    return b"".join([*out, tail])
