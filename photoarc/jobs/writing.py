"""What workers made of files goes into an archive, each outcome in its turn: records, payloads, groups, and what is said of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from photoarc import codecs, pipeline
from photoarc.container import groups
from photoarc.container.writer import ArchiveWriter
from photoarc.disk.reading import PART_BYTES, Stamp, in_parts
from photoarc.disk.scan import SourceFile
from photoarc.errors import MemberError, ModelError
from photoarc.jobs import workers
from photoarc.jobs.coding import Batch, Coded, CodedBatch, Item, Recalled, Result
from photoarc.jobs.large import Block, CodedBlock, check_again, store_block
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.tally import PackTally
from photoarc.member import NO_DIGEST, Kind, Member, PhotoInfo
from photoarc.names import display


def write(writer: ArchiveWriter, outcome: workers.Outcome[Item, Result], repeats: Repeats, tally: PackTally) -> None:
    """One item into the archive, or its errors into the tally. Raises ModelError."""
    item, value, crash = outcome.item, outcome.value, outcome.crash
    assert not isinstance(item, Block | Recalled)
    if isinstance(outcome.error, ModelError):
        raise outcome.error
    if isinstance(item, Batch):
        _write_batch(writer, item, value if isinstance(value, CodedBatch) else None, crash or str(outcome.error or ""), repeats, tally)
        return
    try:
        if outcome.error is not None:
            raise outcome.error if isinstance(outcome.error, MemberError) else MemberError(display(item.name), str(outcome.error))
        if item.kind is not Kind.FILE:
            member = Member(
                name=item.name,
                kind=item.kind,
                mode=item.mode,
                mtime_ns=item.mtime_ns,
                size_bytes=0,
                digest=NO_DIGEST,
                codec_id=codecs.STORE,
                payload_bytes=0,
                parts=0,
                link_target=item.link_target,
                birth_ns=item.birth_ns,
                attributes=tally.kept_attributes(item, item.attributes),
            )
            writer.add(member, ())
            tally.add(member, "")
        elif isinstance(value, Coded):
            _write_coded(writer, item, value, repeats, tally)
        elif (twin := repeats.twin(item)) is not None:
            writer.add(repeats.linked(item, twin[0]), ())
            tally.add(*twin)
        else:
            _store(writer, item, crash, repeats, tally)
    except MemberError as error:
        tally.fail(item, error)


def write_blocks(
    writer: ArchiveWriter,
    first: workers.Outcome[Item, Result],
    following: Iterable[workers.Outcome[Item, Result]],
    note: str,
    repeats: Repeats,
    tally: PackTally,
    given_up: set[bytes],
) -> None:
    """A large file, of which the first block has come; the others are taken from `following`."""
    block = first.item
    assert isinstance(block, Block)
    source, stamp = block.source, block.stamp

    def parts() -> Iterator[bytes]:
        for outcome in itertools.chain([first], itertools.islice(following, block.count - 1)):
            item, coded = outcome.item, outcome.value
            assert isinstance(item, Block)
            if outcome.error is not None:
                raise outcome.error if isinstance(outcome.error, MemberError) else MemberError(display(source.name), str(outcome.error))
            if outcome.crash:
                tally.warnings.append(f"{display(source.name)}: coding a piece of it failed ({outcome.crash}); that was stored")
            yield (coded if isinstance(coded, CodedBlock) else store_block(item)).payload
            tally.block(source, item.start + item.size_bytes)
        check_again(block)

    try:
        member = _file(source, stamp, tally, size_bytes=stamp.size_bytes, digest=block.whole, codec_id=codecs.BLOCKS, parts=block.count)
        done = writer.add_in_blocks(repeats.linked(source, member), parts())
        repeats.remember(done, note)
        tally.add(done, note)
    except MemberError as error:
        given_up.add(source.name)
        tally.fail(source, error)


def _write_batch(writer: ArchiveWriter, batch: Batch, coded: CodedBatch | None, crash: str, repeats: Repeats, tally: PackTally) -> None:
    """Small files: those that share a stream as one group, with their twins; the others like any file."""
    shared: list[tuple[SourceFile, Coded]] = []
    for source, result in zip(batch.files, coded.files if coded else [None] * len(batch.files), strict=True):
        try:
            if isinstance(result, MemberError):
                raise result
            if result is None:
                _store(writer, source, crash, repeats, tally)
            elif result.encoded.codec_id == codecs.SOLID:
                shared.append((source, result))
            else:
                _write_coded(writer, source, result, repeats, tally)
        except MemberError as error:
            tally.fail(source, error)
    grouped: list[tuple[Member, str]] = []
    share = groups.shares(len(coded.payload), [file.encoded.size_bytes for _, file in shared]) if coded else []
    for (source, file), payload_bytes in zip(shared, share, strict=True):
        member = dataclasses.replace(_member(source, file, 0, tally), payload_bytes=payload_bytes, grouped=True)
        repeats.remember(member, file.encoded.note)
        grouped.append((repeats.linked(source, member), file.encoded.note))
    for source in batch.twins:
        twin = repeats.twin(source)
        if twin is None:
            try:
                _store(writer, source, "", repeats, tally)
            except MemberError as error:
                tally.fail(source, error)
        elif shared and not twin[0].attributes:  # in a record of its own they may be as large as they like
            grouped.append((dataclasses.replace(repeats.linked(source, twin[0]), grouped=True), twin[1]))
        else:
            writer.add(repeats.linked(source, twin[0]), ())
            tally.add(*twin)
    if coded and grouped:
        writer.add_group([member for member, _ in grouped], coded.payload, coded.digest)
        for member, note in grouped:
            tally.add(member, note)


def _write_coded(writer: ArchiveWriter, source: SourceFile, coded: Coded, repeats: Repeats, tally: PackTally) -> None:
    parts = _split(coded.encoded)
    member = _member(source, coded, len(parts), tally)
    written = repeats.linked(source, member)
    if len(parts) == 1:
        written = writer.add_coded(written, parts[0])
    else:
        writer.add(written, parts)
    repeats.remember(member, coded.encoded.note, coded.found)
    tally.add(written, coded.encoded.note)
    tally.reused += coded.reused


def _member(source: SourceFile, coded: Coded, parts: int, tally: PackTally) -> Member:
    encoded, stamp = coded.encoded, coded.stamp
    tally.file_remarks.note(encoded)
    return _file(
        source,
        stamp,
        tally,
        size_bytes=encoded.size_bytes,
        digest=encoded.digest,
        codec_id=encoded.codec_id,
        payload_bytes=len(encoded.payload),
        parts=parts,
        photo=encoded.photo,
        refused=encoded.refused,
    )


def _file(
    source: SourceFile,
    stamp: Stamp,
    tally: PackTally,
    *,
    size_bytes: int,
    digest: bytes,
    codec_id: int,
    parts: int,
    payload_bytes: int = 0,
    photo: PhotoInfo | None = None,
    refused: str = "",
) -> Member:
    """Member of a file, with what its stamp says."""
    return Member(
        name=source.name,
        kind=Kind.FILE,
        mode=stamp.mode,
        mtime_ns=stamp.mtime_ns,
        birth_ns=stamp.birth_ns,
        attributes=tally.kept_attributes(source, stamp.attributes),
        size_bytes=size_bytes,
        digest=digest,
        codec_id=codec_id,
        payload_bytes=payload_bytes,
        parts=parts,
        photo=photo,
        refused=refused,
    )


def _store(writer: ArchiveWriter, source: SourceFile, crash: str, repeats: Repeats, tally: PackTally) -> None:
    """A file that nobody coded. Raises UnreadableSource."""
    if crash:
        tally.coding_failed += 1
        tally.warnings.append(f"{display(source.name)}: coding it failed ({crash}); it was kept bit-exact")
    note = "coding failed" if crash else "large file" if source.size_bytes > pipeline.LARGE_FILE_BYTES else source.no_jpeg or "large file"
    member = _store_in_parts(writer, source, repeats, tally)
    repeats.remember(member, note)
    tally.add(member, note)


def _split(encoded: pipeline.Encoded) -> list[bytes]:
    """Stored files have parts of bounded size, so that they are read back that way; other codecs need their payload whole."""
    payload = encoded.payload
    if encoded.codec_id != codecs.STORE:
        return [payload]
    return [payload[at : at + PART_BYTES] for at in range(0, len(payload), PART_BYTES)] or [b""]


def _store_in_parts(writer: ArchiveWriter, source: SourceFile, repeats: Repeats, tally: PackTally) -> Member:
    """Stores a file of any size with bounded memory. Raises UnreadableSource; the writer then forgets the member."""
    with in_parts(source) as file:
        size_bytes = file.stamp.size_bytes
        member = _file(
            source,
            file.stamp,
            tally,
            size_bytes=size_bytes,
            digest=file.digest,
            codec_id=codecs.STORE,
            payload_bytes=size_bytes,
            parts=file.count,
        )
        writer.add(repeats.linked(source, member), tally.watch(file.parts(), source))
    return member
