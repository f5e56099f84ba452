"""Header and footer of an archive, and what stands behind the last footer if an addition was interrupted (docs/format.md 2, 5.2, 5.4)."""

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence
from dataclasses import dataclass

from blake3 import blake3

from photoarc.container import frames
from photoarc.container.chunks import WHAT_TO_DO, Chunk, payload_is_intact, read_chunk, read_payload
from photoarc.container.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FOOTER_BYTES, FOOTER_MAGIC, ChunkType, FileHeader, Footer
from photoarc.container.index import inflate_index
from photoarc.container.source import BLOCK_BYTES, Source, blocks_at, source_of
from photoarc.container.traces import Marks
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, Truncated

MOST_FOOTERS = 1 << 16  # that are looked at: a forged file could be full of them


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of an archive. `remark` says what else there is: bytes of an addition that was not finished lie behind the footer's end.

    A footer that `is_made` is not in the file: it was written in part or is damaged, and the index before it says the same.
    """

    header: FileHeader
    footer: Footer
    remark: str = ""
    is_made: bool = False


def read_ends(source: Source) -> Ends:
    """File header and footer, each checked and in agreement; raises FormatError with what to do (NotAnArchive without)."""
    try:
        header = frames.parse_file_header(source.read_at(0, min(FILE_HEADER_BYTES, source.size_bytes)))
    except IndexCorrupt as error:
        raise IndexCorrupt(f"{error}{WHAT_TO_DO}", section="2") from error
    try:
        footer = _read_footer(source)
    except (IndexCorrupt, Truncated):
        if (found := _interrupted(source, header)) is None:
            raise
        return found
    if not _belong_together(header, footer):
        raise IndexCorrupt(f"header and footer are of different archives{WHAT_TO_DO}", section="5.2")
    return Ends(header, footer)


def _belong_together(header: FileHeader, footer: Footer) -> bool:
    mine = (header.archive_id, header.version, header.must_understand, header.may_ignore)
    return mine == (footer.archive_id, footer.version, footer.must_understand, footer.may_ignore)


def _read_footer(source: Source) -> Footer:
    """Footer at the end of the file; raises Truncated or IndexCorrupt, and says so when the archive ends before the file does."""
    tail_at = max(source.size_bytes - (64 << 10), 0)
    tail = source.read_at(tail_at, source.size_bytes - tail_at)
    try:
        footer = frames.parse_footer(tail[-FOOTER_BYTES:])
    except Truncated:
        end = _footer_before(tail, tail_at)
        if end is None:
            raise Truncated(
                f"the archive has no footer at its end: it was cut, or never finished{WHAT_TO_DO}", section="5.2", offset=source.size_bytes
            ) from None
        raise IndexCorrupt(
            f"{source.size_bytes - end} bytes follow the end of the archive; remove them{WHAT_TO_DO}", section="5.2", offset=end
        ) from None
    except IndexCorrupt as error:
        raise IndexCorrupt(f"{error}{WHAT_TO_DO}", section="5.2", offset=source.size_bytes - FOOTER_BYTES) from error
    if footer.archive_bytes != source.size_bytes:
        raise IndexCorrupt(
            f"the archive should have {footer.archive_bytes} bytes, the file has {source.size_bytes}{WHAT_TO_DO}", section="5.2"
        )
    return footer


def _footer_before(tail: bytes, tail_at: int) -> int | None:
    """End of an archive whose footer is somewhere in the tail, in bytes from the start of the file."""
    at = tail.rfind(frames.FOOTER_MAGIC)
    while at >= 0:
        try:
            if frames.parse_footer(tail[at : at + FOOTER_BYTES]).archive_bytes == tail_at + at + FOOTER_BYTES:
                return tail_at + at + FOOTER_BYTES
        except FormatError:
            pass
        at = tail.rfind(frames.FOOTER_MAGIC, 0, at)
    return None


class Codings:
    """How the chunks of an archive were coded, by their offsets: each footer says it of what stands between it and the one before."""

    def __init__(self, ends: Sequence[int], codings: Sequence[bytes]) -> None:
        self._ends, self._codings = ends, codings

    @classmethod
    def of(cls, source: Source, footer: Footer) -> Codings:
        """Follows the chain of footers from the last one on; of what stands before a damaged one, nothing is known."""
        found = [(footer.archive_bytes, footer.coding)]
        while footer.previous_footer and len(found) < MOST_FOOTERS:
            at = footer.previous_footer
            try:
                earlier = frames.parse_footer(source.read_at(at, FOOTER_BYTES))
            except FormatError:
                earlier = None
            if earlier is None or earlier.archive_bytes != at + FOOTER_BYTES or earlier.archive_bytes >= footer.archive_bytes:
                found.append((at, bytes(frames.CODING_BYTES)))
                break
            footer = earlier
            found.append((footer.archive_bytes, footer.coding))
        if len(found) == MOST_FOOTERS:
            found[-1] = found[-1][0], bytes(frames.CODING_BYTES)  # of what is older, nothing is known
        found.reverse()
        return cls([end for end, _ in found], [coding for _, coding in found])

    @classmethod
    def of_unfinished(cls, source: Source, first_end: int) -> Codings:
        """What the file header says of the chunks up to the first footer; nothing of others."""
        try:
            return cls([first_end], [frames.parse_file_header(source.read_at(0, FILE_HEADER_BYTES)).coding])
        except FormatError:
            return cls([], [])

    @property
    def footers(self) -> int:
        """Number of footers."""
        return len(self._ends)

    def at(self, offset: int) -> bytes:
        """8 bytes; zeros where nothing is said."""
        number = bisect.bisect_right(self._ends, offset)
        return self._codings[number] if number < len(self._codings) else bytes(frames.CODING_BYTES)

    def last(self, header: FileHeader) -> bytes:
        """How the archive was coded last, as far as it says so."""
        return next((coding for coding in reversed(self._codings) if any(coding)), header.coding)


def read_coding(path: str | os.PathLike[str]) -> bytes:
    """How an archive was coded last, as far as it says so. Raises UsageError, FormatError."""
    source = source_of(path)
    try:
        ends = read_ends(source)
        return Codings.of(source, ends.footer).last(ends.header)
    finally:
        source.close()


def _interrupted(source: Source, header: FileHeader) -> Ends | None:
    """The archive as it was before an addition that was not finished, or behind it if only its footer is missing.

    None where the bytes behind the last footer are something else: a whole index whose footer is lost in the midst, bytes of others.
    """
    footer = _last_footer(source, header)
    if footer is None:
        return None
    start, size_bytes = footer.archive_bytes, source.size_bytes
    mark = CHUNK_MAGIC + header.archive_id[:4]
    begun = source.read_at(start, min(len(mark), size_bytes - start))
    if not begun or (begun.strip(b"\0") and mark[: len(begun)] != begun):  # zeros: what a power cut may leave
        return None
    index, at = _walk(source, header, start)
    if index and index[-1].header.flags & frames.LAST_PIECE and size_bytes - at <= FOOTER_BYTES:
        made = _made_footer(source, header, footer, index)
        remark = "its last footer is damaged or was not written to its end; the index in front of it was read"
        return Ends(header, made, remark, is_made=True)
    if _has_index(source, header, at):
        return None
    remark = (
        f"{size_bytes - start:,} bytes behind byte {start:,} are of an addition that goes on or was interrupted, or the file was cut; the "
        "archive is as it was before, and the next add, update, rm or mv takes them away"
    )
    return Ends(header, footer, remark)


def _last_footer(source: Source, header: FileHeader) -> Footer | None:
    """The last sound footer of this archive that stands where it says that it does."""
    end = source.size_bytes
    while end >= FOOTER_BYTES:
        begin = max(end - BLOCK_BYTES, 0)
        block = source.read_at(begin, end - begin)
        at = block.rfind(FOOTER_MAGIC)
        while at >= 0:
            try:
                footer = frames.parse_footer(source.read_at(begin + at, min(FOOTER_BYTES, source.size_bytes - begin - at)))
                if footer.archive_bytes == begin + at + FOOTER_BYTES and _belong_together(header, footer):
                    return footer
            except FormatError:
                pass
            at = block.rfind(FOOTER_MAGIC, 0, at)
        if not begin:
            return None
        end = begin + len(FOOTER_MAGIC) - 1
    return None


def _walk(source: Source, header: FileHeader, at: int) -> tuple[list[Chunk], int]:
    """Goes from chunk to chunk; the pieces of an index that came last, and where there is no further sound chunk."""
    index: list[Chunk] = []
    while True:
        try:
            chunk = read_chunk(source, at, header.archive_id[:4])
            if chunk.header.type == ChunkType.INDEX:
                piece = frames.parse_index_record(chunk.record).shard
                if not payload_is_intact(source, chunk) or piece not in (0, len(index)):
                    return [], at
                index = [*index[:piece], chunk]
            else:
                index = []
        except (FormatError, LimitExceeded):
            return index, at
        at = chunk.end


def _has_index(source: Source, header: FileHeader, at: int) -> bool:
    """Whether a sound piece of an index that ends one lies anywhere behind."""
    marks = Marks(source)
    while (found := marks.find(at, source.size_bytes)) is not None:
        at = found[0] + 1
        try:
            chunk = read_chunk(source, found[0], header.archive_id[:4])
            if chunk.header.type == ChunkType.INDEX and chunk.header.flags & frames.LAST_PIECE and payload_is_intact(source, chunk):
                return True
        except (FormatError, LimitExceeded):
            continue
    return False


def _made_footer(source: Source, header: FileHeader, previous: Footer, index: Sequence[Chunk]) -> Footer:
    """What the footer behind an index says. Raises FormatError."""
    digest, begin, end = blake3(), index[0].offset, index[-1].end
    for block in blocks_at(source, begin, end - begin):
        digest.update(block)
    entries = [entry for chunk in index for entry in inflate_index(read_payload(source, chunk), chunk.record)]
    return Footer(
        archive_id=header.archive_id,
        version=header.version,
        must_understand=header.must_understand,
        may_ignore=header.may_ignore,
        index_chunks=len(index),
        index_offset=begin,
        members=sum(not entry.removed for entry in entries),
        archive_bytes=end + FOOTER_BYTES,
        previous_footer=previous.archive_bytes - FOOTER_BYTES,
        index_digest=digest.digest(),
    )
