"""Symbols <-> bytes: constriction's ANS coder with integer tables (docs/format.md section 8.2; Duda et al. 2015).

ANS is a stack: what is decoded first is encoded last. `Encoder.push` and `Decoder.pop` therefore mirror each other in reversed order,
and escapes are listed in decoding order.
"""

from __future__ import annotations

from collections.abc import Sequence

import constriction
import numpy as np
import numpy.typing as npt

from photoarc.entropy.tables import Table

Symbols = npt.NDArray[np.int32]
LIMIT = 32767  # symbols and escapes are 16-bit integers


class Encoder:
    """Collects groups of symbols, last group of the stream first."""

    def __init__(self) -> None:
        self._coder = constriction.stream.stack.AnsCoder()
        self._escapes: list[Symbols] = []

    def push(self, symbols: Symbols, table: Table) -> None:
        """Encode one group (n,) in front of everything pushed so far."""
        reach = table.reach
        beyond = np.abs(symbols) > reach
        shifted = symbols + np.int32(reach)
        if beyond.any():
            self._escapes.append(symbols[beyond])
            shifted[beyond] = 2 * reach + 1
        self._coder.encode_reverse(shifted, table.model)

    def finish(self) -> bytes:
        """Stream: u32 words, u32 escapes, the words u32, the escapes i16; all little-endian."""
        words = self._coder.get_compressed().astype("<u4")
        escapes = np.concatenate([np.empty(0, np.int32), *reversed(self._escapes)]).astype("<i2")
        lengths = np.array([len(words), len(escapes)], "<u4")
        return b"".join(a.tobytes() for a in (lengths, words, escapes))


class Decoder:
    """Reads the groups of one stream in order.

    Raises ValueError for a stream whose lengths do not fit; wrong words decode to wrong symbols, which the caller's checksum finds.
    """

    def __init__(self, stream: bytes) -> None:
        if len(stream) < 8:
            raise ValueError(f"ANS stream has {len(stream)} bytes, expected at least 8")
        words, escapes = (int(n) for n in np.frombuffer(stream, "<u4", 2))
        if len(stream) != 8 + 4 * words + 2 * escapes:
            raise ValueError(f"ANS stream has {len(stream)} bytes, expected {8 + 4 * words + 2 * escapes}")
        data = np.frombuffer(stream, "<u4", words, 8).astype(np.uint32)
        if words and data[-1] == 0:
            raise ValueError("ANS stream ends in a zero word")
        self._coder = constriction.stream.stack.AnsCoder(data)
        self._escapes = np.frombuffer(stream, "<i2", escapes, 8 + 4 * words).astype(np.int32)
        self._next = 0

    def pop(self, count: int, table: Table) -> Symbols:
        """Decode one group of `count` symbols."""
        reach = table.reach
        symbols: Symbols = self._coder.decode(table.model, count) - np.int32(reach)
        escaped = np.flatnonzero(symbols > reach)
        if len(escaped):
            if self._next + len(escaped) > len(self._escapes):
                raise ValueError(f"ANS stream escapes more than its {len(self._escapes)} listed values")
            symbols[escaped] = self._escapes[self._next : self._next + len(escaped)]
            self._next += len(escaped)
        return symbols

    def finish(self) -> None:
        """Everything must have been read: raises ValueError otherwise."""
        if not self._coder.is_empty() or self._next != len(self._escapes):
            raise ValueError("ANS stream goes on after the last symbol")


def push_by_table(encoder: Encoder, symbols: Symbols, index: npt.NDArray[np.uint8], tables: Sequence[Table]) -> None:
    """Encode symbols (n,), each with tables[index - 1]; index 0 is not coded. The stream has them by ascending table, then in order."""
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index, minlength=len(tables) + 1))
    grouped = symbols[order]
    for i in range(len(tables), 0, -1):
        if ends[i] > ends[i - 1]:
            encoder.push(grouped[ends[i - 1] : ends[i]], tables[i - 1])


def pop_by_table(decoder: Decoder, index: npt.NDArray[np.uint8], tables: Sequence[Table]) -> Symbols:
    """Inverse of push_by_table: symbols (n,), zero where the index is 0."""
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index, minlength=len(tables) + 1))
    grouped = np.zeros(len(index), np.int32)
    for i in range(1, len(tables) + 1):
        if ends[i] > ends[i - 1]:
            grouped[ends[i - 1] : ends[i]] = decoder.pop(int(ends[i] - ends[i - 1]), tables[i - 1])
    symbols = np.empty_like(grouped)
    symbols[order] = grouped
    return symbols
