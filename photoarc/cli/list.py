"""`photoarc list ARCHIVE [GLOB...]`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, IgnoreCase, Json, Names
from photoarc.cli.console import end, exit_codes, show, warn
from photoarc.cli.text import KIND_WORDS, named
from photoarc.codecs import codec_name
from photoarc.member import Kind, Member
from photoarc.names import display
from photoarc.units import count, psnr, ratio, size


def list_members(
    archive: ArchivePath,
    globs: Annotated[list[str] | None, typer.Argument(metavar="GLOB", help="Only these members, and what is below them.")] = None,
    ignore_case: IgnoreCase = False,
    names_only: Names = False,
    as_json: Json = False,
) -> None:
    """Show what an archive holds, without unpacking it."""
    with exit_codes("interrupted", as_json):
        from photoarc.jobs import overview
        from photoarc.jobs.selection import select

        with open_archive(archive) as opened:
            members = sorted(select(opened.members, globs or (), ignore_case=ignore_case), key=lambda member: member.name)
            removed_bytes = 0 if globs else sum(member.payload_bytes for member in opened.removed)
            failures, warnings = overview.damaged(opened, globs or (), ignore_case=ignore_case), opened.warnings
        members_json = [member_json(member) for member in members]
        archive_bytes = Path(archive).stat().st_size
        value = {"archive": archive, "archive_bytes": archive_bytes, "members": members_json, "warnings": warnings}
        lines = (
            [member.display_name for member in members]
            if names_only
            else []
            if as_json
            else list_lines(members, None if globs else archive_bytes, removed_bytes)
        )
        shown = show(value, lines, as_json, quiet=False, fold=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


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
    if member.refused:
        value["refused"] = member.refused
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


def list_lines(members: Sequence[Member], archive_bytes: int | None = None, removed_bytes: int = 0) -> list[str]:
    """Table of members: the name comes last, so that long ones disturb nothing; totals at the end, of the archive if all are listed.

    `removed_bytes` are of payloads that members have from others that were removed.
    """
    rows = [("size", "packed", "ratio", "codec", "quality", "modified", "name")]
    for member in members:
        name = member.display_name
        modified = _local_time(member.mtime_ns)
        if member.kind is Kind.FILE:
            sizes = (size(member.size_bytes), size(member.payload_bytes), ratio(member.payload_bytes, member.size_bytes))
            quality = f"lossy {psnr(member.photo.psnr_db)}" if member.photo else "exact"
            codec = "duplicate" if member.duplicate else codec_name(member.codec_id)
            rows.append((*sizes, codec, quality, modified, name + (f"  ({member.refused})" if member.refused else "")))
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
    return [*lines, "", totals_line(members, removed_bytes), *whole]


def _local_time(mtime_ns: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(mtime_ns // 1_000_000_000))
    except (ValueError, OverflowError, OSError):  # a year that the C library cannot write
        return "?"


def totals_line(members: Sequence[Member], removed_bytes: int = 0) -> str:
    """`40 files, 34.1 MB -> 12.0 MB (35.2%); 31 of them lossy`."""
    files = [member for member in members if member.kind is Kind.FILE]
    before, after = sum(member.size_bytes for member in files), sum(member.payload_bytes for member in files) + removed_bytes
    lossy = sum(member.lossy for member in files)
    return f"{count(len(files), 'file')}, {size(before)} -> {size(after)} ({ratio(after, before)}), {lossy:,} of them lossy"
