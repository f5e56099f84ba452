"""TIFF directories that are changed in place, so that no offset moves. What lies outside raises IndexError.

Source: TIFF 6.0 section 2. A directory: number of entries u16, entries of 12 bytes (tag, type, count, value or its offset), offset of
the next directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from photoarc.pictures.tiff import Order

TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
SHORT, ASCII = 3, 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `at` is its own offset, `value_at` and `size_bytes` those of its value, as the file claims them."""

    at: int
    tag: int
    type: int
    count: int
    value_at: int
    size_bytes: int


class Directories:
    """The directories of `data`; offsets in entries count from `base`."""

    def __init__(self, data: bytearray, order: Order, base: int = 0) -> None:
        self.data, self.order, self.base = data, order, base

    def number(self, at: int, size: int) -> int:
        """Unsigned integer at an offset."""
        if at < 0 or at + size > len(self.data):
            raise IndexError(at)
        return int.from_bytes(self.data[at : at + size], self.order)

    def end(self, at: int) -> int:
        """Offset behind the entries of a directory that is there as a whole."""
        end = at + 2 + 12 * self.number(at, 2)
        self.number(end - 1, 1)
        return end

    def entries(self, at: int) -> Iterator[Entry]:
        """The entries of a directory, the last one first, so that each may be removed."""
        for start in range(self.end(at) - 12, at, -12):
            kind, count = self.number(start + 2, 2), self.number(start + 4, 4)
            size = TYPE_BYTES.get(kind, 1) * count
            inside = size <= 4
            yield Entry(start, self.number(start, 2), kind, count, start + 8 if inside else self.base + self.number(start + 8, 4), size)

    def pointer(self, entry: Entry, number: int = 0) -> int:
        """An offset that an entry holds, from the start of the data."""
        size = 2 if entry.type == SHORT else 4
        return self.base + self.number(entry.value_at + number * size, size)

    def value(self, entry: Entry) -> bytes:
        """The value, b"" if it does not lie in the data as a whole."""
        end = entry.value_at + entry.size_bytes
        return bytes(self.data[entry.value_at : end]) if end <= len(self.data) else b""

    def remove(self, directory: int, entry: Entry) -> None:
        """Takes an entry out of its directory: those behind it move up, and the offset of the next directory with them."""
        self.blank(entry.value_at, entry.size_bytes)
        count, end = self.number(directory, 2), self.end(directory)
        if entry.at + 12 > end:  # its value lay on the directory, which is gone now
            raise IndexError(entry.at)
        if end + 4 <= len(self.data):
            end += 4
        self.data[entry.at : end] = self.data[entry.at + 12 : end] + bytes(12)
        self.data[directory : directory + 2] = (count - 1).to_bytes(2, self.order)

    def replace(self, entry: Entry, value: bytes) -> None:
        """A value of bytes that is no longer than the one before."""
        self.blank(entry.value_at, entry.size_bytes)
        at = entry.value_at
        if len(value) <= 4 < entry.size_bytes:
            at = entry.at + 8
            self.data[at : at + 4] = bytes(4)
        self.data[at : at + len(value)] = value
        self.data[entry.at + 4 : entry.at + 8] = len(value).to_bytes(4, self.order)

    def blank(self, at: int, size: int) -> None:
        """Zeros over what of it lies in the data."""
        end = min(at + size, len(self.data))
        if at < end:
            self.data[at:end] = bytes(end - at)
