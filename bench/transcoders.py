"""JPEG files byte for byte, codec by codec: `python -m bench.transcoders jpegs --pictures kodak=DIR clic2k=DIR --files DIR`.

Writes results/<version>/<name>-transcoders.tsv and .md. Pictures are written as JPEG by Pillow first, at some qualities and samplings; the
JPEG files of --files are taken as they are, each folder directly below it a set of its own. Every file is decoded and compared; a file
that a codec refuses counts as it is. Seconds are CPU seconds of one thread in one warm process, the codecs in turn on each file.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import photoarc
from bench import quiet, rows, run, tables
from photoarc.codecs import dct, jpegxl, lepton
from photoarc.errors import PayloadError

SETTINGS = ((75, 2), (90, 2), (95, 0))  # Pillow's quality and subsampling: 2 is 4:2:0, 0 is 4:4:4
CODECS = {"JPEG XL": jpegxl, "Lepton": lepton, "dct": dct}


@dataclass(slots=True)
class Sum:
    """One codec on one set; `refused` files are in `packed_bytes` as they are, and in no seconds."""

    set: str
    codec: str
    files: int = 0
    refused: int = 0
    size_bytes: int = 0
    packed_bytes: int = 0
    encode_s: float = 0.0
    decode_s: float = 0.0
    taken_bytes: int = 0


def written(folder: Path, quality: int, subsampling: int) -> Iterator[bytes]:
    """The pictures of a folder as JPEG files."""
    for path in run.pictures(folder):
        out = io.BytesIO()
        Image.fromarray(run.load(path)).save(out, "JPEG", quality=quality, subsampling=subsampling)
        yield out.getvalue()


def found(folder: Path) -> Iterator[bytes]:
    """The JPEG files below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and (data := path.read_bytes())[:3] == b"\xff\xd8\xff":
            yield data


def sets(pictures: dict[str, Path], files: Path | None) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and JPEG files of each set."""
    for name, folder in pictures.items():
        for quality, subsampling in SETTINGS:
            yield f"{name}, quality {quality}, {'4:4:4' if subsampling == 0 else '4:2:0'}", written(folder, quality, subsampling)
    for part in sorted(files.iterdir()) if files else []:
        if part.is_dir():
            yield part.name, found(part)


def measure(name: str, jpegs: Iterator[bytes]) -> list[Sum]:
    """All codecs on the files of a set. Raises ValueError where a file does not come back."""
    sums = {codec: Sum(name, codec) for codec in CODECS}
    for data in jpegs:
        for codec, module in CODECS.items():
            total = sums[codec]
            total.files += 1
            total.size_bytes += len(data)
            try:
                encode_s, payload = _timed(lambda: module.transcode(data))  # noqa: B023  (called at once)
            except PayloadError:
                total.refused += 1
                total.packed_bytes += len(data)
                continue
            decode_s, back = _timed(lambda: module.decode(payload, len(data)))  # noqa: B023
            if back != data:
                raise ValueError(f"{name}: {codec} does not restore a file of {len(data)} bytes")
            total.packed_bytes += len(payload)
            total.taken_bytes += len(data)
            total.encode_s += encode_s
            total.decode_s += decode_s
    return list(sums.values())


def _timed(work: Callable[[], bytes]) -> tuple[float, bytes]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def load(path: Path) -> list[Sum]:
    """Rows as they were written."""
    return rows.read(path, Sum)


def text(sums: list[Sum]) -> str:
    """The rows as Markdown."""
    lines = []
    for name in dict.fromkeys(row.set for row in sums):
        by_codec = {row.codec: row for row in sums if row.set == name}
        some = next(iter(by_codec.values()))
        shares = [f"{100 * by_codec[codec].packed_bytes / some.size_bytes:.2f} %" for codec in CODECS]
        refused = ", ".join(str(by_codec[codec].refused) for codec in CODECS)
        speeds = [
            f"{row.taken_bytes / 1e6 / row.encode_s:.2f} / {row.taken_bytes / 1e6 / row.decode_s:.2f}" if row.encode_s else "-"
            for row in (by_codec[codec] for codec in CODECS)
        ]
        lines.append((name, str(some.files), f"{some.size_bytes:,}", *shares, refused, *speeds))
    header = ("set", "files", "bytes", *CODECS, "refused", *(f"{codec}, MB/s" for codec in CODECS))
    return "\n\n".join([
        "# JPEG files byte for byte, codec by codec",
        "Made by `python -m bench.transcoders`. Percentages are of the JPEG files, metadata and all; refused files (in the order of\n"
        "the codecs) count as they are. MB/s: JPEG bytes a CPU second to encode / to decode, one thread, warm, refused files left out.",
        tables.table(header, lines),
    ]) + "\n"  # fmt: skip


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name", help="of the results")
    p.add_argument("--pictures", nargs="+", default=[], metavar="SET=DIR", help="measure anew: pictures to write as JPEG")
    p.add_argument("--files", type=Path, metavar="DIR", help="measure anew: folders of JPEG files")
    a = p.parse_args()
    path = rows.RESULTS / photoarc.__version__ / f"{a.name}-transcoders.tsv"
    if a.pictures or a.files:
        measured: list[Sum] = []
        pictures = {key: Path(folder) for key, folder in (item.split("=", 1) for item in a.pictures)}
        with quiet.timing():
            for name, jpegs in sets(pictures, a.files):
                measured += measure(name, jpegs)
                print(name, *(f"{row.codec}: {row.packed_bytes / row.size_bytes:.4f}" for row in measured[-len(CODECS) :]), flush=True)
        rows.write(path, measured, Sum)
    path.with_suffix(".md").write_text(text(load(path)), encoding="utf-8")


if __name__ == "__main__":
    main()
