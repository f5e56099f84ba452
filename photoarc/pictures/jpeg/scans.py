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
from photoarc.pictures.jpeg.segments import Jpeg
from photoarc.pictures.jpeg.tables import HuffmanTable, huffman_tables

MAX_COEFFICIENTS = 200_000_000  # a 4:2:0 photograph of 133 megapixels; coding it takes 15 bytes each
_ODD_END_BYTES = 1 << 12  # of a last scan, that are kept as they are: one block of the finest picture takes less than 1,664
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


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
    """What the head of a file, SOI to the end of the last SOS header without the data of scans, says about these."""

    head: bytes
    planes: tuple[Plane, ...]
    width_px: int
    height_px: int
    progressive: bool
    scans: tuple[ScanHeader, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A file taken apart: `plan` is what its head says.

    `coefficients`: (64, rows, columns) per plane, zigzag order first, DC without prediction. `padding`: the bit, 0 or 1, that
    fills the last byte of each restart interval; of a progressive file plus 2 if its ends of bands are `apart`. `cut`: the file goes
    another way, or ends, before its last scan does; the tail is what follows then, and coefficients behind it are those that no scan sends.
    """

    plan: Layout
    coefficients: tuple[NDArray[np.int16], ...]
    tail: bytes
    padding: int
    cut: bool = False

    @property
    def head(self) -> bytes:
        """All before the tail but the data of scans."""
        return self.plan.head


def layout(head: bytes) -> Layout:
    """What the head of a JPEG file says. Raises PayloadError if `read` does not read such files."""
    jpeg = segments.parse(head)
    if jpeg.end or any(scan.end < scan.data_end for scan in jpeg.scans) or jpeg.scans[-1].end < len(head):
        raise PayloadError("broken JPEG: garbage between segments")
    return _layout(jpeg)


def _layout(jpeg: Jpeg) -> Layout:
    """Of a file that may have data in its scans."""
    frame, data = jpeg.frame, jpeg.data
    count = len(frame.components)
    # One component is not interleaved: an MCU is a block, whatever the sampling factors (T.81 A.2.2).
    sampling = [(part.horizontal, part.vertical) for part in frame.components] if count > 1 else [(1, 1)]
    scans: list[ScanHeader] = []
    tables: dict[tuple[bool, int], HuffmanTable] = {}
    restart_interval, at, pieces = 0, 0, []
    for piece in jpeg.pieces:
        body = data[piece.body : piece.end]
        if piece.marker == segments.DHT:
            tables.update(huffman_tables(body))
        elif piece.marker == segments.DRI:
            if len(body) != 2:
                raise PayloadError("broken JPEG: restart interval")
            restart_interval = int.from_bytes(body, "big")
        elif piece.marker == segments.SOS:
            pieces.append(data[at : piece.end])
            at = piece.data_end
            scans.append(_scan_header(frame, sampling, body, tables, restart_interval, sum(map(len, pieces))))
            if len(scans) == len(jpeg.scans):
                break
    mcu_columns, mcu_rows = _mcus(frame, sampling)
    mcu_blocks = sum(h * v for h, v in sampling)
    if mcu_blocks > 10:  # T.81 B.2.3
        raise PayloadError("broken JPEG: sampling factors")
    if 64 * mcu_blocks * mcu_columns * mcu_rows > MAX_COEFFICIENTS:
        raise PayloadError("JPEG of too many coefficients")
    (jpeg_progressive if frame.progressive else sequential).check_script(scans, count)
    planes = tuple(Plane(mcu_rows * v, mcu_columns * h, h, v, steps) for (h, v), steps in zip(sampling, _quantisers(jpeg), strict=True))
    return Layout(b"".join(pieces), planes, frame.width_px, frame.height_px, frame.progressive, tuple(scans))


def _quantisers(jpeg: Jpeg) -> Iterator[NDArray[np.uint16]]:
    """(64,) in zigzag order of each component. Raises PayloadError unless the first scan has those of the last."""
    first, last = jpeg.scans[0].tables, jpeg.scans[-1].tables
    for part in jpeg.frame.components:
        if part.table not in first:
            raise PayloadError("broken JPEG: quantisation table missing")
        if first[part.table] != last[part.table]:
            raise PayloadError("JPEG whose quantisation tables change")
        yield np.array(last[part.table], np.uint16)[list(segments.ZIGZAG)]


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


def read(data: bytes) -> Scan:
    """Take a JPEG file apart. Raises PayloadError unless `write` gives the same bytes again."""
    segments.check_claims(data)
    return read_parsed(segments.parse(data))


def read_parsed(jpeg: Jpeg) -> Scan:
    """The same of a file whose headers are known, and whose claims were checked."""
    try:
        return _read(jpeg)
    except PayloadError as error:
        if jpeg.end is None and str(error).startswith("broken"):
            raise PayloadError("truncated JPEG: its data end before the picture") from error
        raise


def _read(jpeg: Jpeg) -> Scan:
    data = jpeg.data
    plan = _layout(jpeg)
    coded = [[part.replace(b"\xff\0", b"\xff") for part in _RESTART.split(data[scan.end : scan.data_end])] for scan in jpeg.scans]
    tail = data[jpeg.scans[-1].data_end :]
    *missing, missing_at_end = (-(-scan.mcus // scan.interval) - len(intervals) for scan, intervals in zip(plan.scans, coded, strict=True))
    if any(missing) or missing_at_end < 0:
        raise PayloadError("broken JPEG: restart markers")
    coefficients = _decode(plan, coded)
    known: dict[int, NonZeros] = {}
    refusal = PayloadError("JPEG of unusual bits, which would not come back" if tail else "truncated JPEG: its data end before the picture")
    cut: Scan | None = None
    for apart in (False, True) if plan.progressive else (False,):
        written: list[Intervals] = []
        try:
            for had, now in zip(coded, _encode_all(plan, coefficients, known, apart=apart), strict=True):
                written.append(now)
                if [len(part) for part in had] != [len(part) for part in now[0]]:
                    break
        except PayloadError as error:
            refusal = error
        if len(written) < len(coded):
            continue
        padding = next(_padding(coded, written), 1)
        made = _join(plan, written, b"", padding)
        if made == data[: len(data) - len(tail)]:
            return Scan(plan, coefficients, tail, padding | apart << 1)
        same = _same(made, data)
        if jpeg.scans[-1].data_end - same <= min(_ODD_END_BYTES, len(data) >> 3):
            cut = cut or Scan(plan, coefficients, data[same:], padding | apart << 1, cut=True)
    if cut is None:
        raise refusal
    return cut


def _padding(coded: Sequence[Sequence[bytes]], written: Sequence[Intervals]) -> Iterator[int]:
    """Last bits of intervals that end as they should, and not with a whole byte."""
    for had, (now, free) in zip(coded, written, strict=True):
        yield from (part[-1] & 1 for part, other, bits in zip(had, now, free, strict=False) if bits and part and len(part) == len(other))


def _same(one: bytes, other: bytes) -> int:
    """How many bytes two begin with alike."""
    size = min(len(one), len(other))
    differ = np.flatnonzero(np.frombuffer(one, np.uint8, size) != np.frombuffer(other, np.uint8, size))
    return int(differ[0]) if len(differ) else size


def write(head: bytes, coefficients: Sequence[NDArray[np.int16]], tail: bytes, padding: int) -> bytes:
    """The file that `read` took apart, unless it was cut. Raises PayloadError if there is no code for a coefficient."""
    return write_planned(layout(head), coefficients, tail, padding)


def write_planned(
    plan: Layout, coefficients: Sequence[NDArray[np.int16]], tail: bytes, padding: int, cut_bytes: int | None = None
) -> bytes:
    """The same where it is known what the head says; of a file that was cut, so many bytes of it with the tail."""
    kinds = [(part.dtype, part.shape) for part in coefficients]
    if kinds != [(np.dtype(np.int16), (64, plane.rows, plane.columns)) for plane in plan.planes] or padding not in range(
        4 if plan.progressive else 2
    ):
        raise PayloadError("coefficients do not fit the head of the JPEG")
    written = _join(plan, _encode_all(plan, coefficients, {}, apart=padding > 1), tail if cut_bytes is None else b"", padding & 1)
    return written if cut_bytes is None else written[: max(cut_bytes - len(tail), 0)] + tail


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


def _join(plan: Layout, coded: Iterable[Intervals], tail: bytes, padding: int) -> bytes:
    """Fill up each interval's last byte, put zeros behind FF, markers between intervals, and each scan behind its header."""
    out, at = [], 0
    for scan, (intervals, free) in zip(plan.scans, coded, strict=True):
        out.append(plan.head[at : scan.end])
        at = scan.end
        for n, (part, bits) in enumerate(zip(intervals, free, strict=True)):
            if n:
                out.append(bytes([0xFF, 0xD0 + (n - 1) % 8]))
            filled = part[:-1] + bytes([part[-1] | (1 << bits) - 1]) if padding and bits else part
            out.append(filled.replace(b"\xff", b"\xff\0"))
    return b"".join([*out, tail])
