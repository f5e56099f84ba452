"""RECOVERY chunks: written behind the members, and found again in a damaged file (docs/format.md section 16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from blake3 import blake3

from photoarc.container.chunks import make_chunk, payload_is_intact, read_chunk
from photoarc.container.frames import CHUNK_MAGIC, ChunkType
from photoarc.container.recovery_layout import CHECK_BYTES, Layout, RecoveryRecord, pack_recovery, parse_recovery
from photoarc.container.reed_solomon import Combination, cauchy
from photoarc.container.source import Source
from photoarc.container.traces import Marks
from photoarc.errors import FormatError, LimitExceeded

_STRIP_BYTES = 2 << 20  # of each row at once: sums take 16 times as much at 5 %
_MOST_SETS = 1000

Read = Callable[[int, int], bytes]  # offset, count


def row(layout: Layout, read: Read, number: int, codeword: int, codewords: int = 1) -> bytes:
    """Data blocks of one row, of neighbouring codewords, filled up with zeros. Raises what `read` raises."""
    data = b"".join(read(*piece) for piece in layout.pieces(number * layout.codewords + codeword, codewords))
    return data.ljust(codewords * layout.block_bytes, b"\0")


def check(block: bytes | memoryview) -> bytes:
    """What a record says of a data block. No CRC: that of everything that ends in its own CRC, as a footer does, is the same number."""
    return blake3(block).digest(CHECK_BYTES)


def recovery_chunk(archive_id: bytes, first_sequence: int, record: RecoveryRecord, parity: bytes) -> bytes:
    """One chunk; `first_sequence` is of the first of them."""
    number = record.parity * record.layout.codewords + record.codeword
    pieces = make_chunk(archive_id, ChunkType.RECOVERY, (first_sequence + number) % (1 << 32), pack_recovery(record), parity)
    return b"".join(pieces)


def encode(layout: Layout, read: Read, archive_id: bytes, first_sequence: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of runs of RECOVERY chunks that protect what `read` gives. Raises what `read` raises."""
    matrix, size = cauchy(layout.data_blocks, layout.parity_blocks), layout.block_bytes
    at_once = max(1, _STRIP_BYTES // size)
    for first in range(0, layout.codewords, at_once):
        width = min(at_once, layout.codewords - first)
        sums = Combination(matrix, width * size)
        checks = np.empty((layout.data_blocks, width), "<u4")
        for number in range(layout.data_blocks):
            data = memoryview(row(layout, read, number, first, width))
            sums.add(number, np.frombuffer(data, np.uint8))
            checks[number] = np.frombuffer(b"".join(check(data[at : at + size]) for at in range(0, len(data), size)), "<u4")
        for parity, blocks in enumerate(sums.blocks()):
            records = (RecoveryRecord(layout, first + n, parity, checks[:, n].tobytes()) for n in range(width))
            chunks = [
                recovery_chunk(archive_id, first_sequence, record, blocks[n * size : (n + 1) * size].tobytes())
                for n, record in enumerate(records)
            ]
            yield layout.chunk_offset(first, parity), b"".join(chunks)


@dataclass(slots=True)
class RecoverySet:
    """What was found of one layout, in one or several copies of an archive."""

    layout: Layout
    tag: bytes
    first_sequence: int
    checks: dict[int, bytes] = field(default_factory=dict)  # by codeword
    parities: dict[tuple[int, int], tuple[int, int]] = field(
        default_factory=dict
    )  # (codeword, parity) -> number of the copy, payload's offset
    shifts: dict[int, dict[int, int]] = field(default_factory=dict)  # of each copy: how far chunks lie from their place -> how many


def find_sets(copies: Sequence[Source]) -> list[RecoverySet]:
    """All recovery data with sound checks, by place. Raises LimitExceeded for a file that is full of made-up ones."""
    sets: dict[tuple[bytes, Layout], RecoverySet] = {}
    for number, copy in enumerate(copies):
        marks, at = Marks(copy), 0
        while (mark := marks.find(at, copy.size_bytes)) is not None:
            at, magic = mark
            try:
                at = _take(copy, number, at, sets) if magic == CHUNK_MAGIC else at + 1
            except (FormatError, LimitExceeded):
                at += 1
            if len(sets) > _MOST_SETS:
                raise LimitExceeded(
                    f"{copy.name}: more than {_MOST_SETS} sets of recovery data; this is not an archive that photoarc wrote"
                )
    return sorted(sets.values(), key=lambda found: found.layout.start)


def _take(copy: Source, number: int, at: int, sets: dict[tuple[bytes, Layout], RecoverySet]) -> int:
    """File the chunk if it is one of recovery data; returns where to go on."""
    chunk = read_chunk(copy, at, None)
    if not payload_is_intact(copy, chunk):
        return chunk.payload_offset
    if chunk.header.type != ChunkType.RECOVERY:
        return chunk.end
    record = parse_recovery(chunk.record)
    layout = record.layout
    if chunk.header.payload_bytes != layout.block_bytes:
        raise FormatError("a recovery chunk of another length than its record says", section="16.1", offset=at)
    place = record.parity * layout.codewords + record.codeword
    tag, first = chunk.header.archive_tag, (chunk.header.sequence - place) % (1 << 32)
    found = sets.setdefault((tag, layout), RecoverySet(layout, tag, first))
    found.checks.setdefault(record.codeword, record.checks)
    found.parities.setdefault((record.codeword, record.parity), (number, chunk.payload_offset))
    shifts = found.shifts.setdefault(number, {})
    shift = at - layout.chunk_offset(record.codeword, record.parity)
    shifts[shift] = shifts.get(shift, 0) + 1
    return chunk.end
