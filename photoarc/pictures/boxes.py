"""Boxes of ISO files (MP4, HEIF, JPEG XL): ISO/IEC 14496-12, section 4.2."""

from __future__ import annotations

from collections.abc import Iterator

from photoarc.errors import PayloadError


def boxes(data: bytes, kind: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each box's contents. Raises PayloadError that names the `kind` of file if one does not lie in it."""
    at = 0
    while at < len(data):
        size, name, start = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), at + 16
        end = len(data) if size == 0 else at + size
        if end < start or end > len(data):
            raise PayloadError(f"truncated {kind}")
        yield name, start, end
        at = end
