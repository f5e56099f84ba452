"""Large and sparse files: cut into blocks, which workers code one by one (docs/format.md section 7.12).

    cut, which reads the file once --> Block, Block, ..  --code_block, which reads it once more-->  CodedBlock, CodedBlock, ..

Nobody has more than one block in memory. Holes are what the file system says (SEEK_HOLE): they are neither read nor stored.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from blake3 import blake3

from photoarc.codecs import blocks
from photoarc.disk.reading import Stamp, check_unchanged, exactly, open_source, readable, stamp_of
from photoarc.disk.scan import SourceFile
from photoarc.errors import UnreadableSource
from photoarc.names import display

BLOCK_BYTES = 16 << 20  # of data; LZMA looks back no further (photoarc.entropy.lzma2)
LEAST_SPARSE_BYTES = 1 << 20
_ZEROS = bytes(1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Piece `number` of `count` of a file: `runs` are holes and the data behind them, in bytes, from `start` on.

    `digest` is BLAKE3-256 of its data, `whole` of the file, `stamp` what the file was, all of a first reading.
    """

    source: SourceFile
    stamp: Stamp
    whole: bytes
    number: int
    count: int
    start: int
    runs: tuple[tuple[int, int], ...]
    digest: bytes

    @property
    def data_bytes(self) -> int:
        """Without holes."""
        return sum(data for _, data in self.runs)

    @property
    def size_bytes(self) -> int:
        """What it stands for."""
        return sum(hole + data for hole, data in self.runs)


@dataclass(frozen=True, slots=True)
class CodedBlock:
    """Payload of the part that is this block."""

    payload: bytes


def is_sparse(source: SourceFile) -> bool:
    """Whether the file system has less on the disk than the file is long (compression, there, looks the same)."""
    if source.size_bytes < LEAST_SPARSE_BYTES:
        return False
    try:
        return getattr(os.lstat(source.path), "st_blocks", source.size_bytes) * 512 < source.size_bytes
    except OSError:
        return False


def cut(source: SourceFile) -> list[Block]:
    """A file in blocks, read for its digests; none if it is empty by now. Raises UnreadableSource."""
    with open_source(source) as file:
        with readable(source):
            stamp = stamp_of(file)
            pieces = list(_pieces(file, stamp.size_bytes))
        starts, digests, whole, at = [], [], blake3(), 0
        for runs in pieces:
            digest = blake3()
            starts.append(at)
            for hole, data in _read(source, file, at, runs):
                for start in range(0, hole, len(_ZEROS)):
                    whole.update(_ZEROS[: hole - start])
                whole.update(data)
                digest.update(data)
                at += hole + len(data)
            digests.append(digest.digest())
        with readable(source):
            check_unchanged(source, file, stamp, at)
    return [
        Block(
            source=source, stamp=stamp, whole=whole.digest(), number=number, count=len(pieces), start=start, runs=tuple(runs), digest=digest
        )
        for number, (start, runs, digest) in enumerate(zip(starts, pieces, digests, strict=True))
    ]


def _pieces(file: BinaryIO, size_bytes: int) -> Iterator[list[tuple[int, int]]]:
    runs: list[tuple[int, int]] = []
    left, at = BLOCK_BYTES, 0
    for start, end in _extents(file.fileno(), size_bytes):
        while at < end:
            if not left or len(runs) == blocks.MAX_RUNS:
                yield runs
                runs, left = [], BLOCK_BYTES
            hole = max(start - at, 0)
            data = min(left, end - at - hole)
            runs.append((hole, data))
            at, left = at + hole + data, left - data
    if runs:
        yield runs


def _extents(fd: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and end of each stretch that has data; an empty one at the end if the file ends with a hole."""
    at = 0
    if hasattr(os, "SEEK_DATA"):
        while at < size_bytes:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
                end = min(os.lseek(fd, start, os.SEEK_HOLE), size_bytes)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole from here on
                    yield size_bytes, size_bytes
                    return
                break  # a file system that does not tell
            if start >= size_bytes or end <= start:
                yield size_bytes, size_bytes
                return
            yield start, end
            at = end
    if at < size_bytes:
        yield at, size_bytes


def _read(source: SourceFile, file: BinaryIO, at: int, runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Bytes of each hole and the data behind it, from `at` on. Raises UnreadableSource."""
    for hole, size_bytes in runs:
        with readable(source):
            file.seek(at + hole)
            data = b"".join(exactly(file, size_bytes))
        if len(data) != size_bytes:
            raise UnreadableSource(display(source.name), "it became shorter while it was read; pack it again when it is finished")
        yield hole, data
        at += hole + size_bytes


def _read_again(block: Block) -> bytes:
    """Data of a block, the same as in the first reading: what is packed is the file as it was between both. Raises UnreadableSource."""
    with open_source(block.source) as file:
        data = b"".join(data for _, data in _read(block.source, file, block.start, block.runs))
    if blake3(data).digest() != block.digest:
        raise UnreadableSource(display(block.source.name), "two readings of it differ; pack it again when it is finished")
    return data


def code_block(block: Block, effort: int) -> CodedBlock:
    """Worker's part. Raises UnreadableSource."""
    return CodedBlock(blocks.encode_block(block.runs, _read_again(block), effort))


def store_block(block: Block) -> CodedBlock:
    """The same without a try to make it smaller."""
    return CodedBlock(blocks.stored_block(block.runs, _read_again(block)))


def check_again(block: Block) -> None:
    """Raises UnreadableSource unless the file of a block is, behind the second reading, what it was before the first."""
    with open_source(block.source) as file, readable(block.source):
        check_unchanged(block.source, file, block.stamp, os.fstat(file.fileno()).st_size)
