"""Archives, written: members in, one file out. The bytes are described in docs/format.md sections 1-5.

    header | MEMBER chunk, its PART chunks | MEMBER chunk | ... | INDEX chunks | footer

Payloads are opaque here: `pipeline` makes them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from blake3 import blake3

from photoarc.container import frames
from photoarc.container.appended_file import AppendedFile
from photoarc.container.chunks import make_chunk, read_chunk, read_payload
from photoarc.container.frames import CODING_BYTES, FOOTER_BYTES, ChunkType, FileHeader, Footer, IndexRecord, PartRecord
from photoarc.container.groups import pack_group
from photoarc.container.index import pack_entry
from photoarc.container.likeness import Likenesses
from photoarc.container.partial_file import PartialFile
from photoarc.container.records import pack_member
from photoarc.container.source import source_of
from photoarc.errors import FormatError, UsageError
from photoarc.member import Member

WORTH_KEEPING_BYTES = 16 << 20  # of an archive whose writer is interrupted: another run goes on with it
_SHARD_BYTES = frames.MAX_SHARD_BYTES // 2  # an index part is closed here: the limit stays out of reach of one more record


class _Identified(Protocol):
    """What archive_id looks at (scan.SourceFile, records.Member)."""

    @property
    def name(self) -> bytes: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...


def archive_id(files: Iterable[_Identified], options_text: str) -> bytes:
    """16 bytes that name an archive: the same files packed with the same options give the same archive, bit for bit."""
    digest = blake3(options_text.encode() + b"\0")
    for file in files:
        digest.update(b"%d %d %d\n" % (len(file.name), file.size_bytes, file.mtime_ns) + file.name)
    return digest.digest(16)


class ArchiveWriter:
    """Writes one archive from start to end; a context manager.

    The bytes go to `<path>.partial-<random hex>` in the same folder. A clean exit writes index and footer, makes them durable and
    only then gives the file its name; any exception removes it. Raises UsageError when the destination refuses.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        archive_id: bytes,
        coding: bytes = bytes(CODING_BYTES),
        recovery_percent: float = 0,
    ) -> None:
        """`coding` is photoarc.container.wishes'."""
        if len(archive_id) != 16:
            raise ValueError(f"an archive id has 16 bytes, not {len(archive_id)}")
        self.path = Path(path)
        self._file: PartialFile | AppendedFile = PartialFile(self.path, force)
        self._id, self._coding = archive_id, coding
        self._sequence = 0
        self._names: set[bytes] = set()
        self._entries: list[bytes] = []
        self._previous_footer = 0
        self._likenesses = Likenesses(self._read_back)
        self._recovery_percent, self._protected_from = recovery_percent, 0

    def __enter__(self) -> Self:
        self._file.create()
        try:
            self._file.write([frames.pack_file_header(FileHeader(self._id, coding=self._coding))])
        except BaseException:
            self._file.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
                self._file.commit()
            elif kind is KeyboardInterrupt and isinstance(self._file, PartialFile) and self._file.size_bytes >= WORTH_KEEPING_BYTES:
                self._file.keep()
        finally:
            self._file.discard()

    def supersede(self, unfinished: Sequence[Path]) -> None:
        """When the archive has its name, these are removed."""
        if isinstance(self._file, PartialFile):
            self._file.superseded += unfinished

    @property
    def warnings(self) -> Sequence[str]:
        """What the destination could not do for an archive that is complete."""
        return self._file.warnings

    @property
    def size_bytes(self) -> int:
        """What has been written; the size of the archive when it is finished."""
        return self._file.size_bytes

    def add(self, member: Member, parts: Iterable[bytes]) -> int:
        """Append one member; each part becomes one chunk (docs/format.md section 4.4). Returns the offset of the first.

        `member.parts` and `member.payload_bytes` must be what `parts` will yield (ValueError otherwise). When `parts` raises, the
        member is taken back and the archive goes on without it. Raises UsageError for a name that is there already.
        """
        self._refuse_twice(member)
        start, sequence = self._file.size_bytes, self._sequence
        record = pack_member(member)
        written = count = 0
        try:
            for payload in parts:
                kind = ChunkType.PART if count else ChunkType.MEMBER
                self._chunk(kind, frames.pack_part(PartRecord(sequence, count)) if count else record, payload)
                written += len(payload)
                count += 1
            if not count and not member.payload_bytes:
                self._chunk(ChunkType.MEMBER, record, b"")
            if count > max(member.parts, 1) or (member.parts > 1 and count < member.parts) or written != member.payload_bytes:
                raise ValueError(
                    f"{member.display_name}: the record declares {member.payload_bytes} bytes in {member.parts} parts, "
                    f"got {written} in {count}"
                )
        except BaseException:
            self._file.truncate(start)
            self._sequence = sequence
            raise
        self._take(start, member, record)
        return start

    def add_in_blocks(self, member: Member, parts: Iterable[bytes]) -> Member:
        """Append a member of which payload_bytes is known behind its last part only (docs/format.md section 4.4): returns its record.

        The first chunk then gets it in place of 0. Otherwise like `add`.
        """
        self._refuse_twice(member)
        start, sequence, first = self._file.size_bytes, self._sequence, b""
        written = count = 0
        try:
            for payload in parts:
                if count:
                    self._chunk(ChunkType.PART, frames.pack_part(PartRecord(sequence, count)), payload)
                else:
                    first = payload
                    self._chunk(ChunkType.MEMBER, pack_member(member), payload)
                written += len(payload)
                count += 1
            done = dataclasses.replace(member, payload_bytes=written)
            record = pack_member(done)
            if count != max(member.parts, 1):
                raise ValueError(f"{member.display_name}: the record declares {member.parts} parts, got {count}")
            self._file.rewrite(start, make_chunk(self._id, ChunkType.MEMBER, sequence, record, first)[0])
        except BaseException:
            self._file.truncate(start)
            self._sequence = sequence
            raise
        self._take(start, done, record)
        return done

    def add_coded(self, member: Member, payload: bytes) -> Member:
        """Append one member with a payload in one part, of which only that is stored which no earlier payload has in the same place.

        Returns the record (docs/format.md section 4.9).
        """
        found = self._likenesses.find(member.codec_id, payload)
        if found is None:
            may_be_shared = self._may_be_shared(member)
            offset = self.add(member, [payload])
            if may_be_shared:
                self._likenesses.remember(member.digest, member.codec_id, payload, offset)
            return member
        shared, piece = found
        member = dataclasses.replace(member, shared=shared, payload_bytes=len(piece))
        self.add(member, [piece])
        return member

    def _may_be_shared(self, member: Member) -> bool:
        """Whether others may name the payload of this one."""
        return True

    def _read_back(self, offset: int) -> bytes:
        """Payload of a chunk that was written. Raises UsageError if the disk does not give it back."""
        source = source_of(self._file.readable)
        try:
            return read_payload(source, read_chunk(source, offset, self._id[:4]))
        except FormatError as error:
            raise UsageError(f"{self.path}: what was written cannot be read back: {error}; choose another disk") from error
        finally:
            source.close()

    def add_group(self, members: Sequence[Member], payload: bytes, digest: bytes) -> None:
        """Append small files that were coded together (docs/format.md section 4.7); `digest` is that of their contents, back to back."""
        for member in members:
            self._refuse_twice(member)
        start, sequence = self._file.size_bytes, self._sequence
        try:
            self._chunk(ChunkType.GROUP, pack_group(members, digest), payload)
        except BaseException:
            self._file.truncate(start)
            self._sequence = sequence
            raise
        for member in members:
            self._take(start, member, pack_member(member))

    def _refuse_twice(self, member: Member) -> None:
        if member.name in self._names:
            raise UsageError(f"{self.path}: two members are called {member.display_name}; an archive holds every name once")

    def _take(self, start: int, member: Member, record: bytes) -> None:
        """A member is written; its chunk is at `start`."""
        self._names.add(member.name)
        self._entries.append(pack_entry(start, record))

    def _chunk(self, kind: ChunkType, record: bytes, payload: bytes) -> None:
        self._file.write(self._next_chunk(kind, record, payload))

    def _next_chunk(self, kind: ChunkType, record: bytes, payload: bytes, flags: int = 0) -> list[bytes]:
        pieces = make_chunk(self._id, kind, self._sequence, record, payload, flags)
        self._sequence += 1
        return pieces

    def _finish(self) -> None:
        """Recovery data, index and footer."""
        self._write_index(self._entries, len(self._names), flags=0)

    def _write_index(self, entries: Sequence[bytes], members: int, flags: int) -> None:
        """Recovery data, entries in pieces, the last of which gets `flags`, and the footer."""
        shards = list(_shards(entries)) or ([[]] if flags else [])  # sequence numbers go on behind it
        inflated = [b"".join(shard) for shard in shards]
        records = [frames.pack_index_record(IndexRecord(n, len(shards[n]), len(data))) for n, data in enumerate(inflated)]
        pieces = list(zip(records, map(frames.deflate, inflated), [0] * (len(shards) - 1) + [flags], strict=False))

        def tail(offset: int) -> bytes:
            """Index and footer, to be written at an offset."""
            chunks = b"".join(piece for each in pieces for piece in self._next_chunk(ChunkType.INDEX, *each))
            footer = Footer(
                archive_id=self._id,
                index_chunks=len(pieces),
                index_offset=offset,
                members=members,
                archive_bytes=offset + len(chunks) + FOOTER_BYTES,
                previous_footer=self._previous_footer,
                index_digest=blake3(chunks).digest(),
                coding=self._coding,
                recovery_percent=self._recovery_percent,
            )
            return chunks + frames.pack_footer(footer)

        if self._recovery_percent:
            self._protect(sum(frames.chunk_bytes(len(record), len(payload)) for record, payload, _ in pieces) + FOOTER_BYTES, tail)
        else:
            self._settle()
            self._file.write([tail(self._file.size_bytes)])

    def _settle(self) -> None:
        """What was written so far has to be on the disk before index and footer; here nothing counts before all is."""

    def _protect(self, tail_bytes: int, make_tail: Callable[[int], bytes]) -> None:
        """Recovery data (docs/format.md section 16) of all that this writer has written and of the tail, and the tail."""
        from photoarc.container import recovery, recovery_layout  # NumPy

        layout = recovery_layout.plan(self._protected_from, self._file.size_bytes, tail_bytes, self._recovery_percent)
        first, chunks = self._sequence, layout.codewords * layout.parity_blocks
        self._sequence += chunks
        tail = make_tail(layout.resume)
        for _ in range(chunks):
            self._file.write([bytes(layout.chunk_bytes)])
        source = source_of(self._file.readable)
        try:

            def read(offset: int, count: int) -> bytes:
                return source.read_at(offset, count) if offset < layout.gap else tail[offset - layout.resume :][:count]

            for offset, run in recovery.encode(layout, read, self._id, first):
                self._file.rewrite(offset, run)
        except FormatError as error:
            raise UsageError(f"{self.path}: what was written cannot be read back: {error}; choose another disk") from error
        finally:
            source.close()
        self._settle()
        self._file.write([tail])


def _shards(entries: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Entries of each piece of an index."""
    shard: list[bytes] = []
    size_bytes = 0
    for entry in entries:
        if len(shard) == frames.MAX_SHARD_MEMBERS or size_bytes + len(entry) > _SHARD_BYTES:
            yield shard
            shard, size_bytes = [], 0
        shard.append(entry)
        size_bytes += len(entry)
    if shard:
        yield shard
