"""photoarc: a folder archiver for photographs.

    with photoarc.open("out.pha") as archive:
        for member in archive:
            if member.kind is photoarc.Kind.FILE:
                data = archive.read(member)

`pack`, `add`, `compact`, `repair`, `unpack`, `test`, `verify` are the commands of these names, `remove` and `move` are `rm` and `mv`.
They start worker processes (`workers=0`: none, and no limits).
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
    from photoarc.jobs.add import AddSummary
    from photoarc.jobs.calls import add, compact, move, pack, remove, repair, test, unpack, verify
    from photoarc.jobs.compact import CompactSummary
    from photoarc.jobs.overview import CodecTotal
    from photoarc.jobs.rearrange import MoveSummary, RemoveSummary
    from photoarc.jobs.repair import RepairSummary
    from photoarc.jobs.tally import PackSummary, Photographs
    from photoarc.jobs.test import CheckSummary
    from photoarc.jobs.unpack import UnpackSummary
    from photoarc.jobs.verify import VerifySummary
    from photoarc.member import Kind, Member, PhotoInfo, SourceFormat
    from photoarc.options import Existing, Mode, Tuning
    from photoarc.progress import Failure, Progress

__version__ = "0.1.0"

# Names that are looked up when somebody asks for them, and their modules.
_LATER = {
    "AddSummary": "photoarc.jobs.add",
    "Archive": "photoarc.archive",
    "CheckSummary": "photoarc.jobs.test",
    "CodecTotal": "photoarc.jobs.overview",
    "CompactSummary": "photoarc.jobs.compact",
    "Existing": "photoarc.options",
    "Failure": "photoarc.progress",
    "Kind": "photoarc.member",
    "Member": "photoarc.member",
    "Mode": "photoarc.options",
    "MoveSummary": "photoarc.jobs.rearrange",
    "PackSummary": "photoarc.jobs.tally",
    "PhotoInfo": "photoarc.member",
    "Photographs": "photoarc.jobs.tally",
    "Progress": "photoarc.progress",
    "RemoveSummary": "photoarc.jobs.rearrange",
    "RepairSummary": "photoarc.jobs.repair",
    "SourceFormat": "photoarc.member",
    "Tuning": "photoarc.options",
    "UnpackSummary": "photoarc.jobs.unpack",
    "VerifySummary": "photoarc.jobs.verify",
    "add": "photoarc.jobs.calls",
    "compact": "photoarc.jobs.calls",
    "move": "photoarc.jobs.calls",
    "pack": "photoarc.jobs.calls",
    "remove": "photoarc.jobs.calls",
    "repair": "photoarc.jobs.calls",
    "test": "photoarc.jobs.calls",
    "unpack": "photoarc.jobs.calls",
    "verify": "photoarc.jobs.calls",
}

__all__ = [
    "AddSummary",
    "Archive",
    "CannotWrite",
    "CheckSummary",
    "CodecTotal",
    "CompactSummary",
    "DecodeFailed",
    "Existing",
    "Failure",
    "FormatError",
    "IndexCorrupt",
    "Kind",
    "LimitExceeded",
    "Member",
    "MemberError",
    "Mode",
    "ModelCorrupt",
    "ModelError",
    "ModelMissing",
    "MoveSummary",
    "NoRoom",
    "NotAnArchive",
    "NotDecoded",
    "PackSummary",
    "PayloadCorrupt",
    "PhotoInfo",
    "PhotoarcError",
    "Photographs",
    "Progress",
    "RemoveSummary",
    "RepairSummary",
    "SourceFormat",
    "SpecialFile",
    "SymbolMismatch",
    "Truncated",
    "Tuning",
    "UnknownMember",
    "UnpackSummary",
    "UnreadableSource",
    "UnsafeName",
    "UnsupportedCodec",
    "UnsupportedVersion",
    "UsageError",
    "VerifySummary",
    "__version__",
    "add",
    "compact",
    "move",
    "open",
    "pack",
    "remove",
    "repair",
    "test",
    "unpack",
    "verify",
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
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATER[name]), name)
