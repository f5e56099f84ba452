"""The command line: arguments in, one call, text or JSON out. No logic.

What a command needs is imported inside it: `--help` loads no codec, `list` no NumPy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import photoarc
from photoarc import defaults
from photoarc.arguments import number, sources_and_archive, whole
from photoarc.console import end, exit_codes, help_written, progress, say, set_up, show, warn
from photoarc.errors import UsageError
from photoarc.machine import size

if TYPE_CHECKING:
    from photoarc.deletion import DeleteSummary
    from photoarc.progress import Failure

EXIT_CODES = "Exit codes: 0 all is well; 1 something failed or differs, and is named; 2 nothing could be done; 130 interrupted."
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    help="A folder archiver for photographs: learned image coding for pictures, bit-exact storage for everything else.",
)

Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", metavar="N", parser=whole(0), help="Worker processes; 0: none, and no limits. [default: every usable core]"
    ),
]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="For all processes together, as 2G, 512M. [default: 3/4 of all]")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace what exists: an archive (pack), files and links (unpack).")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no summary.")]
Names = Annotated[bool, typer.Option("-q", "--quiet", help="Names only.")]
IgnoreCase = Annotated[bool, typer.Option("--ignore-case", help="Patterns take upper and lower case alike: *.jpg also IMG.JPG.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ArchivePath = Annotated[str, typer.Argument(metavar="ARCHIVE", show_default=False, help="The .pha file.")]


@app.command()
def pack(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SRC... ARCHIVE", help="Files and folders to pack; the archive to write comes last.", show_default=False),
    ],
    mode: Annotated[
        Literal["fast", "lzma", "lossless"],
        typer.Option(help="fast, lzma: photographs lossily by the learned codec. lossless: every file comes back bit for bit."),
    ] = defaults.MODE,
    quality: Annotated[
        float | None,
        typer.Option(parser=number(0, 100), metavar="0..100", help=f"Of lossy photographs. [default: {defaults.QUALITY:g}]"),
    ] = None,
    tune: Annotated[
        Literal["ssim", "psnr"] | None,
        typer.Option(help=f"Lossy photographs: for eyes, or for the smallest squared error. [default: {defaults.TUNE}]"),
    ] = None,
    effort: Annotated[
        int,
        typer.Option(
            parser=whole(0, 9),
            metavar="0..9",
            help="How hard pictures are squeezed: 0..2 fast, 7..9 smallest, and slow. Photographs of mode fast: 7..9.",
        ),
    ] = defaults.EFFORT,
    min_gain: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 99),
            metavar="PERCENT",
            help="Code what was lossy (JPEG) lossily once more only if that is smaller than bit-exact by this much. "
            f"[default: {defaults.MIN_GAIN_PERCENT:g}]",
            show_default=False,
        ),
    ] = None,
    recode: Annotated[
        bool,
        typer.Option("--recode", help="Also HEIC (with pillow-heif), AVIF, JPEG XL, lossy WebP lossily; unpacked as JPEG but for WebP."),
    ] = False,
    strip: Annotated[Literal["gps"] | None, typer.Option(help="Take the place out of the metadata of lossy photographs.")] = None,
    jobs: Jobs = None,
    memory: Memory = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    exclude_from: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Patterns from a file; repeatable.")] = None,
    ignore_case: IgnoreCase = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be packed, and how; write nothing.")] = False,
    delete: Annotated[
        bool,
        typer.Option("--delete-after-verify", help="Read the archive back, compare, ask; then delete files that it holds bit for bit."),
    ] = False,
    delete_lossy: Annotated[
        bool, typer.Option("--delete-lossy", help="With --delete-after-verify: also photographs that were coded lossily.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --delete-after-verify: do not ask.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pack files and folders into one archive.

    Photographs are coded lossily unless --mode lossless is given; everything else is kept bit for bit.
    """
    with exit_codes("interrupted, nothing was written", as_json):
        from photoarc import pack as packing
        from photoarc import patterns, rehearsal, report
        from photoarc.pipeline import CodingOptions
        from photoarc.progress import failure
        from photoarc.tuning import Tuning

        sources, archive = sources_and_archive(paths)
        excludes = patterns.excludes(exclude or (), exclude_from or (), ignore_case)
        tuning = Tuning[tune.upper()] if tune else None
        lossy = {"strip_gps": strip == "gps", "min_gain_percent": min_gain, "recode": recode, "tuning": tuning}
        coding = CodingOptions.asked(mode, quality=quality, effort=effort, **lossy)
        options = packing.PackOptions(coding, jobs, excludes, force, size(memory))
        failures: Sequence[Failure]
        _check_deleting(delete, delete_lossy or yes, yes, dry_run)
        if delete and os.path.lexists(archive):
            raise UsageError(
                f"{archive}: exists already, and may be the only place of files that an earlier --delete-after-verify deleted; "
                "choose another name"
            )
        if delete_lossy and mode == "lossless":
            raise UsageError("--delete-lossy is about lossy photographs, and --mode lossless has none; choose one")
        if dry_run:
            files, errors = packing.find(sources, Path(archive), options)
            outlooks, unread = rehearsal.rehearse(files, coding)
            failures = [failure(error) for error in (*errors, *unread)]
            lines = report.dry_run_lines(files, outlooks)
            shown = show(report.dry_run_json(archive, files, outlooks, failures), lines, as_json, quiet, fold=False)
            end(failures, "packed", not shown)
            return
        with progress("packing", quiet or as_json) as callback:
            done = packing.pack(sources, archive, options, callback)
    with exit_codes(f"interrupted; {archive} is complete" + (", some files may be deleted already" if delete else ""), as_json):
        value, failures = asdict(done), done.failures
        shown = as_json or show(value, report.pack_lines(done), as_json, quiet)
        doubtful = False
        warn((*done.warnings, *(() if quiet else done.remarks)))
        if delete:
            gone = _delete_sources(sources, archive, excludes, delete_lossy, yes, jobs, quiet or as_json)
            value["deletion"] = asdict(gone)
            shown &= show(value, report.delete_lines(gone), False, quiet or as_json)
            failures, doubtful = (*failures, *gone.failures), bool(gone.doubts)
        if as_json:
            shown = show(value, (), as_json, quiet)
        end(failures, "packed or deleted" if delete else "packed", doubtful or not shown or bool(done.coding_failed))


