"""Files are coded in a crew of workers and written into an archive, in their order: the part that `pack`, `add` and `update` share."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from photoarc import pipeline
from photoarc.codecs import bitexact
from photoarc.container.writer import ArchiveWriter
from photoarc.disk.reading import MAX_WHOLE_BYTES, starts_like_picture
from photoarc.disk.scan import SourceFile
from photoarc.errors import UnreadableSource
from photoarc.jobs import workers
from photoarc.jobs.coding import Batch, Item, Recalled, Result, foresee, plan
from photoarc.jobs.expectation import of_packing
from photoarc.jobs.large import BLOCK_BYTES, Block, cut, is_sparse
from photoarc.jobs.machine import budget_bytes
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.room import Budget
from photoarc.jobs.tally import PackSummary, PackTally
from photoarc.jobs.writing import write, write_blocks
from photoarc.member import Kind
from photoarc.options import BY_CHOICE, CodingOptions, Mode, PackOptions
from photoarc.pictures.kinds import NO_PHOTOGRAPH, PICTURE_ENDINGS
from photoarc.progress import Callback, silent

# A worker takes 0.5 s to start; a core codes about 1 MB of JPEG and 16 MB of anything else in that time.
WORTH_A_WORKER_BYTES = 1_000_000
OTHER_FILES_ARE_CHEAPER = 16


Recall = Callable[[SourceFile], Recalled | None]


def nothing(source: SourceFile) -> None:
    """Recalls nothing."""


class Filling:
    """Files on their way into an archive; `tally` counts them."""

    def __init__(
        self, files: Sequence[SourceFile], options: PackOptions, progress: Callback, repeats: Repeats, recall: Recall = nothing
    ) -> None:
        """`recall` finds payloads that a file may have in earlier archives."""
        self._options, self._repeats, self._recall = options, repeats, recall
        self._items = plan(files)
        self._crew = crew_size(self._items, options.workers, options.coding.slowness)
        expected = () if progress is silent else of_packing(self._items, options.coding)
        self.tally = PackTally(files, progress, expected, self._crew)

    def run(self, writer: ArchiveWriter, code: Callable[[CodingOptions, Item], Result]) -> None:
        """Codes and writes everything. Raises UsageError (disk full), ModelError, PhotoarcError (no workers)."""
        options, repeats, tally = self._options, self._repeats, self.tally
        coding = options.coding
        given_up: set[bytes] = set()
        outcomes = workers.run(
            functools.partial(code, coding),
            _in_pieces(self._items, repeats, given_up, self._recall),
            workers=self._crew,
            cost=lambda item: None if isinstance(item, SourceFile) and repeats.is_twin(item) else _cost(item),
            patience=coding.slowness,
            heard=tally.hear,
            budget=Budget(budget_bytes(options.memory_bytes), functools.partial(foresee, coding), tally.too_dear),
        )
        note = BY_CHOICE if coding.mode is Mode.LOSSLESS else NO_PHOTOGRAPH
        with closing(outcomes):
            for outcome in outcomes:
                if isinstance(outcome.item, Recalled):
                    write(writer, dataclasses.replace(outcome, item=outcome.item.source), repeats, tally)
                elif not isinstance(outcome.item, Block):
                    write(writer, outcome, repeats, tally)
                elif outcome.item.number == 0:  # others here are of a file that was given up
                    write_blocks(writer, outcome, outcomes, note, repeats, tally, given_up)

    def summary(self, archive: str, writer: ArchiveWriter, seconds: float) -> PackSummary:
        """What was done, and what is to be said about it."""
        tally, coding = self.tally, self._options.coding
        tally.warnings.extend(writer.warnings)
        if lost := tally.dates_lost:
            tally.warnings.append(
                "dates before 1677 or after 2262, which no archive can hold, were moved to these years: "
                f"{len(lost):,} members, first {lost[0]}"
            )
        if bitexact.misses_lepton(coding.effort):
            tally.remarks.append("Lepton is not installed: JPEG files were tried without it; pip install lepton-jpeg-python")
        tally.warnings += tally.file_remarks.warnings() if coding.strip_gps else []
        if lost := sorted(tally.attributes_lost + self._repeats.attributes_lost):
            tally.warnings.append(
                f"extended attributes that cannot be read or are above 256 KiB were left out of {len(lost):,} members, first {lost[0]}"
            )
        return tally.summary(archive, writer.size_bytes, seconds)


def _in_pieces(items: Iterable[SourceFile | Batch], repeats: Repeats, given_up: set[bytes], recall: Recall) -> Iterator[Item]:
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
            single = item.kind is Kind.FILE and not repeats.is_twin(item)
            yield (recall(item) if single else None) or item


def _is_large(source: SourceFile) -> bool:
    """Whether a file is coded block by block."""
    if source.kind is not Kind.FILE or not (source.size_bytes > pipeline.LARGE_FILE_BYTES or is_sparse(source)):
        return False
    return source.size_bytes > MAX_WHOLE_BYTES or not starts_like_picture(source)


def _cost(source: Item) -> int | None:
    """Bytes that an item takes in memory while a worker has it; None if this process stores it, or has its contents."""
    if isinstance(source, Block):
        return source.data_bytes
    if isinstance(source, Recalled):
        return source.source.size_bytes + len(source.payload)
    if isinstance(source, Batch):
        return sum(file.size_bytes for file in source.files) if source.files else None
    return source.size_bytes if source.kind is Kind.FILE and source.size_bytes <= MAX_WHOLE_BYTES else None


def crew_size(items: Iterable[SourceFile | Batch], most: int | None, slowness: int = 1) -> int:
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
