"""Archives of stored files for the container tests: no codec is involved."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

import photoarc
from photoarc import codecs
from photoarc.container.writer import ArchiveWriter
from photoarc.member import NO_DIGEST, Kind, Member

ARCHIVE_ID = bytes(range(16))
TIME_NS = 1_700_000_000_123_456_789


def stored(name: bytes, data: bytes, *, parts: int = 1, mode: int = 0o644, mtime_ns: int = TIME_NS) -> Member:
    return Member(
        name=name,
        kind=Kind.FILE,
        mode=mode,
        mtime_ns=mtime_ns,
        size_bytes=len(data),
        digest=blake3(data).digest(),
        codec_id=codecs.STORE,
        payload_bytes=len(data),
        parts=parts,
    )


def folder(name: bytes, mode: int = 0o755) -> Member:
    return Member(
        name=name,
        kind=Kind.DIRECTORY,
        mode=mode,
        mtime_ns=TIME_NS,
        size_bytes=0,
        digest=NO_DIGEST,
        codec_id=codecs.STORE,
        payload_bytes=0,
        parts=0,
    )


def link(name: bytes, target: bytes) -> Member:
    return Member(
        name=name,
        kind=Kind.SYMLINK,
        mode=0o777,
        mtime_ns=TIME_NS,
        size_bytes=0,
        digest=NO_DIGEST,
        codec_id=codecs.STORE,
        payload_bytes=0,
        parts=0,
        link_target=target,
    )


def split(data: bytes, parts: int) -> list[bytes]:
    step = -(-len(data) // parts)
    return [data[i * step : (i + 1) * step] for i in range(parts)]


def write(path: Path, members: Sequence[tuple[Member, bytes]], *, archive_id: bytes = ARCHIVE_ID) -> Path:
    with ArchiveWriter(path, archive_id=archive_id) as writer:
        for member, data in members:
            writer.add(member, split(data, member.parts) if member.parts else [])
    return path


def names(path: Path, *, scan: bool = False) -> list[str]:
    with photoarc.open(path, scan=scan) as archive:
        return archive.names()


def sample() -> list[tuple[Member, bytes]]:
    """A folder, files of 0 to 600 bytes, one of them in three parts, and a link."""
    rng = random.Random(5)
    files = [(stored(b"in/%d.bin" % size, data := rng.randbytes(size)), data) for size in (0, 1, 7, 300)]
    parts = rng.randbytes(600)
    return [(folder(b"in"), b""), *files, (stored(b"in/parts.bin", parts, parts=3), parts), (link(b"in/last", b"300.bin"), b"")]
