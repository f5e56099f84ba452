"""What `pack` did, counted while it does it."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from photoarc.codecs.costs import Cost
from photoarc.disk import attributes
from photoarc.disk.scan import SourceFile
from photoarc.errors import MemberError
from photoarc.jobs.coding import Batch, Item, Recalled
from photoarc.jobs.overview import CodecTotal, CodecTotals
from photoarc.jobs.room import too_dear
from photoarc.member import Attributes, Kind, Member
from photoarc.names import display
from photoarc.options import BY_CHOICE
from photoarc.pipeline import LARGE_FILE_BYTES, Encoded
from photoarc.progress import Callback, Expected, Failure, Meter, failure
from photoarc.units import count

_DATE_ENDS = (attributes.EARLIEST_NS, attributes.LATEST_NS)
MOST_NAMES = 5  # in a warning


@dataclass(frozen=True, slots=True)
class Photographs:
    """Photographs that were coded lossily; PSNR over RGB, None where every picture came back exact."""

    files: int
    size_bytes: int
    payload_bytes: int
    pixels: int
    mean_psnr_db: float | None
    min_psnr_db: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSummary:
    """What `pack` did. `kept` counts files that come back bit for bit, `kept_reasons` says why they were not coded as photographs.

    `remarks` say what could have been done better, and are no fault; `-q` is not told them.
    `coding_failed` files were asked to be coded, and are kept bit-exact because that failed.
    `duplicates` are stored as references to an identical file, of the `alike` only that is stored which differs from an earlier one.
    `reused` files have payloads that were taken over from an earlier archive.
    `left_out`: what of lossy photographs does not come back, metadata and pixels apart, and of how many.
    """

    archive: str
    files: int
    directories: int
    symlinks: int
    size_bytes: int
    archive_bytes: int
    seconds: float
    photographs: Photographs
    kept: int
    kept_reasons: tuple[tuple[str, int], ...]
    codecs: tuple[CodecTotal, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]
    duplicates: int
    alike: int
    remarks: tuple[str, ...] = ()
    coding_failed: int = 0
    left_out: tuple[tuple[str, int], ...] = ()
    reused: int = 0


class FileRemarks:
    """What is to be said of some files: what of lossy ones does not come back, and what `--strip gps` could not do as asked.

    That is metadata that it dropped whole, and places in files that are kept bit-exact.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, Encoded] = {}  # by digest: identical files are coded once
        self.left_out: Counter[str] = Counter()
        self._dropped: dict[str, list[str]] = {}  # printable names
        self._with_place: list[str] = []
        self._kept = self._large = 0

    def note(self, encoded: Encoded) -> None:
        """A file that was coded; to be told before `count`."""
        if encoded.left_out or encoded.dropped or encoded.holds_place:
            self._found[encoded.digest] = dataclasses.replace(encoded, payload=b"")

    def count(self, member: Member) -> None:
        """A file that is in the archive."""
        found = self._found.get(member.digest)
        self.left_out.update(found.left_out if found else ())
        self._kept += member.photo is None
        self._large += member.photo is None and member.size_bytes > LARGE_FILE_BYTES
        for what in found.dropped if found else ():
            self._dropped.setdefault(what, []).append(member.display_name)
        if found and found.holds_place:
            self._with_place.append(member.display_name)

    def warnings(self) -> list[str]:
        """Sentences about `--strip gps`."""
        said = []
        for what, names in sorted(self._dropped.items()):
            of = f"{count(len(names), 'photograph')}: {first_names(names)}"
            were = "were left out, for they" if what.startswith("Photoshop resources") else "was left out, for it"
            said.append(f"--strip gps: {what} {were} may hold a place, of {of}")
        if self._with_place:
            still = count(len(self._with_place), "file")
            said.append(
                f"--strip gps: A PLACE IS STILL IN {still} kept bit-exact, with all that they hold: {first_names(self._with_place)}; "
                "leave them out with --exclude, or strip them with another program"
            )
        if self._kept:
            more = f"; {self._large:,} large ones were not looked into" if self._large else ""
            said.append(
                "--strip gps: places were taken out of lossy photographs only; "
                f"files kept bit-exact, with all that they hold: {self._kept:,} ({len(self._with_place):,} with a place in them{more})"
            )
        return said


