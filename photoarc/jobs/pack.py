"""Folders and files -> archive: scan, code in a crew of workers, write in order.

    scan -> SourceFiles sorted by name -> workers: read + pipeline.encode_file -> ArchiveWriter, in scan order
                                       -> large and sparse files: cut into blocks -> workers: read + code_block -> ArchiveWriter
         -> batches of small files     -> workers: read + pipeline.encode_small -> ArchiveWriter, behind the others

The archive depends on the sources and the options only: the same bytes come out whatever the number of workers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from photoarc.archive import Archive, open_archive
from photoarc.container.partial_file import unfinished_like
from photoarc.container.replacing import follow, place
from photoarc.container.wishes import pack_wishes
from photoarc.container.writer import ArchiveWriter, archive_id
from photoarc.disk.folders import looks_temporary
from photoarc.disk.scan import SourceFile, scan
from photoarc.errors import MemberError, UnreadableSource, UsageError
from photoarc.jobs.coding import Item, Result, code_source
from photoarc.jobs.filling import Filling, nothing
from photoarc.jobs.recall import Recollection
from photoarc.jobs.repeats import Repeats
from photoarc.jobs.space import refuse_without_room_to_pack
from photoarc.jobs.tally import PackSummary
from photoarc.member import Kind
from photoarc.names import display
from photoarc.options import CodingOptions, PackOptions
from photoarc.progress import Callback, failure, silent
from photoarc.units import count

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
    return look_up(sources, archive_path, options.excludes)


def look_up(sources: Sequence[str | Path], archive_path: Path, excludes: Sequence[str]) -> tuple[list[SourceFile], list[MemberError]]:
    """The same of an archive that is there, whatever it is."""
    files, errors = scan(sources, excludes=excludes, skip=(archive_path,))
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
    reuse: Sequence[str | Path] = (),
) -> PackSummary:
    """Writes the archive, which appears under its name when it is complete and not before.

    Files that cannot be read are listed in the summary; the others are packed. Files that are in the archives `reuse`, coded as asked for
    now, keep their payloads, and so do those that a run for the same archive had packed when it was killed. `code` is replaced by tests
    that need an odd codec. Raises UsageError (sources, destination, disk full), ModelError (the learned codec's networks), PhotoarcError
    (no workers).
    """
    started = time.monotonic()
    options = options or PackOptions()
    archive = Path(archive_path)
    files, errors = find(sources, archive, options)
    refuse_without_room_to_pack(archive, files, options.coding)
    coding = options.coding
    # drawn from what is packed, not from a clock or a die: the same sources give the same archive
    asked = f"{coding.mode} {coding.quality} {coding.tuning.name} {coding.effort} {coding.min_gain_percent:g}"
    asked += " strip gps" * coding.strip_gps + " recode" * coding.recode
    identity = archive_id(files, asked)
    repeats = Repeats(files)
    with ExitStack() as stack:
        abandoned = unfinished_like(follow(archive), identity)
        archives = [*(open_archive(path) for path in reuse), *(Archive(path, scan=True) for path in abandoned)]
        for opened in archives:
            stack.callback(opened.close)
        recall = Recollection(archives, coding).find if archives else nothing
        filling = Filling(files, options, progress, repeats, recall)
        filling.tally.failures.extend(failure(error) for error in errors)
        writer = ArchiveWriter(
            archive, force=options.force, archive_id=identity, coding=pack_wishes(coding), recovery_percent=options.recovery_percent
        )
        with writer:
            writer.supersede(abandoned)
            filling.run(writer, code)
    if abandoned:
        filling.tally.remarks.append(f"what an interrupted run had packed was taken over: {count(filling.tally.reused, 'file')}")
    return filling.summary(str(archive), writer, time.monotonic() - started)
