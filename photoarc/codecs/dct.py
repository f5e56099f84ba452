"""Codec 9, `dct`: a JPEG file by its quantised coefficients, with learned probability tables and ANS (docs/format.md section 7.11).

Sequential JPEGs and progressive ones, in any scans, of one, three or four components with any sampling factors. The file comes back byte
for byte. Others are refused; the caller then takes another codec.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct

import numpy as np

from photoarc import models, progress
from photoarc.codecs import jpeg_rest, scale_shifts
from photoarc.codecs.scale_shifts import Coded
from photoarc.entropy.ans import Decoder, Encoder, Runs, Spans
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.models import manifest
from photoarc.models.coefficient_groups import COEFFICIENTS, FIELDS, QUANTISER_MAX, Bytes, Grid, Group, Values
from photoarc.models.coefficient_tables import OFFSET_MAX
from photoarc.models.coefficients import Coefficients
from photoarc.options import EFFORT
from photoarc.pictures.jpeg import scans, segments
from photoarc.pictures.jpeg.scans import Layout, Scan
from photoarc.pictures.parsed import Parsed, parsed

_VERSION = 2
_HEADER = Struct("<BBH16s")  # version, zero, model, the first bytes of its SHA-256
_PICTURE = Struct("<BHIIIII")  # padding; bytes of what is plain, of head, of head and tail, of both packed, of shifts and stream; CRC-32
_VALUE_MAX = 16383  # with the largest offset still 16 bits
_LEAST_SAVING = 0.01
_ONE_IN = 16
_APART, _CUT = 4, 8  # beside the padding: each component is coded like luma; the file ends before its scans do


def encode(data: bytes | Parsed, effort: int = EFFORT) -> bytes:
    """JPEG file -> payload that gives the file back. Raises PayloadError if that fails or saves less than 1 %.

    `transcode` proves each payload by the tables that coded it: what a decoder computes again is the same, for exact integers give the same
    tables. That is trusted for most files, and shown by the networks' whole second walk for the first file of a process and for one in 16.
    """
    file = parsed(data)
    if not _walks_again(file.data):
        return transcode(file)
    with progress.part(0, progress.CODING):
        payload = transcode(file)
    with progress.part(progress.CODING, 1):
        restored = decode(payload, len(file.data))
    if restored != file.data:
        raise PayloadError("the networks do not restore this JPEG")
    _trusted.add(manifest.JPEG_CODED_WITH)
    return payload


_trusted: set[int] = set()  # models that have restored a file in this process


def _walks_again(data: bytes) -> bool:
    return manifest.JPEG_CODED_WITH not in _trusted or zlib.crc32(data) % _ONE_IN == 0


def transcode(data: bytes | Parsed) -> bytes:
    """JPEG file -> payload whose stream and rest were read back; the networks walk once."""
    file = parsed(data)
    model = models.load_coefficients(manifest.JPEG_CODED_WITH)
    payload = _HEADER.pack(_VERSION, 0, model.entry.id, model.entry.sha256[:16]) + _encode(file, model)
    if len(payload) > len(file.data) * (1 - _LEAST_SAVING):
        raise PayloadError("the networks do not make this JPEG smaller")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> JPEG file. Raises PayloadError if the payload is damaged or the size is not the original's."""
    if len(payload) < _HEADER.size:
        raise PayloadError("the payload is too short", PayloadCorrupt)
    version, _, model_id, sha256 = _HEADER.unpack_from(payload)
    if version != _VERSION:
        raise PayloadError(f"JPEG payload version {version}, this version of photoarc reads {_VERSION}; update photoarc")
    model = models.load_coefficients(model_id)
    if model.entry.sha256[:16] != sha256:
        raise PayloadError(f"the JPEG was coded with another model {model_id} than the one that is installed; update photoarc")
    return _decode(payload[_HEADER.size :], size_bytes, model)


def check(file: Parsed) -> tuple[Scan, list[Grid]]:
    """Coefficients and planes of a JPEG file. Raises PayloadError with the reason if this codec is not made for it."""
    scan = file.scan
    grids = _grids(scan.plan)
    if max(max(-int(plane.min()), int(plane.max())) for plane in scan.coefficients) > _VALUE_MAX:
        raise PayloadError("JPEG with coefficients beyond 8 bits")
    return scan, grids


def _encode(file: Parsed, model: Coefficients, *, thumbnail: bool = False) -> bytes:
    """One picture; thumbnails in its head are pictures of their own."""
    scan, grids = check(file)
    writer = _Writer(grids)
    apart = not _beside(grids) or segments.is_apart(file.jpeg)
    model.walk(grids, writer, scan.coefficients, apart=apart)
    stream, plain = writer.finish(model)
    rest = scan.head + scan.tail
    with progress.part(1, 1):
        packed = jpeg_rest.pack(rest, None if thumbnail else lambda picture: _encode(picture, model, thumbnail=True))
        if _unpacked(packed, len(rest), model, thumbnail=thumbnail) != rest:
            raise PayloadError("the rest of this JPEG does not come back")
    sizes = len(scan.head), len(rest), len(packed), len(stream)
    return b"".join(
        [
            _PICTURE.pack(scan.padding | _APART * apart | _CUT * scan.cut, len(plain), *sizes, _checksum(scan.coefficients)),
            packed,
            plain,
            stream,
        ]
    )


