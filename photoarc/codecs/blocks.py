"""Codec 10, `blocks`: a large file in blocks, each with a stream of its own, and the holes of a sparse file (docs/format.md section 7.12).

    block    version, method, numbers | runs: hole, data, hole, data, ... | data of all runs, as they are or by LZMA

Each block is one part of the payload, so that neither side ever has more than one in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import Struct

from photoarc.codecs import general
from photoarc.entropy import lzma2
from photoarc.errors import PayloadCorrupt, PayloadError

MAX_DATA_BYTES = 1 << 25  # of a block, without holes
MAX_RUNS = 4096
_VERSION, _STORED, _LZMA = 1, 0, 1
_HEAD = Struct("<BBHII")  # version, method, reserved, runs, bytes of the coded data
_RUN = Struct("<QQ")  # bytes of the hole, bytes of data behind it
_QUICK, _USUAL, _USUAL_EFFORT = 1, 6, 3  # presets of LZMA: 13 and 2.5 MB/s on a database

Runs = Sequence[tuple[int, int]]


def encode_block(runs: Runs, data: bytes, effort: int) -> bytes:
    """Runs (bytes of a hole, bytes of data behind it) and all their data, back to back -> payload of one part.

    What samples say is not compressible is stored without a try.
    """
    coded, method = data, _STORED
    if data and general.promising(data):
        packed = lzma2.compress(data, preset=_USUAL if effort >= _USUAL_EFFORT else _QUICK)
        if general.pays(packed, data) and lzma2.decompress(packed, len(data)) == data:
            coded, method = packed, _LZMA
    return stored_block(runs, coded, method)


def stored_block(runs: Runs, coded: bytes, method: int = _STORED) -> bytes:
    """The same for data that are to stay as they are."""
    return b"".join([_HEAD.pack(_VERSION, method, 0, len(runs), len(coded)), *(_RUN.pack(*run) for run in runs), coded])


def decode_block(payload: bytes, most_bytes: int) -> Iterator[tuple[int, memoryview]]:
    """Inverse: (bytes of a hole, data behind it) for each run; the block stands for at most so many bytes.

    Raises PayloadError before anything is decoded if the block is damaged.
    """
    _, runs, size = _parse(memoryview(payload), most_bytes, len(payload))
    if size != len(payload):
        raise PayloadError(f"a block of {size} bytes has {len(payload)}", PayloadCorrupt)
    return _decoded(memoryview(payload), runs)


def decode(payload: bytes, size_bytes: int, as_format: str | None = None) -> bytes:
    """All blocks of a payload -> the file. Raises PayloadError."""
    left, view, pieces = size_bytes, memoryview(payload), []
    while view:
        block_bytes, runs, size = _parse(view, left, len(view))
        for hole_bytes, data in _decoded(view[:size], runs):
            pieces += [bytes(hole_bytes), bytes(data)]
        left, view = left - block_bytes, view[size:]
    if left:
        raise PayloadError(f"the blocks hold {size_bytes - left} bytes, the file had {size_bytes}", PayloadCorrupt)
    return b"".join(pieces)


def stands_for(read_at: Callable[[int, int], bytes], payload_bytes: int, most_bytes: int) -> int:
    """Bytes that a block stands for, of which only the head and the runs are read: they may be damaged. Raises PayloadError."""
    head = read_at(0, min(_HEAD.size, payload_bytes))
    runs_n = min(_HEAD.unpack(head)[3], MAX_RUNS) if len(head) == _HEAD.size else 0
    head += read_at(len(head), min(runs_n * _RUN.size, payload_bytes - len(head)))
    return _parse(memoryview(head), most_bytes, payload_bytes)[0]


def _parse(view: memoryview, most_bytes: int, payload_bytes: int) -> tuple[int, list[tuple[int, int]], int]:
    """Bytes that the first block stands for, its runs, its length in the payload, which may start with it. Raises PayloadError."""
    if payload_bytes < _HEAD.size:
        raise PayloadError("a block is cut", PayloadCorrupt)
    version, method, _, runs_n, coded_bytes = _HEAD.unpack_from(view)
    data_at = _HEAD.size + runs_n * _RUN.size
    if version != _VERSION or method not in (_STORED, _LZMA) or runs_n > MAX_RUNS or data_at + coded_bytes > payload_bytes:
        raise PayloadError(f"the head of a block is damaged, or of a later version ({version})", PayloadCorrupt)
    runs = list(_RUN.iter_unpack(view[_HEAD.size : data_at]))
    data_bytes = sum(data for _, data in runs)
    size_bytes = data_bytes + sum(hole for hole, _ in runs)
    if size_bytes > most_bytes or data_bytes > MAX_DATA_BYTES or (method == _STORED and data_bytes != coded_bytes):
        raise PayloadError(f"a block claims {data_bytes} bytes of data in {size_bytes}, {most_bytes} are left of the file", PayloadCorrupt)
    return size_bytes, runs, data_at + coded_bytes


def _decoded(block: memoryview, runs: Runs) -> Iterator[tuple[int, memoryview]]:
    method, data, at = block[1], block[_HEAD.size + len(runs) * _RUN.size :], 0
    if method == _LZMA:
        data = memoryview(lzma2.decompress(bytes(data), sum(size for _, size in runs)))
    for hole_bytes, size in runs:
        yield hole_bytes, data[at : at + size]
        at += size
