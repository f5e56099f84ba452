"""Huffman tables of JPEG as their segments have them, and the codes that follow from them (ITU-T T.81 B.2.4.2 and annex C)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A table as its DHT segment has it: `counts` of codes by length 1..16, `symbols` in order of their codes."""

    counts: bytes
    symbols: bytes


def huffman_tables(body: bytes) -> dict[tuple[bool, int], HuffmanTable]:
    """Tables of one DHT segment (T.81 B.2.4.2): (is it for AC, number) -> table."""
    tables, at = {}, 0
    while at < len(body):
        ac, number, counts = body[at] >> 4, body[at] & 15, body[at + 1 : at + 17]
        symbols = body[at + 17 : at + 17 + sum(counts)]
        space = sum(count << (16 - bits) for bits, count in enumerate(counts, 1))
        if ac > 1 or number > 3 or len(counts) < 16 or len(symbols) != sum(counts) or not 0 < space <= 1 << 16:
            raise PayloadError("broken JPEG: Huffman table")
        tables[bool(ac), number] = HuffmanTable(counts, symbols)
        at += 17 + len(symbols)
    return tables


def code_lengths(table: HuffmanTable) -> NDArray[np.int64]:
    """Bits of each symbol's code, in the order of the table."""
    return np.repeat(np.arange(1, 17), np.frombuffer(table.counts, np.uint8))


def codes(table: HuffmanTable) -> NDArray[np.int64]:
    """(256,): bits << 16 | code by symbol, 0 where there is none (T.81 annex C)."""
    lengths = code_lengths(table)
    spans = 1 << (16 - lengths)
    out = np.zeros(256, np.int64)
    out[np.frombuffer(table.symbols, np.uint8)] = lengths << 16 | (np.cumsum(spans) - spans) >> (16 - lengths)
    return out
