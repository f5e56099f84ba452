"""The scans of a JPEG as quantised DCT coefficients, and back to the same bytes.

    of one scan = head (SOI to the end of the SOS header), entropy-coded data with restart markers, tail (EOI and what follows)
    of several = the same with data behind each SOS header; the head is all before the tail without these data

The tail is empty where the file ends with its data. Source: ITU-T T.81 annexes A (order of blocks), F (sequential mode), G (progressive
mode). Baseline and extended sequential, in one scan or several, and progressive; Huffman-coded, 8 bit, one or three components. Whatever
else a file is, or does not come back as, is refused with `PayloadError`: `read` writes what it has read and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import progressive as jpeg_progressive
from photoarc.pictures.jpeg import progressive_bits, segments, sequential
from photoarc.pictures.jpeg.progressive import ScanHeader
from photoarc.pictures.jpeg.progressive_bits import Intervals, NonZeros
from photoarc.pictures.jpeg.tables import HuffmanTable, huffman_tables
from photoarc.pictures.kinds import JPEG_SOI

MAX_COEFFICIENTS = 40_000_000  # a 4:2:0 photograph of 26 megapixels; coding it takes 8 bytes each
_SOS, _EOI, _DHT, _DRI = 0xDA, 0xD9, 0xC4, 0xDD
_MARKER = re.compile(rb"\xff+([^\xff])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_NOT_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7]")


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
    """What the head of a file says about its scans."""

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
                tables.update(huffman_tables(body))
            elif marker == _DRI:
                if len(body) != 2:
                    raise PayloadError("broken JPEG: restart interval")
                restart_interval = int.from_bytes(body, "big")
            elif marker == _SOS:
                scans.append(_scan_header(frame, sampling, body, tables, restart_interval, at))
    mcu_columns, mcu_rows = _mcus(frame, sampling)
    mcu_blocks = sum(h * v for h, v in sampling)
    if mcu_blocks > 10:  # T.81 B.2.3
        raise PayloadError("broken JPEG: sampling factors")
    if 64 * mcu_blocks * mcu_columns * mcu_rows > MAX_COEFFICIENTS:
        raise PayloadError("JPEG of too many coefficients")
    (jpeg_progressive if frame.progressive else sequential).check_script(scans, count)
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
    *_, (_, _, start) = _segments(data)
    segments.split(data[:start] + b"\xff\xd9")  # says why a file is refused, before its data do
    pieces, coded, end = [], [], 0
    while True:
        pieces.append(data[end:start])
        after = _NOT_DATA.search(data, start)
        end = after.start() if after else len(data)
        coded.append([part.replace(b"\xff\0", b"\xff") for part in _RESTART.split(data[start:end])])
        if after is None or after[0] == b"\xff\xd9":
            break
        *_, (_, _, start) = _segments(data, end)
    head, tail = b"".join(pieces), data[end:]
    plan = layout(head)
    if any(len(intervals) != -(-scan.mcus // scan.interval) for scan, intervals in zip(plan.scans, coded, strict=True)):
        raise PayloadError("broken JPEG: restart markers")
    coefficients = _decode(plan, coded)
    known: dict[int, NonZeros] = {}
    refusal = PayloadError("JPEG that would not come back as it is" if tail else "truncated JPEG")
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


def _decode(plan: Layout, coded: Sequence[Sequence[bytes]]) -> tuple[NDArray[np.int16], ...]:
    """Entropy-coded data of each scan, without markers and stuffing, -> coefficients."""
    if not plan.progressive:
        return sequential.decode(plan.scans, coded, [(plane.rows, plane.columns) for plane in plan.planes])
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
        yield progressive_bits.encode(scan, planes, known, apart=apart) if plan.progressive else sequential.encode(scan, planes)


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
