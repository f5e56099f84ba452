"""Payloads of members: read chunk by chunk, each of which must say what the index says (docs/format.md section 5.3).

Nothing is decoded here but the groups of small files, which are chunks with many members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

from photoarc.container import frames
from photoarc.container.chunks import Chunk, damage_of, read_chunk, read_payload
from photoarc.container.frames import ChunkType, PartRecord
from photoarc.container.groups import OpenGroups
from photoarc.container.records import parse_member
from photoarc.container.source import Source
from photoarc.errors import FormatError, PayloadCorrupt
from photoarc.member import Kind, Member

_LOST = "its contents were stored with another file that is lost; restore it from another copy"


class Payloads:
    """Payloads of the members of one archive; `offsets` are those of each member's chunks, as far as they are known."""

    def __init__(
        self,
        source: Source,
        archive_tag: bytes | None,
        members: Sequence[Member],
        offsets: Sequence[Sequence[int]],
        positions: Mapping[bytes, int],
    ) -> None:
        self._source, self._tag, self._members, self._offsets, self._positions = source, archive_tag, members, offsets, positions
        self._groups = OpenGroups(source, archive_tag)

    def _offsets_of(self, member: Member) -> Sequence[int]:
        return self._offsets[self._positions[member.name]]

    def parts(self, member: Member) -> Iterator[bytes]:
        """Payload, part by part, each compared with its stored check before it is yielded; raises PayloadCorrupt or UnsupportedCodec."""
        if member.shared is None or member.needs_extension:
            yield from self._own_parts(member)
            return
        first = self._first_copies.get(member.shared.digest)
        if first is None or first.codec_id != member.codec_id or first.shared:
            raise PayloadCorrupt(member.display_name, _LOST)
        with _stored_with(member, first, "most of it was"):
            whole = b"".join(self._own_parts(first))
        before, behind = member.shared.before_bytes, member.shared.behind_bytes
        if before + behind > len(whole):
            raise PayloadCorrupt(member.display_name, f"it takes {before} and {behind} bytes of a payload that has {len(whole)}")
        yield b"".join([whole[:before], *self._own_parts(member), whole[len(whole) - behind :]])

    def chunks(self, member: Member) -> list[Chunk] | None:
        """Chunks that hold the payload, not read; of a duplicate the other's. None where it is not simply all that is in them."""
        if member.needs_extension or member.shared is not None or (member.grouped and not member.duplicate):
            return None
        if member.duplicate:
            first = self._original(member)
            with _stored_with(member, first, "its contents were"):
                return self.chunks(first)
        return list(self._chunks(member))

    def _own_parts(self, member: Member) -> Iterator[bytes]:
        """Contents of a member's own chunks; for duplicates, the other's."""
        member.refuse_unknown()
        if member.grouped:
            contents = self._groups.contents(member, self._offsets_of(member)[0])
            yield from () if member.duplicate else (contents,)
        else:
            for chunk in self._chunks(member):
                with damage_of(member):
                    payload = read_payload(self._source, chunk)
                yield payload
        if member.duplicate:
            first = self._original(member)
            with _stored_with(member, first, "its contents were"):
                yield from self.parts(first)

    def _chunks(self, member: Member) -> Iterator[Chunk]:
        """Chunks of a member; they are what the index promises. Raises PayloadCorrupt."""
        offsets, count = self._offsets_of(member), max(member.parts, 1)
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

    def _original(self, member: Member) -> Member:
        """The member that has a duplicate's payload (docs/format.md section 4.5). Raises PayloadCorrupt."""
        first = self._first_copies.get(member.digest)
        if first is None or (first.codec_id, first.size_bytes, first.photo) != (member.codec_id, member.size_bytes, member.photo):
            raise PayloadCorrupt(member.display_name, _LOST)
        return first

    @cached_property
    def _first_copies(self) -> dict[bytes, Member]:
        """The members that are no duplicates, by digest; made when a member is read that needs another."""
        found: dict[bytes, Member] = {}
        for member in self._members:
            if member.kind is Kind.FILE and not member.duplicate:
                found.setdefault(member.digest, member)
        return found


@contextmanager
def _stored_with(member: Member, first: Member, what: str) -> Iterator[None]:
    """Damage of the payload that a member has from another is damage of that member, too. Raises PayloadCorrupt."""
    try:
        yield
    except PayloadCorrupt as error:
        raise PayloadCorrupt(member.display_name, f"{what} stored with {first.display_name}, {error.reason}") from error
