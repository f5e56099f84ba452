"""Compares files that are not what was packed with what `unpack` would write: the part of `verify` that decodes.

file, member --suspect--> Suspect  --is_as_unpacked (in a worker)-->  yes | no
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from photoarc.codecs import costs
from photoarc.codecs.costs import Cost
from photoarc.disk import attributes
from photoarc.disk.reading import read_whole
from photoarc.disk.scan import SourceFile
from photoarc.disk.targets import target
from photoarc.errors import MemberError
from photoarc.member import AS_JPEG, Member
from photoarc.options import FORMATS


@dataclass(frozen=True, slots=True)
class Suspect:
    """A file that differs from the one that was packed (`why`), and the lossy payload it may have been written from."""

    file: SourceFile
    member: Member
    payload: bytes
    why: str


def written_names(members: Iterable[Member]) -> dict[bytes, Member]:
    """Lossy members by the names that `unpack` may write them under, whatever `--as`; names of members are not among them."""
    members = list(members)
    taken = {member.name for member in members}
    names: dict[bytes, Member] = {}
    for member in members:
        for as_format in (None, *FORMATS) if member.lossy else ():
            name = target(member, as_format)
            if name not in taken:
                names.setdefault(name, member)
    return names


def foreseen(suspect: Suspect) -> Cost:
    """What a worker will need for a suspect."""
    member, photo = suspect.member, suspect.member.photo
    pixels = photo.width_px * photo.height_px if photo else 0
    decoding = costs.to_unpack(member.codec_id, member.size_bytes, len(suspect.payload), pixels)
    return costs.to_compare(decoding, suspect.file.size_bytes, pixels)


def is_as_unpacked(suspect: Suspect) -> bool:
    """Worker's part. Raises MemberError (the file or the member cannot be read), ModelError."""
    from photoarc import pipeline
    from photoarc.pictures import closeness
    from photoarc.pictures.kinds import kind_of

    member, photo = suspect.member, suspect.member.photo
    data, stamp = read_whole(suspect.file)
    kind = kind_of(data)
    found = "" if kind is None else kind.name.lower()
    if photo is None or not found or attributes.differ(member.attributes, stamp.attributes):
        return False
    own = "jpeg" if photo.source_format in AS_JPEG else photo.source_format.name.lower()
    if found != own and found not in FORMATS:
        return False
    as_format = None if found == own else found
    try:
        written = pipeline.decode_payload(
            member.display_name, member.codec_id, suspect.payload, member.size_bytes, member.digest, as_format
        )
    except MemberError:
        if as_format is None:
            raise
        return False  # a format that this picture cannot be written in
    return written == data or closeness.are_close(written, data)
