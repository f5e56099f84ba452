"""Members of a damaged or unfinished archive, found by the magic of their chunks (docs/format.md section 6.2).

Every chunk is self-contained, so a damaged byte costs the chunk that it lies in, and the search goes on behind it. Memory does
not grow with the file: blocks of 1 MiB, and the records that were found.

A file may hold several archives, one behind the other, or archives that were packed as files: photoarc.container.strata tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from photoarc.container import frames
from photoarc.container.chunks import Chunk, payload_is_intact, read_chunk, read_payload
from photoarc.container.foreign import what_it_is
from photoarc.container.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC, FOOTER_BYTES, ChunkType
from photoarc.container.index import inflate_index, parse_removals
from photoarc.container.records import parse_member
from photoarc.container.source import Source
from photoarc.container.strata import Stratum, merged, outermost
from photoarc.container.traces import Marks
from photoarc.errors import FormatError, LimitExceeded, NotAnArchive, PayloadCorrupt, UnsupportedVersion
from photoarc.member import Member

# A forged file could be full of headers that each claim the same gigabyte; reading an honest one twice is the worst case.
_MAX_REREAD = 8
_MOST_ARCHIVES = 100  # in one file; chunks of further ones are passed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What a scan found: members with the offsets of their chunks; `damaged` names those that are known and not whole.

    `removed` ones are there for the payloads of others only. `archive_tag` is None where chunks are of several archives; `first_end`
    is where the first footer of a single one ends (its end where there is none).
    """

    archive_tag: bytes | None
    members: Sequence[tuple[Member, Sequence[int]]]
    removed: Sequence[tuple[Member, Sequence[int]]]
    damaged: list[PayloadCorrupt]
    warnings: list[str]
    first_end: int


class _Overlap(LimitExceeded):
    """Ends the scan."""


def salvage(source: Source, open_group: Callable[[bytes, bytes], list[Member]]) -> Salvaged:
    """Every intact member, in the order of the file. Raises NotAnArchive, UnsupportedVersion or LimitExceeded.

    `open_group` decodes record and payload of a GROUP chunk (which is beyond this module) and raises what parsing raises.
    """
    scan = _Scan(source, open_group)
    scan.run()
    if not scan.found:
        what = what_it_is(source.read_at(0, min(512, source.size_bytes)))
        known = f"is {what}, not a photoarc archive: " if what else ""
        raise NotAnArchive(f"{known}no photoarc header, footer or chunk was found in {source.size_bytes} bytes", section="6.2")
    top, passed_over = outermost(scan.found.values())
    result = merged(top)
    ordered = sorted(result.whole.values(), key=lambda found: found[1][0])
    warnings = [f"the index was not used: {len(ordered)} intact members found by scanning"]
    warnings += [str(error) for error in result.damaged]
    warnings += result.warnings
    warnings += [stratum.passed_over() for stratum in passed_over]
    tag = top[0].tag if len(top) == 1 else None
    first_end = 0 if len(top) > 1 else top[0].first_footer_end if top[0].first_footer_end >= 0 else top[0].end
    return Salvaged(
        archive_tag=tag, members=ordered, removed=[*result.removed], damaged=result.damaged, warnings=warnings, first_end=first_end
    )


def _refuse_later_versions(source: Source) -> None:
    """Raises UnsupportedVersion if the file header is a later version's, or, where there is none, the footer."""
    try:
        frames.parse_file_header(source.read_at(0, min(FILE_HEADER_BYTES, source.size_bytes)))
        return
    except UnsupportedVersion:
        raise
    except FormatError:
        pass
    try:
        frames.parse_footer(source.read_at(source.size_bytes - FOOTER_BYTES, FOOTER_BYTES))
    except UnsupportedVersion:
        raise
    except FormatError:
        pass


