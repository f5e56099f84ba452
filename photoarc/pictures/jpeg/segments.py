"""JPEG files as marker segments: metadata apart from the coded picture, and back together.

    file = SOI, segments (tables, frame header, APPn, COM), scans with their entropy-coded data, EOI, [tail]

Source: ITU-T T.81 annex B (markers, frame header), T.871 (JFIF), Adobe TN 5116 (APP14). Whatever is refused raises
`PayloadError` with the reason in a few words. Nothing is decoded here, and no length is believed before it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from photoarc.errors import PayloadError
from photoarc.pictures.kinds import JPEG_SOI

COM, APP0, APP1, APP2, APP11, APP13, APP14 = 0xFE, 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
MAX_BODY_BYTES = 65533  # a segment's 16-bit length counts itself
MAX_SIDE_PX = 65_500  # libjpeg's limit; the format's is 65,535
MAX_SCANS = 200  # encoders write 1 to 12; each scan of a progressive bomb costs a pass over the whole picture
_MARKER = re.compile(rb"\xff+([^\xff])")
# What ends a scan's entropy-coded data: a marker that is neither a stuffed zero, nor RSTn, nor fill bytes. A run of fill bytes is looked at
# once, from its start: a plain \xff+ took 10 s for 40,000 of them, and four times as long for twice as many.
_AFTER_SCAN = re.compile(rb"\xff(?<!\xff\xff)\xff*+[\x01-\xcf\xd8-\xfe]")
SOS, DHT, DRI = 0xDA, 0xC4, 0xDD
_SOI, _EOI, _DQT, _DNL, _APP15 = 0xD8, 0xD9, 0xDB, 0xDC, 0xEF
_PROGRESSIVE = {0xC0: False, 0xC1: False, 0xC2: True}  # Huffman-coded DCT: baseline, extended sequential, progressive
_REFUSED_FRAMES = {
    0xC3: "lossless JPEG",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xDE), "hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF), "arithmetic coding"),
}
# Decoders allocate by the size that a file claims. A JPEG spends at least one bit on an 8x8 block, 512 pixels a byte, on one
# flat colour; the densest of 135 real files had 216.
_PIXELS_PER_BYTE = 1000
_SMALL_PIXELS = 65536
# Start of frame (T.81 table B.1): length 8 + 3 n, 8 or 12 bits, height, width. Found anywhere, for damaged files have stray ones.
_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]\x00[\x0b\x0e\x11\x14][\x08\x0c](..)(..)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """One APPn or COM segment; `body` is what follows the length."""

    marker: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Component:
    """One row of the frame header: component ID, sampling factors, number of its quantisation table."""

    id: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Frame header of an 8-bit Huffman-coded DCT picture with one, three or four components."""

    progressive: bool
    width_px: int
    height_px: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a marker segment that is no metadata lies: from `start` (its marker) over `body` (behind its length) to `end`.

    Behind a scan's header its entropy-coded data reach to `data_end`, behind any other piece nothing does. `tables` are the quantisation
    tables in force there (see Jpeg).
    """

    marker: int
    start: int
    body: int
    end: int
    data_end: int
    tables: dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG file taken apart, once for whoever asks about it; it lies at the beginning of `data`.

    `metadata`: every APPn and COM segment in file order, JFIF and Adobe included. `pieces`: what else there is, and JFIF and Adobe, but
    not the start and the end marker. `end`: behind the end marker, or None: the file ends with the data of its last scan.
    """

    data: bytes
    frame: Frame
    metadata: tuple[Segment, ...]
    pieces: tuple[Piece, ...]
    end: int | None

    @property
    def tables(self) -> dict[int, tuple[int, ...]]:
        """Quantisation tables by number, 64 values in natural order; of several with one number the last."""
        return self.pieces[-1].tables

    @property
    def scans(self) -> tuple[Piece, ...]:
        """Headers of scans, one at least."""
        return tuple(piece for piece in self.pieces if piece.marker == SOS)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """(start, end) in the file of all that is no metadata."""
        last = [(self.end - 2, self.end)] if self.end else []
        return ((0, 2), *((piece.start, piece.data_end) for piece in self.pieces), *last)

    @property
    def picture(self) -> bytes:
        """A JPEG file with JFIF and Adobe as its only metadata."""
        view = memoryview(self.data)
        return b"".join([view[start:end] for start, end in self.spans])

    @property
    def tail(self) -> bytes:
        """What follows the end marker."""
        return self.data[self.end :] if self.end else b""

    @property
    def tail_bytes(self) -> int:
        """How many bytes follow the end marker."""
        return len(self.data) - self.end if self.end else 0