def _decode(coded: bytes, size_bytes: int, model: Coefficients, *, thumbnail: bool = False) -> bytes:
    if len(coded) < _PICTURE.size:
        raise PayloadError("the payload is too short", PayloadCorrupt)
    padding, plain_bytes, head_bytes, rest_bytes, packed_bytes, stream_bytes, checksum = _PICTURE.unpack_from(coded)
    ends = np.cumsum([_PICTURE.size, packed_bytes, plain_bytes, stream_bytes]).tolist()
    if ends[-1] != len(coded) or head_bytes > rest_bytes or rest_bytes > size_bytes:
        raise PayloadError("the lengths in the payload do not agree", PayloadCorrupt)
    packed, plain, stream = (coded[start:end] for start, end in pairwise(ends))
    with progress.part(0, 0):
        rest = _unpacked(packed, rest_bytes, model, thumbnail=thumbnail)
    head, tail = rest[:head_bytes], rest[head_bytes:]
    plan = scans.layout(head)
    if not segments.plausible(plan.width_px * plan.height_px, size_bytes):
        size = f"{plan.width_px} x {plan.height_px} pixels"
        raise PayloadError(f"the payload claims {size} for a file of {size_bytes} bytes", PayloadCorrupt)
    try:
        grids = _grids(plan)
        reader = _Reader(stream, plain, grids, model)
        apart = bool(padding & _APART)
        if not (apart or _beside(grids)):
            raise ValueError("there is no chroma that goes with this luma")
        planes = model.walk(grids, reader, apart=apart)
        reader.finish()
    except ValueError as error:
        raise PayloadError(str(error), PayloadCorrupt) from error
    if _checksum(planes) != checksum:
        raise PayloadError("the coefficients do not have their checksum", PayloadCorrupt)
    data = scans.write_planned(plan, planes, tail, padding & ~(_APART | _CUT), size_bytes if padding & _CUT else None)
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data


def _unpacked(packed: bytes, size_bytes: int, model: Coefficients, *, thumbnail: bool) -> bytes:
    return jpeg_rest.unpack(packed, size_bytes, None if thumbnail else lambda coded, size: _decode(coded, size, model, thumbnail=True))


def _grids(layout: Layout) -> list[Grid]:
    """Planes of a scan as the model wants them: steps beyond 8 bits count as the largest of these."""
    return [Grid(plane.rows, plane.columns, np.minimum(plane.quantiser, np.uint16(QUANTISER_MAX))) for plane in layout.planes]


def _beside(grids: Sequence[Grid]) -> bool:
    """Whether a second and a third component are of one size, with whole blocks of the first to each of theirs."""
    sizes = {(grid.rows, grid.columns) for grid in grids[1:3]}
    return len(sizes) < 2 and not any(grids[0].rows % rows or grids[0].columns % columns for rows, columns in sizes)


def _checksum(planes: Sequence[Values]) -> int:
    """CRC-32 of all coefficients, little-endian, component by component in their order."""
    crc = 0
    for plane in planes:
        crc = zlib.crc32(np.ascontiguousarray(plane, "<i2").data, crc)
    return crc


class _Told:
    """Tells how much is done: of each plane DC has its share of 64 coefficients, AC the others, by what is coded."""

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._sizes = [grid.rows * grid.columns for grid in grids]
        self._done, self._all = 0.0, COEFFICIENTS * sum(self._sizes)
        self._plane, self._left = 0, 0.0  # what one coefficient of AC in all blocks of a tile's field stands for

    def dc(self, values: Values) -> None:
        self._tell(values.size)

    def active(self, active: Bytes, starts: Sequence[int]) -> None:
        coded = sum(starts[groups] - 1 for groups in active.tolist())
        of_plane = (COEFFICIENTS - 1) * self._sizes[self._plane]
        self._plane += 1
        self._left = of_plane / (len(FIELDS) * coded) if coded else 0
        self._tell(0 if coded else of_plane)

    def group(self, group: Group) -> None:
        if group.first:
            fields, tiles, coefficients, _, _ = group.index.shape
            self._tell(self._left * fields * tiles * coefficients)
        else:
            self._tell(group.index.size)

    def _tell(self, coefficients: float) -> None:
        self._done += coefficients
        progress.tell(min(round(self._done / self._all, 6), 1))


