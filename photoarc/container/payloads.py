"""Payloads of members: read chunk by chunk, each of which must say what the index says (docs/format.md section 5.3).

Nothing is decoded here but the groups of small files, which are chunks with many members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from photoarc.container import frames
from photoarc.container.chunks import Chunk, damage_of, read_chunk, read_payload
from photoarc.container.frames import ChunkType, PartRecord
from photoarc.container.groups import OpenGroups
from photoarc.container.records import parse_member
from photoarc.container.source import Source
from photoarc.errors import FormatError, PayloadCorrupt
from photoarc.member import Kind, Member, PhotoInfo

_LOST = "its contents were stored with another file that is lost; restore it from another copy"


Stored = tuple[Member, Sequence[int]]  # a member and the offsets of its chunks, as far as they are known
_Contents = tuple[bytes, int, int, PhotoInfo | None]  # digest, codec, size, photograph


class Payloads:
    """Payloads of the members of one archive, in archive order; `removed` ones are there for the payloads of others only."""

    def __init__(self, source: Source, archive_tag: bytes | None, members: Sequence[Stored], removed: Sequence[Stored]) -> None:
        self._source, self._tag, self._members, self._removed = source, archive_tag, members, removed
        self._groups = OpenGroups(source, archive_tag)

    def parts(self, stored: Stored) -> Iterator[bytes]:
        """Payload, part by part, each compared with its stored check before it is yielded; raises PayloadCorrupt or UnsupportedCodec."""
        member = stored[0]
        if member.shared is None or member.needs_extension:
            yield from self._own_parts(stored)
            return
        found = self._firsts[1].get((member.shared.digest, member.codec_id))
        if found is None:
            raise PayloadCorrupt(member.display_name, _LOST)
        with _stored_with(member, found[0], "most of it was"):
            whole = b"".join(self._own_parts(found))
        before, behind = member.shared.before_bytes, member.shared.behind_bytes
        if before + behind > len(whole):
            raise PayloadCorrupt(member.display_name, f"it takes {before} and {behind} bytes of a payload that has {len(whole)}")
        yield b"".join([whole[:before], *self._own_parts(stored), whole[len(whole) - behind :]])

    def chunks(self, stored: Stored) -> list[Chunk] | None:
        """Chunks that hold the payload, not read; of a duplicate the other's. None where it is not simply all that is in them."""
        member = stored[0]
        if member.needs_extension or member.shared is not None or (member.grouped and not member.duplicate):
            return None
        if member.duplicate:
            first = self.original(member)
            with _stored_with(member, first[0], "its contents were"):
                return self.chunks(first)
        return list(self._chunks(stored))

    def original(self, member: Member) -> Stored:
        """The member that has a duplicate's payload (docs/format.md section 4.5). Raises PayloadCorrupt."""
        first = self._firsts[0].get(contents_key(member))
        if first is None:
            raise PayloadCorrupt(member.display_name, _LOST)
        return first

    def _own_parts(self, stored: Stored) -> Iterator[bytes]:
        """Contents of a member's own chunks; for duplicates, the other's."""
        member, offsets = stored
        member.refuse_unknown()
        if member.grouped:
            contents = self._groups.contents(member, offsets[0])
            yield from () if member.duplicate else (contents,)
        else:
            for chunk in self._chunks(stored):
                with damage_of(member):
                    payload = read_payload(self._source, chunk)
                yield payload
        if member.duplicate:
            first = self.original(member)
            with _stored_with(member, first[0], "its contents were"):
                yield from self.parts(first)

    def _chunks(self, stored: Stored) -> Iterator[Chunk]:
        """Chunks of a member; they are what the index promises. Raises PayloadCorrupt."""
        member, offsets = stored
        count = max(member.parts, 1)
        left, at, sequence = member.payload_bytes, offsets[0], 0
        for part in range(count):
            at = offsets[part] if part < len(offsets) else at
            with damage_of(member):
                chunk = read_chunk(self._source, at, self._tag)
                if part == 0:
                    sequence = chunk.header.sequence
                    agrees = chunk.header.type == ChunkType.MEMBER and parse_member(chunk.record) == member
                else:
                    agrees = chunk.header.type == ChunkType.PART and frames.parse_part(chunk.record) == PartRecord(sequence, part)
                size = chunk.header.payload_bytes
                if not agrees or size > left or (part == count - 1 and size != left):
                    raise FormatError("the chunk is not the one that the file record promises", section="5.3", offset=at)
            left -= size
            at = chunk.end
            yield chunk

    @cached_property
    def _firsts(self) -> tuple[dict[_Contents, Stored], dict[tuple[bytes, int], Stored]]:
        """The first members that are no duplicates, by contents; and those with a whole payload, by digest and codec alone.

        Made when a member needs another.
        """
        contents: dict[_Contents, Stored] = {}
        payloads: dict[tuple[bytes, int], Stored] = {}
        for stored in sorted((*self._members, *self._removed), key=lambda stored: stored[1][0]) if self._removed else self._members:
            member = stored[0]
            if member.kind is Kind.FILE and not member.duplicate:
                contents.setdefault(contents_key(member), stored)
                if member.shared is None:
                    payloads.setdefault((member.digest, member.codec_id), stored)
        return contents, payloads


def contents_key(member: Member) -> _Contents:
    """What a duplicate has in common with the member that has its payload (docs/format.md section 4.5)."""
    return member.digest, member.codec_id, member.size_bytes, member.photo


@contextmanager
def _stored_with(member: Member, first: Member, what: str) -> Iterator[None]:
    """Damage of the payload that a member has from another is damage of that member, too. Raises PayloadCorrupt."""
    try:
        yield
    except PayloadCorrupt as error:
        raise PayloadCorrupt(member.display_name, f"{what} stored with {first.display_name}, {error.reason}") from error
