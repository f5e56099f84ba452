"""Members of a damaged or unfinished archive, found by the magic of their chunks (docs/format.md section 6.2).

Every chunk is self-contained, so a damaged byte costs the chunk that it lies in, and the search goes on behind it. Memory does
not grow with the file: blocks of 1 MiB, and the records that were found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from photoarc import frames
from photoarc.container import BLOCK_BYTES, ArchiveFile, Chunk, inflate_index, payload_is_intact, read_chunk, read_payload
from photoarc.errors import FormatError, LimitExceeded, NotAnArchive, PayloadCorrupt, UnsupportedVersion
from photoarc.frames import CHUNK_MAGIC, FILE_HEADER_BYTES, FOOTER_BYTES, ChunkType
from photoarc.names import display
from photoarc.records import Member, parse_member

# A forged file could be full of headers that each claim the same gigabyte; reading an honest one twice is the worst case.
_MAX_REREAD = 8


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a scan found. `offsets` are those of a member's chunks; `damaged` names members that are known and not whole."""

    archive_tag: bytes
    members: list[Member]
    offsets: list[Sequence[int]]
    damaged: list[PayloadCorrupt]
    warnings: list[str]


@dataclass(slots=True)
class _Findings:
    """Intact chunks so far, by sequence number; part 0 is the MEMBER chunk itself. `open_group` names the members of a GROUP chunk."""

    tag: bytes | None
    open_group: Callable[[bytes, bytes], list[Member]]
    members: dict[int, tuple[Member, Chunk]] = field(default_factory=dict)
    groups: dict[int, tuple[list[Member], Chunk]] = field(default_factory=dict)
    parts: dict[int, dict[int, Chunk]] = field(default_factory=dict)
    known: dict[bytes, str] = field(default_factory=dict)  # names that were there, and what is wrong if it is known
    unknown_chunks: int = 0


def salvage(source: ArchiveFile, open_group: Callable[[bytes, bytes], list[Member]]) -> Salvaged:
    """Every intact member, in archive order. Raises NotAnArchive, UnsupportedVersion or LimitExceeded.

    `open_group` decodes record and payload of a GROUP chunk (which is beyond this module) and raises what parsing raises.
    """
    tag, start = _archive_tag(source)
    findings = _Findings(tag, open_group)
    at, budget = start, _MAX_REREAD * source.size_bytes
    while (at := _next_magic(source, at)) >= 0:
        try:
            chunk = read_chunk(source, at, findings.tag)
        except (FormatError, LimitExceeded):
            at += 1
            continue
        findings.tag = chunk.header.archive_tag
        if payload_is_intact(source, chunk):
            _take(source, chunk, findings)
            at = chunk.end
        else:
            budget -= chunk.header.payload_bytes
            if budget < 0:
                raise LimitExceeded(f"{source.name}: thousands of damaged chunks overlap; this is not an archive that photoarc wrote")
            _note_damage(chunk, findings)
            at = chunk.payload_offset  # bytes may be missing: the next chunk can start before the declared end
    if findings.tag is None:
        raise NotAnArchive(f"{source.name}: no photoarc header, footer or chunk was found in {source.size_bytes} bytes", section="6.2")
    return _result(findings.tag, findings)


def _archive_tag(source: ArchiveFile) -> tuple[bytes | None, int]:
    """Tag that the chunks must have and where they start: from the header, else the footer, else from the first sound chunk."""
    try:
        return frames.parse_file_header(source.read_at(0, min(FILE_HEADER_BYTES, source.size_bytes))).archive_id[:4], FILE_HEADER_BYTES
    except UnsupportedVersion:
        raise
    except FormatError:
        pass
    try:
        return frames.parse_footer(source.read_at(source.size_bytes - FOOTER_BYTES, FOOTER_BYTES)).archive_id[:4], 0
    except UnsupportedVersion:
        raise
    except FormatError:
        return None, 0


