"""A damaged archive, made whole again by its recovery data, from one copy or several (docs/format.md section 16.3).

Each block is looked for in every copy, where it should be and where recovery chunks say that bytes were lost or came in between; what
is found nowhere is computed. Memory: a few blocks, and two bytes for each block of the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.container import frames
from photoarc.container.frames import FILE_HEADER_BYTES, FOOTER_BYTES
from photoarc.container.recovery import RecoverySet, check, find_sets, recovery_chunk, row
from photoarc.container.recovery_layout import CHECK_BYTES, RecoveryRecord
from photoarc.container.reed_solomon import Combination, cauchy, restoring
from photoarc.container.source import Source
from photoarc.errors import FormatError

_MOST_SHIFTS = 16  # that blocks are looked for at, in each copy
_MOST_GROWTH = 3  # the archive as it was, in sizes of what is left of it
_LOST, _UNKNOWN = -1, -2


@dataclass(frozen=True, slots=True)
class Place:
    """Where blocks may be: a copy, and how far they lie from where they belong."""

    copy: Source
    shift: int

    def read(self, offset: int, count: int) -> bytes:
        """Bytes that belong at an offset; raises Truncated where there are none."""
        return self.copy.read_at(offset + self.shift, count)


class Repair:
    """What is wrong with the part of an archive that one set of recovery data protects, and how to mend it."""

    def __init__(self, copies: Sequence[Source], found: RecoverySet) -> None:
        self.layout, self._found, self._copies = found.layout, found, copies
        self._places = list(_places(copies, found))
        self._where = np.full(self.layout.blocks, _LOST, np.int16)  # number of the place of each block

    def look(self, told: Callable[[int], None] = lambda _: None) -> None:
        """Find each block. `told` hears how many bytes were looked at."""
        layout = self.layout
        for block in range(layout.blocks):
            self._where[block] = self._find(block) if block % layout.codewords in self._found.checks else _UNKNOWN
            told(layout.block_bytes)

    def _find(self, block: int) -> int:
        number, codeword = divmod(block, self.layout.codewords)
        expected = self._check(codeword, number)
        for place, candidate in enumerate(self._places):
            try:
                if check(row(self.layout, candidate.read, number, codeword)) == expected:
                    return place
            except FormatError:  # there is nothing there, or the disk does not give it
                continue
        return _LOST

    def _check(self, codeword: int, number: int) -> bytes:
        return self._found.checks[codeword][CHECK_BYTES * number : CHECK_BYTES * (number + 1)]

    @property
    def misplaced(self) -> int:
        """Blocks that are not where they belong in the first copy."""
        return int((self._where > 0).sum())

    @property
    def lost(self) -> int:
        """Blocks that are in no copy."""
        return int((self._where == _LOST).sum())

    @property
    def lost_parities(self) -> int:
        """Recovery chunks that are in no copy."""
        return self.layout.codewords * self.layout.parity_blocks - len(self._found.parities)

    @property
    def out_of_reach(self) -> int:
        """Lost blocks of codewords that have lost more than there are parity blocks left."""
        return sum(len(lost) for codeword, lost in self._losses().items() if len(lost) > len(self._at_hand(codeword)))

    def _losses(self) -> dict[int, list[int]]:
        losses: dict[int, list[int]] = {}
        for block in np.flatnonzero(self._where == _LOST).tolist():
            losses.setdefault(block % self.layout.codewords, []).append(block // self.layout.codewords)
        return losses

    def _at_hand(self, codeword: int) -> list[int]:
        return [parity for parity in range(self.layout.parity_blocks) if (codeword, parity) in self._found.parities]

    def read(self, offset: int, count: int) -> bytes:
        """What belongs there in a protected range, from wherever its blocks were found; zeros for what was not. For bytes of one block."""
        layout = self.layout
        at = offset - layout.start if offset < layout.gap else offset - layout.resume + layout.gap - layout.start
        where = int(self._where[at // layout.block_bytes])
        try:
            return self._places[max(where, 0)].read(offset, count)
        except FormatError:
            return bytes(count)

    def copied(self) -> Iterator[bytes]:
        """All bytes from start to end, zeros for what is computed afterwards."""
        layout = self.layout
        yield from self._protected(layout.start, layout.gap)
        for number in range(layout.codewords * layout.parity_blocks):
            parity, codeword = divmod(number, layout.codewords)
            known = (codeword, parity) in self._found.parities
            checks = self._found.checks.get(codeword, b"")
            yield self._chunk(codeword, parity, checks, self._parity(codeword, parity)) if known else bytes(layout.chunk_bytes)
        yield from self._protected(layout.resume, layout.end)

    def _protected(self, start: int, end: int) -> Iterator[bytes]:
        layout = self.layout
        for block in range(layout.blocks):
            for offset, count in layout.pieces(block):
                if start <= offset < end:
                    yield self.read(offset, count)

    def _parity(self, codeword: int, parity: int) -> bytes:
        copy, offset = self._found.parities[codeword, parity]
        return self._copies[copy].read_at(offset, self.layout.block_bytes)

    def _chunk(self, codeword: int, parity: int, checks: bytes, block: bytes) -> bytes:
        record = RecoveryRecord(self.layout, codeword, parity, checks)
        return recovery_chunk(self._found.tag, self._found.first_sequence, record, block)

    def computed(self) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of what no copy has: blocks and recovery chunks. Raises FormatError if these contradict themselves."""
        layout, losses = self.layout, self._losses()
        for codeword in range(layout.codewords):
            lost, at_hand = losses.get(codeword, []), self._at_hand(codeword)
            if len(lost) > len(at_hand) or (not lost and len(at_hand) == layout.parity_blocks):
                continue
            rows = [row(layout, self.read, number, codeword) for number in range(layout.data_blocks)]
            for number, block in zip(lost, self._restored(codeword, rows, lost, at_hand[: len(lost)]), strict=True):
                rows[number] = block
                at = 0
                for offset, count in layout.pieces(number * layout.codewords + codeword):
                    yield offset, block[at : at + count]
                    at += count
            missing = sorted(set(range(layout.parity_blocks)) - set(at_hand))
            checks = b"".join(map(check, rows))
            for parity, block in zip(missing, _combined(cauchy(layout.data_blocks, layout.parity_blocks)[missing], rows), strict=True):
                yield layout.chunk_offset(codeword, parity), self._chunk(codeword, parity, checks, block)

    def _restored(self, codeword: int, rows: Sequence[bytes], lost: list[int], parities: list[int]) -> list[bytes]:
        if not lost:
            return []
        known = [b"" if number in lost else block for number, block in enumerate(rows)]
        blocks = _combined(restoring(len(rows), lost, parities), [*known, *(self._parity(codeword, parity) for parity in parities)])
        if any(check(block) != self._check(codeword, number) for number, block in zip(lost, blocks, strict=True)):
            raise FormatError("the recovery data contradict themselves", section="16.3")
        return blocks


