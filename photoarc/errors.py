"""Everything that photoarc raises on bad input.

    PhotoarcError                 one message: what, where, expected, found, what to do
    ├── UsageError                the request cannot be carried out as asked (paths, options)
    │   └── UnknownMember         no member of an archive has this name; a KeyError, too
    ├── FormatError               the archive itself is unreadable
    │   ├── NotAnArchive          no photoarc magic
    │   ├── Truncated             the file ends before something that it promises
    │   ├── IndexCorrupt          index or footer fail their check; the members may still be found by scanning
    │   └── UnsupportedVersion    written by a newer photoarc
    ├── MemberError               one file; the others go on
    │   ├── UnsafeName            the name would leave the destination
    │   ├── UnreadableSource      the source file cannot be read, or changed while it was read
    │   │   └── SpecialFile       a FIFO, a socket, a device: nothing to pack
    │   ├── CannotWrite           the destination refuses the file (exists, no permission)
    │   │   └── NoRoom            and every further one: full, read-only, gone
    │   ├── PayloadCorrupt        a stored checksum or digest does not fit
    │   ├── UnsupportedCodec      codec ID unknown to this version
    │   ├── DecodeFailed          the codec refuses the payload
    │   │   └── NotDecoded        nothing is known about it: a killed worker, no memory, a model or codec that is not installed
    │   └── SymbolMismatch        decoded latents differ from the ones that were coded
    ├── ModelError                a network that a payload needs
    │   ├── ModelMissing
    │   └── ModelCorrupt
    └── LimitExceeded             a declared size above a limit, refused before memory is taken

Exit codes of the command line: 0 all well, 1 some members failed, 2 nothing usable (docs/design.md, "Errors").
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

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


REPLACE = "replace it with -f (force=True)"  # what to do about something that exists already


class PhotoarcError(Exception):
    """Base of every error that photoarc raises on purpose."""


class UsageError(PhotoarcError):
    """The request cannot be carried out as asked."""


class UnknownMember(UsageError, KeyError):
    """No member of the archive has this name."""

    __str__ = Exception.__str__  # not KeyError's, which puts the sentence in quotes


class FormatError(PhotoarcError):
    """The archive itself is unreadable; `section` names the part of docs/format.md, `offset` is in bytes."""

    def __init__(self, message: str, *, section: str = "", offset: int = -1) -> None:
        where = f" (at byte {offset})" if offset >= 0 else ""
        super().__init__(message + where)
        self.section, self.offset = section, offset


class NotAnArchive(FormatError):
    """No photoarc magic at the start of the file."""


class Truncated(FormatError):
    """The file ends before something that it promises."""


class IndexCorrupt(FormatError):
    """Index or footer fail their check; members may still be found by scanning."""


class UnsupportedVersion(FormatError):
    """The archive was written by a newer version of photoarc."""


class MemberError(PhotoarcError):
    """One file failed; the others go on. `name` is the member's printable name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.reason = name, message

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Errors cross process boundaries; the default would call the class with one argument."""
        return type(self), (self.name, self.reason)


class UnsafeName(MemberError):
    """Extracting under this name would leave the destination."""


class UnreadableSource(MemberError):
    """The source file cannot be read, or changed while it was read."""


class SpecialFile(UnreadableSource):
    """A FIFO, a socket, a device: no archive holds these."""


class CannotWrite(MemberError):
    """The destination refuses the file."""


class NoRoom(CannotWrite):
    """The destination is full, read-only or gone: it will refuse every further file."""


class PayloadCorrupt(MemberError):
    """A stored checksum or digest does not fit what was read or decoded."""


class UnsupportedCodec(MemberError):
    """The codec ID is unknown to this version of photoarc."""


class DecodeFailed(MemberError):
    """The codec refuses the payload."""


class NotDecoded(DecodeFailed):
    """The file could not be decoded here, which says nothing about the archive; another try, or another machine, may do it."""


class SymbolMismatch(MemberError):
    """Decoded latents differ from the ones that were coded: the picture would be wrong."""


class ModelError(PhotoarcError):
    """A network that a payload needs; `model_id` is its permanent number."""

    def __init__(self, model_id: int, message: str) -> None:
        super().__init__(f"model {model_id}: {message}")
        self.model_id, self.reason = model_id, message

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        """Errors cross process boundaries (see MemberError)."""
        return type(self), (self.model_id, self.reason)


class ModelMissing(ModelError):
    """The model's files were not found."""


class ModelCorrupt(ModelError):
    """The model's files differ from the manifest."""


class LimitExceeded(PhotoarcError):
    """A declared size above a limit, refused before memory is taken."""


class PayloadError(PhotoarcError):
    """Raised by codecs, which know no member names; `pipeline` turns it into the MemberError subclass named by `kind`."""

    def __init__(self, message: str, kind: type[MemberError] = DecodeFailed) -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def of_member(name: str) -> Iterator[None]:
    """What a codec raises in this block becomes the MemberError that it names, of the member of this printable name."""
    try:
        yield
    except PayloadError as error:
        raise error.kind(name, str(error)) from error


class TooFar(PayloadError):
    """Raised by a lossy codec that would give back another picture."""


class GivenUp(PayloadError):
    """Raised by a codec that the caller has told, on its question, that the payload is too large already."""


def explained(error: OSError) -> str:
    """`No space left on device; free some space or choose another disk`; without advice where none is known to help."""
    words = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0) or _ELSEWHERE.get(errno.errorcode.get(error.errno or 0, ""))
    return f"{words}; {advice}" if advice else words