def _next_magic(source: ArchiveFile, at: int) -> int:
    """Offset of the next chunk magic at or after `at`, -1 if there is none."""
    width = len(CHUNK_MAGIC)
    if at + width <= source.size_bytes and source.read_at(at, width) == CHUNK_MAGIC:
        return at
    while at + width <= source.size_bytes:
        block = source.read_at(at, min(BLOCK_BYTES, source.size_bytes - at))
        found = block.find(CHUNK_MAGIC)
        if found >= 0:
            return at + found
        at += len(block) - width + 1
    return -1


def _take(source: ArchiveFile, chunk: Chunk, findings: _Findings) -> None:
    """File an intact chunk. Records that do not parse although their checksum fits are a later version's, or a forgery: passed over."""
    sequence = chunk.header.sequence
    try:
        if chunk.header.type == ChunkType.MEMBER:
            member = parse_member(chunk.record)
            findings.known.setdefault(member.name, "")
            findings.members.setdefault(sequence, (member, chunk))
        elif chunk.header.type == ChunkType.GROUP:
            members = findings.open_group(chunk.record, read_payload(source, chunk))
            findings.groups.setdefault(sequence, (members, chunk))
            for member in members:
                findings.known.setdefault(member.name, "")
        elif chunk.header.type == ChunkType.PART:
            part = frames.parse_part(chunk.record)
            findings.parts.setdefault(part.member_sequence, {}).setdefault(part.part, chunk)
        elif chunk.header.type == ChunkType.INDEX:
            for _, member, _ in inflate_index(read_payload(source, chunk), chunk.record):
                findings.known.setdefault(member.name, "")
        elif chunk.header.flags & frames.CRITICAL:
            findings.unknown_chunks += 1
    except (FormatError, LimitExceeded):
        findings.unknown_chunks += 1


def _note_damage(chunk: Chunk, findings: _Findings) -> None:
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


def _result(tag: bytes, findings: _Findings) -> Salvaged:
    whole: dict[bytes, tuple[Member, list[int]]] = {}
    for sequence in sorted(findings.members.keys() | findings.groups.keys()):
        if sequence in findings.groups:
            members, chunk = findings.groups[sequence]
            whole.update((member.name, (member, [chunk.offset])) for member in members)
            continue
        member, first = findings.members[sequence]
        parts = {0: first} | findings.parts.get(sequence, {})
        count = max(member.parts, 1)
        chunks = [parts[part] for part in range(min(count, len(parts) + 1)) if part in parts]
        if len(chunks) < count:
            findings.known[member.name] = f"{count - len(chunks)} of its {count} parts are damaged or missing"
        elif sum(chunk.header.payload_bytes for chunk in chunks) != member.payload_bytes:
            findings.known[member.name] = "its parts do not have the length that its record promises"
        else:
            whole[member.name] = (member, [chunk.offset for chunk in chunks])  # of two with one name, the later one counts
    stored = {member.digest for member, _ in whole.values() if not member.duplicate and not member.shared}
    stored |= {member.digest for member, _ in whole.values() if member.shared and member.shared.digest in stored}
    for name, (member, _) in list(whole.items()):
        if (member.duplicate or member.shared) and member.digest not in stored:
            del whole[name]
            findings.known[name] = "its contents were stored with another file, which is damaged"
    ordered = sorted(whole.values(), key=lambda found: found[1][0])
    reasons = {name: why or "its chunk is damaged or missing" for name, why in findings.known.items() if name not in whole}
    damaged = [PayloadCorrupt(display(name), f"{why}; restore it from another copy") for name, why in sorted(reasons.items())]
    warnings = [f"the index was not used: {len(ordered)} intact members found by scanning"]
    warnings += [str(error) for error in damaged]
    if findings.unknown_chunks:
        warnings.append(f"{findings.unknown_chunks} chunks are of a kind unknown to this photoarc and were passed over")
    return Salvaged(tag, [member for member, _ in ordered], [offsets for _, offsets in ordered], damaged, warnings)
