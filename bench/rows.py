"""The raw results: one row a codec, setting and picture, as TSV in git (columns: bench/README.md)."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, TypeVar

import photoarc
from bench.codecs import CODECS, Codec
from photoarc.folderbench.measure import machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """Rate, quality and CPU time of one picture; every field is a column, and files written before one with a default came lack it."""

    codec: str
    quality: float
    image: str
    width: int
    height: int
    bytes: int
    payload_bytes: int
    bpp: float
    psnr_db: float
    ssim: float
    ms_ssim: float
    lpips: float
    enc_cpu_s: float
    dec_cpu_s: float
    butteraugli_max: float = math.nan
    butteraugli_3norm: float = math.nan
    ssimulacra2: float = math.nan


@dataclass(frozen=True, slots=True)
class Time:
    """Wall seconds of one encoding and one decoding, in one round."""

    round: int
    codec: str
    quality: float
    image: str
    pixels: int
    enc_s: float
    dec_s: float


Record = TypeVar("Record")  # a dataclass of numbers and words

_FORMATS = {
    "quality": "{:g}", "bpp": "{:.5f}", "psnr_db": "{:.4f}", "ssim": "{:.6f}", "ms_ssim": "{:.6f}", "lpips": "{:.6f}",
    "butteraugli_max": "{:.5f}", "butteraugli_3norm": "{:.5f}", "ssimulacra2": "{:.4f}",
    "enc_cpu_s": "{:.4f}", "dec_cpu_s": "{:.4f}", "enc_s": "{:.4f}", "dec_s": "{:.4f}",
    "pack_s": "{:.2f}", "unpack_s": "{:.2f}", "encode_s": "{:.2f}", "decode_s": "{:.2f}",
}  # fmt: skip
QUALITIES = ("psnr_db", "ssim", "ms_ssim", "lpips", "butteraugli_max", "butteraugli_3norm", "ssimulacra2")
_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}


def write(path: Path, records: Iterable[Record], kind: type[Record]) -> None:
    """TSV with a head line, put in place at once."""
    names = [field.name for field in fields(kind)]
    lines = ["\t".join(names)]
    lines += ["\t".join(_FORMATS.get(name, "{}").format(getattr(record, name)) for name in names) for record in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text("\n".join(lines) + "\n")
    os.replace(partial, path)


def read(path: Path, kind: type[Record]) -> list[Record]:
    """Inverse of write; a column that is not there keeps its default. Raises FileNotFoundError."""
    types = {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    with path.open(newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [kind(**{name: make(line[name]) for name, make in types.items() if name in line}) for line in table]


def measured(name: str) -> list[Row]:
    """The committed rows of a set. Raises FileNotFoundError if it was not measured."""
    return read(RESULTS / photoarc.__version__ / f"{name}.tsv", Row)


def timed(name: str) -> list[Time]:
    """The committed wall times of a set; none if they were not measured."""
    path = RESULTS / photoarc.__version__ / f"{name}-times.tsv"
    return read(path, Time) if path.exists() else []


def seconds_per_megapixel(found: Sequence[Row], codec: str, column: str) -> float:
    """CPU seconds of one codec, `column` enc_cpu_s or dec_cpu_s: the median over pictures and settings."""
    return statistics.median(getattr(row, column) / (row.width * row.height) * 1e6 for row in found if row.codec == codec)


def fingerprint(file: str) -> str:
    """What a figure says it was made from: a file of results, by name, and its SHA-256, shortened."""
    path = RESULTS / photoarc.__version__ / file
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """New rows in place of all old rows of the same codecs, in the order of CODECS."""
    new = list(new)
    replaced = {row.codec for row in new}
    rank = {codec.name: at for at, codec in enumerate(CODECS)}
    rows = [row for row in old if row.codec not in replaced] + new
    return sorted(rows, key=lambda row: (rank.get(row.codec, len(rank)), row.quality, row.image))


def remeasured(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Old rows with the qualities of new ones as far as these know them; rate and seconds stay as they were measured.

    Raises ValueError for a new row without an old one, or whose picture is coded in other bytes now.
    """
    out = {(row.codec, row.quality, row.image): row for row in old}
    for row in new:
        before = out.get(key := (row.codec, row.quality, row.image))
        if before is None or before.bytes != row.bytes:
            was = "is not measured yet" if before is None else f"took {before.bytes} bytes, now {row.bytes}"
            raise ValueError(f"{row.codec} at {row.quality:g}, {row.image}: {was}; a run without --metrics measures it anew")
        out[key] = replace(before, **{name: value for name in QUALITIES if not math.isnan(value := getattr(row, name))})
    return list(out.values())


@dataclass(frozen=True, slots=True)
class Run:
    """How long a run took, and how busy the machine was before: mean number of running processes in the last minute."""

    codecs: int
    pictures: int
    workers: int
    load: float
    seconds: int


def describe(path: Path, codecs: Iterable[Codec], what: str, run: Run) -> None:
    """Versions, machine and length of the last run of each kind ("rates", "times") beside the rows; other codecs' versions are kept."""
    known = json.loads(path.read_text()) if path.exists() else {"codecs": {}}
    known["codecs"] |= {codec.name: codec_version(codec) for codec in codecs}
    known["runs"] = known.get("runs", {}) | {what: {"machine": machine(), **asdict(run)}}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def codec_version(codec: Codec) -> str:
    """What did the work: library and version; for photoarc the model too."""
    from PIL import features

    if codec.name.startswith("photoarc"):
        from photoarc.models.manifest import CODED_WITH, entry
        from photoarc.options import Tuning

        model = entry(CODED_WITH[Tuning.PSNR if codec.name.startswith("photoarc-psnr") else Tuning.SSIM])
        suffix = "" if codec.lossless else f", model {model.name} {model.sha256.hex()[:16]}, onnxruntime {package_version('onnxruntime')}"
        return f"photoarc {photoarc.__version__}{suffix}"
    pillow = f"Pillow {package_version('pillow')}"
    library = {
        **dict.fromkeys(("jpeg", "jpeg-best"), ("libjpeg_turbo", "libjpeg-turbo")),
        "webp": ("webp", "libwebp"),
        "webp-lossless": ("webp", "libwebp"),
        **dict.fromkeys(("avif", "avif-4", "avif-psnr", "avif-psnr-4"), ("avif", "libavif")),
        "jpeg2000": ("jpg_2000", "OpenJPEG"),
        "png": ("zlib", "zlib"),
    }.get(codec.name)
    if library:
        return f"{pillow}, {library[1]} {features.version(library[0])}"
    if codec.package:
        return f"{codec.package.replace('_', '-')} {package_version(codec.package.replace('_', '-'))}"
    return f"Python {platform.python_version()}" if codec.name == "xz" else codec.program
