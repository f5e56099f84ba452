"""Adaptive quantisation: a finer step where a picture is calm, a coarser one where it is busy, for a cell of 64 x 64 pixels each.

Eyes, and SSIM after them, weigh an error by the contrast that it hides in: the contrast term of SSIM divides it by 2 variance + C2 (Wang et
al. 2004, "Image Quality Assessment", equation 13). Video encoders have long followed it part of the way (x264's variance AQ).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photoarc.codecs.photo.bands import Pixels

CELL_PX, BLOCK_PX = 64, 8
STEPS_PER_OCTAVE = 4  # cells hold log2 of the step in quarters
STRENGTH = 0.15  # the step goes with (2 variance + C2) to this power; SSIM alone would ask for 0.5, and PSNR for 0
_C2 = (0.03 * 255) ** 2
_LIMIT = 8  # two octaves
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Cells = npt.NDArray[np.int8]


def cells(pixels: Pixels) -> Cells:
    """Pixels (H, W, C) -> quarters of an octave of each cell (ceil(H / 64), ceil(W / 64)), about 0 in the mean."""
    height, width, _ = pixels.shape
    shape = -(-height // CELL_PX), -(-width // CELL_PX)
    if min(height, width) < BLOCK_PX:
        return np.zeros(shape, np.int8)
    strips = [_contrast(pixels[top : top + CELL_PX]) for top in range(0, height - BLOCK_PX + 1, CELL_PX)]
    contrast = np.stack(strips)
    contrast = np.pad(contrast, [(0, want - have) for want, have in zip(shape, contrast.shape, strict=True)], mode="edge")
    octaves = STRENGTH * (contrast - contrast.mean())
    found: Cells = np.clip(np.rint(octaves * STEPS_PER_OCTAVE), -_LIMIT, _LIMIT).astype(np.int8)
    return found


def _contrast(strip: Pixels) -> npt.NDArray[np.float32]:
    """Mean log2 contrast of each cell of a strip, from the variance of the whole blocks in it."""
    rows, columns = (side // BLOCK_PX for side in strip.shape[:2])
    strip = strip[: rows * BLOCK_PX, : columns * BLOCK_PX]
    luma = (strip @ _LUMA if strip.shape[2] == 3 else strip[:, :, 0]) - np.float32(128)  # centred: squares keep their digits

    def mean(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        rows_added = values.reshape(rows, BLOCK_PX, -1).sum(axis=1)  # whole rows first: half the time of `var` over both axes
        total: npt.NDArray[np.float32] = rows_added.reshape(rows, columns, BLOCK_PX).sum(axis=2)
        return total / np.float32(BLOCK_PX**2)

    variance = mean(luma * luma) - mean(luma) ** 2
    blocks = np.log2(2 * variance + np.float32(_C2)).mean(axis=0)
    starts = np.arange(0, columns, CELL_PX // BLOCK_PX)
    counts = np.diff(np.append(starts, columns))
    found: npt.NDArray[np.float32] = (np.add.reduceat(blocks, starts) / counts).astype(np.float32)
    return found


def steps(found: Cells, stride_px: int) -> npt.NDArray[np.float32]:
    """Factor of the quantisation step for each latent of `stride_px` pixels a side: bilinear between the middles of cells, in octaves."""
    ratio = CELL_PX // stride_px
    octaves = (found / STEPS_PER_OCTAVE).astype(np.float32)
    octaves = _stretched(_stretched(octaves, ratio).T, ratio).T
    return np.ascontiguousarray(np.exp2(octaves))


def _stretched(a: npt.NDArray[np.float32], ratio: int) -> npt.NDArray[np.float32]:
    """Rows -> `ratio` times as many, linear between their middles."""
    at = np.clip((np.arange(len(a) * ratio) + 0.5) / ratio - 0.5, 0, len(a) - 1)
    low = at.astype(np.intp)
    share = (at - low).astype(np.float32)[:, None]
    out: npt.NDArray[np.float32] = a[low] * (1 - share) + a[np.minimum(low + 1, len(a) - 1)] * share
    return out


def differences(found: Cells) -> bytes:
    """Cells -> one byte each, row by row: the difference (mod 256) to the cell on the left, in the first column to the one above."""
    values = found.astype(np.uint8)
    out = values.copy()
    out[:, 1:] -= values[:, :-1]
    out[1:, 0] -= values[:-1, 0]
    return out.tobytes()


def from_differences(data: bytes, shape: tuple[int, int]) -> Cells:
    """Inverse of differences."""
    values = np.frombuffer(data, np.uint8).reshape(shape).copy()
    values[:, 0] = np.cumsum(values[:, 0], dtype=np.uint8)
    return np.cumsum(values, axis=1, dtype=np.uint8).astype(np.int8)
