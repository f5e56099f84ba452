"""Cut training patches from folders of photographs, and tar them in parts that are small enough to carry.

    python training/prepare.py PATCHES --photos DIR [DIR ...] --apart kodak clic2k      photographs -> PATCHES/*.webp, SOURCES.tsv
    python training/prepare.py PATCHES --parts 60                                       PATCHES -> PATCHES/parts/part-00.tar ... <= 60 MiB

Photographs are shrunk by --shrink at least (2: the blocks and the sharpening of their JPEG are gone), by a factor of their own up to
what leaves a patch, and give --each patches at most, which do not overlap. Graphics and pictures too small are left out, and so are
near-duplicates, of each other or of a picture in the folders --apart, which keeps test sets out of the training set.

Near-duplicates have difference hashes (signs of the horizontal gradient of a 12 x 12 thumbnail) within NEAR of 144 bits. Of 470 different
photographs the nearest two are 25 apart; 95 % of their copies are within 10 (300 x 300, JPEG 50), 15 (brighter), 23 (2 % cropped).
"""

import argparse
import hashlib
import io
import itertools
import math
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from photoarc.pictures.drawings import graphics

HASH_SIDE, NEAR = 12, 20
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
AT_ONCE = 64  # photographs in flight: what bounds the memory
BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Patch:
    """One patch: lossless WebP, its corner in the shrunk photograph, the factor of the shrinking."""

    webp: bytes
    left: int
    top: int
    factor: float


@dataclass(frozen=True)
class Found:
    """What became of one file: `why` it was left out, or its hash and patches."""

    path: Path
    why: str = ""
    bits: np.ndarray | None = None
    patches: tuple[Patch, ...] = ()


def difference_hash(picture: Image.Image) -> np.ndarray:
    """(144,) bool."""
    grey = np.asarray(picture.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX), np.int16)
    return (grey[:, 1:] > grey[:, :-1]).ravel()


def patches(path: Path, side: int, shrink: float, each: int) -> Found:
    """Patches of one photograph; the same for the same bytes, whatever else is prepared with it."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.mode not in {"RGB", "L"}:
                return Found(path, f"mode {opened.mode}")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        return Found(path, f"cannot be read: {type(error).__name__}")
    largest = min(picture.size) / side
    if largest < shrink:
        return Found(path, "too small")
    if why := graphics.reason(np.asarray(picture)):
        return Found(path, why.partition(":")[0])
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8], "little"))
    factor = shrink * (largest / shrink) ** rng.random()  # log-uniform: detail at every scale
    small = picture.resize([max(side, round(v / factor)) for v in picture.size], Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = []
    columns, rows = small.width // side, small.height // side
    for cell in rng.permutation(columns * rows)[:each]:  # cells of a grid with a random offset
        left = int(cell % columns * side + rng.integers(small.width % side + 1))
        top = int(cell // columns * side + rng.integers(small.height % side + 1))
        file = io.BytesIO()
        small.crop((left, top, left + side, top + side)).save(file, "WEBP", lossless=True, quality=75, method=4)
        out.append(Patch(file.getvalue(), left, top, factor))
    return Found(path, bits=difference_hash(picture), patches=tuple(out))


def files(folders: list[Path]) -> list[Path]:
    """Picture files below the folders, by name."""
    return sorted(f for folder in folders for f in folder.rglob("*") if f.suffix.lower() in ENDINGS and f.is_file())


def prepare(out: Path, photos: list[Path], apart: list[Path], side: int, shrink: float, each: int) -> dict[str, int]:
    """Write patches and SOURCES.tsv; returns how many files came to what end."""
    out.mkdir(parents=True, exist_ok=True)
    kept = []
    for f in files(apart):
        with Image.open(f, formats=FORMATS) as picture:
            kept.append(difference_hash(ImageOps.exif_transpose(picture)))
    tally: dict[str, int] = {}
    with ThreadPoolExecutor() as pool, (out / "SOURCES.tsv").open("w") as sources:
        sources.write("patch\tsource\tleft\ttop\tshrunk\n")
        for group in batched(files(photos), AT_ONCE):
            for found in pool.map(lambda f: patches(f, side, shrink, each), group):
                why = found.why
                if not why and kept and (np.array(kept) != found.bits).sum(1).min() <= NEAR:
                    why = "near-duplicate"
                if not why:
                    kept.append(found.bits)
                    for patch in found.patches:
                        name = f"{hashlib.sha256(patch.webp).hexdigest()[:12]}.webp"
                        (out / name).write_bytes(patch.webp)
                        sources.write(f"{name}\t{found.path}\t{patch.left}\t{patch.top}\t{patch.factor:.2f}\n")
                        tally["patches"] = tally.get("patches", 0) + 1
                tally[why or "photographs"] = tally.get(why or "photographs", 0) + 1
    return tally


def batched(paths: list[Path], n: int) -> Iterator[list[Path]]:
    """Groups of n."""
    rest = iter(paths)
    return iter(lambda: list(itertools.islice(rest, n)), [])


def tar_parts(folder: Path, mib: float) -> list[Path]:
    """Tar the patches of a folder into folder/parts/part-NN.tar, each at most `mib` MiB; the same bytes every time."""
    target = folder / "parts"
    target.mkdir(exist_ok=True)
    for old in target.glob("part-*.tar"):
        old.unlink()
    room = int(mib * 2**20) // tarfile.RECORDSIZE * tarfile.RECORDSIZE - 2 * BLOCK
    parts: list[list[Path]] = [[]]
    used = 0
    for f in sorted(f for f in folder.iterdir() if f.suffix.lower() in ENDINGS):
        size = BLOCK + math.ceil(f.stat().st_size / BLOCK) * BLOCK
        if size > room:
            raise SystemExit(f"{f} does not fit into a part of {mib:g} MiB")
        if used + size > room:
            parts.append([])
            used = 0
        parts[-1].append(f)
        used += size
    written = []
    for k, members in enumerate(parts):
        written.append(target / f"part-{k:02}.tar")
        with tarfile.open(written[-1], "w", format=tarfile.USTAR_FORMAT) as tar:
            for f in members:
                info = tarfile.TarInfo(f.name)
                info.size = f.stat().st_size
                with f.open("rb") as file:
                    tar.addfile(info, file)
    return written


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=Path, metavar="PATCHES")
    p.add_argument("--photos", type=Path, nargs="+", default=[], help="folders, searched with all below them")
    p.add_argument("--apart", type=Path, nargs="+", default=[], help="folders of test pictures: nothing like them becomes a patch")
    p.add_argument("--side", type=int, default=512)
    p.add_argument("--shrink", type=float, default=2.0)
    p.add_argument("--each", type=int, default=4, help="patches of one photograph at most")
    p.add_argument("--parts", type=float, metavar="MIB", help="tar the patches in parts of at most so many MiB")
    a = p.parse_args()
    if a.photos:
        tally = prepare(a.out, a.photos, a.apart, a.side, a.shrink, a.each)
        print(", ".join(f"{n} {what}" for what, n in tally.items()))
    if a.parts:
        for part in tar_parts(a.out, a.parts):
            print(f"{part} {part.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
