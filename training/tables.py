"""Integer CDF tables, built once from photographs, shipped with the model, never recomputed (docs/format.md section 8.2)."""

from dataclasses import dataclass

import numpy as np
import torch
from integer import CLIP, TABLES, IntScaleContext, IntScaleHyper, table_scale, z_table_scale
from model import SLICES, Codec, roll
from torch import Tensor

from photoarc.models.hyper_context import PARTS, SCALES, HyperContext

PRECISION = 24
TAIL = 1e-6  # probability left to the escape symbol at most
Y_REACH_MAX, Z_REACH_MAX = 1023, 255


@torch.no_grad()
def code(codec: Codec, hyper: IntScaleHyper, contexts: list[IntScaleContext], y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols and table indices (1, M, h, w), rolled channel order, of scaled latents y; index 0 forces symbol 0."""
    mean_features, scale_features, rolled = codec.h_mean(z), hyper(z), roll(y)
    known: list[Tensor] = []
    symbols: list[Tensor] = []
    indices: list[Tensor] = []
    for k in range(SLICES):
        mu = codec.mean[k](torch.cat([*known, mean_features], 1))
        indices.append(contexts[k](torch.cat([*[s.clamp(-CLIP, CLIP) for s in symbols], scale_features], 1)))
        symbols.append((rolled[:, k * codec.group : (k + 1) * codec.group] - mu).round() * (indices[k] > 0))
        known.append(mu + symbols[k])
    return torch.cat(symbols, 1), torch.cat(indices, 1)


@dataclass
class Counts:
    """Histograms over calibration pictures: symbols, and hyper-latents less their whole means, a table."""

    y: np.ndarray  # (TABLES, 2 * Y_REACH_MAX + 1)
    z: np.ndarray  # (SCALES * PARTS, 2 * Z_REACH_MAX + 1)
    energy: np.ndarray  # (M,) sum of |y| at the middle level


@torch.no_grad()
def count(
    codec: Codec, hyper: IntScaleHyper, contexts: list[IntScaleContext], context: HyperContext, gain: Tensor, pictures: list[Tensor]
) -> Counts:
    """Code every picture at every level with log gains (levels, M), and count."""
    counts = Counts(
        np.zeros((TABLES, 2 * Y_REACH_MAX + 1), np.int64),
        np.zeros((SCALES * PARTS, 2 * Z_REACH_MAX + 1), np.int64),
        np.zeros(codec.m),
    )
    for x in pictures:
        y = codec.g_a(x)
        for level in range(codec.levels):
            scaled = y * gain[level].exp()[:, None, None]
            z = codec.h_a(scaled).round().clamp(-Z_REACH_MAX, Z_REACH_MAX)
            if level == codec.levels // 2:
                counts.energy += scaled.abs().sum((0, 2, 3)).double().numpy()
            symbols, indices = code(codec, hyper, contexts, scaled, z)
            s = symbols.clamp(-Y_REACH_MAX, Y_REACH_MAX).long().flatten() + Y_REACH_MAX
            flat = indices.long().flatten() * counts.y.shape[1] + s
            counts.y += torch.bincount(flat, minlength=counts.y.size).numpy().reshape(counts.y.shape)
            for apart, index in context.coded(z.numpy(), level):
                np.add.at(counts.z, (index.ravel() - 1, apart.ravel().clip(-Z_REACH_MAX, Z_REACH_MAX) + Z_REACH_MAX), 1)
    return counts


def y_probabilities(index: int, counts: np.ndarray) -> np.ndarray:
    """Symmetric PMF over +-Y_REACH_MAX: what was counted, and a Gaussian with a wide shoulder worth 2,000 more symbols."""
    scale = float(table_scale(torch.tensor(float(index))))
    x = torch.arange(-Y_REACH_MAX, Y_REACH_MAX + 1).double()
    mass = lambda s: torch.diff(torch.special.ndtr(torch.cat([x - 0.5, x[-1:] + 0.5]) / s)).numpy()
    model = 0.9 * mass(scale) + 0.09 * mass(2 * scale) + 0.01 * mass(6 * scale)
    both = counts + counts[::-1]
    return (both + 2000 * model / model.sum()) / (both.sum() + 2000)


def z_probabilities(number: int, counts: np.ndarray) -> np.ndarray:
    """PMF over +-Z_REACH_MAX: what was counted, and a logistic distribution worth 200 more."""
    mean, scale = number % PARTS / PARTS - 0.5, z_table_scale(number // PARTS)
    edges = np.arange(-Z_REACH_MAX, Z_REACH_MAX + 2) - 0.5
    model = np.diff(0.5 * np.tanh((edges - mean) / (2 * scale)))
    return (counts + 200 * model / model.sum()) / (counts.sum() + 200)


def frequencies(pmf: np.ndarray) -> np.ndarray:
    """PMF over -R..R -> integer frequencies over -reach..reach and the escape symbol, each >= 1, sum 2^PRECISION.

    `reach` is the smallest that leaves at most TAIL to the escape symbol.
    """
    r = len(pmf) // 2
    tail = lambda reach: pmf[: r - reach].sum() + pmf[r + reach + 1 :].sum()
    reach = next(k for k in range(1, r + 1) if k == r or tail(k) <= TAIL)
    p = np.append(pmf[r - reach : r + reach + 1], max(tail(reach), 2.0**-PRECISION))
    room = (1 << PRECISION) - len(p)
    f = np.floor(p / p.sum() * room).astype(np.int64)
    f[np.argmax(f)] += room - f.sum()
    return (f + 1).astype(np.uint32)


def build(codec: Codec, counts: Counts, constants: np.ndarray, added: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of tables.npz: tables of y and of z, ragged rows joined; constants of z; channels by falling energy; log gains.

    `added` (levels, M) is added to the trained log gains, and taken from those of the decoder.
    """
    y = [frequencies(y_probabilities(i, counts.y[i])) for i in range(1, TABLES)]
    z = [frequencies(z_probabilities(i, counted)) for i, counted in enumerate(counts.z)]
    return {
        "y_lengths": np.array([len(f) for f in y], np.uint32),
        "y_frequencies": np.concatenate(y),
        "z_lengths": np.array([len(f) for f in z], np.uint32),
        "z_frequencies": np.concatenate(z),
        "z_constants": constants,
        "order": np.argsort(-counts.energy, kind="stable").astype(np.uint16),
        "log_gain": (codec.gain.detach().numpy() + added).astype(np.float32),
        "log_igain": (codec.igain.detach().numpy() - added).astype(np.float32),
    }
