"""JPEG files as marker segments: metadata apart from the coded picture, and back together.

    file = SOI, segments (tables, frame header, APPn, COM), scans with their entropy-coded data, EOI, [tail]

Source: ITU-T T.81 annex B (markers, frame header), T.871 (JFIF), Adobe TN 5116 (APP14). Whatever is refused raises
`PayloadError` with the reason in a few words. Nothing is decoded here, and no length is believed before it is checked.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

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
_SOI, _EOI, _SOS, _DQT, _DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC
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
_DEFAULT_DENSITY = bytes([1, 0, 0, 1, 0, 1])  # JFIF 1.01, no unit, 1:1; as libjpeg writes it


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
    """Frame header of an 8-bit Huffman-coded DCT picture with one or three components."""

    progressive: bool
    width_px: int
    height_px: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG file taken apart.

    `metadata`: every APPn and COM segment in file order, JFIF and Adobe included. `picture`: a JPEG file with JFIF and Adobe
    as its only metadata, `spans`: (start, end) of its pieces in the file. `tables`: quantisation tables by number, 64 values in
    natural order. `tail`: bytes after EOI.
    """

    frame: Frame
    metadata: tuple[Segment, ...]
    picture: bytes
    spans: tuple[tuple[int, int], ...]
    tables: dict[int, tuple[int, ...]]
    tail: bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """What makes a JPEG that we write resemble the source's.

    `sampling`: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0 (Pillow's numbers). `tables`: one per component, the last one repeats.
    `density`: JFIF minor version, unit, x and y density (T.871 section 10.1), or None where the source has no JFIF segment.
    """

    progressive: bool
    sampling: int
    rgb: bool
    tables: tuple[tuple[int, ...], ...]
    density: bytes | None


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
    """A plain JFIF segment without a thumbnail: `Settings.density` says all that it says."""
    return segment.marker == APP0 and segment.body[:6] == b"JFIF\0\1" and len(segment.body) == 14 and segment.body[12:] == b"\0\0"


def is_adobe(segment: Segment) -> bool:
    """Adobe's colour transform flag: belongs to the coded picture and is written anew with it."""
    return segment.marker == APP14 and segment.body[:5] == b"Adobe" and len(segment.body) >= 12


def is_kept(segment: Segment, jpeg: Jpeg) -> bool:
    """Whether a segment is metadata of the file; the others are written anew with the picture, out of `Settings`.

    Of Adobe's segments those are kept that stay true whoever writes the picture: of grey ones, and of those in YCbCr that it calls so.
    """
    if is_adobe(segment):
        return len(jpeg.frame.components) == 1 or (segment.body[11] == 1 and not _is_rgb(jpeg))
    return not is_jfif(segment)


def split(data: bytes) -> Jpeg:
    """Take a JPEG file apart. Raises PayloadError with the reason if it is broken or of a kind that is kept bit-exact."""
    if data[:2] != JPEG_SOI:
        raise PayloadError("broken JPEG: no start marker")
    spans = [(0, 2)]
    metadata: list[Segment] = []
    tables: dict[int, tuple[int, ...]] = {}
    frame: Frame | None = None
    at, scans = 2, 0
    while True:
        match = _MARKER.match(data, at)
        if match is None:
            raise PayloadError("truncated JPEG" if not data[at:].strip(b"\xff") else "broken JPEG: garbage between segments")
        marker, body_at = match[1][0], match.end() + 2
        if marker == _EOI:
            spans.append((match.end() - 2, match.end()))
            break
        end = match.end() + int.from_bytes(data[match.end() : body_at], "big")
        if marker < 0xC0 or 0xD0 <= marker <= _SOI or end < body_at:
            raise PayloadError("broken JPEG: marker out of place")
        if end > len(data):
            raise PayloadError("truncated JPEG")
        if 0xE0 <= marker <= 0xEF or marker == COM:
            segment = Segment(marker, data[body_at:end])
            metadata.append(segment)
            if is_jfif(segment) or is_adobe(segment):
                spans.append((match.end() - 2, end))
            at = end
            continue
        if marker in _REFUSED_FRAMES:
            raise PayloadError(_REFUSED_FRAMES[marker])
        if marker in _PROGRESSIVE:
            if frame is not None:
                raise PayloadError("broken JPEG: several frames")
            frame = _frame(_PROGRESSIVE[marker], data[body_at:end])
        elif marker == _DQT:
            tables.update(_quantisation_tables(data[body_at:end]))
        elif marker == _DNL:
            raise PayloadError("JPEG whose height is not in its header")
        elif marker == _SOS:
            scans += 1
            after = _AFTER_SCAN.search(data, end)
            if frame is None or scans > MAX_SCANS:
                raise PayloadError("broken JPEG: scan without a frame" if frame is None else f"more than {MAX_SCANS} scans")
            if after is None:
                raise PayloadError("truncated JPEG")
            end = after.start()
        spans.append((match.end() - 2, end))
        at = end
    if frame is None or not scans:
        raise PayloadError("broken JPEG: no picture in it")
    if any(component.table not in tables for component in frame.components):
        raise PayloadError("broken JPEG: quantisation table missing")
    view = memoryview(data)
    picture = b"".join([view[start:end] for start, end in spans])
    return Jpeg(frame, tuple(metadata), picture, tuple(spans), tables, data[match.end() :])


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
    if body[5] not in (1, 3):
        raise PayloadError("CMYK" if body[5] == 4 else f"{body[5]} colour channels")
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


