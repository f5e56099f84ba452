"""Codec 9, `dct`: a JPEG file by its quantised coefficients, with learned probability tables and ANS (docs/format.md section 7.11).

Sequential JPEGs of one scan and progressive ones, grey or YCbCr with whole luma blocks to a block of chroma: what cameras and web sites
write. The file comes back byte for byte. Others are refused; the caller then takes another codec.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from struct import Struct

import numpy as np
import numpy.typing as npt

from photoarc import models, progress
from photoarc.codecs import jpeg_rest, scale_shifts
from photoarc.entropy.ans import Decoder, Encoder
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.models import manifest
from photoarc.models.coefficient_groups import Grid, Group, Integers, Values, Where, shape
from photoarc.models.coefficients import COEFFICIENTS, QUANTISER_MAX, Coefficients
from photoarc.options import EFFORT
from photoarc.pictures.jpeg import scans, segments
from photoarc.pictures.jpeg.scans import Layout

_VERSION = 1
_HEADER = Struct("<BBH16s")  # version, zero, model, the first bytes of its SHA-256
_PICTURE = Struct("<BBIIIII")  # padding, bytes of tops; of head, of head and tail, of both packed, of shifts and stream; CRC-32
_VALUE_MAX = 16383  # with the largest offset still 16 bits
_LEAST_SAVING = 0.01
_ONE_IN = 16
_NOTHING: npt.NDArray[np.int32] = np.empty(0, np.int32)


def encode(data: bytes, effort: int = EFFORT) -> bytes:
    """JPEG file -> payload that gives the file back. Raises PayloadError if that fails or saves less than 1 %.

    `transcode` proves each payload by the tables that coded it: what a decoder computes again is the same, for exact integers give the same
    tables. That is trusted for most files, and shown by the networks' whole second walk for the first file of a process and for one in 16.
    """
    if not _walks_again(data):
        return transcode(data)
    with progress.part(0, progress.CODING):
        payload = transcode(data)
    with progress.part(progress.CODING, 1):
        restored = decode(payload, len(data))
    if restored != data:
        raise PayloadError("the networks do not restore this JPEG")
    _trusted.add(manifest.JPEG_CODED_WITH)
    return payload


_trusted: set[int] = set()  # models that have restored a file in this process


def _walks_again(data: bytes) -> bool:
    return manifest.JPEG_CODED_WITH not in _trusted or zlib.crc32(data) % _ONE_IN == 0


def transcode(data: bytes) -> bytes:
    """JPEG file -> payload whose stream and rest were read back; the networks walk once."""
    model = models.load_coefficients(manifest.JPEG_CODED_WITH)
    payload = _HEADER.pack(_VERSION, 0, model.entry.id, model.entry.sha256[:16]) + _encode(data, model)
    if len(payload) > len(data) * (1 - _LEAST_SAVING):
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


def _encode(data: bytes, model: Coefficients, *, thumbnail: bool = False) -> bytes:
    """One picture; thumbnails in its head are pictures of their own."""
    segments.check_claims(data)
    scan = scans.read(data)
    grids = _grids(scans.layout(scan.head))
    if max(max(-int(plane.min()), int(plane.max())) for plane in scan.coefficients) > _VALUE_MAX:
        raise PayloadError("JPEG with coefficients beyond 8 bits")
    writer = _Writer(scan.coefficients)
    model.walk(grids, writer)
    stream, tops = writer.finish(model)
    rest = scan.head + scan.tail
    with progress.part(1, 1):
        packed = jpeg_rest.pack(rest, None if thumbnail else lambda picture: _encode(picture, model, thumbnail=True))
        if _unpacked(packed, len(rest), model, thumbnail=thumbnail) != rest:
            raise PayloadError("the rest of this JPEG does not come back")
    sizes = len(scan.head), len(rest), len(packed), len(stream)
    return b"".join([_PICTURE.pack(scan.padding, len(tops), *sizes, _checksum(scan.coefficients)), packed, tops, stream])


def _decode(coded: bytes, size_bytes: int, model: Coefficients, *, thumbnail: bool = False) -> bytes:
    if len(coded) < _PICTURE.size:
        raise PayloadError("the payload is too short", PayloadCorrupt)
    padding, tops_bytes, head_bytes, rest_bytes, packed_bytes, stream_bytes, checksum = _PICTURE.unpack_from(coded)
    ends = np.cumsum([_PICTURE.size, packed_bytes, tops_bytes, stream_bytes]).tolist()
    if ends[-1] != len(coded) or head_bytes > rest_bytes or rest_bytes > size_bytes:
        raise PayloadError("the lengths in the payload do not agree", PayloadCorrupt)
    packed, tops, stream = (coded[start:end] for start, end in pairwise(ends))
    with progress.part(0, 0):
        rest = _unpacked(packed, rest_bytes, model, thumbnail=thumbnail)
    head, tail = rest[:head_bytes], rest[head_bytes:]
    layout = scans.layout(head)
    if not segments.plausible(layout.width_px * layout.height_px, size_bytes):
        size = f"{layout.width_px} x {layout.height_px} pixels"
        raise PayloadError(f"the payload claims {size} for a file of {size_bytes} bytes", PayloadCorrupt)
    try:
        grids = _grids(layout)
        reader = _Reader(stream, tops, grids, model)
        planes = model.walk(grids, reader)
        reader.finish()
    except ValueError as error:
        raise PayloadError(str(error), PayloadCorrupt) from error
    if _checksum(planes) != checksum:
        raise PayloadError("the coefficients do not have their checksum", PayloadCorrupt)
    data = scans.write(head, planes, tail, padding)
    if len(data) != size_bytes:
        raise PayloadError(f"the payload holds {len(data)} bytes, the file had {size_bytes}", PayloadCorrupt)
    return data


def _unpacked(packed: bytes, size_bytes: int, model: Coefficients, *, thumbnail: bool) -> bytes:
    return jpeg_rest.unpack(packed, size_bytes, None if thumbnail else lambda coded, size: _decode(coded, size, model, thumbnail=True))


def _grids(layout: Layout) -> list[Grid]:
    """Planes of a scan as the model wants them. Raises PayloadError for those it was not made for."""
    planes = layout.planes
    if any(plane.quantiser.max() > QUANTISER_MAX or plane.quantiser.min() < 1 for plane in planes):
        raise PayloadError("JPEG with quantisation steps beyond 8 bits")
    if any((plane.rows, plane.columns) != (planes[1].rows, planes[1].columns) for plane in planes[2:]):
        raise PayloadError("JPEG whose chroma components differ in size")
    if len(planes) > 1 and (planes[0].rows % planes[1].rows or planes[0].columns % planes[1].columns):
        raise PayloadError("JPEG with less luma than chroma")
    return [Grid(plane.rows, plane.columns, plane.quantiser) for plane in planes]


def _checksum(planes: Sequence[Values]) -> int:
    """CRC-32 of all coefficients, little-endian, component by component in their order."""
    crc = 0
    for plane in planes:
        crc = zlib.crc32(np.ascontiguousarray(plane, "<i2").data, crc)
    return crc


class _Told:
    """Tells how many coefficients of all are done."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self._left = self._all = sum(sizes)

    def done(self, coefficients: int) -> None:
        self._left -= coefficients
        progress.tell(1 - self._left / self._all)


