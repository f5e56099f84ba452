"""Groups of small files: one GROUP chunk holds their records and, in one stream, their contents (docs/format.md section 4.7)."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Sequence

from blake3 import blake3

from photoarc.container import frames
from photoarc.container.chunks import damage_of, read_chunk, read_payload
from photoarc.container.frames import ChunkType, GroupRecord
from photoarc.container.source import Source
from photoarc.entropy import lzma2
from photoarc.errors import FormatError, PayloadCorrupt, PayloadError
from photoarc.member import NO_DIGEST, Member

_KEPT = 4  # groups, of at most 16 MiB each: members of a group are read one after the other


def pack_group(members: Sequence[Member], contents_digest: bytes) -> bytes:
    """Record of a GROUP chunk. Digests of files that are in the stream are left out: they are computed from it."""
    listed = tuple(_without_digest(member) for member in members)
    return frames.pack_group(GroupRecord(listed, sum(m.size_bytes for m in members if not m.duplicate), contents_digest))


def _without_digest(member: Member) -> Member:
    return member if member.duplicate else dataclasses.replace(member, digest=NO_DIGEST)


def open_group(record: bytes, payload: bytes) -> list[tuple[Member, bytes]]:
    """Inverse: members with their digests, each with its contents (duplicates with none).

    Raises FormatError or LimitExceeded; lengths are believed within the limits of section 6.4 only.
    """
    group = frames.parse_group(record)
    try:
        files = decode_group(payload, [0 if member.duplicate else member.size_bytes for member in group.members])
    except PayloadError as error:
        raise FormatError(f"a group of small files is damaged: {error}", section="4.7") from error
    together = blake3()
    for data in files:
        together.update(data)
    if together.digest() != group.digest:
        raise FormatError("the files of a group do not have the digest that its record promises", section="4.7")
    return [
        (member if member.duplicate else dataclasses.replace(member, digest=blake3(data).digest()), data)
        for member, data in zip(group.members, files, strict=True)
    ]


class OpenGroups:
    """Contents of the members of groups; those decoded last are kept. Threads wait for each other: a group is decoded once."""

    def __init__(self, source: Source, archive_tag: bytes | None) -> None:
        self._source, self._tag = source, archive_tag
        self._opened: OrderedDict[int, dict[bytes, tuple[Member, bytes]]] = OrderedDict()  # by offset, then by name
        self._lock = threading.Lock()

    def contents(self, member: Member, offset: int) -> bytes:
        """Contents of a member whose group is at this offset; its record there must be `member`. Raises PayloadCorrupt."""
        with self._lock:
            if offset not in self._opened:
                self._opened[offset] = self._open(member, offset)
                if len(self._opened) > _KEPT:
                    self._opened.popitem(last=False)
            self._opened.move_to_end(offset)
            found, data = self._opened[offset].get(member.name, (None, b""))
        if found != member:
            raise PayloadCorrupt(member.display_name, "its group holds another record than the index; restore it from another copy")
        return data

    def _open(self, member: Member, offset: int) -> dict[bytes, tuple[Member, bytes]]:
        with damage_of(member):
            chunk = read_chunk(self._source, offset, self._tag)
            if chunk.header.type != ChunkType.GROUP:
                raise FormatError("a group of small files was expected here", section="5.3", offset=offset)
            return {found.name: (found, data) for found, data in open_group(chunk.record, read_payload(self._source, chunk))}


def shares(payload_bytes: int, sizes_bytes: Sequence[int]) -> list[int]:
    """Share of each file in the payload of its group; they sum up to it."""
    total, before, given = sum(sizes_bytes) or 1, 0, 0
    found = []
    for size_bytes in sizes_bytes:
        before += size_bytes
        upto = payload_bytes * before // total
        found.append(upto - given)
        given = upto
    return found


def encode_group(files: Sequence[bytes]) -> bytes:
    """Files -> payload of their group."""
    return lzma2.compress(b"".join(files)) if any(files) else b""


def decode_group(payload: bytes, sizes_bytes: Sequence[int]) -> list[bytes]:
    """Inverse of encode_group. Raises PayloadError if the payload is damaged or does not hold files of these sizes."""
    total = sum(sizes_bytes)
    joined = memoryview(lzma2.decompress(payload, total) if total else b"")
    files, at = [], 0
    for size_bytes in sizes_bytes:
        files.append(bytes(joined[at : at + size_bytes]))
        at += size_bytes
    return files