def first_names(names: Sequence[str]) -> str:
    """`a, b, c and 12 more`."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


class PackTally:
    """Counts what was packed and tells the caller how far the job is."""

    def __init__(self, files: Sequence[SourceFile], progress: Callback, expected: Iterable[Expected] = (), workers: int = 1) -> None:
        self.meter = Meter.over(progress, files, expected, workers)
        self.size_bytes = self.duplicates = self.alike = self.reused = 0
        self.kinds: Counter[Kind] = Counter()
        self.codecs = CodecTotals()
        self.lossy = CodecTotal("", 0, 0, 0)
        self.psnrs_db: list[float] = []
        self.reasons: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.warnings: list[str] = []
        self.remarks: list[str] = []
        self.attributes_lost: list[str] = []
        self.dates_lost: list[str] = []  # printable names
        self.file_remarks = FileRemarks()
        self.coding_failed = 0

    def kept_attributes(self, source: SourceFile, found: Attributes | None) -> Attributes:
        """Those of a record; notes the name if there are some that cannot be kept."""
        self.attributes_lost += [display(source.name)] if found is None else []
        return found or ()

    def add(self, member: Member, note: str) -> None:
        """A member that is in the archive; `note` says why it is kept bit-exact."""
        self.kinds[member.kind] += 1
        self.dates_lost += [member.display_name] if member.mtime_ns in _DATE_ENDS else []
        self.size_bytes += member.size_bytes
        self.duplicates += member.duplicate
        self.alike += member.shared is not None
        self.codecs.add(member)
        if member.kind is Kind.FILE:
            self.file_remarks.count(member)
            if member.photo is None:
                self.reasons[note or BY_CHOICE] += 1
        if member.photo is not None:
            self.lossy = self.lossy.plus(member)
            if math.isfinite(member.photo.psnr_db):
                self.psnrs_db.append(member.photo.psnr_db)
        self.meter.finish(member.name, member.kind, member.size_bytes, member.photo)

    def fail(self, source: SourceFile, error: MemberError) -> None:
        """A file that is not."""
        self.failures.append(failure(error))
        self.meter.finish(source.name, source.kind, source.size_bytes)

    def hear(self, item: Item, share: float) -> None:
        """A share of an item is done; a batch bears the name of its first file, blocks are counted when they are written."""
        item = item.source if isinstance(item, Recalled) else item
        files = (item,) if isinstance(item, SourceFile) else item.files[:1] if isinstance(item, Batch) else ()
        for file in files:
            self.meter.begin(file.name, share, file.size_bytes)

    def too_dear(self, item: Item, cost: Cost) -> None:
        """An item needs more memory than there is for the job, and is coded alone."""
        item = item.source if isinstance(item, Recalled) else item
        if isinstance(item, SourceFile):
            self.warnings.append(too_dear(item.name, cost))

    def block(self, source: SourceFile, done_bytes: int) -> None:
        """So many bytes of a large file are in the archive."""
        self.meter.begin(source.name, done_bytes / max(source.size_bytes, 1), source.size_bytes)

    def watch(self, parts: Iterable[bytes], source: SourceFile) -> Iterable[bytes]:
        """Passes parts on and reports each: a film of 10 GB must not look like a stopped job."""
        begun_bytes = 0
        self.meter.begin(source.name, 0.0, source.size_bytes)
        for part in parts:
            yield part
            begun_bytes += len(part)
            self.meter.begin(source.name, begun_bytes / max(source.size_bytes, 1), source.size_bytes)

    def summary(self, archive: str, archive_bytes: int, seconds: float) -> PackSummary:
        """All of it."""
        lossy, psnrs_db = self.lossy, self.psnrs_db
        return PackSummary(
            archive=archive,
            files=self.kinds[Kind.FILE],
            directories=self.kinds[Kind.DIRECTORY],
            symlinks=self.kinds[Kind.SYMLINK],
            size_bytes=self.size_bytes,
            archive_bytes=archive_bytes,
            seconds=round(seconds, 3),
            photographs=Photographs(
                lossy.files,
                lossy.size_bytes,
                lossy.payload_bytes,
                self.meter.pixels_done,
                round(math.fsum(psnrs_db) / len(psnrs_db), 2) if psnrs_db else None,
                min(psnrs_db, default=None),
            ),
            kept=self.kinds[Kind.FILE] - lossy.files,
            kept_reasons=tuple(self.reasons.most_common()),
            codecs=self.codecs.in_order(),
            failures=tuple(self.failures),
            warnings=tuple(self.warnings),
            duplicates=self.duplicates,
            alike=self.alike,
            reused=self.reused,
            remarks=tuple(self.remarks),
            coding_failed=self.coding_failed,
            left_out=tuple(self.file_remarks.left_out.most_common()),
        )