class _Writer:
    """Exchange that knows all coefficients; ANS wants them in reverse, so that they are kept until the end."""

    def __init__(self, planes: Sequence[Values]) -> None:
        self._planes = planes
        self._tops: list[bytes] = []
        self._groups: list[tuple[Group, Values]] = []
        self._told = _Told(plane.size for plane in planes)

    def top(self, plane: int, where: Where) -> Values:
        values = self._planes[plane][where]
        self._tops.append(values.astype("<i2").tobytes())
        self._told.done(values.size)
        return values

    def group(self, group: Group) -> Integers:
        values = group.gather(self._planes)
        symbols = group.symbols(values)
        if not np.array_equal(group.values(symbols), values):
            raise PayloadError("the networks do not restore this JPEG")
        self._groups.append((replace(group, offset=_NOTHING, mirrored=_NOTHING.astype(np.bool_)), symbols.astype(np.int16)))
        self._told.done(symbols.size)
        return values

    def finish(self, model: Coefficients) -> tuple[bytes, bytes]:
        """Shifts and stream, tops."""
        shifts = scale_shifts.choose(self._groups, len(self._planes), model)
        encoder = Encoder()
        for group, symbols in reversed(self._groups):
            encoder.push(symbols.astype(np.int32), scale_shifts.apply(group, shifts, model), model.tables)
            encoder.runs.clear()  # eight bytes a symbol: sorted again when they are read back
        packed, stream = scale_shifts.pack(shifts), encoder.finish()
        self._read_back(stream, scale_shifts.unpack(packed, len(self._planes)), model)
        return bytes([len(packed)]) + packed + stream, b"".join(self._tops)

    def _read_back(self, stream: bytes, shifts: scale_shifts.Shifts, model: Coefficients) -> None:
        """Raises PayloadError unless the tables that coded the symbols give them again."""
        decoder = Decoder(stream)
        for group, symbols in self._groups:
            if not np.array_equal(decoder.pop(scale_shifts.apply(group, shifts, model), model.tables), symbols):
                raise PayloadError("the stream of this JPEG does not come back")
        decoder.finish()


class _Reader:
    """Exchange that reads what _Writer wrote. Raises ValueError where it cannot be that."""

    def __init__(self, stream: bytes, tops: bytes, grids: Sequence[Grid], model: Coefficients) -> None:
        end = 1 + stream[0] if stream else 1
        self._shifts = scale_shifts.unpack(stream[1:end], len(grids))
        self._told = _Told(COEFFICIENTS * grid.rows * grid.columns for grid in grids)
        self._decoder, self._tops, self._model = Decoder(stream[end:]), memoryview(tops), model

    def top(self, plane: int, where: Where) -> Values:
        _, rows, columns = shape(where)
        size = 2 * rows * columns
        if len(self._tops) < size:
            raise ValueError("the coarsest DC is not all there")
        values = np.frombuffer(self._tops[:size], "<i2").astype(np.int16).reshape(1, rows, columns)
        self._tops = self._tops[size:]
        _check(values)
        self._told.done(values.size)
        return values

    def group(self, group: Group) -> Integers:
        symbols = self._decoder.pop(scale_shifts.apply(group, self._shifts, self._model), self._model.tables)
        values = group.values(symbols)
        _check(values)
        self._told.done(values.size)
        return values

    def finish(self) -> None:
        self._decoder.finish()
        if len(self._tops):
            raise ValueError("there is more of the coarsest DC than there should be")


def _check(values: Values | Integers) -> None:
    """Raises ValueError for coefficients that no writer takes: sums of larger ones would not be exact."""
    if values.size and max(-int(values.min()), int(values.max())) > _VALUE_MAX:
        raise ValueError("coefficients beyond 8 bits")
