"""What lossy photographs are coded for: each tuning has a model (photoarc.models.manifest)."""

from __future__ import annotations

from enum import IntEnum


class Tuning(IntEnum):
    """What the quantisation steps of lossy photographs are made for: the smallest squared error, or eyes (and SSIM, which follows them)."""

    PSNR = 0
    SSIM = 1
