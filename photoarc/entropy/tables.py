"""Integer probability tables: frequencies that sum to 2^24, shipped with the model, never recomputed (docs/format.md section 8.2).

A table of reach R codes the symbols -R..R, then one escape symbol for everything beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import constriction
import numpy as np
import numpy.typing as npt

PRECISION = 24


@dataclass(frozen=True)
class Table:
    """One table; `frequencies` (2 * reach + 2,) uint32, each >= 1, sum 2^24, the escape symbol last."""

    frequencies: npt.NDArray[np.uint32]

    @property
    def reach(self) -> int:
        """Largest magnitude that needs no escape."""
        return len(self.frequencies) // 2 - 1

    @cached_property
    def model(self) -> constriction.stream.model.Categorical:
        """A constriction model with exactly these frequencies.

        Its `perfect=False` quantiser gives every symbol 1 and deals out the rest in proportion: fed with frequency - 1, which sum to
        exactly what it has to deal out, its scale factor is exactly 1 (test_entropy.py compares the stream with a pure-Python coder).
        """
        return constriction.stream.model.Categorical((self.frequencies - 1).astype(np.float64), perfect=False)


def split(lengths: npt.NDArray[np.uint32], joined: npt.NDArray[np.uint32]) -> list[Table]:
    """Cut joined frequency rows into tables.

    Raises ValueError where a row is not a table: odd length, a zero frequency, a wrong sum.
    """
    if int(lengths.sum()) != len(joined):
        raise ValueError(f"tables hold {len(joined)} frequencies, expected {int(lengths.sum())}")
    tables = []
    for i, row in enumerate(np.split(joined, np.cumsum(lengths)[:-1])):
        if len(row) < 4 or len(row) % 2 or row.min() < 1 or int(row.sum(dtype=np.uint64)) != 1 << PRECISION:
            raise ValueError(
                f"table {i} is not a table: {len(row)} frequencies that sum to {int(row.sum(dtype=np.uint64))}, expected {1 << PRECISION}"
            )
        tables.append(Table(row))
    return tables
