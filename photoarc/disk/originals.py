"""Whether a file is what a member was packed from. A lossy copy must never take the place of its original."""

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
        return stat.S_ISREG(info.st_mode) and info.st_size == member.size_bytes and _digest(path) == member.digest
    except FileNotFoundError:
        return False
    except OSError:
        return True


def has_digest(path: bytes, info: os.stat_result, member: Member) -> bool:
    """Whether a regular file, `info`, has the bytes that a member was packed from; not if it cannot be read."""
    try:
        return info.st_size == member.size_bytes and _digest(path) == member.digest
    except OSError:
        return False


def _digest(path: bytes) -> bytes:
    """BLAKE3-256 of a file. Raises OSError."""
    hasher = blake3()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE_BYTES):
            hasher.update(piece)
    return hasher.digest()