def claimed_pixels(data: bytes) -> int:
    """The most pixels that a start of frame anywhere in the data claims."""
    return max((int.from_bytes(f[1], "big") * int.from_bytes(f[2], "big") for f in _FRAME.finditer(data)), default=0)


def check_claims(data: bytes) -> None:
    """Raises PayloadError if a JPEG file claims more pixels than it can hold."""
    pixels = claimed_pixels(data)
    if not plausible(pixels, len(data)):
        raise PayloadError(f"the JPEG claims {pixels:,} pixels in {len(data)} bytes")


def plausible(pixels: int, size_bytes: int) -> bool:
    """Whether a JPEG file of so many bytes can hold so many pixels; one that cannot never reaches a decoder."""
    return pixels <= _SMALL_PIXELS + size_bytes * _PIXELS_PER_BYTE


def is_jfif(segment: Segment) -> bool:
    """A plain JFIF segment without a thumbnail: `settings.Settings.density` says all that it says."""
    return segment.marker == APP0 and segment.body[:6] == b"JFIF\0\1" and len(segment.body) == 14 and segment.body[12:] == b"\0\0"


def is_adobe(segment: Segment) -> bool:
    """Adobe's colour transform flag: belongs to the coded picture and is written anew with it."""
    return segment.marker == APP14 and segment.body[:5] == b"Adobe" and len(segment.body) >= 12


def is_kept(segment: Segment, jpeg: Jpeg) -> bool:
    """Whether a segment is metadata of the file; the others are written anew with the picture, out of `settings.Settings`.

    Of Adobe's segments those are kept that stay true whoever writes the picture: of grey ones, and of those in YCbCr that it calls so.
    """
    if is_adobe(segment):
        return len(jpeg.frame.components) == 1 or (segment.body[11] == 1 and not is_rgb(jpeg))
    return not is_jfif(segment)


