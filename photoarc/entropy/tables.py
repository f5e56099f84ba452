"""Integer probability tables: frequencies that sum to 2^24, shipped with the model, never recomputed (docs/format.md section 8.2).

A table of reach R codes the symbols -R..R, then one escape symbol for everything beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.entropy.stack import PRECISION, model


@dataclass(frozen=True)
class Table:
    """One table; `frequencies` (2 * reach + 2,) uint32, each >= 1, sum 2^24, the escape symbol last."""

    frequencies: npt.NDArray[np.uint32]

    @cached_property
    def reach(self) -> int:
        """Largest magnitude that needs no escape."""
        return len(self.frequencies) // 2 - 1

    @cached_property
    def model(self) -> Any:
        """What the ANS stack takes as a model."""
        return model(self.frequencies)


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
