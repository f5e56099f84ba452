"""Payloads of earlier archives, for files that are packed again: of `pack --reuse`, and of a pack that was interrupted.

A name, or a size and a date, only says where to look: a worker reads the file and compares digests (photoarc.jobs.coding).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from photoarc import codecs
from photoarc.archive import Archive
from photoarc.container.wishes import pack_wishes
from photoarc.disk.scan import SourceFile
from photoarc.disk.targets import target
from photoarc.errors import MemberError
from photoarc.jobs.coding import Recalled
from photoarc.member import AS_JPEG, Kind, Member
from photoarc.options import CodingOptions, Mode

MAX_BYTES = 64 << 20  # of a payload: it goes to a worker and back
# Small files are coded in batches, large ones in blocks: neither has a payload of its own that could be asked for.
_NOT_ALONE = (codecs.SOLID, codecs.BLOCKS)


class Recollection:
    """Members of archives, by what is known of a file before it is read."""

    def __init__(self, archives: Sequence[Archive], coding: CodingOptions) -> None:
        self._coding, self._wishes = coding, pack_wishes(coding)
        self._named: dict[bytes, tuple[Archive, Member]] = {}
        self._dated: dict[tuple[int, int], tuple[Archive, Member]] = {}
        self._written: dict[tuple[bytes, int], tuple[Archive, Member]] = {}
        for archive in archives:
            for member in archive:
                self._remember(archive, member)

    def _remember(self, archive: Archive, member: Member) -> None:
        usable = member.kind is Kind.FILE and member.codec_id in codecs.CODECS and member.codec_id not in _NOT_ALONE
        if not usable or member.needs_extension or member.size_bytes > MAX_BYTES:
            return
        try:
            same_wishes = archive.coding_of(member) == self._wishes
        except MemberError:  # its contents are lost
            return
        if same_wishes:
            self._named[member.name] = archive, member
            self._dated[member.size_bytes, member.mtime_ns] = archive, member
        # whoever asks for less quality than there is gets it; more than there is cannot be had from what was unpacked
        if member.photo is not None and self._coding.mode is not Mode.LOSSLESS and self._coding.quality >= member.photo.quality:
            self._written[os.path.basename(target(member, None)), member.mtime_ns] = archive, member
            self._written.setdefault((b"", member.mtime_ns), (archive, member))

    def find(self, source: SourceFile) -> Recalled | None:
        """What may be the payload of a file; None if there is none, or it cannot be read."""
        named = self._named.get(source.name)
        if named is not None and named[1].size_bytes != source.size_bytes:
            named = None
        found = named or self._dated.get((source.size_bytes, source.mtime_ns))
        came_back = found is None
        if found is None:  # by the name that `unpack` gave it, or else by its date alone
            names = os.path.basename(source.name), b""
            found = next(filter(None, (self._written.get((name, source.mtime_ns)) for name in names)), None)
        if found is None:
            return None
        archive, member = found
        if source.no_jpeg and member.photo is not None and member.photo.source_format in AS_JPEG:
            return None
        try:
            return Recalled(source, member, archive.payload(member), came_back)
        except MemberError:
            return None
