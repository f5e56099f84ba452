"""File objects as other libraries have them: they count, read short, or fail."""

from __future__ import annotations

import io


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


class Short(io.BytesIO):
    """Gives 5 bytes at most, as a pipe or a network may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(5 if size is None or size < 0 else min(size, 5))


class Remote(Short):
    """As fsspec's files: no `name`, a `path`."""

    path = "bucket/photos.pha"


class Failing(Counting):
    """Raises what no disk raises once it was told to."""

    name, broken = "far away", False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.broken:
            raise RuntimeError("the server hung up")
        return super().read(size)


class NoSeek(io.BytesIO):
    """A pipe."""

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")