@app.command()
def unpack(
    archive: ArchivePath,
    dest: Annotated[
        str | None, typer.Argument(metavar="DEST", help="Folder to write into. [default: a new one, called as ARCHIVE]")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only these members, and what is below them; repeatable.")] = None,
    as_format: Annotated[
        Literal["png", "jpeg", "webp"] | None, typer.Option("--as", help="Write photographs that were coded lossily in this format.")
    ] = None,
    ignore_case: IgnoreCase = False,
    jobs: Jobs = None,
    memory: Memory = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the files of an archive into a folder."""
    with exit_codes("interrupted; what is under its final name is complete, the rest was not written", as_json):
        from photoarc import report
        from photoarc import unpack as unpacking

        options = unpacking.UnpackOptions(tuple(only or ()), as_format, jobs, force, ignore_case, size(memory))
        with progress("unpacking", quiet or as_json) as callback:
            done = unpacking.unpack(archive, dest or unpacking.default_destination(archive), options, callback)
        shown = show(asdict(done), report.unpack_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "unpacked", bool(done.warnings) or not shown)


@app.command("list")
def list_members(
    archive: ArchivePath,
    globs: Annotated[list[str] | None, typer.Argument(metavar="GLOB", help="Only these members, and what is below them.")] = None,
    ignore_case: IgnoreCase = False,
    names_only: Names = False,
    as_json: Json = False,
) -> None:
    """Show what an archive holds, without unpacking it."""
    with exit_codes("interrupted", as_json):
        from photoarc import inspection, report
        from photoarc.selection import select

        with inspection.open_archive(archive) as opened:
            members = sorted(select(opened.members, globs or (), ignore_case=ignore_case), key=lambda member: member.name)
            failures, warnings = inspection.damaged(opened, globs or (), ignore_case=ignore_case), opened.warnings
        members_json = [report.member_json(member) for member in members]
        archive_bytes = Path(archive).stat().st_size
        value = {"archive": archive, "archive_bytes": archive_bytes, "members": members_json, "warnings": warnings}
        lines = (
            [member.display_name for member in members]
            if names_only
            else []
            if as_json
            else report.list_lines(members, None if globs else archive_bytes)
        )
        shown = show(value, lines, as_json, quiet=False, fold=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


@app.command()
def test(
    archive: ArchivePath,
    jobs: Jobs = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Decode everything and compare every checksum; write nothing."""
    with exit_codes("interrupted", as_json):
        from photoarc import report
        from photoarc import unpack as unpacking

        with progress("testing", quiet or as_json) as callback:
            done = unpacking.test(archive, jobs, callback, size(memory))
        shown = show(asdict(done), report.check_lines(done), as_json, quiet)
        warn((*done.warnings, *done.remarks))
        end(done.failures, "decoded", bool(done.warnings) or not shown)


@app.command()
def verify(
    archive: ArchivePath,
    against: Annotated[
        list[str],
        typer.Option("--against", metavar="DIR", help="What was packed, or where it was unpacked; repeatable.", show_default=False),
    ],
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")] = None,
    ignore_case: IgnoreCase = False,
    jobs: Jobs = None,
    names_only: Annotated[bool, typer.Option("-q", "--quiet", help="No progress; the names of what differs only.")] = False,
    as_json: Json = False,
) -> None:
    """Compare files on the disk with an archive: what is changed, missing, extra.

    Photographs that are lossy in it may be as they were packed or as they were unpacked. Only these are decoded; `test` decodes all.
    """
    with exit_codes("interrupted", as_json):
        from photoarc import patterns, report
        from photoarc import verify as verifying

        with progress("verifying", names_only or as_json) as callback:
            done = verifying.verify(archive, against, patterns.excludes(exclude or (), (), ignore_case), callback, jobs=jobs)
        shown = show(asdict(done), (report.differing_names if names_only else report.verify_lines)(done), as_json, quiet=False)
        warn(done.warnings)
        end(done.failures, "compared", done.differs or not shown)


@app.command()
def dups(archive: ArchivePath, names_only: Names = False, as_json: Json = False) -> None:
    """Show which files in an archive are identical, or alike but for a piece; nothing is deleted, here or on the disk."""
    with exit_codes("interrupted", as_json):
        from photoarc import duplicates, inspection, report

        with inspection.open_archive(archive) as opened:
            found = {"groups": duplicates.groups(opened.members), "alike": duplicates.alike(opened.members)}
            failures, warnings = inspection.damaged(opened), opened.warnings
        value = {name: [asdict(group) for group in groups] for name, groups in found.items()}
        lines = (report.dups_names if names_only else report.dups_lines)(**found)
        shown = show({"archive": archive, **value, "warnings": warnings}, lines, as_json, quiet=False)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


@app.command()
def info(archive: ArchivePath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Show what kind of archive it is: sizes, codecs, models, how much of it is lossy."""
    with exit_codes("interrupted", as_json):
        from photoarc import inspection, report

        with inspection.open_archive(archive) as opened:
            found = inspection.overview(archive, opened.members)
            failures, warnings = inspection.damaged(opened), opened.warnings
        about = asdict(found) | {"photoarc": photoarc.__version__, "warnings": warnings}
        shown = show(about, report.info_lines(found), as_json, quiet=quiet)
        warn(warnings)
        end(failures, "read", bool(warnings) or not shown)


def _check_deleting(wanted: bool, qualified: bool, yes: bool, dry_run: bool) -> None:
    """Refuses before anything is packed what could not be answered for afterwards."""
    if qualified and not wanted:
        raise UsageError("--yes and --delete-lossy say how to delete; they mean nothing without --delete-after-verify")
    if wanted and dry_run:
        raise UsageError("--dry-run writes nothing, so there is nothing to verify; leave out --delete-after-verify")
    if wanted and not yes and _nobody_can_answer():
        raise UsageError("--delete-after-verify asks before it deletes, and nobody can answer here; --yes deletes without asking")


def _nobody_can_answer() -> bool:
    return not sys.stdin.isatty()


def _delete_sources(
    sources: Sequence[str], archive: str, excludes: Sequence[str], lossy_too: bool, yes: bool, jobs: int | None, hidden: bool
) -> DeleteSummary:
    """Verifies, asks, deletes."""
    from photoarc import deletion, report

    with progress("verifying", hidden) as callback:
        todo = deletion.plan(sources, archive, excludes, lossy_too=lossy_too, jobs=jobs, progress=callback)
    if todo.files and not yes and not typer.confirm(report.delete_question(todo), err=True):
        todo = deletion.declined(todo)
    return deletion.carry_out(todo)


@app.command()
def bench(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Any folder; it is only read.")],
    modes: Annotated[
        list[str] | None, typer.Option("--mode", metavar="fast|lzma|lossless", help="As for pack; repeatable. [default: all]")
    ] = None,
    qualities: Annotated[
        list[float] | None,
        typer.Option("--quality", parser=number(0, 100), metavar="0..100", help=f"Repeatable. [default: {defaults.QUALITY:g}]"),
    ] = None,
    rounds: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="Times are medians of so many rounds.")] = 3,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Also write a page with plots.")] = None,
    temporary: Annotated[str | None, typer.Option("--temp", metavar="FOLDER", help="Place for archives and unpacked folders.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Pack and unpack a folder with photoarc and other archivers, and compare size, time, memory and what comes back."""
    with exit_codes("interrupted", as_json):
        from photoarc.folderbench import measure as folderbench
        from photoarc.folderbench import page
        from photoarc.folderbench import report as benchreport

        if html:
            folderbench.check_place(html)
        options = folderbench.BenchOptions(
            tuple(modes or folderbench.MODES), tuple(qualities or (defaults.QUALITY,)), rounds, Path(temporary) if temporary else None
        )
        found = folderbench.bench(folder, options, (lambda _: None) if quiet or as_json else say)
        shown = show(benchreport.value(found), benchreport.lines(found), as_json, quiet=False)
        if html:
            folderbench.save(html, page.page(found))
        end((), "", not shown)


def _version(wanted: bool) -> None:
    if wanted:
        raise typer.Exit(0 if show({}, [f"photoarc {photoarc.__version__}"], as_json=False, quiet=False) else 2)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Entry point of the `photoarc` command."""
    set_up()
    with help_written():
        app()