class _Scan:
    """Walks over the marks of a file and files what is sound by the archive that it belongs to."""

    def __init__(self, source: Source, open_group: Callable[[bytes, bytes], list[Member]]) -> None:
        self.source, self._open_group = source, open_group
        self.found: dict[bytes, Stratum] = {}  # by tag
        self._budget = _MAX_REREAD * source.size_bytes

    def run(self) -> None:
        """Raises UnsupportedVersion (of header or footer where they belong) or LimitExceeded."""
        _refuse_later_versions(self.source)
        marks, at = Marks(self.source), 0
        while (mark := marks.find(at, self.source.size_bytes)) is not None:
            at, magic = mark
            try:
                at = self._chunk(at) if magic == CHUNK_MAGIC else self._end(at, magic)
            except (FormatError, LimitExceeded) as error:
                if isinstance(error, _Overlap):
                    raise
                at += 1

    def _stratum(self, tag: bytes) -> Stratum:
        if tag not in self.found and len(self.found) == _MOST_ARCHIVES:
            raise LimitExceeded(f"more than {_MOST_ARCHIVES} archives in one file")
        return self.found.setdefault(tag, Stratum(tag=tag))

    def _end(self, at: int, magic: bytes) -> int:
        """Notes a sound file header or footer, returns where to go on."""
        if magic == FILE_MAGIC:
            header = frames.parse_file_header(self.source.read_at(at, FILE_HEADER_BYTES))
            self._stratum(header.archive_id[:4]).saw_header(at)
            return at + FILE_HEADER_BYTES
        footer = frames.parse_footer(self.source.read_at(at, FOOTER_BYTES))
        self._stratum(footer.archive_id[:4]).saw_footer(at + FOOTER_BYTES, footer.index_chunks)
        return at + FOOTER_BYTES

    def _chunk(self, at: int) -> int:
        chunk = read_chunk(self.source, at, None)
        stratum = self._stratum(chunk.header.archive_tag)
        stratum.saw_chunk()
        stratum.sequences.add(chunk.header.sequence)
        if payload_is_intact(self.source, chunk):
            stratum.reach(at, chunk.end)
            self._take(chunk, stratum)
            return chunk.end
        stratum.reach(at, chunk.payload_offset)
        self._budget -= chunk.header.payload_bytes
        if self._budget < 0:
            raise _Overlap("thousands of damaged chunks overlap; this is not an archive that photoarc wrote")
        _note_damage(chunk, stratum)
        return chunk.payload_offset  # bytes may be missing: the next chunk can start before the declared end

    def _take(self, chunk: Chunk, findings: Stratum) -> None:
        """File an intact chunk. Records that do not parse although their checksum fits are a later version's, or a forgery: passed over."""
        sequence = chunk.header.sequence
        try:
            if chunk.header.type == ChunkType.MEMBER:
                member = parse_member(chunk.record)
                findings.known.setdefault(member.name, "")
                findings.members.setdefault(sequence, (member, chunk))
            elif chunk.header.type == ChunkType.GROUP:
                members = self._open_group(chunk.record, read_payload(self.source, chunk))
                findings.groups.setdefault(sequence, (members, chunk))
                for member in members:
                    findings.known.setdefault(member.name, "")
            elif chunk.header.type == ChunkType.PART:
                part = frames.parse_part(chunk.record)
                findings.parts.setdefault(part.member_sequence, {}).setdefault(part.part, chunk)
            elif chunk.header.type == ChunkType.INDEX:
                findings.index_parts.add(frames.parse_index_record(chunk.record).shard)
                for entry in inflate_index(read_payload(self.source, chunk), chunk.record):
                    if not entry.removed:
                        findings.known.setdefault(entry.member.name, "")
            elif chunk.header.type == ChunkType.REMOVED:
                for number, name in parse_removals(chunk.record, read_payload(self.source, chunk)):
                    findings.removed[name] = max(number, findings.removed.get(name, -1))
                    findings.known.pop(name, None)
            elif chunk.header.flags & frames.CRITICAL:
                findings.unknown_chunks += 1
        except (FormatError, LimitExceeded):
            findings.unknown_chunks += 1


def _note_damage(chunk: Chunk, findings: Stratum) -> None:
    """The record of a damaged chunk is sound, so the members that are lost can be named."""
    try:
        if chunk.header.type == ChunkType.MEMBER:
            lost = [parse_member(chunk.record)]
        elif chunk.header.type == ChunkType.GROUP:
            lost = list(frames.parse_group(chunk.record).members)
        else:
            return
    except (FormatError, LimitExceeded):
        return
    for member in lost:
        findings.known[member.name] = f"its payload is damaged (at byte {chunk.offset})"
