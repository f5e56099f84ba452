"""What the system refuses, as one sentence: its own words, and what to do about it."""

from __future__ import annotations

import errno

_FULL, _UNABLE = "free some space or choose another disk", "the file system there cannot do this; choose another disk"
_BUSY, _GONE = "another program has it; close that first", "the disk or share is gone; connect it again"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EROFS: "it can only be read there; choose another folder",
    errno.ENAMETOOLONG: "the file system there takes shorter names only; choose another disk or a shorter name",
    errno.EFBIG: "the file system there takes smaller files only (FAT: 4 GB); choose another disk",
    errno.EACCES: "check its permissions and those of its folder",
    errno.EPERM: "the system does not allow it there; check permissions and mount options",
    errno.ENOSYS: _UNABLE,
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file; check the path",
    errno.EISDIR: "it is a folder; name a file",
    errno.EEXIST: "it exists already; choose another name",
    errno.ELOOP: "a part of the path is a link that is not followed; name what it points to",
    errno.EILSEQ: "the file system there does not take this name; choose another disk",
    errno.EINVAL: "the file system there does not take this name or request; choose another disk",
    errno.EIO: "the disk fails; copy what is on it to another one",
    errno.EMFILE: "close files or raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs, or use fewer workers (-j 1)",
    errno.EBUSY: _BUSY,
}
# Not on every system.
_ELSEWHERE = {
    "EDQUOT": _FULL,
    "ENOTSUP": _UNABLE,
    "EOPNOTSUPP": _UNABLE,
    "ETXTBSY": _BUSY,
    **dict.fromkeys(("ESTALE", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT", "ENODEV", "ENXIO"), _GONE),
}


def explained(error: OSError) -> str:
    """`No space left on device; free some space or choose another disk`; without advice where none is known to help."""
    words = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0) or _ELSEWHERE.get(errno.errorcode.get(error.errno or 0, ""))
    return f"{words}; {advice}" if advice else words
