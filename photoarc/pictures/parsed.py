"""A file on its way through `pack`: its bytes, and what is found in them, each looked for when somebody first asks, and once.

It is handed from who decides to the codecs. What refuses a file refuses it every time, in the same words.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import segments
from photoarc.pictures.kinds import PictureKind, kind_of
from photoarc.pictures.size import PictureSize, picture_size

if TYPE_CHECKING:
    from photoarc.pictures.jpeg.scans import Scan

_Found = TypeVar("_Found")


class Parsed:
    """A file, `data`, taken apart as far as somebody asked; functions of JPEG files raise PayloadError for any other."""

    def __init__(self, data: bytes, jpeg: segments.Jpeg | None = None) -> None:
        self.data = data
        if jpeg is not None:
            self._jpeg = jpeg  # fills the cached property

    @cached_property
    def kind(self) -> PictureKind | None:
        """What its first bytes say that it is."""
        return kind_of(self.data[:12])

    @cached_property
    def size(self) -> PictureSize | None:
        """What its header claims; nothing is believed."""
        return picture_size(io.BytesIO(self.data))

    @property
    def jpeg(self) -> segments.Jpeg:
        """Segments of a JPEG file, which may have lost its end marker. Raises PayloadError."""
        return _or_raise(self._jpeg)

    @cached_property
    def alone(self) -> Parsed:
        """The picture that a JPEG file begins with, without what follows it. Raises PayloadError if it is not whole."""
        found = segments.whole(self.jpeg)
        if not found.tail_bytes:
            return self
        picture = self.data[: found.end]
        return Parsed(picture, replace(found, data=picture))

    @property
    def scan(self) -> Scan:
        """Coefficients of a JPEG file. Raises PayloadError."""
        return _or_raise(self._scan)

    def check_claims(self) -> None:
        """Raises PayloadError if a JPEG file claims more pixels than it can hold."""
        _or_raise(self._claims)

    @cached_property
    def _jpeg(self) -> segments.Jpeg | PayloadError:
        return _found(segments.parse, self.data)

    @cached_property
    def _claims(self) -> PayloadError | None:
        return _found(segments.check_claims, self.data)

    @cached_property
    def _scan(self) -> Scan | PayloadError:
        from photoarc.pictures.jpeg import scans  # NumPy: who lists an archive does without

        try:
            self.check_claims()
            return scans.read_parsed(self.jpeg)
        except PayloadError as refusal:
            return refusal.with_traceback(None)


def parsed(data: bytes | Parsed) -> Parsed:
    """The same, or a file that nobody has looked at."""
    return data if isinstance(data, Parsed) else Parsed(data)


def jpeg_at(data: bytes, start: int) -> Parsed:
    """The JPEG that begins there, without what follows it. Raises PayloadError if it is not whole."""
    return Parsed(data[start:]).alone


def _found(look: Callable[[bytes], _Found], data: bytes) -> _Found | PayloadError:
    try:
        return look(data)
    except PayloadError as refusal:
        return refusal.with_traceback(None)  # which would hold what is on the stack


def _or_raise(found: _Found | PayloadError) -> _Found:
    if isinstance(found, PayloadError):
        raise PayloadError(str(found), found.kind)
    return found
