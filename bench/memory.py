"""Memory of a process that codes one file, measured, beside what photoarc.codecs.costs foresees of it.

    python -m bench.memory FILE... [--mode lossless] [--effort 7] [--recode] [--unpack]

Each file is packed, and with --unpack decoded again, by a process of its own (`-j 0`), whose command line adds some 20 MiB to what a
worker takes. A ratio above 1 breaks a budget of memory, one far below lets workers wait for nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc import codecs, pipeline
from photoarc.archive import open_archive
from photoarc.codecs import costs
from photoarc.codecs.costs import MIB, Cost
from photoarc.disk.reading import picture_of
from photoarc.disk.scan import scan
from photoarc.folderbench import childprocess
from photoarc.jobs import coding, decoding, large
from photoarc.options import EFFORT, CodingOptions, Mode

COLUMNS = ("file", "what", "effort", "codec", "megapixels", "MiB", "foreseen", "ratio", "cpu_s", "foreseen_s")


@dataclass(frozen=True, slots=True)
class Row:
    """One file through one process; `measured`: its peak in MiB and seconds of a core."""

    file: str
    what: str
    effort: int
    codec: str
    megapixels: float
    measured: tuple[float, float]
    foreseen: Cost

    def line(self) -> str:
        """As in COLUMNS, with tabs."""
        (peak, seconds), foreseen = self.measured, self.foreseen.memory_bytes / MIB
        numbers = (f"{peak:.0f}", f"{foreseen:.0f}", f"{peak / foreseen:.2f}", f"{seconds:.1f}", f"{self.foreseen.seconds:.1f}")
        return "\t".join((self.file, self.what, str(self.effort), self.codec, f"{self.megapixels:.1f}", *numbers))


def rows(path: Path, options: CodingOptions, *, unpack: bool) -> Iterator[Row]:
    """Packing, and decoding if `unpack`, of one file. Raises RuntimeError if a process fails."""
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, "one.pha")
        asked = ("--mode", options.mode.value, "--effort", str(options.effort), *(["--recode"] if options.recode else []))
        packed = measured("pack", os.path.abspath(path), archive, *asked)
        with open_archive(archive) as opened:
            member = opened.members[0]
            payload = opened.payload(member) if decoding.for_crew(member) else None
        picture, codec = picture_of(scan([path])[0][0]), codecs.CODECS[member.codec_id].name
        megapixels = picture.pixels / 1e6 if picture else 0.0
        yield Row(path.name, options.mode.value, options.effort, codec, megapixels, packed, foreseen(path, options))
        if unpack:
            back = measured("test", archive)
            yield Row(path.name, "test", options.effort, codec, megapixels, back, decoding.foreseen(decoding.Job(member, b"", payload)))


def foreseen(path: Path, options: CodingOptions) -> Cost:
    """Of what a worker has of a file at a time: all of it, or a block."""
    source = scan([path])[0][0]
    if source.size_bytes > pipeline.LARGE_FILE_BYTES and picture_of(source) is None:
        return costs.general(large.BLOCK_BYTES)
    return coding.foresee(options, source)


def measured(*arguments: str) -> tuple[float, float]:
    """(peak in MiB, seconds of a core) of `photoarc` with these arguments and no workers. Raises RuntimeError if it fails."""
    before = sum(os.times()[2:4])
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-P", "-m", "photoarc", *arguments, "-j", "0", "-q")
        done = childprocess.run(command, Path(folder), Path(folder) / "errors")
    if done.code or done.peak_bytes is None:
        raise RuntimeError(f"photoarc {' '.join(arguments)}: exit code {done.code}: {done.message}")
    return done.peak_bytes / MIB, sum(os.times()[2:4]) - before


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="Memory of coding a file: measured and foreseen.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--mode", choices=[mode.value for mode in Mode], default=Mode.FAST.value)
    parser.add_argument("--effort", type=int, default=EFFORT)
    parser.add_argument("--recode", action="store_true")
    parser.add_argument("--unpack", action="store_true", help="measure decoding, too")
    asked = parser.parse_args(arguments)
    show(asked.files, CodingOptions(Mode(asked.mode), effort=asked.effort, recode=asked.recode), unpack=asked.unpack)


def show(paths: Iterable[Path], options: CodingOptions, *, unpack: bool) -> None:
    """Prints a table with tabs, each row as soon as it is measured."""
    print("\t".join(COLUMNS))
    for path in paths:
        for row in rows(path, options, unpack=unpack):
            print(row.line(), flush=True)


if __name__ == "__main__":
    main()
