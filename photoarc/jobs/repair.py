"""A damaged archive, made whole in a new file: by its recovery data, or by other copies of it. The damaged one is never changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from photoarc.container.ends import read_ends
from photoarc.container.index import read_index
from photoarc.container.merging import Merge
from photoarc.container.partial_file import PartialFile
from photoarc.container.repairing import Repair, repairs
from photoarc.container.source import FileSource, blocks_at, path_of, source_of
from photoarc.errors import FormatError, LimitExceeded, UsageError
from photoarc.progress import Callback, Progress, silent

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSummary:
    """What `repair` found in the first copy, and what came of it. `out` is empty where nothing was damaged: then nothing is written.

    `damaged` counts blocks (with recovery data) or chunks (without) that were not as they should be in the first copy, `lost` those of
    them that nothing brings back. `opens`: whether the index of what was written is whole.
    """

    archive: str
    out: str
    archive_bytes: int
    recovery_bytes: int
    damaged: int
    lost: int
    opens: bool
    seconds: float
    warnings: tuple[str, ...] = ()


def repair(copies: Sequence[_Path], out: _Path, *, force: bool = False, progress: Callback = silent) -> RepairSummary:
    """Writes `out`, whole as far as `copies` of one archive allow. Raises UsageError, FormatError, LimitExceeded."""
    started = time.monotonic()
    if any(os.path.exists(out) and os.path.samefile(copy, out) for copy in copies):
        raise UsageError(f"{os.fspath(out)}: is the damaged archive itself, which stays as it is; name another file")
    with ExitStack() as opened:
        sources = [opened.enter_context(_Opened(source_of(copy))) for copy in copies]
        file = PartialFile(Path(out), force)
        opened.callback(file.discard)
        file.create()
        told = _Told(progress, 2 * max(source.size_bytes for source in sources))
        found = repairs(sources)
        if found:
            damaged, lost = _by_recovery_data(sources, found, file, told)
        elif len(sources) > 1:
            damaged, lost = _by_merging(sources, file, told)
        else:
            raise UsageError(
                f"{sources[0].name}: holds no recovery data; photoarc unpack gives back all that is whole in it, "
                "and --merge OTHER takes what is damaged here from another copy"
            )
        opens = not damaged or _opens(file.partial)
        if damaged:
            file.commit()
        return RepairSummary(
            archive=path_of(copies[0]),
            out=str(out) if damaged else "",
            archive_bytes=file.size_bytes if damaged else sources[0].size_bytes,
            recovery_bytes=sum(each.layout.resume - each.layout.gap for each in found),
            damaged=damaged,
            lost=lost,
            opens=opens,
            seconds=round(time.monotonic() - started, 3),
            warnings=tuple(file.warnings),
        )


class _Opened:
    """Closes a source at the end."""

    def __init__(self, source: FileSource) -> None:
        self._source = source

    def __enter__(self) -> FileSource:
        return self._source

    def __exit__(self, *_: object) -> None:
        self._source.close()


class _Told:
    """Tells how many of all bytes were gone over."""

    def __init__(self, progress: Callback, total: int) -> None:
        self._progress, self._total, self._done, self._said = progress, max(total, 1), 0, 0

    def __call__(self, count: int) -> None:
        self._done += count
        if self._done - self._said >= 1 << 22:
            self._said = self._done
            share = min(self._done / self._total, 1.0)
            self._progress(Progress(files_done=0, files_total=0, bytes_done=self._done, bytes_total=self._total, share=share))


def _by_recovery_data(sources: Sequence[FileSource], found: Sequence[Repair], file: PartialFile, told: _Told) -> tuple[int, int]:
    """Damaged and lost blocks. Writes nothing if there are none."""
    for each in found:
        each.look(told)
    damaged = sum(each.lost + each.misplaced + each.lost_parities for each in found)
    lost = sum(each.out_of_reach for each in found)
    if not damaged and sources[0].size_bytes == found[-1].layout.end:
        return 0, 0
    for each in found:
        for piece in _between(sources[0], file.size_bytes, each.layout.start):
            file.write([piece])
        if each.layout.start < file.size_bytes:
            raise FormatError("sets of recovery data overlap; unpack gives back what is whole", section="16.3")
        for piece in each.copied():
            file.write([piece])
            told(len(piece))
        for offset, piece in each.computed():
            file.rewrite(offset, piece)
    return max(damaged, 1), lost


def _between(source: FileSource, start: int, end: int) -> Iterator[bytes]:
    """What no recovery data protect."""
    return blocks_at(source, start, max(min(end, source.size_bytes) - start, 0))


def _by_merging(sources: Sequence[FileSource], file: PartialFile, told: _Told) -> tuple[int, int]:
    """Damaged and lost chunks."""
    merge = Merge(sources)
    for piece in merge.pieces():
        file.write([piece])
        told(2 * len(piece))
    return merge.mended + merge.damaged, merge.damaged


def _opens(path: Path) -> bool:
    source = source_of(path)
    try:
        ends = read_ends(source)
        read_index(source, ends.header, ends.footer)
    except (FormatError, LimitExceeded):
        return False
    finally:
        source.close()
    return True
