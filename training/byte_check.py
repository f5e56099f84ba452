"""Graphs of JPEG coefficients against plain 64-bit integers: every output, at inputs that no picture has.

    t = inp(features);  d = dw(t), where coefficients are coded;  e = mid([t, d]);  bytes = out([d, e]);  means = lin(linear)

Layers are those of byte_layers.py, in NumPy.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import byte_layers
import numpy as np
import torch
from byte_graphs import ZERO, linear_weight, places_of, steps_of
from byte_layers import ACCUMULATED, HALO, SIGNED, UNSIGNED, WEIGHT_MAX, ByteStep
from coefficients import UNIT, Jpeg
from torch import Tensor, nn

from photoarc.models.coefficient_dc import LINEAR_MAX

SIDE = 8  # blocks of what graphs are compared on
TILES = 2
Run = Callable[[str, dict[str, np.ndarray]], list[np.ndarray]]


def windows(x: np.ndarray, side: int) -> np.ndarray:
    """(B, C, h, w) -> (B, C, h - side + 1, w - side + 1, side, side)."""
    return np.lib.stride_tricks.sliding_window_view(x, (side, side), (2, 3))


def layer(x: np.ndarray, conv: nn.Conv2d, bounds: tuple[int, int], out_unit: Tensor | float = UNIT, stride: int = 1) -> np.ndarray:
    """A layer in int64: x (B, C, h, w) whole units."""
    weight, bias, k = (t.detach().numpy().astype(np.int64) for t in byte_layers.integers(conv, out_unit))
    assert np.abs(weight).max() <= WEIGHT_MAX
    around = windows(x, weight.shape[-1])[:, :, ::stride, ::stride]
    each = ("bchwij,cij->bchw", around, weight[:, 0]) if conv.groups > 1 else ("bchwij,ocij->bohw", around, weight)
    sums = np.einsum(*each, optimize=True) + bias[:, None, None]
    assert np.abs(sums).max() < ACCUMULATED
    k = k[:, None, None]
    floor, half = sums >> k, np.where(k > 0, 1 << np.maximum(k - 1, 0), 1 << 40)
    rest = sums - (floor << k)
    return np.clip(floor + ((rest > half) | ((rest == half) & (floor % 2 == 1))), *bounds)


@torch.no_grad()
def found_bytes(step: ByteStep, x: np.ndarray, places: Sequence[tuple[int, int]]) -> np.ndarray:
    """What a step finds of features about 0, (B, F, h + 4, w + 4): bytes about 0, (places x B, 2 n, h / 2, w / 2)."""
    t = layer(x, step.inp, SIGNED)
    d = np.concatenate([layer(t[:, :, i:, j:], step.dw, UNSIGNED, stride=2) for i, j in places])
    t = np.concatenate([t[:, :, HALO + i : -HALO : 2, HALO + j : -HALO : 2] for i, j in places])
    e = layer(np.concatenate([t, d], 1), step.mid, UNSIGNED)
    return layer(np.concatenate([d, e], 1), step.out, SIGNED, step.out_units())


def found_means(step: ByteStep, name: str, linear: np.ndarray, places: Sequence[tuple[int, int]], *, dc: bool) -> np.ndarray:
    """Its linear means in 1/256."""
    weight = linear_weight(step.lin, name, dc=dc).astype(np.int64)
    sums = np.einsum("bchwij,ocij->bohw", windows(linear, weight.shape[-1]), weight, optimize=True)
    assert np.abs(sums).max() < ACCUMULATED
    return np.concatenate([sums[:, :, i::2, j::2] for i, j in places])


def extremes(weight: np.ndarray, bounds: tuple[int, int], side: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Inputs (TILES, C, side, side) of a layer: 0, the bounds, at random, and what makes sums the largest and the smallest there are."""
    (out, channels, k, _), (low, high) = weight.shape, bounds
    shape = TILES, channels, side, side
    for value in (0, low, high):
        yield np.full(shape, value)
    yield rng.integers(low, high + 1, shape)
    yield rng.choice([low, high], shape)
    aligned = np.zeros((TILES, channels, side + k, side + k), np.int64)
    for y in range(0, side, k):
        for x in range(0, side, k):
            signs = weight[rng.integers(out)] * rng.choice([-1, 1])
            aligned[:, :, y : y + k, x : x + k] = np.where(signs > 0, high, np.where(signs < 0, low, 0))
    yield aligned[:, :, :side, :side]


def compare(jpeg: Jpeg, run: Run) -> None:
    """Raises SystemExit unless all graphs find what 64-bit integers do."""
    rng = np.random.default_rng(0)
    for name, step, order in steps_of(jpeg):
        check(name, step, order, run, rng)


def check(name: str, step: ByteStep, order: Sequence[int], run: Run, rng: np.random.Generator) -> None:
    """One graph, whose channels are in some order of training's."""
    places, dc, margin = places_of(name), "_dc_" in name, 4 if "_dc_" in name else 2
    weight = byte_layers.integers(step.inp, UNIT)[0].detach().numpy()
    linear = None if step.lin is None else linear_weight(step.lin, name, dc=dc)
    means = itertools.repeat(None) if linear is None else extremes(linear, (-LINEAR_MAX, LINEAR_MAX), SIDE + margin, rng)
    for x, y in zip(extremes(weight, SIGNED, SIDE + 2 * HALO, rng), means, strict=False):
        fed, wanted = {"features": (x[:, order] + ZERO).astype(np.uint8)}, [found_bytes(step, x, places) + ZERO]
        if y is not None:
            fed["linear"] = y.astype(np.int16)
            wanted.append(found_means(step, name, y, places, dc=dc))
        found = run(name, fed)
        if len(found) != len(wanted) or not all(map(np.array_equal, found, wanted)):
            raise SystemExit(f"{name}: its graph finds others than 64-bit integers do")
