"""Photographs that differ in their metadata only: their payloads are the same but for a piece, which alone is stored again.

Whoever rates, tags or rotates pictures in place and keeps the older copy has the same picture twice with other metadata. Coders leave
that in front and the picture behind it, byte for byte as before: so the end of a payload tells its like (docs/format.md section 4.9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blake3 import blake3

from photoarc.member import Shared

END_BYTES = 1024  # that are looked up
# A payload is stored as a piece only if that spares this share of it: with one damaged byte both files are lost.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Stored:
    """A member with a payload of its own: digest of its contents, its codec, and where its chunk is."""

    digest: bytes
    codec_id: int
    offset: int


class Likenesses:
    """Payloads of a job, by their last bytes; `read_back` gives the payload of the chunk at an offset."""

    def __init__(self, read_back: Callable[[int], bytes]) -> None:
        self._read_back = read_back
        self._stored: dict[bytes, _Stored] = {}

    def find(self, codec_id: int, payload: bytes) -> tuple[Shared, bytes] | None:
        """What `payload` shares with an earlier one, and the piece in between; None if that is not worth it."""
        stored = self._stored.get(_key(payload))
        if stored is None or stored.codec_id != codec_id:
            return None
        earlier = self._read_back(stored.offset)
        most = min(len(earlier), len(payload))
        before = _alike(earlier[:most], payload[:most])
        most -= before
        behind = _alike(earlier[len(earlier) - most :][::-1], payload[len(payload) - most :][::-1])
        if before + behind < _LEAST_SHARE * len(payload):
            return None
        return Shared(stored.digest, before, behind), payload[before : len(payload) - behind]

    def remember(self, digest: bytes, codec_id: int, payload: bytes, offset: int) -> None:
        """A member that was stored with a whole payload in one chunk."""
        if len(payload) > END_BYTES:
            self.remember_end(digest, codec_id, payload, offset)

    def remember_end(self, digest: bytes, codec_id: int, end: bytes, offset: int) -> None:
        """The same, of a payload that is longer than END_BYTES, of which only the end is known."""
        self._stored.setdefault(_key(end), _Stored(digest, codec_id, offset))


def _key(payload: bytes) -> bytes:
    return blake3(payload[-END_BYTES:]).digest(16)


def _alike(a: bytes, b: bytes) -> int:
    """Length of the common start of two equally long strings, by bisection: comparisons are memcmp."""
    low, high = 0, len(a)
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
