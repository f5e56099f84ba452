"""Folders and files -> archive: scan, code in a crew of workers, write in order.

    scan -> SourceFiles sorted by name -> workers: read + pipeline.encode_file -> ArchiveWriter, in scan order
                                       -> large and sparse files: cut into blocks -> workers: read + code_block -> ArchiveWriter
         -> batches of small files     -> workers: read + pipeline.encode_small -> ArchiveWriter, behind the others

The archive depends on the sources and the options only: the same bytes come out whatever the number of workers.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from photoarc import codecs, pipeline
from photoarc.codecs import bitexact
from photoarc.container import groups
from photoarc.container.replacing import place
from photoarc.container.writer import ArchiveWriter, archive_id
from photoarc.disk.reading import MAX_WHOLE_BYTES, PART_BYTES, in_parts, starts_like_picture
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, ModelError, UnreadableSource, UsageError
from photoarc.jobs import workers
from photoarc.jobs.coding import Batch, Coded, CodedBatch, Item, Result, code_source, foresee, plan
from photoarc.jobs.expectation import of_packing
from photoarc.jobs.large import BLOCK_BYTES, Block, CodedBlock, check_again, cut, is_sparse, store_block
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.room import Budget
from photoarc.jobs.tally import PackSummary, Tally
from photoarc.member import NO_DIGEST, Kind, Member
from photoarc.names import display
from photoarc.options import BY_CHOICE, CodingOptions, Mode, PackOptions
from photoarc.pictures.kinds import NO_PHOTOGRAPH, PICTURE_ENDINGS
from photoarc.progress import Callback, failure, silent

# A worker takes 0.5 s to start; a core codes about 1 MB of JPEG and 16 MB of anything else in that time.
WORTH_A_WORKER_BYTES = 1_000_000
OTHER_FILES_ARE_CHEAPER = 16


def find(sources: Sequence[str | Path], archive_path: Path, options: PackOptions) -> tuple[list[SourceFile], list[MemberError]]:
    """What `pack` would pack, and what cannot be packed. The archive itself and its partial files are left out.

    Raises UsageError: a source that does not exist, something in the archive's place that may not be replaced (container.replacing).
    """
    if not sources:
        raise UsageError("nothing to pack: name at least one file or folder before the archive")
    for source in sources:
        if os.path.isfile(source) and os.path.isfile(archive_path) and os.path.samefile(source, archive_path):
            raise UsageError(f"{source}: is to be packed and replaced at once; the archive's name comes last: photoarc pack SRC... ARCHIVE")
    folder = place(archive_path, options.force).parent
    if not os.path.isdir(folder):
        raise UsageError(f"{archive_path}: the folder {folder} does not exist")
    return scan(sources, excludes=options.excludes, skip=(archive_path,))


def pack(
    sources: Sequence[str | Path],
    archive_path: str | Path,
    options: PackOptions | None = None,
    progress: Callback = silent,
    *,
    code: Callable[[CodingOptions, Item], Result] = code_source,
) -> PackSummary:
    """Writes the archive, which appears under its name when it is complete and not before.

    Files that cannot be read are listed in the summary; the others are packed. Raises UsageError (sources, destination, disk full),
    ModelError (the learned codec's networks), PhotoarcError (no workers). `code` is replaced by tests that need an odd codec.
    """
    started = time.monotonic()
    options = options or PackOptions()
    archive = Path(archive_path)
    files, errors = find(sources, archive, options)
    items = plan(files)
    crew = _crew_size(items, options.workers, options.coding.slowness)
    tally = Tally(files, progress, () if progress is silent else of_packing(items, options.coding), crew)
    tally.failures.extend(failure(error) for error in errors)
    repeats = Repeats(files)
    given_up: set[bytes] = set()
    outcomes = workers.run(
        functools.partial(code, options.coding),
        _in_pieces(items, repeats, given_up),
        workers=crew,
        cost=lambda item: None if isinstance(item, SourceFile) and repeats.is_twin(item) else _cost(item),
        patience=options.coding.slowness,
        heard=tally.hear,
        budget=Budget(budget_bytes(options.memory_bytes), functools.partial(foresee, options.coding), tally.too_dear),
    )
    # drawn from what is packed, not from a clock or a die: the same sources give the same archive
    coding = options.coding
    asked = f"{coding.mode} {coding.quality} {coding.tuning.name} {coding.effort} {coding.min_gain_percent:g}"
    asked += " strip gps" * coding.strip_gps + " recode" * coding.recode
    identity = archive_id(files, asked)
    with ArchiveWriter(archive, force=options.force, archive_id=identity) as writer, closing(outcomes):
        note = BY_CHOICE if coding.mode is Mode.LOSSLESS else NO_PHOTOGRAPH
        for outcome in outcomes:
            if not isinstance(outcome.item, Block):
                _write(writer, outcome, repeats, tally)
            elif outcome.item.number == 0:  # others here are of a file that was given up
                _write_blocks(writer, outcome, outcomes, note, repeats, tally, given_up)
    tally.warnings.extend(writer.warnings)
    if lost := tally.dates_lost:
        tally.warnings.append(
            f"dates before 1677 or after 2262, which no archive can hold, were moved to these years: {len(lost):,} members, first {lost[0]}"
        )
    if bitexact.misses_lepton(coding.effort):
        tally.remarks.append("Lepton is not installed: JPEG files were tried without it; pip install lepton-jpeg-python")
    tally.warnings += tally.file_remarks.warnings() if coding.strip_gps else []
    if lost := sorted(tally.attributes_lost + repeats.attributes_lost):
        tally.warnings.append(
            f"extended attributes that cannot be read or are above 256 KiB were left out of {len(lost):,} members, first {lost[0]}"
        )
    return tally.summary(str(archive), writer.size_bytes, time.monotonic() - started)


def _in_pieces(items: Iterable[SourceFile | Batch], repeats: Repeats, given_up: set[bytes]) -> Iterator[Item]:
    """The items in their order, read ahead as far as the crew wants; in batches, what is not to be coded again is set apart.

    Of a large file that was `given_up` meanwhile no further block comes.
    """
    for item in items:
        if isinstance(item, Batch):
            files: tuple[list[SourceFile], list[SourceFile]] = [], []
            for file in item.files:
                files[repeats.is_twin(file)].append(file)
            yield Batch(tuple(files[False]), tuple(files[True]))
        elif _is_large(item) and not repeats.is_twin(item):
            try:
                pieces = cut(item)
            except UnreadableSource:
                pieces = []
            yield from itertools.takewhile(lambda piece: piece.source.name not in given_up, pieces)
            if not pieces:
                yield item  # its turn will say why
        else:
            yield item


def _is_large(source: SourceFile) -> bool:
    """Whether a file is coded block by block."""
    if source.kind is not Kind.FILE or not (source.size_bytes > pipeline.LARGE_FILE_BYTES or is_sparse(source)):
        return False
    return source.size_bytes > MAX_WHOLE_BYTES or not starts_like_picture(source)


def _cost(source: Item) -> int | None:
    """Bytes that an item takes in memory while a worker has it; None if this process stores it, or has its contents."""
    if isinstance(source, Block):
        return source.data_bytes
    if isinstance(source, Batch):
        return sum(file.size_bytes for file in source.files) if source.files else None
    return source.size_bytes if source.kind is Kind.FILE and source.size_bytes <= MAX_WHOLE_BYTES else None


def _crew_size(items: Iterable[SourceFile | Batch], most: int | None, slowness: int = 1) -> int:
    """Workers that are worth their start (see workers.crew_size); files that take long are worth more."""
    weight = coded = 0
    for file in items:
        if isinstance(file, Batch):
            weight += sum(small.size_bytes for small in file.files) // OTHER_FILES_ARE_CHEAPER
            coded += 1
        elif file.kind is Kind.FILE:
            picture = file.name.lower().endswith(PICTURE_ENDINGS)
            weight += file.size_bytes if picture else file.size_bytes // OTHER_FILES_ARE_CHEAPER
            coded += 1 if picture else 1 + file.size_bytes // BLOCK_BYTES
    return workers.crew_size(most, coded, slowness * weight / WORTH_A_WORKER_BYTES)


def _write(writer: ArchiveWriter, outcome: workers.Outcome[Item, Result], repeats: Repeats, tally: Tally) -> None:
    """One item into the archive, or its errors into the tally. Raises ModelError."""
    item, value, crash = outcome.item, outcome.value, outcome.crash
    assert not isinstance(item, Block)
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
                item.name, item.kind, item.mode, item.mtime_ns, 0, NO_DIGEST, codecs.STORE, 0, 0, item.link_target,
                birth_ns=item.birth_ns, attributes=tally.kept_attributes(item, item.attributes),
            )  # fmt: skip
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


def _write_blocks(
    writer: ArchiveWriter,
    first: workers.Outcome[Item, Result],
    following: Iterable[workers.Outcome[Item, Result]],
    note: str,
    repeats: Repeats,
    tally: Tally,
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
        member = Member(
            source.name, Kind.FILE, stamp.mode, stamp.mtime_ns, stamp.size_bytes, block.whole, codecs.BLOCKS, 0, block.count,
            birth_ns=stamp.birth_ns, attributes=tally.kept_attributes(source, stamp.attributes),
        )  # fmt: skip
        done = writer.add_in_blocks(repeats.linked(source, member), parts())
        repeats.remember(done, note)
        tally.add(done, note)
    except MemberError as error:
        given_up.add(source.name)
        tally.fail(source, error)


def _write_batch(writer: ArchiveWriter, batch: Batch, coded: CodedBatch | None, crash: str, repeats: Repeats, tally: Tally) -> None:
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


def _write_coded(writer: ArchiveWriter, source: SourceFile, coded: Coded, repeats: Repeats, tally: Tally) -> None:
    parts = _split(coded.encoded)
    member = _member(source, coded, len(parts), tally)
    written = repeats.linked(source, member)
    if len(parts) == 1:
        written = writer.add_coded(written, parts[0])
    else:
        writer.add(written, parts)
    repeats.remember(member, coded.encoded.note)
    tally.add(written, coded.encoded.note)


def _member(source: SourceFile, coded: Coded, parts: int, tally: Tally) -> Member:
    encoded, stamp = coded.encoded, coded.stamp
    tally.file_remarks.note(encoded)
    return Member(
        source.name, Kind.FILE, stamp.mode, stamp.mtime_ns, encoded.size_bytes, encoded.digest,
        encoded.codec_id, len(encoded.payload), parts, photo=encoded.photo, birth_ns=stamp.birth_ns,
        attributes=tally.kept_attributes(source, stamp.attributes),
    )  # fmt: skip


def _store(writer: ArchiveWriter, source: SourceFile, crash: str, repeats: Repeats, tally: Tally) -> None:
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


def _store_in_parts(writer: ArchiveWriter, source: SourceFile, repeats: Repeats, tally: Tally) -> Member:
    """Stores a file of any size with bounded memory. Raises UnreadableSource; the writer then forgets the member."""
    with in_parts(source) as file:
        size_bytes = file.stamp.size_bytes
        member = Member(
            source.name, Kind.FILE, file.stamp.mode, file.stamp.mtime_ns, size_bytes, file.digest, codecs.STORE, size_bytes, file.count,
            birth_ns=file.stamp.birth_ns, attributes=tally.kept_attributes(source, file.stamp.attributes),
        )  # fmt: skip
        writer.add(repeats.linked(source, member), tally.watch(file.parts(), source))
    return member
