"""What the command line says: lines of text and JSON values made from members and summaries. No rich here: `list` must be quick.

Plain ASCII apart from the names, so that no terminal is too old. Sizes are decimal (1 MB = 10^6 bytes).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from photoarc.codecs import codec_name
from photoarc.errors import ModelError
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.options import BY_CHOICE
from photoarc.units import count, duration, psnr, ratio, size

if TYPE_CHECKING:
    from photoarc.disk.scan import SourceFile
    from photoarc.jobs.deletion import DeleteSummary, Plan
    from photoarc.jobs.duplicates import Group
    from photoarc.jobs.overview import Overview
    from photoarc.jobs.rehearsal import Outlook
    from photoarc.jobs.tally import PackSummary
    from photoarc.jobs.test import CheckSummary
    from photoarc.jobs.unpack import UnpackSummary
    from photoarc.jobs.verify import VerifySummary
    from photoarc.progress import Failure

MOST_REASONS = 4
MOST_DOUBTS = 20
MOST_ALIKE, MOST_LINES = 10, 200  # of failures: with one reason, of all
SUFFIXES = {Kind.FILE: "", Kind.DIRECTORY: "/", Kind.SYMLINK: " (link)"}
KIND_WORDS = {Kind.FILE: "file", Kind.DIRECTORY: "folder", Kind.SYMLINK: "link"}


def speed(count_bytes: int, seconds: float) -> str:
    """`3.20 MB/s`, `640 B/s`."""
    return f"{size(count_bytes / seconds)}/s"


def named(name: bytes, shown: str) -> dict[str, str]:
    """JSON for a name: printable always, exact bytes in hexadecimal if they are not UTF-8."""
    try:
        return {"name": name.decode()}
    except UnicodeDecodeError:
        return {"name": shown, "name_hex": name.hex()}


def member_json(member: Member) -> dict[str, Any]:
    """One member for `list --json`."""
    photo = member.photo
    value: dict[str, Any] = named(member.name, member.display_name) | {
        "kind": KIND_WORDS[member.kind],
        "size_bytes": member.size_bytes,
        "packed_bytes": member.payload_bytes,
        "codec": codec_name(member.codec_id) if member.kind is Kind.FILE else None,
        "lossy": member.lossy,
        "duplicate": member.duplicate,
        "shared": member.shared is not None,
        "mtime_ns": member.mtime_ns,
        "mode": f"{member.mode:04o}",
        "blake3": member.digest.hex() if member.kind is Kind.FILE else None,
    }
    if member.birth_ns is not None:
        value["birth_ns"] = member.birth_ns
    if member.attributes:
        value["attributes"] = {display(name): len(data) for name, data in member.attributes}
    if member.kind is Kind.SYMLINK:
        value["link_target"] = display(member.link_target)
    if member.hard_link:
        value["hard_link"] = display(member.hard_link)
    if photo is not None:
        value["photo"] = asdict(photo) | {
            "psnr_db": photo.psnr_db if math.isfinite(photo.psnr_db) else None,
            "source_format": photo.source_format.name.lower(),
        }
    return value


def list_lines(members: Sequence[Member], archive_bytes: int | None = None) -> list[str]:
    """Table of members: the name comes last, so that long ones disturb nothing; totals at the end, of the archive if all are listed."""
    rows = [("size", "packed", "ratio", "codec", "quality", "modified", "name")]
    for member in members:
        name = member.display_name
        modified = _local_time(member.mtime_ns)
        if member.kind is Kind.FILE:
            sizes = (size(member.size_bytes), size(member.payload_bytes), ratio(member.payload_bytes, member.size_bytes))
            quality = f"lossy {psnr(member.photo.psnr_db)}" if member.photo else "exact"
            codec = "duplicate" if member.duplicate else codec_name(member.codec_id)
            rows.append((*sizes, codec, quality, modified, name))
        else:
            target = f" -> {display(member.link_target)}" if member.kind is Kind.SYMLINK else "/"
            rows.append(("-", "-", "-", KIND_WORDS[member.kind], "", modified, name + target))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = [
        "  ".join(
            [*(cell.rjust(width) if i < 3 else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=False))), row[6]]
        )
        for row in rows
    ]
    whole = [] if archive_bytes is None else [f"the archive takes {size(archive_bytes)}, records and index included"]
    return [*lines, "", totals_line(members), *whole]


def _local_time(mtime_ns: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(mtime_ns // 1_000_000_000))
    except (ValueError, OverflowError, OSError):  # a year that the C library cannot write
        return "?"


def totals_line(members: Sequence[Member]) -> str:
    """`40 files, 34.1 MB -> 12.0 MB (35.2%); 31 of them lossy`."""
    files = [member for member in members if member.kind is Kind.FILE]
    before, after = sum(member.size_bytes for member in files), sum(member.payload_bytes for member in files)
    lossy = sum(member.lossy for member in files)
    return f"{count(len(files), 'file')}, {size(before)} -> {size(after)} ({ratio(after, before)}), {lossy:,} of them lossy"


def info_lines(found: Overview) -> list[str]:
    """The overview as text."""
    models = [_model(model) for model in found.models]
    naming = [own.codec for own in found.codecs if own.codec in ("dct", "composite")]  # in payloads, which nobody reads for an overview
    if naming:
        models.append(f"those that {' and '.join(naming)} payloads name" + ("" if "dct" in naming else ", if any"))
    return [
        f"{found.archive}: photoarc archive, format {found.format_version or 'unknown (damaged header)'}, {size(found.archive_bytes)}",
        f"  members   {_kinds(found.files, found.directories, found.symlinks)}",
        f"  sizes     {size(found.size_bytes)} -> {size(found.archive_bytes)} ({ratio(found.archive_bytes, found.size_bytes)}), "
        f"{size(max(found.archive_bytes - found.payload_bytes, 0))} of it records and index",
        f"  lossy     {count(found.lossy, 'photograph')}" + ("" if found.lossy else "; every file comes back bit for bit"),
        f"  models    {', '.join(models) or 'none needed'}",
        *(f"  {own.codec:<8}  {count(own.files, 'file')}, {size(own.size_bytes)} -> {size(own.payload_bytes)}" for own in found.codecs),
    ]


def _model(model_id: int) -> str:
    """`photo-1 (model 1)`: name and permanent number."""
    from photoarc.models import manifest

    try:
        entry = manifest.entries().get(model_id)
    except ModelError:
        entry = None
    return f"{entry.name} (model {model_id})" if entry else f"model {model_id} (not of this photoarc)"


def pack_lines(done: PackSummary) -> list[str]:
    """What a person wants to know after packing: how much, how good, what is not a copy any more."""
    photos = done.photographs
    lines = [f"packed {_kinds(done.files, done.directories, done.symlinks)} into {done.archive}"]
    if photos.files:
        quality = f"mean PSNR {psnr(photos.mean_psnr_db)}" + ("" if photos.min_psnr_db is None else f" (lowest {psnr(photos.min_psnr_db)})")
        lines += [
            f"  {count(photos.files, 'photograph')} coded by the learned codec, {quality}, "
            f"{size(photos.size_bytes)} -> {size(photos.payload_bytes)} ({ratio(photos.payload_bytes, photos.size_bytes)})",
            "    lossy: close to the originals, not identical; keep the originals or use --mode lossless if every bit matters",
        ]
        left_out = ", ".join(f"{number:,} {what}" for what, number in done.left_out)
        lines += [f"    will not come back: {left_out}"] if left_out else []
    if done.kept:
        kinds = Counter[str]()  # what stands behind a colon is of one file
        for reason, number in done.kept_reasons:
            kinds[reason.partition(":")[0]] += number
        reasons = [f"{number:,} {reason}" for reason, number in kinds.most_common(MOST_REASONS)]
        more = kinds.total() - sum(number for _, number in kinds.most_common(MOST_REASONS))
        reasons += [f"{more:,} for other reasons"] if more else []
        if [reason for reason, _ in done.kept_reasons] == [BY_CHOICE]:
            reasons = [f"{total.files:,} by {total.codec}" for total in done.codecs]
        kept_bytes = sum(total.size_bytes for total in done.codecs) - photos.size_bytes
        kept_packed = sum(total.payload_bytes for total in done.codecs) - photos.payload_bytes
        lines += [
            f"  {count(done.kept, 'file')} kept bit-exact, {size(kept_bytes)} -> {size(kept_packed)} ({ratio(kept_packed, kept_bytes)})",
            "    " + ", ".join(reasons),
        ]
    lines += [f"  {count(done.duplicates, 'file')} identical to others, stored once"] if done.duplicates else []
    lines += [f"  {count(done.alike, 'file')} like others but for a piece, which alone was stored"] if done.alike else []
    speeds = f", {speed(done.size_bytes, done.seconds)}" if done.seconds > 0 else ""
    speeds += f", {photos.pixels / 1e6 / done.seconds:.2g} MP/s" if photos.pixels and done.seconds > 0 else ""
    lines.append(
        f"  {size(done.size_bytes)} -> {size(done.archive_bytes)} ({ratio(done.archive_bytes, done.size_bytes)}) "
        f"in {duration(done.seconds)}{speeds}"
    )
    return lines


def unpack_lines(done: UnpackSummary) -> list[str]:
    """What was written where."""
    lossy = f"  {count(done.photographs, 'photograph')} lossy: close to the originals, not identical" if done.photographs else ""
    lines = [f"unpacked {_kinds(done.files, done.directories, done.symlinks)}, {size(done.size_bytes)}, into {done.destination}"]
    return [*lines, *([lossy] if lossy else []), f"  in {duration(done.seconds)}"]


_NAME_FAILURES = ("UnsafeName", "CannotWrite")  # the contents are sound


def check_lines(done: CheckSummary) -> list[str]:
    """Whether the archive is sound."""
    unnamed = [failed for failed in done.failures if failed.kind in _NAME_FAILURES]
    if done.damaged:
        verdict = "is DAMAGED"
    elif unnamed:
        verdict = f"has {count(len(unnamed), 'member')} that cannot be written"
    else:
        verdict = "could not be checked completely" if done.failures else "is sound"
    return [
        f"{done.archive} {verdict}: {done.sound:,} of {count(done.members, 'member')} decoded and compared, "
        f"{size(done.size_bytes)} in {duration(done.seconds)}"
    ]


def differing_names(done: VerifySummary) -> list[str]:
    """Names only, of everything that differs or could not be compared."""
    return sorted({*done.missing, *done.extra, *(failed.name for failed in (*done.changed, *done.failures))})


def dups_names(groups: Sequence[Group], alike: Sequence[Group]) -> list[str]:
    """Names only, an empty line between groups."""
    return "\n\n".join("\n".join(group.names) for group in (*alike, *groups)).splitlines()


def verify_lines(done: VerifySummary) -> list[str]:
    """What differs, by name, and the count of what does not."""
    lines = [f"  missing  {name}" for name in done.missing]
    lines += [f"  extra    {name}" for name in done.extra]
    lines += [f"  changed  {changed.name}: {changed.reason}" for changed in done.changed]
    lines += [f"  skipped  {name}: no file, folder or link, so no archive can hold it" for name in done.skipped]
    known = done.missing or done.extra or done.changed
    verdict = "DIFFERS" if known else "agrees" if not done.differs else "agrees as far as it could be compared"
    lossy = f", {done.lossy:,} of them lossy in the archive" if done.lossy else ""
    unpacked = f"; {done.as_unpacked:,} as unpacked (lossy)" if done.as_unpacked else ""
    return [*lines, f"{' '.join(done.against)} {verdict}: {done.same:,} of {count(done.members, 'member')} the same{lossy}{unpacked}"]


def delete_question(todo: Plan) -> str:
    """What the user is asked before files are deleted."""
    lossy = sum(member.lossy for _, member in todo.files)
    warning = f", {count(lossy, 'photograph')} of them LOSSY in the archive" if lossy else ""
    return f"the archive was read back and agrees. Delete {count(len(todo.files), 'file')}, {size(todo.size_bytes)}{warning}?"


def delete_lines(gone: DeleteSummary) -> list[str]:
    """What was deleted, or why nothing was."""
    if gone.doubts:
        shown = [f"  {doubt}" for doubt in gone.doubts[:MOST_DOUBTS]]
        more = [f"  and {len(gone.doubts) - MOST_DOUBTS:,} more"] if len(gone.doubts) > MOST_DOUBTS else []
        return ["nothing was deleted, because sources and archive do not agree:", *shown, *more]
    kept = f"; {count(gone.lossy_kept, 'photograph')} stay, because the archive holds them lossily" if gone.lossy_kept else ""
    return [f"deleted {count(gone.deleted, 'file')}, {size(gone.size_bytes)}{kept}"]


def dups_lines(groups: Sequence[Group], alike: Sequence[Group]) -> list[str]:
    """Groups of identical files and what the copies take outside the archive; files that have all but a piece in common."""
    lines = []
    for group in alike:
        lines += [f"{count(len(group.names), 'file')} alike but for a piece (metadata, as a rule):", *(f"  {name}" for name in group.names)]
    for group in groups:
        lines += [f"{count(len(group.names), 'file')} of {size(group.size_bytes)}:", *(f"  {name}" for name in group.names)]
    if not groups:
        return [*lines, "no identical files"]
    copies = sum(len(group.names) - 1 for group in groups)
    spare = sum(group.size_bytes * (len(group.names) - 1) for group in groups)
    return [*lines, f"{count(len(groups), 'group')} of identical files; {count(copies, 'copy', 'copies')} could go, {size(spare)}"]


def dry_run_json(archive: str, files: Sequence[SourceFile], outlooks: Sequence[Outlook], failures: Sequence[Failure]) -> dict[str, Any]:
    """What would be packed, and what is likely to become of it."""
    members = [named(file.name, display(file.name)) | {"kind": KIND_WORDS[file.kind], "size_bytes": file.size_bytes} for file in files]
    kinds = [asdict(outlook) for outlook in outlooks]
    estimate = sum(outlook.packed_bytes for outlook in outlooks)
    failed = [asdict(failed) for failed in failures]
    return {"archive": archive, "members": members, "kinds": kinds, "estimated_bytes": estimate, "failures": failed}


def dry_run_lines(files: Sequence[SourceFile], outlooks: Sequence[Outlook]) -> list[str]:
    """What would be packed, and what is likely to become of it."""
    total = sum(file.size_bytes for file in files)
    rows = [(size(file.size_bytes) if file.kind is Kind.FILE else "-", display(file.name) + SUFFIXES[file.kind]) for file in files]
    width = max((len(row[0]) for row in rows), default=0)
    kinds = Counter(file.kind for file in files)
    estimate = sum(outlook.packed_bytes for outlook in outlooks)
    return [
        *(f"{cell.rjust(width)}  {name}" for cell, name in rows),
        "",
        f"would pack {_kinds(kinds[Kind.FILE], kinds[Kind.DIRECTORY], kinds[Kind.SYMLINK])}, {size(total)}; nothing was written",
        *(f"  {outlook.files:,} {outlook.kind}, {size(outlook.size_bytes)}: {_fate(outlook)}" for outlook in outlooks),
        *([f"  an estimate from typical shares: about {_rough(estimate)} ({_percent(estimate, total)})"] if total else []),
    ]


def _fate(outlook: Outlook) -> str:
    if not outlook.lossy:
        return f"bit-exact, {outlook.why}"
    return "would be tried lossily; drawings, and what gains too little, stay bit-exact"


def _rough(count_bytes: int) -> str:
    """Two digits: an estimate is not known to more."""
    digits = max(len(str(count_bytes)) - 2, 0)
    return size(round(count_bytes, -digits))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%"


def failure_lines(failures: Sequence[Failure], what: str) -> list[str]:
    """Failed members with their reasons, of equal reasons the first ten."""
    if not failures:
        return []
    by_reason: dict[str, list[Failure]] = {}
    for failed in failures:
        by_reason.setdefault(failed.reason, []).append(failed)
    lines = [f"{count(len(failures), 'member')} could not be {what}:"]
    for reason, alike in by_reason.items():
        lines += [f"  {failed.name}: {reason}" for failed in alike[:MOST_ALIKE]]
        more = len(alike) - MOST_ALIKE
        lines += [f"  and {more:,} more: {reason}"] if more > 0 else []
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"  and {len(lines) - MOST_LINES:,} lines more; --json lists every one"]
    return lines


def _kinds(files: int, directories: int, symlinks: int) -> str:
    words = [count(files, "file")]
    words += [count(directories, "folder")] if directories else []
    words += [count(symlinks, "link")] if symlinks else []
    return ", ".join(words)
