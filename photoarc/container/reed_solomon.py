"""Reed-Solomon erasure code over GF(2^8) with a Cauchy matrix: any k of k + m blocks give the others (docs/format.md section 16.2).

Source: Bloemer et al., An XOR-based erasure-resilient coding scheme, 1995 (Cauchy matrices). One look-up gives a byte's share in eight
blocks at once, which makes NumPy as quick as the disk; of the packages that are kept up, zfec is under the GPL, and reedsolo needs a
compiler to reach 10 MB/s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

MOST_BLOCKS = 256  # of a codeword, data and parity
_POLYNOMIAL = 0x11D
_AT_ONCE = 8  # bytes of a look-up


def _logarithms() -> tuple[NDArray[np.int64], Bytes]:
    powers = np.empty(510, np.uint8)
    logs = np.zeros(256, np.int64)
    value = 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value <<= 1
        if value > 255:
            value ^= _POLYNOMIAL
    return logs, powers


_LOGS, _POWERS = _logarithms()
_ALL: Bytes = np.arange(256, dtype=np.uint8)


def multiply(a: Bytes, b: Bytes) -> Bytes:
    """Products, element by element, broadcast."""
    product: Bytes = np.where((a == 0) | (b == 0), np.uint8(0), _POWERS[_LOGS[a] + _LOGS[b]])
    return product


def _inverted(a: Bytes) -> Bytes:
    inverse: Bytes = _POWERS[255 - _LOGS[a]]
    return inverse


def cauchy(data_blocks: int, parity_blocks: int) -> Bytes:
    """Matrix (parity, data): 1 / ((255 - row) + column), of which every square part can be inverted.

    Raises ValueError for more than 256 blocks together.
    """
    if data_blocks + parity_blocks > MOST_BLOCKS:
        raise ValueError(f"a codeword has at most {MOST_BLOCKS} blocks, not {data_blocks} and {parity_blocks}")
    return _inverted((255 - np.arange(parity_blocks, dtype=np.uint8))[:, None] ^ np.arange(data_blocks, dtype=np.uint8))


def inverse(matrix: Bytes) -> Bytes:
    """Of a square matrix that has one, by Gauss and Jordan."""
    size = len(matrix)
    work = np.concatenate([matrix, np.eye(size, dtype=np.uint8)], 1)
    for column in range(size):
        pivot = column + int(np.flatnonzero(work[column:, column])[0])
        work[[column, pivot]] = work[[pivot, column]]
        work[column] = multiply(work[column], _inverted(work[column, column]))
        factors = work[:, column].copy()
        factors[column] = 0
        work ^= multiply(factors[:, None], work[column])
    return work[:, size:]


def restoring(data_blocks: int, lost: list[int], parities: list[int]) -> Bytes:
    """Matrix (lost, data + parity given) that gives the lost data blocks: `parities`, as many as are lost, are the ones at hand.

    Columns of lost blocks are zero; the last columns are of the parity blocks, in the order given.
    """
    rows = cauchy(data_blocks, max(parities) + 1)[parities]
    solved = inverse(rows[:, lost])
    known = rows.copy()
    known[:, lost] = 0
    shares = np.zeros((len(lost), data_blocks), np.uint8)
    for column in range(len(lost)):
        shares ^= multiply(solved[:, column, None], known[column])
    return np.concatenate([shares, solved], 1)


class Combination:
    """Blocks (outputs, bytes) = matrix (outputs, inputs) times blocks that are added one by one."""

    def __init__(self, matrix: Bytes, block_bytes: int) -> None:
        self._outputs = len(matrix)
        padded = -(-self._outputs // _AT_ONCE) * _AT_ONCE
        self._matrix = np.zeros((padded // _AT_ONCE, _AT_ONCE, matrix.shape[1]), np.uint8)
        self._matrix.reshape(padded, -1)[: self._outputs] = matrix
        self._sums = np.zeros((padded // _AT_ONCE, block_bytes), np.uint64)
        self._found = np.empty(block_bytes, np.uint64)

    def add(self, column: int, block: Bytes) -> None:
        """Add the block (bytes,) of one column of the matrix."""
        for factors, sums in zip(self._matrix[:, :, column], self._sums, strict=True):
            products = np.ascontiguousarray(multiply(factors[None, :], _ALL[:, None])).view(np.uint64).ravel()
            np.take(products, block, out=self._found, mode="clip")
            np.bitwise_xor(sums, self._found, out=sums)

    def blocks(self) -> Bytes:
        """The outputs."""
        apart = self._sums.view(np.uint8).reshape(len(self._sums), -1, _AT_ONCE).transpose(0, 2, 1)
        return np.ascontiguousarray(apart.reshape(len(self._sums) * _AT_ONCE, -1)[: self._outputs])