class _Writer:
    """Exchange that gets all coefficients; ANS wants them in reverse, so that they are kept until the end."""

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._planes = len(grids)
        self._plain: list[bytes] = []
        self._groups: list[Coded] = []
        self._told = _Told(grids)

    def top(self, shape: tuple[int, ...], known: Values | None) -> Values:
        assert known is not None
        self._plain.append(known.astype("<i2").tobytes())
        self._told.dc(known)
        return known

    def active(self, tiles: int, starts: Sequence[int], known: Bytes | None) -> Bytes:
        assert known is not None
        self._plain.append(_pairs(known))
        self._told.active(known, starts)
        return known

    def group(self, group: Group, known: Values | None) -> Values:
        assert known is not None
        symbols = group.symbols(known)
        self._groups.append(Coded(group.plane, group.first, group.index, symbols))
        if not np.array_equal(group.values(symbols), known):
            raise PayloadError("the networks do not restore this JPEG")
        self._told.group(group)
        return known

    def finish(self, model: Coefficients) -> tuple[bytes, bytes]:
        """Shifts and stream; what is plain: tops and active groups."""
        shifts = scale_shifts.choose(self._groups, self._planes, model)
        encoder, coded = Encoder(), []
        while self._groups:
            group = self._groups.pop()
            runs = Runs(scale_shifts.apply(group, shifts, model).ravel(), model.tables)
            coded.append((runs.spans, group.symbols.ravel()[runs.places]))
            encoder.push_sorted(*coded[-1])
        packed, stream = scale_shifts.pack(shifts), encoder.finish()
        _read_back(stream, coded[::-1])
        return bytes([len(packed)]) + packed + stream, b"".join(self._plain)


def _read_back(stream: bytes, coded: Sequence[tuple[Spans, Values]]) -> None:
    """Raises PayloadError unless the tables that coded the symbols give them again."""
    decoder = Decoder(stream)
    for spans, symbols in coded:
        if not np.array_equal(decoder.pop_sorted(spans), symbols):
            raise PayloadError("the stream of this JPEG does not come back")
    decoder.finish()


class _Reader:
    """Exchange that reads what _Writer wrote. Raises ValueError where it cannot be that."""

    def __init__(self, stream: bytes, plain: bytes, grids: Sequence[Grid], model: Coefficients) -> None:
        end = 1 + stream[0] if stream else 1
        self._shifts = scale_shifts.unpack(stream[1:end], len(grids))
        self._told = _Told(grids)
        self._decoder, self._plain, self._model = Decoder(stream[end:]), memoryview(plain), model

    def top(self, shape: tuple[int, ...], known: Values | None) -> Values:
        values = np.frombuffer(self._next(2 * math.prod(shape)), "<i2").astype(np.int16).reshape(shape)
        _check(values)
        self._told.dc(values)
        return values

    def active(self, tiles: int, starts: Sequence[int], known: Bytes | None) -> Bytes:
        active = _apart(self._next((tiles + 1) // 2), tiles)
        if active.max() >= len(starts):
            raise ValueError("there are more active groups than groups")
        self._told.active(active, starts)
        return active

    def group(self, group: Group, known: Values | None) -> Values:
        index = scale_shifts.apply(group, self._shifts, self._model)
        symbols = self._decoder.pop(index.ravel(), self._model.tables)
        if max(-int(symbols.min()), int(symbols.max())) > _VALUE_MAX + OFFSET_MAX:
            raise ValueError("coefficients beyond 8 bits")
        values = group.values(symbols.astype(np.int16).reshape(index.shape))
        _check(values)
        self._told.group(group)
        return values

    def finish(self) -> None:
        self._decoder.finish()
        if len(self._plain):
            raise ValueError("there is more outside the stream than there should be")

    def _next(self, size_bytes: int) -> memoryview:
        if len(self._plain) < size_bytes:
            raise ValueError("the coarsest DC and the active groups are not all there")
        found, self._plain = self._plain[:size_bytes], self._plain[size_bytes:]
        return found


def _pairs(active: Bytes) -> bytes:
    """Four bits each, the first in the lower ones."""
    even = np.append(active, np.zeros(len(active) % 2, np.uint8))
    return (even[::2] | even[1::2] << 4).astype(np.uint8).tobytes()


def _apart(pairs: memoryview, count: int) -> Bytes:
    """Inverse of _pairs. Raises ValueError where the last four bits of nothing are not 0."""
    both = np.frombuffer(pairs, np.uint8)
    active = np.stack([both & 15, both >> 4], 1).ravel()
    if active[count:].any():
        raise ValueError("there are active groups of no tile")
    return active[:count]


def _check(values: Values) -> None:
    """Raises ValueError for coefficients that no writer takes: sums of larger ones would not be exact."""
    if max(-int(values.min()), int(values.max())) > _VALUE_MAX:
        raise ValueError("coefficients beyond 8 bits")