def split(data: bytes) -> Jpeg:
    """Take a whole JPEG file apart. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    return whole(parse(data))


def whole(jpeg: Jpeg) -> Jpeg:
    """The same. Raises PayloadError if the file has no end marker."""
    if jpeg.end is None:
        raise PayloadError("truncated JPEG: no end marker")
    return jpeg


def parse(data: bytes) -> Jpeg:
    """Take a JPEG file apart, one without an end marker as well. Raises PayloadError as `split` does."""
    if data[:2] != JPEG_SOI:
        raise PayloadError("broken JPEG: no start marker")
    metadata: list[Segment] = []
    pieces: list[Piece] = []
    tables: dict[int, tuple[int, ...]] = {}
    frame: Frame | None = None
    at, scans, end_marker = 2, 0, None
    while not (scans and at == len(data)):
        match = _MARKER.match(data, at)
        if match is None:
            cut = not data[at:].strip(b"\xff")
            raise PayloadError("truncated JPEG: it ends before its picture" if cut else "broken JPEG: garbage between segments")
        marker, body_at = match[1][0], match.end() + 2
        if marker == _EOI:
            end_marker = match.end()
            break
        end = data_end = match.end() + int.from_bytes(data[match.end() : body_at], "big")
        if marker < 0xC0 or 0xD0 <= marker <= _SOI or (end < body_at <= len(data)):
            raise PayloadError("broken JPEG: marker out of place")
        if max(end, body_at) > len(data):
            raise PayloadError("truncated JPEG: it ends within a segment")
        if marker in _REFUSED_FRAMES:
            raise PayloadError(_REFUSED_FRAMES[marker])
        if marker in _PROGRESSIVE:
            if frame is not None:
                raise PayloadError("broken JPEG: several frames")
            frame = _frame(_PROGRESSIVE[marker], data[body_at:end])
        elif marker == _DQT:
            tables = tables | _quantisation_tables(data[body_at:end])
        elif marker == _DNL:
            raise PayloadError("JPEG whose height is not in its header")
        elif marker == SOS:
            scans += 1
            if frame is None or scans > MAX_SCANS:
                raise PayloadError("broken JPEG: scan without a frame" if frame is None else f"more than {MAX_SCANS} scans")
            after = _AFTER_SCAN.search(data, end)
            data_end = after.start() if after else len(data)
        at = data_end
        segment = Segment(marker, data[body_at:end]) if APP0 <= marker <= _APP15 or marker == COM else None
        if segment:
            metadata.append(segment)
        if not segment or is_jfif(segment) or is_adobe(segment):
            pieces.append(Piece(marker, match.end() - 2, body_at, end, data_end, tables))
    if frame is None or not scans:
        raise PayloadError("broken JPEG: no picture in it")
    if any(component.table not in tables for component in frame.components):
        raise PayloadError("broken JPEG: quantisation table missing")
    return Jpeg(data, frame, tuple(metadata), tuple(pieces), end_marker)


def join(segments: Iterable[Segment], picture: bytes, density: bytes | None) -> bytes:
    """Put metadata into a JPEG just written: SOI, JFIF with this density (None: no JFIF), `segments`, the rest of `picture`.

    Raises PayloadError if a segment is longer than JPEG allows.
    """
    at = 2
    if picture[at : at + 2] == b"\xff\xe0":  # the JFIF segment of whoever wrote the picture
        at += 2 + int.from_bytes(picture[at + 2 : at + 4], "big")
    jfif = [] if density is None else [Segment(APP0, b"JFIF\0\1" + density + b"\0\0")]
    head = bytearray(JPEG_SOI)
    for segment in (*jfif, *segments):
        if len(segment.body) > MAX_BODY_BYTES:
            raise PayloadError(f"metadata of {len(segment.body)} bytes does not fit into a JPEG segment")
        head += bytes([0xFF, segment.marker]) + (len(segment.body) + 2).to_bytes(2, "big") + segment.body
    return b"".join((head, memoryview(picture)[at:]))


def _frame(progressive: bool, body: bytes) -> Frame:
    """Frame header (T.81 B.2.2): precision, height, width, component rows."""
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise PayloadError("broken JPEG: frame header")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if body[0] != 8:
        raise PayloadError(f"{body[0]} bits a channel")
    if not height or not width:
        raise PayloadError("JPEG whose height is not in its header" if width else "broken JPEG: no width")
    if body[5] not in (1, 3, 4):
        raise PayloadError(f"{body[5]} colour channels")
    rows = [body[at : at + 3] for at in range(6, len(body), 3)]
    components = tuple(Component(row[0], row[1] >> 4, row[1] & 15, row[2]) for row in rows)
    if any(not (1 <= part.horizontal <= 4 and 1 <= part.vertical <= 4) for part in components):
        raise PayloadError("broken JPEG: sampling factors")
    return Frame(progressive, width, height, components)


def _quantisation_tables(body: bytes) -> dict[int, tuple[int, ...]]:
    """Tables of one DQT segment (T.81 B.2.4.1): number -> 64 values in natural order."""
    tables, at = {}, 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 2 if wide else 1
        values = body[at + 1 : at + 1 + 64 * size]
        if wide > 1 or number > 3 or len(values) != 64 * size:
            raise PayloadError("broken JPEG: quantisation table")
        zigzag = [int.from_bytes(values[k : k + size], "big") for k in range(0, len(values), size)]
        if not all(zigzag):
            raise PayloadError("broken JPEG: quantisation table")
        table = [0] * 64
        for value, place in zip(zigzag, ZIGZAG, strict=True):
            table[place] = value
        tables[number] = tuple(table)
        at += 1 + 64 * size
    return tables


def _diagonal(place: int) -> tuple[int, int]:
    """Sort key of the zigzag: diagonals in turn, odd ones downwards, even ones upwards."""
    row, column = divmod(place, 8)
    return row + column, row if (row + column) % 2 else column


ZIGZAG = tuple(sorted(range(64), key=_diagonal))


def is_apart(jpeg: Jpeg) -> bool:
    """Whether each component is a colour of its own: RGB, and CMYK where Adobe's segment does not call it YCCK (libjpeg's rules)."""
    if len(jpeg.frame.components) == 4:
        return not any(is_adobe(s) and s.body[11] == 2 for s in jpeg.metadata)
    return is_rgb(jpeg)


def is_rgb(jpeg: Jpeg) -> bool:
    """Whether the components are R, G, B and not Y, Cb, Cr: the rules by which libjpeg (jdapimin.c) tells."""
    if len(jpeg.frame.components) != 3 or any(s.marker == APP0 and s.body[:5] == b"JFIF\0" for s in jpeg.metadata):
        return False
    adobe = next((s.body for s in jpeg.metadata if is_adobe(s)), None)
    if adobe is not None:
        return adobe[11] == 0
    return tuple(part.id for part in jpeg.frame.components) == tuple(b"RGB")
