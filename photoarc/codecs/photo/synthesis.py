"""Latents become rows of pixels, band by band: alike for who decodes a photograph and who measures what a decoder will have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from photoarc.codecs.photo.bands import Pixels
from photoarc.codecs.photo.layout import Layout
from photoarc.models.session import FloatArray


def synthesize(layout: Layout, latents: Iterable[FloatArray]) -> Iterator[tuple[int, Pixels]]:
    """Unscaled latents of each band -> pixel rows (top, (rows, W, C)), cut to the picture; a band is seen with its neighbours' rows."""
    model, top = layout.model, 0
    above: FloatArray | None = None
    current: FloatArray | None = None
    for y in latents:
        if current is not None:
            yield top, _rows(layout, top, above, current, y[:, :, : model.halo])
            above = last_rows(current if above is None else np.concatenate([above, current], 2), model.halo)
            top += current.shape[2] * model.stride_px
        current = y
    assert current is not None  # a picture has a band
    yield top, _rows(layout, top, above, current, None)


def last_rows(latents: FloatArray, rows: int) -> FloatArray:
    """The last rows of (1, M, h, w), all if there are no more, none for 0."""
    return latents[:, :, max(latents.shape[2] - rows, 0) :]


def _rows(layout: Layout, top: int, above: FloatArray | None, current: FloatArray, below: FloatArray | None) -> Pixels:
    header, stride_px = layout.header, layout.model.stride_px
    skip = above.shape[2] * stride_px if above is not None else 0
    x = layout.model.synthesize(np.concatenate([y for y in (above, current, below) if y is not None], 2))
    x = x[skip : skip + min(current.shape[2] * stride_px, header.height_px - top), : header.width_px]
    return np.rint(x.mean(axis=2, keepdims=True, dtype=np.float32)).astype(np.uint8) if header.grey else x
