"""Parts of archives in any file, found by their magics at any offset: what an opened file is that does not begin like an archive.

A file of 10 GB that is no archive must not be read as a whole to learn that: NEAR_BYTES at its start and at its end are. Who cuts an
archive leaves a chunk there, its chunks being 32 MiB long as a rule.
"""

from __future__ import annotations

import re

from photoarc.container import frames
from photoarc.container.chunks import WHAT_TO_DO, read_chunk
from photoarc.container.foreign import what_it_is
from photoarc.container.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC, FOOTER_BYTES, FOOTER_MAGIC
from photoarc.container.source import BLOCK_BYTES, Source
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, NotAnArchive, UnsupportedVersion

NEAR_BYTES = 128 << 20
_MAGIC_BYTES = len(CHUNK_MAGIC)
_MAGICS = (FILE_MAGIC, CHUNK_MAGIC, FOOTER_MAGIC)
# A pattern with a literal at its start is searched for three times as fast: the first byte of a magic is compared afterwards.
_TAILS = re.compile(b"PHA(?:" + b"|".join(re.escape(magic[4:]) for magic in _MAGICS) + b")")


class Marks:
    """Finds magics, the last block that was read at hand."""

    def __init__(self, source: Source) -> None:
        self._source, self._start, self._block = source, 0, b""

    def find(self, at: int, end: int) -> tuple[int, bytes] | None:
        """Offset and magic of the first that lies in at..end, None if there is none."""
        while at + _MAGIC_BYTES <= end:
            begin = at - self._start
            if not 0 <= begin <= len(self._block) - _MAGIC_BYTES:
                self._start, begin = at, 0
                self._block = self._source.read_at(at, min(BLOCK_BYTES, self._source.size_bytes - at))
            for hit in _TAILS.finditer(self._block, begin + 1):
                offset = self._start + hit.start() - 1
                magic = self._block[hit.start() - 1 : hit.end()]
                if magic in _MAGICS:
                    return (offset, magic) if offset + _MAGIC_BYTES <= end else None
            at = self._start + len(self._block) - _MAGIC_BYTES + 1
        return None


def no_archive(source: Source) -> FormatError:
    """What to raise for a file that does not begin like an archive: IndexCorrupt if parts of one are found in it, else NotAnArchive."""
    size_bytes = source.size_bytes
    middle = max(size_bytes - NEAR_BYTES, NEAR_BYTES)
    found = _first_sound(source, 0, min(NEAR_BYTES, size_bytes)) or _first_sound(source, middle, size_bytes)
    if found is None:
        what = what_it_is(source.read_at(0, min(512, size_bytes)))
        looked = "" if size_bytes <= 2 * NEAR_BYTES else f" (its first and last {NEAR_BYTES >> 20} MiB were searched for parts of one)"
        return NotAnArchive(f"is {what}, not a photoarc archive{looked}" if what else f"is not a photoarc archive{looked}", section="2")
    offset, magic = found
    if magic == FILE_MAGIC:
        return IndexCorrupt(f"{offset:,} bytes stand before the start of the archive; remove them{WHAT_TO_DO}", section="2", offset=0)
    return IndexCorrupt(f"the start of the archive is damaged or missing{WHAT_TO_DO}", section="2", offset=0)


def _first_sound(source: Source, at: int, end: int) -> tuple[int, bytes] | None:
    """The first magic that a sound header, footer or record follows."""
    marks = Marks(source)
    while (found := marks.find(at, end)) is not None:
        if _is_sound(source, *found):
            return found
        at = found[0] + 1
    return None


def _is_sound(source: Source, offset: int, magic: bytes) -> bool:
    try:
        if magic == CHUNK_MAGIC:
            read_chunk(source, offset, None)
        elif magic == FILE_MAGIC:
            frames.parse_file_header(source.read_at(offset, FILE_HEADER_BYTES))
        else:
            frames.parse_footer(source.read_at(offset, FOOTER_BYTES))
    except UnsupportedVersion:
        return True
    except (FormatError, LimitExceeded):
        return False
    return True
