"""What stands under a member's name before the member is decoded: that member already, its original, or something else.

| there is                                                     | Existing: refuse | skip | newer             | overwrite      |
|--------------------------------------------------------------|------------------|------|-------------------|----------------|
| a file with the digest, a link with the target               | left             | left | left              | written again  |
| of a lossy member: a picture of that size, format and date   | left             | left | left              | written again  |
| of a lossy member: the original                              | left             | left | left              | an error       |
| another file or link                                         | an error         | left | replaced if older | replaced       |
"""

from __future__ import annotations

import os
import stat

from photoarc.disk.attributes import DATES_DIFFER_NS
from photoarc.disk.originals import has_digest
from photoarc.member import AS_JPEG, Kind, Member
from photoarc.options import Existing
from photoarc.pictures.size import picture_size

SAME, ORIGINAL, OTHER = "same", "original", "other"  # why something is left as it is


def why_left(path: bytes, info: os.stat_result, member: Member, existing: Existing, as_format: str | None) -> str:
    """SAME, ORIGINAL or OTHER if what stands at a member's path, `info`, is to stay there without a word of blame; "" if not."""
    if existing is Existing.OVERWRITE or stat.S_ISDIR(info.st_mode):
        return ""
    if member.kind is Kind.SYMLINK:
        same = stat.S_ISLNK(info.st_mode) and os.readlink(path) == member.link_target
    else:
        same = stat.S_ISREG(info.st_mode) and has_digest(path, info, member)
    if same:
        return ORIGINAL if member.lossy else SAME
    if member.lossy and is_as_written(path, info, member, as_format):
        return SAME
    if existing is Existing.SKIP or (existing is Existing.NEWER and info.st_mtime_ns + DATES_DIFFER_NS >= member.mtime_ns):
        return OTHER
    return ""


def is_as_written(path: bytes, info: os.stat_result, member: Member, as_format: str | None) -> bool:
    """Whether a file looks as an earlier run has written it: a picture of the right format and size, with the member's own date.

    A file gets its date before its name, so one that was cut short does not look so. Whoever edits a picture and sets the old date again
    deceives this: his picture stays, then.
    """
    photo = member.photo
    if photo is None or not stat.S_ISREG(info.st_mode) or abs(info.st_mtime_ns - member.mtime_ns) > DATES_DIFFER_NS:
        return False
    try:
        with open(path, "rb") as file:
            found = picture_size(file)
    except OSError:
        return False
    own = "jpeg" if photo.source_format in AS_JPEG else photo.source_format.name.lower()
    sides = sorted((photo.width_px, photo.height_px))  # a picture that was turned is written turned
    return found is not None and found.kind == (as_format or own) and sorted((found.width_px, found.height_px)) == sides