def settings(jpeg: Jpeg) -> Settings:
    """Settings with which Pillow writes a file like this one.

    Pillow writes 4:4:4, 4:2:2 and 4:2:0 only; others become the nearest of these. 4:1:1 and 4:1:0 as 4:2:2 and 4:2:0 keep all that they
    have. 4:4:0 as 4:2:2 has as many samples: within 1 % of the size and 0.15 dB of 4:4:0 itself (three Kodak pictures at quality 90),
    as 4:4:4 it took 1.10 to 1.15 times as much.
    """
    parts = jpeg.frame.components
    tables = [jpeg.tables[part.table] for part in parts]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    sampling = 0
    if len(parts) == 3 and parts[1].horizontal == parts[2].horizontal and parts[1].vertical == parts[2].vertical:
        ratio = parts[0].horizontal / parts[1].horizontal, parts[0].vertical / parts[1].vertical
        sampling = {(False, False): 0, (True, True): 2}.get((ratio[0] >= 2, ratio[1] >= 2), 1)
    jfif = next((s.body[6:12] for s in jpeg.metadata if is_jfif(s)), None)
    return Settings(jpeg.frame.progressive, sampling, _is_rgb(jpeg), tuple(tables), jfif)


def _is_rgb(jpeg: Jpeg) -> bool:
    """Whether the components are R, G, B and not Y, Cb, Cr: the rules by which libjpeg (jdapimin.c) tells."""
    if len(jpeg.frame.components) != 3 or any(s.marker == APP0 and s.body[:5] == b"JFIF\0" for s in jpeg.metadata):
        return False
    adobe = next((s.body for s in jpeg.metadata if is_adobe(s)), None)
    if adobe is not None:
        return adobe[11] == 0
    return tuple(part.id for part in jpeg.frame.components) == tuple(b"RGB")


# The example tables of T.81 annex K, natural order: most encoders scale these by a quality from 1 to 100.
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
           18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 """ + "99 " * 32


@cache
def _annex_k(quality: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Luma and chroma table at an IJG quality from 1 to 100 (libjpeg jcparam.c, baseline)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    luma, chroma = (tuple(min(max((int(v) * scale + 50) // 100, 1), 255) for v in table.split()) for table in (_LUMA, _CHROMA))
    return luma, chroma


def quality_settings(quality: int, *, grey: bool) -> Settings:
    """Settings of a new JPEG: IJG quality, 4:4:4, baseline."""
    return Settings(False, 0, False, _annex_k(quality)[: 1 if grey else 2], _DEFAULT_DENSITY)


def pack_settings(made: Settings) -> bytes:
    """Settings -> bytes: flags, [density], table code, [tables]. Two bytes for a file of libjpeg's own making."""
    explicit = made.density is not None and made.density != _DEFAULT_DENSITY
    flags = made.progressive | made.sampling << 1 | made.rgb << 3 | (made.density is not None) << 4 | explicit << 5
    packed = bytes([flags]) + (made.density or b"" if explicit else b"")
    for quality in range(1, 101):
        if made.tables in (_annex_k(quality), _annex_k(quality)[:1]):
            return packed + bytes([quality + 128 * (len(made.tables) == 1)])
    values = b"".join(value.to_bytes(2, "little") for table in made.tables for value in table)
    return packed + bytes([0]) + zlib.compress(values, 9)


def unpack_settings(packed: bytes) -> Settings:
    """Bytes -> settings. Raises PayloadError on anything that `pack_settings` does not write."""
    flags, at = packed[0] if packed else 255, 1
    sampling, density = flags >> 1 & 3, None
    if flags >= 64 or sampling == 3:
        raise PayloadError("JPEG settings are damaged")
    if flags & 16:
        density = packed[1:7] if flags & 32 else _DEFAULT_DENSITY
        at += 6 * (flags >> 5 & 1)
    code = packed[at : at + 1]
    if code and code[0]:
        if not 1 <= code[0] & 127 <= 100 or len(packed) != at + 1:
            raise PayloadError("JPEG settings are damaged")
        return Settings(bool(flags & 1), sampling, bool(flags & 8), _annex_k(code[0] & 127)[: 2 - (code[0] >> 7)], density)
    return Settings(bool(flags & 1), sampling, bool(flags & 8), _stored_tables(packed[at + 1 :]), density)


def _stored_tables(packed: bytes) -> tuple[tuple[int, ...], ...]:
    try:
        inflater = zlib.decompressobj()
        values = inflater.decompress(packed, 3 * 128 + 1)
    except zlib.error as error:
        raise PayloadError("JPEG settings are damaged") from error
    table_bytes: Sequence[bytes] = [values[at : at + 128] for at in range(0, len(values), 128)]
    tables = tuple(tuple(int.from_bytes(table[k : k + 2], "little") for k in range(0, 128, 2)) for table in table_bytes)
    if not inflater.eof or inflater.unused_data or len(values) not in (128, 256, 384) or not all(map(all, tables)):
        raise PayloadError("JPEG settings are damaged")
    return tables
