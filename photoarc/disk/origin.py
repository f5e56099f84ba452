"""Where a file came from, as Windows remembers it: the stream `Zone.Identifier` of what was downloaded, its "mark of the web".

Programs warn before they open a file that bears it. What is unpacked from a marked archive gets the archive's mark, as 7-Zip and WinRAR
do; without it, packing would be a way round the warning. A member's name cannot lead to a stream (photoarc.names).
"""

from __future__ import annotations

import os
from pathlib import Path

_STREAM = ":Zone.Identifier"
_MOST_BYTES = 32 << 10  # browsers write some 300


def mark_of(path: str | Path, *, windows: bool = os.name == "nt") -> bytes:
    """The mark of a file, empty if it bears none or the system knows no marks."""
    if not windows:
        return b""
    try:
        with open(f"{path}{_STREAM}", "rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""


def set_mark(path: bytes, mark: bytes) -> bool:
    """Marks a file. False if its file system has no streams."""
    try:
        with open(os.fsdecode(path) + _STREAM, "wb") as stream:
            stream.write(mark)
    except OSError:
        return False
    return True
