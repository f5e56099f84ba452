"""The ANS stack: constriction's coder where the package is installed, else the same arithmetic in Python's integers; the same bytes.

State of 64 bits, words of 32, frequencies that sum to 2^24 (docs/format.md section 8.2; Duda et al. 2015). There is no constriction for
Linux on ARM; a symbol costs some ten times as much there, which is still little beside the networks.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

try:
    import constriction
except ImportError:
    constriction = None

PRECISION = 24
_WORD = 32
_ALL_ONES = (1 << _WORD) - 1
_QUANTILES = (1 << PRECISION) - 1

Symbols = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint32]


class Stack(Protocol):
    """Symbols on top of each other: what was encoded last is decoded first."""

    def encode_reverse(self, symbols: Symbols, model: Any) -> None:
        """Put symbols (n,) on the stack, the last one first."""

    def decode(self, model: Any, amount: int) -> Symbols:
        """Take `amount` symbols from the stack."""

    def get_compressed(self) -> Words:
        """All words, the one that is read first at the end."""

    def is_empty(self) -> bool:
        """Whether nothing is left."""


class PlainModel:
    """Frequencies and their sums as lists."""

    def __init__(self, frequencies: npt.NDArray[np.uint32]) -> None:
        self.frequencies: list[int] = frequencies.tolist()
        self.sums = list(accumulate(self.frequencies[:-1], initial=0))


class PlainStack:
    """The stack in Python's integers."""

    def __init__(self, words: Words | None = None) -> None:
        self._words: list[int] = [] if words is None else words.tolist()
        self._state = 0
        for _ in range(min(2, len(self._words))):
            self._state = self._state << _WORD | self._words.pop()

    def encode_reverse(self, symbols: Symbols, model: PlainModel) -> None:
        """Put symbols (n,) on the stack, the last one first."""
        frequencies, sums, words, state = model.frequencies, model.sums, self._words, self._state
        for symbol in reversed(symbols.tolist()):
            frequency = frequencies[symbol]
            if state >> 2 * _WORD - PRECISION >= frequency:
                words.append(state & _ALL_ONES)
                state >>= _WORD
            state = (state // frequency << PRECISION) + state % frequency + sums[symbol]
        self._state = state

    def decode(self, model: PlainModel, amount: int) -> Symbols:
        """Take `amount` symbols from the stack."""
        frequencies, sums, words, state = model.frequencies, model.sums, self._words, self._state
        symbols = []
        for _ in range(amount):
            quantile = state & _QUANTILES
            symbol = bisect_right(sums, quantile) - 1
            state = (state >> PRECISION) * frequencies[symbol] + quantile - sums[symbol]
            if words and not state >> _WORD:
                state = state << _WORD | words.pop()
            symbols.append(symbol)
        self._state = state
        return np.array(symbols, np.int32)

    def get_compressed(self) -> Words:
        """All words, the one that is read first at the end."""
        state, words = self._state, list(self._words)
        while state:
            words.append(state & _ALL_ONES)
            state >>= _WORD
        return np.array(words, np.uint32)

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not self._state and not self._words


def stack(words: Words | None = None) -> Stack:
    """An empty stack, or one that holds `words`."""
    if constriction is None:
        return PlainStack(words)
    coder: Stack = constriction.stream.stack.AnsCoder(*() if words is None else (words,))
    return coder


def model(frequencies: npt.NDArray[np.uint32]) -> Any:
    """What a stack takes as a model of exactly these frequencies (n,), each >= 1, sum 2^24.

    constriction's `perfect=False` quantiser gives every symbol 1 and deals out the rest in proportion: fed with frequency - 1, which sum to
    exactly what it has to deal out, its scale factor is exactly 1 (tests/models/test_entropy.py compares it with the plain stack).
    """
    if constriction is None:
        return PlainModel(frequencies)
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)
