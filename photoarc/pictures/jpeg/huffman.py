"""Huffman codes of JPEG (ITU-T T.81 annexes F and G): entropy-coded bits to coefficients with NumPy alone.

    intervals (bytes without stuffing) -> lanes -> marks (one per symbol, by bit) -> (block, k, value) of every non-zero

Decoding Huffman codes is serial, but a decoder that starts anywhere falls in step with the right one after a while. So each
interval is cut into chunks, and all chunks are decoded in lock-step from a guessed state, then corrected from their ends: Klein
& Wiseman, "Parallel Huffman decoding with applications to JPEG files" (2003); Weissenberger & Schmidt, "Massively parallel
Huffman decoding on GPUs" (ICPP 2018) and "Accelerating JPEG decompression on GPUs" (2021). What never falls in step (flat
pictures) is decoded symbol by symbol, so that time is linear in the size of the data, whatever is in it.

Nothing here says that the data are sound: whoever decodes encodes again and compares (`jpeg_scan.read`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.pictures.jpeg.tables import HuffmanTable, code_lengths

# A lane's state is 256 x (block of the MCU) + 1 + (zigzag index k of the next coefficient); 0 in `marks` means: no symbol here.
_STATES_PER_BLOCK = 256
_END_OF_BLOCK = 128  # advance of k; 1 to 16 for a coefficient and the zeros before it
_SLACK_BYTES = 8  # behind each chunk, so that the symbol across its end (31 bits at most) is whole
_SLACK_BITS = 8 * _SLACK_BYTES
# A point of a lane's way in one number: position << 12 | state. The next chunk's lane is where its slack ends.
_STATE_BITS, _STATE_MASK = 12, 4095
_NEXT_LANE = _SLACK_BITS << _STATE_BITS
_MAX_LANES = 2048
_MIN_CHUNK_BYTES, _MAX_CHUNK_BYTES = 256, 1024
_FEW = 16  # lanes that are faster one after the other than in lock-step
_STEPS = 16  # between two looks at which lanes are done
_MAX_ROUNDS = 6
_SLICE_LANES = 32


Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Machine:
    """What lanes look up.

    `entries`: by table and 16-bit window: bits of the symbol (5), advance of k (8), bits of its code (5), of its value (4), run (4).
    `table_at`: by state, where its table begins in `entries`. `follower`: by state plus advance, the next state. `band`: 0, or the
    number of coefficients of a block in a progressive scan of AC.
    """

    entries: NDArray[np.int32]
    table_at: NDArray[np.int64]
    follower: NDArray[np.int64]
    band: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Lanes side by side: chunk after chunk with slack between, so that a lane that overruns its end disturbs no other.

    `words`: 32 bits from each byte on. `marks`: state by bit, where a symbol begins. `starts`, `limits`: of the chunks, in bits.
    """

    words: NDArray[np.uint32]
    marks: NDArray[np.uint16]
    starts: NDArray[np.int64]
    limits: NDArray[np.int64]


def _entries(table: HuffmanTable, ac: bool) -> NDArray[np.int64]:
    """(65536,): see Machine. A window that begins with no code is one bit that says nothing."""
    lengths = code_lengths(table)
    symbols = np.frombuffer(table.symbols, np.uint8).astype(np.int64)
    size, run = symbols & 15, symbols >> 4 if ac else 0 * symbols
    ends = (size == 0) & (run < 15) & ac
    advance = np.where(ends, _END_OF_BLOCK, run + 1)
    packed = lengths + size | advance << 5 | lengths << 13 | size << 18 | run << 22
    if not ac:  # a difference has 15 bits at most here, whatever its symbol says
        packed[symbols > 15] = 1 | 1 << 5
    out = np.full(1 << 16, 1 | 1 << 5)
    filled = np.repeat(packed, 1 << (16 - lengths))
    out[: len(filled)] = filled
    return out


def machine(dc: Sequence[HuffmanTable], ac: Sequence[HuffmanTable]) -> Machine:
    """Tables of each block of an MCU, in order -> what decodes it."""
    kinds: list[tuple[HuffmanTable, bool]] = sorted({(t, False) for t in dc} | {(t, True) for t in ac}, key=repr)
    table_at = np.zeros((len(dc), _STATES_PER_BLOCK), np.int64)
    follower = np.empty_like(table_at)
    for block in range(len(dc)):
        table_at[block] = kinds.index((ac[block], True)) << 16
        table_at[block, 1] = kinds.index((dc[block], False)) << 16
        follower[block] = (block + 1) % len(dc) * _STATES_PER_BLOCK + 1
        follower[block, :65] = block * _STATES_PER_BLOCK + np.arange(65)
    return Machine(np.concatenate([_entries(*kind) for kind in kinds], dtype=np.int32), table_at.ravel(), follower.ravel())


