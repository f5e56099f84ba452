"""Archives that lie in one file: which are read, and what of them is whole (docs/format.md section 6.2).

An archive inside of a damaged file of another one is not read: its members are not what was packed. It is known by where it lies:
between the chunks of the other, or behind an archive that has no end, or before one that has no start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from photoarc.container.chunks import Chunk
from photoarc.errors import PayloadCorrupt
from photoarc.member import Member
from photoarc.names import display

Whole = dict[bytes, tuple[Member, list[int]]]  # by name: the member and the offsets of its chunks


@dataclass(slots=True, kw_only=True)
class Stratum:
    """What a scan saw of one archive; chunks by sequence number, part 0 is the MEMBER chunk itself."""

    tag: bytes
    begin: int = -1
    end: int = 0
    header_at: int = -1
    footer_end: int = -1
    first_footer_end: int = -1
    index_is_whole: bool = False  # every member is known by name
    members: dict[int, tuple[Member, Chunk]] = field(default_factory=dict)
    groups: dict[int, tuple[list[Member], Chunk]] = field(default_factory=dict)
    parts: dict[int, dict[int, Chunk]] = field(default_factory=dict)
    known: dict[bytes, str] = field(default_factory=dict)  # names that were there, and what is wrong if it is known
    removed: dict[bytes, int] = field(default_factory=dict)  # by name, sequence number of the last chunk that it was removed with
    sequences: set[int] = field(default_factory=set)
    index_parts: set[int] = field(default_factory=set)
    unknown_chunks: int = 0

    def reach(self, begin: int, end: int) -> None:
        """Something of it lies from `begin` to `end`."""
        self.begin = begin if self.begin < 0 else min(self.begin, begin)
        self.end = max(self.end, end)

    def saw_header(self, at: int) -> None:
        """A file header; the first counts."""
        self.header_at = at if self.header_at < 0 else self.header_at
        self.reach(at, at + 1)

    def saw_footer(self, end: int, index_chunks: int) -> None:
        """A footer; of an archive that grew, the last one counts."""
        self.footer_end, self.index_is_whole = end, len(self.index_parts) == index_chunks
        self.first_footer_end = end if self.first_footer_end < 0 else self.first_footer_end
        self.index_parts.clear()
        self.reach(end - 1, end)

    def saw_chunk(self) -> None:
        """A chunk: what came before it was not the end."""
        self.footer_end, self.index_is_whole = -1, False

    def passed_over(self) -> str:
        """Warning about an archive that is not read."""
        return (
            f"parts of another archive lie at bytes {self.begin:,} to {self.end:,}, as a rule a file that was packed; they were passed "
            f"over, cut them out to read them: tail -c +{self.begin + 1} | head -c {self.end - self.begin}"
        )

    def losses(self, last: str) -> list[str]:
        """What must be missing although no name tells it; `last` is the member found last."""
        if self.index_is_whole:
            return []
        lost = max(self.sequences, default=-1) + 1 - len(self.sequences)
        warnings = []
        if lost > 0:
            warnings.append(
                f"{lost:,} chunks (files, parts of large files, or groups of small ones) are damaged or missing, without a name"
            )
        if self.footer_end < 0:
            warnings.append(f"the end of the archive is missing; files that came behind {last} are lost" if last else "its end is missing")
        return warnings


@dataclass(slots=True)
class Merged:
    """Members of all archives that are read, what is damaged, and what else there is to say.

    `removed` are whole, too: what was taken out or replaced, and may be needed for the payloads of others.
    """

    whole: Whole = field(default_factory=dict)
    removed: list[tuple[Member, list[int]]] = field(default_factory=list)
    damaged: list[PayloadCorrupt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def outermost(found: Iterable[Stratum]) -> tuple[list[Stratum], list[Stratum]]:
    """The archives to read, in the order of the file, and those that lie inside of others."""
    strata = sorted(found, key=lambda stratum: stratum.begin)
    top: list[Stratum] = []
    for stratum in strata:
        if any(other.begin < stratum.begin and stratum.end <= other.end for other in strata):
            continue
        if stratum.header_at < 0:  # its start is cut off: an archive before it, but for the very start of the file, is of a file in it
            while top and top[-1].begin > 0:
                top.pop()
        if not top or top[-1].footer_end >= 0:
            top.append(stratum)
    return top, [stratum for stratum in strata if stratum not in top]


def merged(top: Sequence[Stratum]) -> Merged:
    """What is whole in the archives; of two files with one name, the later one counts, and that is said if they differ."""
    result = Merged()
    known: dict[bytes, str] = {}
    for stratum in top:
        whole, removed = _whole(stratum)
        last = max(whole.values(), key=lambda found: found[1][0], default=None)
        result.warnings += stratum.losses(last[0].display_name if last else "")
        twice = [name for name in whole if name in result.whole and result.whole[name][0].digest != whole[name][0].digest]
        if twice:
            result.warnings.append(
                f"{len(twice):,} names, first {display(min(twice))}, are in two archives with different contents; those of the later one "
                f"are read, the earlier ones with: head -c {stratum.begin}"
            )
        result.removed += [*removed, *(result.whole[name] for name in whole if name in result.whole)]
        result.whole.update(whole)
        known.update((name, why) for name, why in stratum.known.items() if name not in whole)
        if stratum.unknown_chunks:
            result.warnings.append(f"{stratum.unknown_chunks} chunks are of a kind unknown to this photoarc and were passed over")
    if len(top) > 1:
        starts = ", ".join(f"{stratum.begin:,}" for stratum in top)
        result.warnings.append(f"the file holds {len(top)} archives, one behind the other, at bytes {starts}; all were read")
    _drop_orphans(result.whole, result.removed, known)
    reasons = {name: why or "its chunk is damaged or missing" for name, why in known.items()}
    result.damaged = [PayloadCorrupt(display(name), f"{why}; restore it from another copy") for name, why in sorted(reasons.items())]
    return result


def _whole(stratum: Stratum) -> tuple[Whole, list[tuple[Member, list[int]]]]:
    """Members all of whose chunks are there, and those that were removed or replaced; notes in `known` what others lack."""
    whole: Whole = {}
    removed: list[tuple[Member, list[int]]] = []

    def take(sequence: int, member: Member, offsets: list[int]) -> None:
        if sequence <= stratum.removed.get(member.name, -1):
            removed.append((member, offsets))
            return
        if member.name in whole:  # of two with one name, the later one counts
            removed.append(whole[member.name])
        whole[member.name] = member, offsets

    for sequence in sorted(stratum.members.keys() | stratum.groups.keys()):
        if sequence in stratum.groups:
            members, chunk = stratum.groups[sequence]
            for member in members:
                take(sequence, member, [chunk.offset])
            continue
        member, first = stratum.members[sequence]
        parts = {0: first} | stratum.parts.get(sequence, {})
        count = max(member.parts, 1)
        chunks = [parts[part] for part in range(min(count, len(parts) + 1)) if part in parts]
        if len(chunks) == count and sum(chunk.header.payload_bytes for chunk in chunks) == member.payload_bytes:
            take(sequence, member, [chunk.offset for chunk in chunks])
        elif sequence > stratum.removed.get(member.name, -1):
            stratum.known[member.name] = (
                f"{count - len(chunks)} of its {count} parts are damaged or missing"
                if len(chunks) < count
                else "its parts do not have the length that its record promises"
            )
    return whole, removed


def _drop_orphans(whole: Whole, removed: Iterable[tuple[Member, list[int]]], known: dict[bytes, str]) -> None:
    """Takes out what needs the payload of a file that is lost."""
    members = [member for member, _ in (*whole.values(), *removed)]
    stored = {member.digest for member in members if not member.duplicate and not member.shared}
    stored |= {member.digest for member in members if member.shared and member.shared.digest in stored}
    for name, (member, _) in list(whole.items()):
        if (member.duplicate or member.shared) and member.digest not in stored:
            del whole[name]
            known[name] = "its contents were stored with another file, which is damaged"