def _combined(matrix: NDArray[np.uint8], blocks: Sequence[bytes]) -> list[bytes]:
    """Matrix times blocks; empty ones count as zeros."""
    if not len(matrix):
        return []
    sums = Combination(matrix, max(map(len, blocks)))
    for column, block in enumerate(blocks):
        if block:
            sums.add(column, np.frombuffer(block, np.uint8))
    return [block.tobytes() for block in sums.blocks()]


def _places(copies: Sequence[Source], found: RecoverySet) -> Iterator[Place]:
    """Where blocks may be, each copy's own place first."""
    for copy in copies:
        yield Place(copy, 0)
    for number, copy in enumerate(copies):
        seen = found.shifts.get(number, {})
        likely = sorted(seen, key=lambda shift: (-seen[shift], shift))[:_MOST_SHIFTS]
        for shift in dict.fromkeys([*likely, copy.size_bytes - found.layout.end]):
            if shift:
                yield Place(copy, shift)


def repairs(copies: Sequence[Source]) -> list[Repair]:
    """One for each set of recovery data of the archive, by place; empty where there is none. Raises LimitExceeded."""
    sets = find_sets(copies)
    tag = next((tag for tag in map(_tag, copies) if tag is not None), None)
    if tag is None and sets:
        tag = max(sets, key=lambda found: found.layout.end).tag
    largest = _MOST_GROWTH * max(copy.size_bytes for copy in copies)  # nobody's recovery data bring back more; memory is taken for it
    return [Repair(copies, found) for found in sets if found.tag == tag and found.layout.end <= largest]


def _tag(copy: Source) -> bytes | None:
    """Of the archive that a file is, by its header or its footer."""
    try:
        return frames.parse_file_header(copy.read_at(0, FILE_HEADER_BYTES)).archive_id[:4]
    except FormatError:
        pass
    try:
        return frames.parse_footer(copy.read_at(copy.size_bytes - FOOTER_BYTES, FOOTER_BYTES)).archive_id[:4]
    except FormatError:
        return None