def dc_machine(dc: Sequence[HuffmanTable]) -> Machine:
    """The same for a scan of DC alone: a block ends with its first symbol."""
    kinds = sorted(set(dc), key=repr)
    table_at = np.repeat([kinds.index(table) << 16 for table in dc], _STATES_PER_BLOCK)
    first = np.arange(len(dc)) * _STATES_PER_BLOCK + 1
    follower = np.repeat(np.roll(first, -1), _STATES_PER_BLOCK)
    follower[first] = first  # lanes that are done stand still
    return Machine(np.concatenate([_entries(table, ac=False) for table in kinds], dtype=np.int32), table_at, follower)


def band_machine(ac: HuffmanTable, band: int) -> Machine:
    """The same for so many AC of one component, with ends of bands that stand for many blocks (T.81 G.1.2.2)."""
    entries = _entries(ac, ac=True)
    entries += (entries >> 22) * (entries >> 5 & 255 == _END_OF_BLOCK)  # a run of ends has as many bits behind its code
    after = np.arange(_STATES_PER_BLOCK)
    return Machine(entries.astype(np.int32), 0 * after, np.where(after > band, 1, after), band)


def decode(machine: Machine, intervals: Sequence[bytes], blocks_each: int) -> Iterator[Found]:
    """Non-zero coefficients in file order, some at a time: their block's number in the scan, zigzag index, value.

    An interval is `blocks_each` blocks; what it holds beyond is left out, and what it lacks is not made up. The index is above
    63, or the band's last, where a run goes beyond its block. In a progressive scan it counts from the band's first.
    """
    data = b"".join([*intervals, bytes(2 * _SLACK_BYTES)])
    sizes = np.array([len(interval) for interval in intervals], np.int64)
    chunk = min(max(int(sizes.sum()) // _MAX_LANES, _MIN_CHUNK_BYTES), _MAX_CHUNK_BYTES)
    lanes = np.maximum(-(-sizes // chunk), 1)
    first = np.cumsum(lanes) - lanes  # lane with which each interval begins
    interval_of = np.repeat(np.arange(len(sizes)), lanes)
    offsets = (np.arange(len(interval_of)) - first[interval_of]) * chunk
    lengths = np.minimum(sizes[interval_of] - offsets, chunk)
    offsets += (np.cumsum(sizes) - sizes)[interval_of]
    opens = np.zeros(len(offsets), bool)
    opens[first] = True
    point, block = 1, 0
    for low in range(0, len(offsets), _MAX_LANES):
        part = slice(low, low + _MAX_LANES)
        batch = _batch(data, offsets[part], lengths[part])
        point = _synchronise(machine, batch, opens[part], point)
        for at in range(low, min(low + _MAX_LANES, len(offsets)), _SLICE_LANES):
            span = slice(at - low, at - low + _SLICE_LANES)
            inside = opens[part][span]
            opened = interval_of[part][span][inside]
            block, found = (_bands if machine.band else _coefficients)(machine, batch, span, inside, opened, block, blocks_each)
            yield found


def words(data: bytes) -> NDArray[np.uint32]:
    """32 bits from each byte on, as far as there are 4 bytes."""
    return np.ndarray((len(data) - 3,), ">u4", data, strides=(1,)).astype(np.uint32)


def signed(words: NDArray[np.uint32], position: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of `size` bits at these bits; a first bit of 0 says negative (T.81 F.2.2.1)."""
    mask = (1 << size) - 1
    value = _bits(words, position, size)
    value -= mask * (2 * value <= mask)
    return value


def _bits(words: NDArray[np.uint32], position: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of `size` bits, up to 25, at these bits."""
    value: NDArray[np.int64] = words.take(position >> 3, mode="clip") >> (32 - size - (position & 7)) & (1 << size) - 1
    return value


def _batch(data: bytes, offsets: NDArray[np.int64], lengths: NDArray[np.int64]) -> _Batch:
    rooms = lengths + _SLACK_BYTES
    starts, size = np.cumsum(rooms) - rooms, int(rooms.sum())
    source = b"".join([data[at : at + room] for at, room in zip(offsets.tolist(), rooms.tolist(), strict=True)]) + bytes(4)
    return _Batch(words(source)[:size], np.zeros(8 * size, np.uint16), 8 * starts, 8 * (starts + lengths))


def _entry(machine: Machine, batch: _Batch, position: NDArray[np.int64], state: NDArray[np.int64]) -> NDArray[np.int32]:
    """The symbol at each position."""
    index = machine.table_at.take(state, mode="clip")
    index += batch.words.take(position >> 3, mode="clip") >> (16 - (position & 7)) & 0xFFFF
    return machine.entries.take(index, mode="clip")


def _synchronise(machine: Machine, batch: _Batch, opens: NDArray[np.bool_], point: int) -> int:
    """Fill in the marks of a batch; `opens`: lanes that begin an interval. Points count from the batch's start, then from its end."""
    start = batch.starts << _STATE_BITS | np.where(opens, 1, 2)  # a guess: more places in a file are before an AC than before a DC
    if not opens[0]:
        start[0] = point
    end = _race(machine, batch, start)
    rounds = 0
    while len(wrong := np.flatnonzero((start[1:] != end[:-1] + _NEXT_LANE) & ~opens[1:]) + 1):
        if len(wrong) <= _FEW or rounds == _MAX_ROUNDS:
            wrong = wrong[:1]  # all before it are right, so it will be for good
        else:
            rounds += 1
        start[wrong] = end[wrong - 1] + _NEXT_LANE
        _rejoin(machine, batch, wrong, start, end)
    return int(end[-1] - (batch.limits[-1] << _STATE_BITS))


def _race(machine: Machine, batch: _Batch, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Decode all chunks to their ends, marking every symbol; the points where they end."""
    marks, end = batch.marks, start.copy()
    lane, position, state, limit = np.arange(len(start)), start >> _STATE_BITS, start & _STATE_MASK, batch.limits
    while len(lane) > _FEW:
        for _ in range(_STEPS):
            marks[position] = state
            entry = _entry(machine, batch, position, state)
            entry *= position < limit
            position += entry & 31
            state = machine.follower.take(state + (entry >> 5 & 255), mode="clip")
        end[lane] = position << _STATE_BITS | state
        going = position < limit
        lane, position, state, limit = lane[going], position[going], state[going], limit[going]
    for one in lane.tolist():
        passed = _walk(machine, batch, int(end[one]), int(batch.limits[one]), None)
        marks[passed >> _STATE_BITS] = passed & _STATE_MASK
        end[one] = passed[-1]
    _clear_slack(batch, np.arange(len(start)))
    return end


def _rejoin(machine: Machine, batch: _Batch, lanes: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    """Decode chunks anew until they meet what is marked there, and put that right."""
    marks, stop = batch.marks, start.copy()
    lane, position, state, limit = lanes, start[lanes] >> _STATE_BITS, start[lanes] & _STATE_MASK, batch.limits[lanes]
    trail: list[tuple[NDArray[np.int64], NDArray[np.uint16]]] = []
    while len(lane) > _FEW:
        for _ in range(_STEPS):
            trail.append((position.copy(), state.astype(np.uint16)))
            going = marks.take(position, mode="clip") != state
            going &= position < limit
            entry = _entry(machine, batch, position, state)
            entry *= going
            position += entry & 31
            state = machine.follower.take(state + (entry >> 5 & 255), mode="clip")
        stop[lane] = position << _STATE_BITS | state
        lane, position, state, limit = lane[going], position[going], state[going], limit[going]
    for one in lane.tolist():
        passed = _walk(machine, batch, int(stop[one]), int(batch.limits[one]), marks.data)
        trail.append((passed >> _STATE_BITS, (passed & _STATE_MASK).astype(np.uint16)))
        stop[one] = passed[-1]
    stopped = stop[lanes] >> _STATE_BITS
    alone = lanes[stopped >= batch.limits[lanes]]
    end[alone] = stop[alone]
    for low, high in zip(batch.starts[lanes].tolist(), stopped.tolist(), strict=True):
        marks[low:high] = 0
    for at, states in trail:
        marks[at] = states
    _clear_slack(batch, lanes)


def _walk(machine: Machine, batch: _Batch, point: int, limit: int, marks: memoryview | None) -> NDArray[np.int64]:
    """Points from this one up to the limit, or to where `marks` has the same state: one symbol after the other."""
    words, entries, table_at, follower = batch.words.data, machine.entries.data, machine.table_at.data, machine.follower.data
    position, state = point >> _STATE_BITS, point & _STATE_MASK
    passed = [point]
    while position < limit and (marks is None or marks[position] != state):
        entry = entries[table_at[state] + (words[position >> 3] >> (16 - (position & 7)) & 0xFFFF)]
        position += entry & 31
        state = follower[state + (entry >> 5 & 255)]
        passed.append(position << _STATE_BITS | state)
    return np.array(passed)


def _clear_slack(batch: _Batch, lanes: NDArray[np.int64]) -> None:
    batch.marks[batch.limits[lanes][:, None] + np.arange(_SLACK_BITS)] = 0


def _symbols(machine: Machine, batch: _Batch, span: slice) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Of some lanes: where symbols begin, in which state, and what they say."""
    low, high = int(batch.starts[span][0]), int(batch.limits[span][-1])
    position = np.flatnonzero(batch.marks[low:high] != 0) + low
    state = batch.marks[position].astype(np.int64)
    return position, state, _entry(machine, batch, position, state)


def _bands(
    machine: Machine, batch: _Batch, span: slice, inside: NDArray[np.bool_], opened: NDArray[np.int64], block: int, blocks_each: int
) -> tuple[int, Found]:
    """What `_coefficients` finds, of a progressive scan of AC; the block is the one that is open."""
    position, state, narrow = _symbols(machine, batch, span)
    entry = narrow.astype(np.int64)
    k, advance, size, run = state - 1, entry >> 5 & 255, entry >> 18 & 15, entry >> 22
    closed = (k + advance >= machine.band).astype(np.int64)
    ends = np.flatnonzero(advance == _END_OF_BLOCK)
    closed[ends] = (1 << run[ends]) + _bits(batch.words, position[ends] + (entry[ends] >> 13 & 31), run[ends])
    number = np.cumsum(closed)
    cuts = np.searchsorted(position, batch.starts[span][inside])
    counts = np.diff(np.concatenate([[0], cuts, [len(position)]]))
    base = np.concatenate([[block], opened * blocks_each - np.concatenate([[0], number])[cuts]])
    limits = np.concatenate([[-(-block // blocks_each) * blocks_each], (opened + 1) * blocks_each])
    number += np.repeat(base, counts)
    block = min(int(number[-1]), int(limits[-1])) if len(number) else block
    number -= closed
    valued = np.flatnonzero((size != 0) & (number < np.repeat(limits, counts)))
    value = signed(batch.words, position[valued] + (entry[valued] >> 13 & 31), size[valued])
    return block, (number[valued], k[valued] + run[valued], value)


def _coefficients(
    machine: Machine, batch: _Batch, span: slice, inside: NDArray[np.bool_], opened: NDArray[np.int64], block: int, blocks_each: int
) -> tuple[int, Found]:
    """Non-zero coefficients of some lanes, and the block that follows; `inside`: lanes that open the intervals `opened`."""
    starts = batch.starts[span]
    position, state, entry = _symbols(machine, batch, span)
    k = (state & 255) - 1
    number = np.cumsum(k == 0)
    # Each interval counts its own blocks, and has no more than its own.
    cuts = np.searchsorted(position, starts[inside])
    counts = np.diff(np.concatenate([[0], cuts, [len(position)]]))
    base = np.concatenate([[block], opened * blocks_each - np.concatenate([[0], number])[cuts]])
    ends = np.concatenate([[-(-block // blocks_each) * blocks_each], (opened + 1) * blocks_each])
    number += np.repeat(base - 1, counts)
    valued = np.flatnonzero((entry & 15 << 18 != 0) & (number < np.repeat(ends, counts)))
    block = min(int(number[-1]) + 1, int(ends[-1])) if len(number) else block
    position, entry = position[valued], entry[valued].astype(np.int64)
    size = entry >> 18 & 15
    value = signed(batch.words, position + (entry >> 13 & 31), size)
    return block, (number[valued], k[valued] + (entry >> 22), value)
