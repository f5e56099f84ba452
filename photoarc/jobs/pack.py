"""Folders and files -> archive: scan, code in a crew of workers, write in order.

    scan -> SourceFiles sorted by name -> workers: read + pipeline.encode_file -> ArchiveWriter, in scan order
                                       -> large and sparse files: cut into blocks -> workers: read + code_block -> ArchiveWriter
         -> batches of small files     -> workers: read + pipeline.encode_small -> ArchiveWriter, behind the others

The archive depends on the sources and the options only: the same bytes come out whatever the number of workers.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from photoarc import pipeline
from photoarc.codecs import bitexact
from photoarc.container.replacing import place
from photoarc.container.writer import ArchiveWriter, archive_id
from photoarc.disk.folders import looks_temporary
from photoarc.disk.reading import MAX_WHOLE_BYTES, starts_like_picture
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, UnreadableSource, UsageError
from photoarc.jobs import workers
from photoarc.jobs.coding import Batch, Item, Result, code_source, foresee, plan
from photoarc.jobs.expectation import of_packing
from photoarc.jobs.large import BLOCK_BYTES, Block, cut, is_sparse
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.room import Budget
from photoarc.jobs.space import refuse_without_room_to_pack
from photoarc.jobs.tally import PackSummary, PackTally
from photoarc.jobs.writing import write, write_blocks
from photoarc.member import Kind
from photoarc.names import display
from photoarc.options import BY_CHOICE, CodingOptions, Mode, PackOptions
from photoarc.pictures.kinds import NO_PHOTOGRAPH, PICTURE_ENDINGS
from photoarc.progress import Callback, failure, silent

# A worker takes 0.5 s to start; a core codes about 1 MB of JPEG and 16 MB of anything else in that time.
WORTH_A_WORKER_BYTES = 1_000_000
OTHER_FILES_ARE_CHEAPER = 16

LITTER = (
    "has the name of a temporary file of photoarc and was left out, perhaps a run was killed; remove it, or name it as a source to pack it"
)


def find(sources: Sequence[str | Path], archive_path: Path, options: PackOptions) -> tuple[list[SourceFile], list[MemberError]]:
    """What `pack` would pack, and what cannot be packed. The archive itself and its partial files are left out.

    So are files in folders that are called like our temporary ones: these are among what cannot be packed.
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
    files, errors = scan(sources, excludes=options.excludes, skip=(archive_path,))
    named = set(map(os.fsencode, sources))
    doubtful = [file for file in files if file.kind is Kind.FILE and looks_temporary(os.path.basename(file.name))]
    litter = {file.name for file in doubtful if file.path not in named}
    errors += [UnreadableSource(display(name), LITTER) for name in sorted(litter)]
    return [file for file in files if file.name not in litter], errors


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
    refuse_without_room_to_pack(archive, files, options.coding)
    items = plan(files)
    crew = _crew_size(items, options.workers, options.coding.slowness)
    tally = PackTally(files, progress, () if progress is silent else of_packing(items, options.coding), crew)
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
    with (
        ArchiveWriter(archive, force=options.force, archive_id=identity, recovery_percent=options.recovery_percent) as writer,
        closing(outcomes),
    ):
        note = BY_CHOICE if coding.mode is Mode.LOSSLESS else NO_PHOTOGRAPH
        for outcome in outcomes:
            if not isinstance(outcome.item, Block):
                write(writer, outcome, repeats, tally)
            elif outcome.item.number == 0:  # others here are of a file that was given up
                write_blocks(writer, outcome, outcomes, note, repeats, tally, given_up)
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
