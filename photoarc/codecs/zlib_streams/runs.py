"""What zlib does with the strategies Z_RLE and Z_HUFFMAN_ONLY: it has no match finder, repeats the last byte or nothing.

Source: zlib's published algorithm (zlib 1.3.1, deflate.c: deflate_rle, deflate_huff). OpenCV writes PNG with Z_RLE unless told otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photoarc.codecs.zlib_streams.long_matches import MAX_MATCH
from photoarc.codecs.zlib_streams.matches import Z_RLE, Parameters


class Runs:
    """Tokens that start at the positions start..stop-1 of `data`; as photoarc.codecs.zlib_streams.matches.Predictions, without a state."""

    def __init__(self, data: NDArray[np.uint8], parameters: Parameters, start: int, stop: int) -> None:
        self.lengths, self.distances = np.ones(stop - start, np.uint16), np.zeros(stop - start, np.uint16)
        self.ask = np.zeros(stop - start, np.bool_)
        if parameters.strategy != Z_RLE:
            return
        index = np.arange(len(data))
        ends = np.where(np.diff(data, prepend=~data[:1]) != 0, index, len(data))  # of runs of the byte before
        length = np.minimum(np.minimum.accumulate(ends[::-1])[::-1] - index, MAX_MATCH)[start:stop]
        run = length >= 3
        self.lengths[run], self.distances[run] = length[run], 1

    def token(self, index: int, state: int) -> tuple[int, int, int]:
        """(length, distance, state behind it), which is the one before it."""
        return int(self.lengths[index]), int(self.distances[index]), state
