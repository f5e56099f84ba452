"""GF(2^8), Cauchy matrices, and blocks from any blocks."""

import random

import numpy as np
import pytest

from photoarc.container.reed_solomon import Combination, cauchy, inverse, multiply, restoring


def slow_product(a, b):
    """Docs/format.md section 16.2, bit by bit."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def times(matrix, blocks):
    sums = Combination(matrix, blocks.shape[1])
    for column, block in enumerate(blocks):
        sums.add(column, block)
    return sums.blocks()


def test_products_are_those_of_the_polynomial():
    every = np.arange(256, dtype=np.uint8)
    found = multiply(every[:, None], every[None, :])
    assert all(found[a, b] == slow_product(a, b) for a in range(256) for b in range(256))


@pytest.mark.parametrize(("data", "parity"), [(1, 1), (5, 9), (240, 13), (128, 128)])
def test_parity_is_the_sum_of_the_page(data, parity):
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (data, 16)).astype(np.uint8)
    found = times(cauchy(data, parity), blocks)
    for p in {0, parity // 2, parity - 1}:
        expected = 0
        for d in range(data):
            factor = next(x for x in range(256) if slow_product(x, (255 - p) ^ d) == 1)
            expected ^= slow_product(factor, int(blocks[d, 7]))
        assert found[p, 7] == expected


def test_inverse():
    square = cauchy(9, 9)
    identity = np.zeros((9, 9), np.uint8)
    for column in range(9):
        identity ^= multiply(square[:, column, None], inverse(square)[column])
    assert np.array_equal(identity, np.eye(9))


@pytest.mark.parametrize("seed", range(12))
def test_lost_blocks_come_back_from_any_others(seed):
    rng = random.Random(seed)
    data, parity = rng.randrange(1, 40), rng.randrange(1, 20)
    blocks = np.random.default_rng(seed).integers(0, 256, (data, 33)).astype(np.uint8)
    parities = times(cauchy(data, parity), blocks)
    count = rng.randrange(1, min(data, parity) + 1)
    lost, used = sorted(rng.sample(range(data), count)), rng.sample(range(parity), count)
    left = blocks.copy()
    left[lost] = rng.randrange(256)  # what stands there does not count
    assert np.array_equal(times(restoring(data, lost, used), np.concatenate([left, parities[used]])), blocks[lost])


def test_no_more_than_256_blocks():
    with pytest.raises(ValueError, match="at most 256"):
        cauchy(200, 57)
