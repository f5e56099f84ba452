"""What a worker does of packing: read one file, or a batch of small ones, and code it.

    files --plan--> SourceFile | Batch | Block  --code_source-->  Coded | CodedBatch | CodedBlock

Small files that are no pictures, and tiny pictures, are coded together: alone, a sidecar of 2 kB keeps half its size, a JPEG of 32 x 32
pixels keeps its tables, and a record costs 220 bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from blake3 import blake3

from photoarc import pipeline
from photoarc.codecs import costs
from photoarc.codecs.costs import Cost
from photoarc.disk.reading import Stamp, picture_of, read_whole
from photoarc.disk.scan import SourceFile
from photoarc.errors import MemberError, ModelError, UnreadableSource
from photoarc.jobs.large import Block, CodedBlock, code_block
from photoarc.member import Kind, Member
from photoarc.options import CodingOptions, Mode
from photoarc.pictures.kinds import PICTURE_ENDINGS
from photoarc.pictures.size import MAX_TINY_BYTES, is_tiny
from photoarc.pipeline import Encoded

MAX_SMALL_BYTES = 64 << 10
KEPT = "packed before"  # the note on a bit-exact file whose payload was taken over
# Of the files of a batch together. 2,000 sidecars took 0.5 % less in groups of 4 MiB; but one damaged byte costs a whole group.
BATCH_BYTES = 1 << 20
# Of their names and records: the record of a chunk ends at 1 MiB.
BATCH_RECORD_BYTES = 1 << 19
_RECORD_BYTES = 128
# Of the extended attributes in one batch; files beyond have records of their own.
BATCH_ATTRIBUTES_BYTES = 1 << 17


@dataclass(frozen=True, slots=True)
class Batch:
    """Small files to be coded together, and further ones whose contents are those of an earlier file."""

    files: tuple[SourceFile, ...]
    twins: tuple[SourceFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Coded:
    """One file as a worker read and coded it. `found` is the digest of what it read, if that is not the one that is recorded."""

    encoded: Encoded
    stamp: Stamp
    reused: bool = False
    found: bytes = b""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A file, and the member of an earlier archive that seems to be made of it, or (`came_back`, lossy) it may be unpacked from."""

    source: SourceFile
    member: Member
    payload: bytes
    came_back: bool


@dataclass(frozen=True, slots=True)
class CodedBatch:
    """The files of a batch in their order; those of codec `solid` share the payload, whose contents have this digest."""

    files: tuple[Coded | UnreadableSource, ...]
    payload: bytes
    digest: bytes


def plan(files: Iterable[SourceFile]) -> list[SourceFile | Batch]:
    """What to pack in which order: everything in its order, then the small files, sorted by ending and name, in batches.

    Reads the headers of pictures that may be tiny.
    """
    single: list[SourceFile | Batch] = []
    small: list[SourceFile] = []
    for file in files:
        (small if _is_small(file) else single).append(file)
    small.sort(key=lambda file: (os.path.splitext(file.name)[1].lower(), file.name))
    batch: list[SourceFile] = []
    size_bytes = records_bytes = 0
    batches: list[SourceFile | Batch] = []
    for file in small:
        record_bytes = len(file.name) + _RECORD_BYTES
        if batch and (size_bytes + file.size_bytes > BATCH_BYTES or records_bytes + record_bytes > BATCH_RECORD_BYTES):
            batches.append(Batch(tuple(batch)))
            batch, size_bytes, records_bytes = [], 0, 0
        batch.append(file)
        size_bytes += file.size_bytes
        records_bytes += record_bytes
    return single + batches + ([Batch(tuple(batch))] if batch else [])


def _is_small(file: SourceFile) -> bool:
    if file.kind is not Kind.FILE or file.size_bytes > MAX_SMALL_BYTES:
        return False
    if not file.name.lower().endswith(PICTURE_ENDINGS):
        return True
    return file.size_bytes <= MAX_TINY_BYTES and is_tiny(picture_of(file), file.size_bytes)


Item = SourceFile | Batch | Block | Recalled
Result = Coded | CodedBatch | CodedBlock


def foresee(options: CodingOptions, item: Item) -> Cost:
    """What a worker will need for an item. Reads the header of a picture."""
    if isinstance(item, Block):
        return costs.general(item.data_bytes)
    if isinstance(item, Batch):
        return costs.general(BATCH_BYTES)
    if isinstance(item, Recalled):
        item = item.source
    lossy = options.mode is not Mode.LOSSLESS
    return costs.to_pack(item.size_bytes, picture_of(item), lossy=lossy, effort=options.effort, recode=options.recode)


def code_source(options: CodingOptions, item: Item) -> Result:
    """Worker's part. Raises UnreadableSource for a single file; in a batch it stands in the place of the file."""
    if isinstance(item, Block):
        return code_block(item, options.effort)
    if isinstance(item, Batch):
        return _code_batch(options, item)
    if isinstance(item, Recalled):
        return _code_recalled(options, item)
    data, stamp = read_whole(item)
    return Coded(pipeline.encode_file(data, options, item.no_jpeg), stamp)


def _code_recalled(options: CodingOptions, item: Recalled) -> Coded:
    """The payload that is there already, if it is that of the file; else a new one."""
    member = item.member
    data, stamp = read_whole(item.source)
    digest = blake3(data).digest()
    if item.came_back:
        known_again = stamp.mtime_ns == member.mtime_ns and digest != member.digest and _came_back(data, item)
    else:
        known_again = digest == member.digest
    if known_again:
        note = "" if member.lossy else KEPT
        known = Encoded(
            member.codec_id,
            item.payload,
            member.size_bytes,
            member.digest,
            photo=member.photo,
            note=note,
            refused=member.refused,
        )
        return Coded(known, stamp, reused=True, found=digest)
    return Coded(pipeline.encode_file(data, options, item.source.no_jpeg), stamp)


def _came_back(data: bytes, item: Recalled) -> bool:
    """Whether the bytes are what `unpack` makes of the payload."""
    from photoarc.pictures import closeness

    member = item.member
    try:
        written = pipeline.decode_payload(member.display_name, member.codec_id, item.payload, member.size_bytes, member.digest)
    except (MemberError, ModelError):
        return False
    return written == data or closeness.are_close(written, data)


def _code_batch(options: CodingOptions, batch: Batch) -> CodedBatch:
    found: list[tuple[bytes, Stamp] | UnreadableSource] = []
    for file in batch.files:
        try:
            found.append(read_whole(file))
        except UnreadableSource as error:
            found.append(error)
    small, left_bytes, attributes_left_bytes = [], BATCH_BYTES, BATCH_ATTRIBUTES_BYTES
    for file, read in zip(batch.files, found, strict=True):
        if not isinstance(read, UnreadableSource):
            data, stamp = read
            left_bytes -= len(data)  # files may have grown since the scan
            attributes_left_bytes -= sum(len(name) + len(value) for name, value in stamp.attributes or ())
            fits = len(data) <= MAX_SMALL_BYTES and min(left_bytes, attributes_left_bytes) >= 0
            small.append(pipeline.Small(data, fits, file.no_jpeg))
    together = pipeline.encode_small(small, options)
    encoded = iter(together.files)
    files = tuple(read if isinstance(read, UnreadableSource) else Coded(next(encoded), read[1]) for read in found)
    return CodedBatch(files, together.payload, together.digest)
