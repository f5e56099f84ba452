"""Whether a file is what a photograph was packed from: its lossy copy must never take its place."""

from __future__ import annotations

import os
import stat

from blake3 import blake3

from photoarc.member import Member

_PIECE_BYTES = 1 << 20


def is_original(path: bytes, member: Member) -> bool:
    """Whether a file has the bytes from which a lossy member was made; also if it has their number and cannot be read."""
    if not member.lossy:
        return False
    try:
        info = os.lstat(path)
        if not stat.S_ISREG(info.st_mode) or info.st_size != member.size_bytes:
            return False
        hasher = blake3()
        with open(path, "rb") as file:
            while piece := file.read(_PIECE_BYTES):
                hasher.update(piece)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return hasher.digest() == member.digest
