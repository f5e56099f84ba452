"""Codec 3, `composite`: a JPEG file as runs of streams, each stream by the codec that suits it (docs/format.md section 7.6).

    file     SOI .. picture .. EOI | zeros | SOI .. second picture .. EOI | MP4
    stream   2                       1       3                              1       2, 3: jpegxl, 1: lzma or store

What a phone puts behind the picture (the pictures of MPF, gain maps, the film of a motion photo) JPEG XL reconstruction refuses where
it is much and keeps as it is where it is not. Here every picture is its own JPEG XL file. One that is refused with its metadata (profiles
in pieces that do not add up) is tried without them; they then form stream 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from photoarc import progress
from photoarc.codecs import DCT, JPEGXL, LEPTON, LZMA, STORE, bitexact, general, get, jpegxl
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.options import EFFORT, NETWORKS, THOROUGH
from photoarc.pictures.kinds import JPEG_START
from photoarc.pictures.parsed import Parsed, jpeg_at, parsed

_VERSION = 1
_MAX_TRIES = 64  # start markers looked at behind the first picture: films hold some by chance
_METADATA, _TAIL, _FIRST_PICTURE, _MAX_PICTURES = 0, 1, 2, 16
_ALLOWED = frozenset((STORE, LZMA, JPEGXL, LEPTON, DCT))

Transcode = Callable[[Parsed], bytes]

_HEAD = Struct("<BBH")  # version, number of streams, number of runs
_STREAM = Struct("<BII")  # codec ID, bytes, bytes in the payload
_RUN = Struct("<BI")  # stream, bytes


def refusal(file: Parsed, payload: bytes) -> str:
    """In words why networks did not take the picture that a JPEG file begins with; "" if they did, or if another codec was smaller."""
    streams, _ = _unpack(payload)
    if streams[_FIRST_PICTURE].codec_id == DCT:
        return ""
    from photoarc.codecs import dct

    try:
        dct.check(file.alone)
    except PayloadError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class _Run:
    """The next `size_bytes` of the file are the next ones of a stream."""

    stream: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """A stream as it lies in the payload."""

    codec_id: int
    size_bytes: int
    packed: bytes


def encode(data: bytes | Parsed, effort: int = EFFORT) -> bytes:
    """JPEG file -> payload, decoded back and compared. Each picture as efforts say it of JPEG files (photoarc.codecs.bitexact).

    Raises PayloadError if JPEG XL refuses every picture in it or if the file does not come back.
    """
    file = parsed(data)
    whole_bytes = len(file.data)
    streams, runs, at = [_Stream(STORE, 0, b"")] * _FIRST_PICTURE, [], 0
    refusal = PayloadError("no picture in it")
    for start, picture in _pictures(file):
        end = start + len(picture.data)
        try:
            with progress.part(progress.CODING * start / whole_bytes, progress.CODING * end / whole_bytes):
                coded, own = _code_picture(picture, len(streams), effort)
        except PayloadError as error:
            refusal = error
            continue
        streams.append(coded)
        runs += [_Run(_TAIL, start - at), *own]
        at = end
    runs.append(_Run(_TAIL, whole_bytes - at))
    if len(streams) == _FIRST_PICTURE:
        raise refusal
    for number in (_METADATA, _TAIL):
        streams[number] = _code_bytes(_gather(file.data, runs, number))
    payload = _pack(streams, runs)
    with progress.part(progress.CODING, 1):
        restored = decode(payload, whole_bytes)
    if restored != file.data:
        raise PayloadError("the file does not come back from its streams")
    return payload


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """Payload -> JPEG file. Raises PayloadError if the payload is damaged or the size is not the original's.

    All lengths are compared before any stream is decoded: together they take no more memory than the file, twice.
    """
    streams, runs = _unpack(payload)
    lengths = [0] * len(streams)
    for run in runs:
        lengths[run.stream] += run.size_bytes
    if [stream.size_bytes for stream in streams] != lengths or sum(lengths) != size_bytes:
        raise PayloadError("the lengths of the streams do not agree", PayloadCorrupt)
    decoded, done, whole = [], 0, max(size_bytes, 1)
    for stream in streams:
        with progress.part(done / whole, (done + stream.size_bytes) / whole):
            decoded.append(memoryview(get(stream.codec_id).decode(stream.packed, stream.size_bytes)))
        done += stream.size_bytes
    at, pieces = [0] * len(streams), []
    for run in runs:
        start, at[run.stream] = at[run.stream], at[run.stream] + run.size_bytes
        pieces.append(decoded[run.stream][start : at[run.stream]])
    return b"".join(pieces)


def _pictures(file: Parsed) -> list[tuple[int, Parsed]]:
    """The JPEGs in the file, and where they begin. Raises PayloadError if it does not begin with a sound one."""
    first = file.alone
    pictures = [(0, first)]
    at = len(first.data)
    for _ in range(_MAX_TRIES):
        at = file.data.find(JPEG_START, at)
        if at < 0 or len(pictures) == _MAX_PICTURES:
            break
        try:
            found = jpeg_at(file.data, at)
        except PayloadError:
            at += 2
            continue
        pictures.append((at, found))
        at += len(found.data)
    return pictures


def _code_picture(picture: Parsed, number: int, effort: int) -> tuple[_Stream, list[_Run]]:
    """One picture as stream `number`, with its metadata or else without. Raises PayloadError if both are refused."""
    try:
        return _smallest(picture, effort), [_Run(number, len(picture.data))]
    except PayloadError:
        bare = picture.jpeg.picture
        if len(bare) == len(picture.data):
            raise
        coded = _smallest(Parsed(bare), effort)
    runs, at = [], 0
    for start, end in picture.jpeg.spans:
        runs += [_Run(_METADATA, start - at), _Run(number, end - start)]
        at = end
    return coded, runs


def _smallest(picture: Parsed, effort: int) -> _Stream:
    """The first codec's that takes the picture; where that is doubted, and from THOROUGH on, the smallest of all.

    Raises PayloadError if nothing takes it.
    """
    coded, refusal = [], PayloadError("")
    asked: list[tuple[int, Transcode]] = [(JPEGXL, jpegxl.transcode)]
    if effort >= NETWORKS:
        from photoarc.codecs import dct, lepton  # slow to load

        asked = [(DCT, dct.transcode), *asked, *([(LEPTON, lepton.transcode)] if effort >= THOROUGH else [])]
    for codec_id, transcode in asked:
        try:
            coded.append(_Stream(codec_id, len(picture.data), transcode(picture)))
        except PayloadError as error:
            refusal = error
            continue
        if effort < THOROUGH and not (codec_id == DCT and bitexact.is_doubted(picture, len(coded[-1].packed))):
            break
    if not coded:
        raise refusal
    return min(coded, key=lambda stream: len(stream.packed))


def _gather(data: bytes, runs: list[_Run], number: int) -> bytes:
    """The bytes of one stream."""
    pieces, at = [], 0
    for run in runs:
        if run.stream == number:
            pieces.append(data[at : at + run.size_bytes])
        at += run.size_bytes
    return b"".join(pieces)


def _code_bytes(data: bytes) -> _Stream:
    try:
        return _Stream(LZMA, len(data), general.encode(data))
    except PayloadError:
        return _Stream(STORE, len(data), data)


def _pack(streams: list[_Stream], runs: list[_Run]) -> bytes:
    """Payload; runs of no bytes are left out, neighbours of one stream joined."""
    joined: list[_Run] = []
    for run in runs:
        if run.size_bytes and joined and joined[-1].stream == run.stream:
            joined[-1] = _Run(run.stream, joined[-1].size_bytes + run.size_bytes)
        elif run.size_bytes:
            joined.append(run)
    if len(joined) > 0xFFFF:
        raise PayloadError("more than 65,535 runs")
    rows = [_STREAM.pack(stream.codec_id, stream.size_bytes, len(stream.packed)) for stream in streams]
    rows += [_RUN.pack(run.stream, run.size_bytes) for run in joined]
    return b"".join([_HEAD.pack(_VERSION, len(streams), len(joined)), *rows, *(stream.packed for stream in streams)])


def _unpack(payload: bytes) -> tuple[list[_Stream], list[_Run]]:
    """Inverse of _pack; nothing is decoded. Raises PayloadError."""
    if len(payload) < _HEAD.size:
        raise PayloadError("the payload is too short", PayloadCorrupt)
    version, stream_count, run_count = _HEAD.unpack_from(payload)
    runs_at = _HEAD.size + stream_count * _STREAM.size
    at = runs_at + run_count * _RUN.size
    if version != _VERSION or not stream_count or at > len(payload):
        raise PayloadError(f"the head of the payload is damaged, or of a later version ({version})", PayloadCorrupt)
    streams = []
    for codec_id, size_bytes, packed_bytes in _STREAM.iter_unpack(payload[_HEAD.size : runs_at]):
        if codec_id not in _ALLOWED or at + packed_bytes > len(payload):
            raise PayloadError("a stream of the payload is damaged", PayloadCorrupt)
        streams.append(_Stream(codec_id, size_bytes, payload[at : at + packed_bytes]))
        at += packed_bytes
    runs = [_Run(*fields) for fields in _RUN.iter_unpack(payload[runs_at : runs_at + run_count * _RUN.size])]
    if at != len(payload) or any(run.stream >= stream_count for run in runs):
        raise PayloadError("the streams do not fill the payload", PayloadCorrupt)
    return streams, runs
