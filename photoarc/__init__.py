"""photoarc: a folder archiver for photographs.

    with photoarc.open("out.pha") as archive:
        for member in archive:
            if member.kind is photoarc.Kind.FILE:
                data = archive.read(member)

Importing is cheap: the reader is loaded on first use, and a codec when a member needs it.
"""

import sys

from photoarc.jobs import safe_path

if sys.argv[:1] == ["-m"]:  # `python -m photoarc`, before anything else is imported (`__future__` is a module, too)
    safe_path.leave_current_folder()
# isort: split
from typing import TYPE_CHECKING, Any

from photoarc.errors import (
    CannotWrite,
    DecodeFailed,
    FormatError,
    IndexCorrupt,
    LimitExceeded,
    MemberError,
    ModelCorrupt,
    ModelError,
    ModelMissing,
    NoRoom,
    NotAnArchive,
    NotDecoded,
    PayloadCorrupt,
    PhotoarcError,
    SpecialFile,
    SymbolMismatch,
    Truncated,
    UnknownMember,
    UnreadableSource,
    UnsafeName,
    UnsupportedCodec,
    UnsupportedVersion,
    UsageError,
)

if TYPE_CHECKING:
    from photoarc.archive import Archive
    from photoarc.container.source import Place
    from photoarc.member import Kind

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "CannotWrite",
    "DecodeFailed",
    "FormatError",
    "IndexCorrupt",
    "Kind",
    "LimitExceeded",
    "MemberError",
    "ModelCorrupt",
    "ModelError",
    "ModelMissing",
    "NoRoom",
    "NotAnArchive",
    "NotDecoded",
    "PayloadCorrupt",
    "PhotoarcError",
    "SpecialFile",
    "SymbolMismatch",
    "Truncated",
    "UnknownMember",
    "UnreadableSource",
    "UnsafeName",
    "UnsupportedCodec",
    "UnsupportedVersion",
    "UsageError",
    "__version__",
    "open",
]


def open(archive: "Place", *, scan: bool = False) -> "Archive":
    """Opens an archive for reading: a path, a binary file object that can seek, or bytes.

    A file object (of `open`, `io.BytesIO`, fsspec) is read from its first byte on and stays open when the archive is closed.
    `scan=True` finds the intact members of a damaged or unfinished archive without its index.
    Raises FormatError (NotAnArchive, Truncated, IndexCorrupt, UnsupportedVersion), LimitExceeded or UsageError.
    """
    from photoarc.archive import Archive

    return Archive(archive, scan=scan)


def __getattr__(name: str) -> Any:
    if name == "Archive":
        from photoarc.archive import Archive

        return Archive
    if name == "Kind":
        from photoarc.member import Kind

        return Kind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
