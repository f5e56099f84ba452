"""Quantised DCT coefficients of photographs, as cameras and programs would write them: what train_coefficients.py learns from.

Tables are those of ITU-T T.81 annex K scaled as the Independent JPEG Group's library does, some of them flatter or steeper; crops are
enlarged up to four times (photographs of cameras and phones are softer than shrunk ones), some with noise, fine or enlarged with them. No
file is written: the coefficients are computed.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photoarc.pictures.jpeg.segments import ZIGZAG

SAMPLINGS = ((2, 2), (2, 2), (1, 1), (1, 2), (2, 1))  # luma blocks down and across that meet one of chroma
_NATURAL = list(ZIGZAG)
# fmt: off
LUMA = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
], float)[_NATURAL]
# fmt: on
CHROMA = np.full((8, 8), 99.0)
CHROMA[:4, :4] = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
CHROMA = CHROMA.ravel()[_NATURAL]
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])  # T.871 section 7


def _basis() -> Tensor:
    """(64 coefficients in zigzag order, 64 pixels): the orthonormal DCT."""
    n = np.arange(8)
    d = np.sqrt(2 / 8) * np.cos((2 * n[None] + 1) * n[:, None] * np.pi / 16)
    d[0] /= np.sqrt(2)
    return torch.from_numpy(np.einsum("ux,vy->uvxy", d, d).reshape(64, 64)[_NATURAL]).float()


BASIS = _basis()


def quantisers(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Quantisation steps (64,) of luma and of chroma."""
    power = 1.0 if rng.random() < 0.6 else rng.uniform(0.4, 1.2)
    quality = rng.uniform(75, 98) if rng.random() < 0.75 else rng.uniform(30, 80)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    chroma = scale * (1 if rng.random() < 0.7 else rng.uniform(0.5, 1.5))
    table = lambda t, s: torch.from_numpy(np.clip(np.floor((16 * (t / 16) ** power * s + 50) / 100), 1, 255)).float()
    return table(LUMA, scale), table(CHROMA, chroma)


def coefficients(pixels: Tensor, q: Tensor) -> Tensor:
    """Level-shifted samples (B, 1, 8 h, 8 w), steps (B, 64) -> (B, 64, h, w)."""
    d = torch.einsum("kp,bphw->bkhw", BASIS, F.pixel_unshuffle(pixels, 8))
    return torch.round(d / q[:, :, None, None]).contiguous(memory_format=torch.channels_last)


def crops(photos: Tensor, crop: int, batch: int, rng: np.random.Generator) -> Tensor:
    """(B, 3, crop, crop) YCbCr, luma level-shifted, of random crops of photos (N, 3, H, W) uint8."""
    found = []
    for _ in range(batch):
        side = crop if rng.random() < 0.4 else math.ceil(crop / 4 ** rng.random())
        y, x = (rng.integers(n - side + 1) for n in photos.shape[2:])
        p = photos[rng.integers(len(photos)), None, :, y : y + side, x : x + side].float()
        if rng.random() < 0.2:
            p = p + torch.randn_like(p) * rng.uniform(0, 6)
        if side != crop:
            p = F.interpolate(p, size=(crop, crop), mode="bicubic" if rng.random() < 0.7 else "bilinear", align_corners=False)
        if rng.random() < 0.5:
            p = p.flip(3)
        if rng.random() < 0.5:
            p = p.mT
        if rng.random() < 0.3:
            p = p + torch.randn_like(p) * rng.uniform(0, 4)
        found.append(p.round().clamp(0, 255))
    ycc = torch.einsum("cd,bdhw->bchw", TO_YCC, torch.cat(found))
    ycc[:, 0] = ycc[:, 0].round() - 128
    return ycc


def draw(photos: Tensor, crop: int, batch: int, rng: np.random.Generator) -> tuple[list[Tensor], list[Tensor], tuple[int, int]]:
    """Coefficients and steps of Y, Cb, Cr of a batch of crops, and its sampling."""
    ycc = crops(photos, crop, batch, rng)
    luma, chroma = (torch.stack(t) for t in zip(*(quantisers(rng) for _ in range(batch)), strict=True))
    sampling = SAMPLINGS[rng.integers(len(SAMPLINGS))]
    small = [F.avg_pool2d(ycc[:, k : k + 1], sampling).round() for k in (1, 2)]
    steps = [luma, chroma, chroma]
    return [coefficients(p, q) for p, q in zip([ycc[:, :1], *small], steps, strict=True)], steps, sampling
