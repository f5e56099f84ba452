"""Symbols <-> bytes: an ANS stack with integer tables (docs/format.md section 8.2; Duda et al. 2015).

Symbols come in groups with an index each, which says their table: symbol i has tables[index[i] - 1], index 0 stands for a 0 that is not
coded. The stream has a group by ascending table, then in order. ANS is a stack: what is decoded first is encoded last. `Encoder.push` and
`Decoder.pop` therefore mirror each other in reversed order, and escapes are listed in decoding order.

One call of the stack a table, everything else for the whole group at once: a photograph has some 300 short runs of one table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from photoarc.entropy.stack import Symbols, stack
from photoarc.entropy.tables import Table

Index = npt.NDArray[np.unsignedinteger]
Spans = list[tuple[Table, int, int]]  # the table of each run, and where it begins and ends


class Runs:
    """A group in the stream's order: where its symbols stand in the group, and where the run of each table ends."""

    def __init__(self, index: Index, tables: Sequence[Table]) -> None:
        self._index, self._tables = index, tables
        counts = np.bincount(index, minlength=len(tables) + 1)
        self.places = np.argsort(index, kind="stable")[counts[0] :]
        present = np.flatnonzero(counts[1:])
        ends = np.cumsum(counts[1 + present]).tolist()
        self.spans: Spans = [(tables[n], a, b) for n, a, b in zip(present.tolist(), [0, *ends], ends, strict=False)]

    def are_of(self, index: Index, tables: Sequence[Table]) -> bool:
        """Whether they were made for the same group."""
        return self._tables is tables and np.array_equal(self._index, index)


class Encoder:
    """Collects groups of symbols, last group of the stream first."""

    def __init__(self) -> None:
        self._stack = stack()
        self._escapes: list[Symbols] = []
        self.runs: list[Runs] = []  # of the groups: a decoder that reads them back at once need not sort again

    def push(self, symbols: Symbols, index: Index, tables: Sequence[Table]) -> None:
        """Encode one group (n,) in front of everything pushed so far."""
        runs = Runs(index, tables)
        self.runs.append(runs)
        self.push_sorted(runs.spans, symbols[runs.places])

    def push_sorted(self, spans: Spans, symbols: npt.NDArray[np.signedinteger]) -> None:
        """The same of symbols in the stream's order."""
        reach = _reach(spans)
        coded = symbols + reach
        beyond = np.flatnonzero(np.abs(symbols) > reach)
        self._escapes.append(symbols[beyond].astype(np.int32))
        coded[beyond] = 2 * reach[beyond] + 1
        encode = self._stack.encode_reverse
        for table, start, end in reversed(spans):
            encode(coded[start:end], table.model)

    def finish(self) -> bytes:
        """Stream: u32 words, u32 escapes, the words u32, the escapes i16; all little-endian."""
        words = self._stack.get_compressed().astype("<u4")
        escapes = np.concatenate([np.empty(0, np.int32), *reversed(self._escapes)]).astype("<i2")
        lengths = np.array([len(words), len(escapes)], "<u4")
        return b"".join(a.tobytes() for a in (lengths, words, escapes))


class Decoder:
    """Reads the groups of one stream in order. `known`: runs that some of them may have.

    Raises ValueError for a stream whose lengths do not fit; wrong words decode to wrong symbols, which the caller's checksum finds.
    """

    def __init__(self, stream: bytes, known: Sequence[Runs] = ()) -> None:
        if len(stream) < 8:
            raise ValueError(f"ANS stream has {len(stream)} bytes, expected at least 8")
        words, escapes = (int(n) for n in np.frombuffer(stream, "<u4", 2))
        if len(stream) != 8 + 4 * words + 2 * escapes:
            raise ValueError(f"ANS stream has {len(stream)} bytes, expected {8 + 4 * words + 2 * escapes}")
        data = np.frombuffer(stream, "<u4", words, 8).astype(np.uint32)
        if words and data[-1] == 0:
            raise ValueError("ANS stream ends in a zero word")
        self._stack = stack(data)
        self._escapes = np.frombuffer(stream, "<i2", escapes, 8 + 4 * words).astype(np.int32)
        self._next = 0
        self._known = known

    def pop(self, index: Index, tables: Sequence[Table]) -> Symbols:
        """Decode one group: symbols (n,), zero where the index is 0."""
        runs = next((known for known in self._known if known.are_of(index, tables)), None) or Runs(index, tables)
        symbols: Symbols = np.zeros(len(index), np.int32)
        symbols[runs.places] = self.pop_sorted(runs.spans)
        return symbols

    def pop_sorted(self, spans: Spans) -> Symbols:
        """The same in the stream's order."""
        if not spans:
            return np.empty(0, np.int32)
        decode = self._stack.decode
        coded: Symbols = np.concatenate([decode(table.model, end - start) for table, start, end in spans])
        reach = _reach(spans)
        coded -= reach
        escaped = np.flatnonzero(coded > reach)
        if self._next + len(escaped) > len(self._escapes):
            raise ValueError(f"ANS stream escapes more than its {len(self._escapes)} listed values")
        coded[escaped] = self._escapes[self._next : self._next + len(escaped)]
        self._next += len(escaped)
        return coded

    def finish(self) -> None:
        """Everything must have been read: raises ValueError otherwise."""
        if not self._stack.is_empty() or self._next != len(self._escapes):
            raise ValueError("ANS stream goes on after the last symbol")


def _reach(spans: Spans) -> Symbols:
    """That of each symbol's table."""
    reaches = np.array([table.reach for table, _, _ in spans], np.int32)
    return np.repeat(reaches, np.array([end - start for _, start, end in spans], np.intp))
