"""What recovery data protect and where it lies (docs/format.md section 16): layout <-> records of RECOVERY chunks.

    file      | start .. gap: header, members | RECOVERY chunks | resume .. end: index, footer |
    protected bytes = the first and the last of these, in blocks; block b is row b // codewords of codeword b % codewords

So neighbours belong to different codewords, and a lost run costs each of them little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from photoarc.container.frames import MAX_RECORD_BYTES, chunk_bytes
from photoarc.errors import FormatError

_RECORD = Struct("<QQQQIIHHIHH")
CHECK_BYTES = 4
_BLOCK_BYTES_MIN, BLOCK_BYTES_MAX = 512, 1 << 16
_BLOCKS = 256  # of a codeword, data and parity
_STRADDLED = 3  # blocks that a run touches beyond its own length: at both of its ends, and the one that the gap divides


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One set of recovery data. Offsets in bytes; `data_blocks` and `parity_blocks` of each codeword."""

    start: int
    gap: int
    resume: int
    end: int
    block_bytes: int
    codewords: int
    data_blocks: int
    parity_blocks: int

    @property
    def protected_bytes(self) -> int:
        """How many bytes the blocks hold; the last one is filled up with zeros."""
        return self.gap - self.start + self.end - self.resume

    @property
    def blocks(self) -> int:
        """How many blocks hold something; the last ones of the last row may be all zeros."""
        return -(-self.protected_bytes // self.block_bytes)

    @property
    def record_bytes(self) -> int:
        """Of a RECOVERY chunk."""
        return _RECORD.size + CHECK_BYTES * self.data_blocks

    @property
    def chunk_bytes(self) -> int:
        """Of a RECOVERY chunk, whole."""
        return chunk_bytes(self.record_bytes, self.block_bytes)

    def chunk_offset(self, codeword: int, parity: int) -> int:
        """Where the chunk of one parity block lies."""
        return self.gap + (parity * self.codewords + codeword) * self.chunk_bytes

    def pieces(self, block: int, blocks: int = 1) -> Iterator[tuple[int, int]]:
        """Offset and length in the file of what these blocks hold, one behind the other."""
        at = block * self.block_bytes
        until = min(at + blocks * self.block_bytes, self.protected_bytes)
        first = self.gap - self.start
        if at < min(until, first):
            yield self.start + at, min(until, first) - at
        at = max(at, first)
        if at < until:
            yield self.resume + at - first, until - at


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """Record of a RECOVERY chunk: which parity block it holds, and checks of the data blocks of its codeword."""

    layout: Layout
    codeword: int
    parity: int
    checks: bytes


def plan(start: int, gap: int, tail_bytes: int, percent: float) -> Layout:
    """Layout with which a run of `percent` of all comes back wherever it is lost; index and footer (`tail_bytes`) follow the chunks."""
    share = percent / 100
    size = gap - start + tail_bytes
    most = max(k for k in range(1, _BLOCKS) if k + _parities(k, 1, share, 0.0) <= _BLOCKS)
    block_bytes = min(max(-(-size // most + 7) & ~7, _BLOCK_BYTES_MIN), BLOCK_BYTES_MAX)
    codewords = -(-size // (block_bytes * most))
    while True:
        data = -(-size // (block_bytes * codewords))
        over = (chunk_bytes(_RECORD.size + CHECK_BYTES * data, block_bytes) - block_bytes) / block_bytes
        parities = _parities(data, codewords, share, over)
        if data + parities <= _BLOCKS:
            break
        codewords += 1
    made = Layout(
        start=start, gap=gap, resume=gap, end=gap, block_bytes=block_bytes, codewords=codewords, data_blocks=data, parity_blocks=parities
    )
    resume = gap + codewords * parities * made.chunk_bytes
    return Layout(
        start=start,
        gap=gap,
        resume=resume,
        end=resume + tail_bytes,
        block_bytes=block_bytes,
        codewords=codewords,
        data_blocks=data,
        parity_blocks=parities,
    )


def _parities(data: int, codewords: int, share: float, over: float) -> int:
    """Parity blocks of a codeword such that a run of this share of all costs none more; `over`: what a chunk takes beside its block."""
    parities = 1
    while parities * codewords < share * codewords * (data + parities * (1 + over)) + _STRADDLED:
        parities += 1
    return parities


def pack_recovery(record: RecoveryRecord) -> bytes:
    """52 bytes and the checks; section 16.1."""
    layout = record.layout
    where = layout.start, layout.gap, layout.resume, layout.end
    sizes = layout.block_bytes, layout.codewords, layout.data_blocks, layout.parity_blocks
    return _RECORD.pack(*where, *sizes, record.codeword, record.parity, 0) + record.checks


def parse_recovery(data: bytes) -> RecoveryRecord:
    """Inverse of pack_recovery; raises FormatError."""
    if len(data) < _RECORD.size:
        raise FormatError(f"a recovery record has at least {_RECORD.size} bytes, found {len(data)}", section="16.1")
    start, gap, resume, end, block_bytes, codewords, data_blocks, parity_blocks, codeword, parity, _ = _RECORD.unpack_from(data)
    layout = Layout(
        start=start,
        gap=gap,
        resume=resume,
        end=end,
        block_bytes=block_bytes,
        codewords=codewords,
        data_blocks=data_blocks,
        parity_blocks=parity_blocks,
    )
    sound = (
        start < gap <= resume <= end
        and _BLOCK_BYTES_MIN <= block_bytes <= BLOCK_BYTES_MAX
        and not block_bytes % 8
        and data_blocks >= 1
        and parity_blocks >= 1
        and data_blocks + parity_blocks <= _BLOCKS
        and codewords * (data_blocks - 1) < layout.blocks <= codewords * data_blocks
        and resume == gap + codewords * parity_blocks * layout.chunk_bytes
        and codeword < codewords
        and parity < parity_blocks
        and len(data) == layout.record_bytes <= MAX_RECORD_BYTES
    )
    if not sound:
        raise FormatError("a recovery record contradicts itself", section="16.1")
    return RecoveryRecord(layout, codeword, parity, data[_RECORD.size :])
