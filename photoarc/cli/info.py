"""`photoarc info ARCHIVE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import photoarc
from photoarc.archive import open_archive
from photoarc.cli.arguments import ArchivePath, Json, Quiet
from photoarc.cli.console import end, exit_codes, show, warn
from photoarc.cli.text import counted
from photoarc.errors import ModelError
from photoarc.units import count, ratio, size

if TYPE_CHECKING:
    from photoarc.jobs.overview import Overview


def info(archive: ArchivePath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Show what kind of archive it is: sizes, codecs, models, how much of it is lossy."""
    with exit_codes("interrupted", as_json):
        from photoarc.jobs import overview

        with open_archive(archive) as opened:
            found = overview.overview(archive, opened)
            failures, warnings = overview.damaged(opened), opened.warnings
        about = asdict(found) | {"photoarc": photoarc.__version__, "warnings": warnings}
        shown = show(about, info_lines(found), as_json, quiet=quiet)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


def info_lines(found: Overview) -> list[str]:
    """The overview as text."""
    models = [_model(model) for model in found.models]
    naming = [own.codec for own in found.codecs if own.codec in ("dct", "composite")]  # in payloads, which nobody reads for an overview
    if naming:
        models.append(f"those that {' and '.join(naming)} payloads name" + ("" if "dct" in naming else ", if any"))
    rest = "records, indexes, and what is not needed any more" if found.additions else "records and index"
    grown = f"  changed   {count(found.additions, 'time')} since it was written; compact leaves out what is not needed any more"
    recovery = f"  recovery  up to {found.recovery_percent:g} % of it may be lost in one place, and repair brings it back"
    return [
        f"{found.archive}: photoarc archive, format {found.format_version or 'unknown (damaged header)'}, {size(found.archive_bytes)}",
        f"  members   {counted(found.files, found.directories, found.symlinks)}",
        f"  sizes     {size(found.size_bytes)} -> {size(found.archive_bytes)} ({ratio(found.archive_bytes, found.size_bytes)}), "
        f"{size(max(found.archive_bytes - found.payload_bytes, 0))} of it {rest}",
        f"  lossy     {count(found.lossy, 'photograph')}" + ("" if found.lossy else "; every file comes back bit for bit"),
        f"  models    {', '.join(models) or 'none needed'}",
        *([grown] if found.additions else []),
        *([recovery] if found.recovery_percent else []),
        *(f"  {own.codec:<8}  {count(own.files, 'file')}, {size(own.size_bytes)} -> {size(own.payload_bytes)}" for own in found.codecs),
        *(f"  refused   {count(files, 'file')} by the usual codec: {reason}" for reason, files in found.refused),
    ]


def _model(model_id: int) -> str:
    """`photo-1 (model 1)`: name and permanent number."""
    from photoarc.models import manifest

    try:
        entry = manifest.entries().get(model_id)
    except ModelError:
        entry = None
    return f"{entry.name} (model {model_id})" if entry else f"model {model_id} (not of this photoarc)"
