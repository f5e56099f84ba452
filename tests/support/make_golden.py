"""Write the golden archives of a release: `python tests/support/make_golden.py VERSION`, once; test_golden.py reads them for ever after.

Without VERSION: those of the coming release, tests/golden/unreleased, over again: format and model may still change until then.

A small folder of every kind of file that a codec takes, in each mode, as small as can be (with Lepton), and tuned for PSNR.
`grown.pha` was added to, thinned out and rearranged. `lossless.pha` holds the sources themselves, so lossy pictures can be compared with
them; `digests.json` has the BLAKE3 of every file that comes back bit for bit.
"""

import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pictures
from blake3 import blake3

import photoarc
from photoarc.jobs import pack
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions, Tuning

GOLDEN = Path(__file__).parents[1] / "golden"
UNRELEASED = "unreleased"
MTIME_NS = 1_700_000_000_123_456_789
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8


def draw(folder: Path) -> None:
    """The folder that is packed."""
    head = [(0xE1, b"Exif\0\0" + pictures.exif(orientation=6))]
    photo = pictures.jpeg(pictures.photo(208, 176, seed=1, noise=1), quality=88, segments=head)
    files = {
        "photo.jpg": photo,
        "again.jpg": photo,
        "rated.jpg": photo[:2] + b"\xff\xfe\x00\x0cfive stars" + photo[2:],
        "progressive.jpg": pictures.jpeg(pictures.photo(208, 176, seed=11, noise=1), quality=85, progressive=True),
        "cut.jpg": pictures.jpeg(pictures.photo(208, 176, seed=12, noise=1), quality=85)[:-2000],
        "motion.jpg": pictures.jpeg(pictures.photo(208, 176, seed=2, noise=1), quality=85) + FILM,
        "album/grey.png": pictures.png(pictures.photo(208, 176, seed=3, noise=1)[:, :, :1], compress_level=6),
        "album/colour.png": pictures.png(pictures.photo(208, 176, seed=4, noise=1), compress_level=6),
        "album/alpha.webp": pictures.webp(
            np.dstack([pictures.photo(208, 176, seed=5, noise=1), pictures.photo(208, 176, seed=7, noise=1)[:, :, 0]])
        ),
        "album/scan.tif": tiff(pictures.photo(208, 176, seed=8, noise=1)),
        "album/scan by lzw.tif": tiff(pictures.photo(208, 176, seed=9, noise=1), compression="tiff_lzw", tiffinfo={317: 2}),
        "album/scan by deflate.tif": tiff(pictures.photo(208, 176, seed=10, noise=1), compression="tiff_adobe_deflate"),
        "album/old.bmp": pictures.bmp(pictures.photo(208, 176, seed=6, noise=1)),
        "album/screenshot.png": pictures.png(pictures.screenshot(160, 120)),
        "album/photo.xmp": pictures.XMP * 4,
        "album/grey.xmp": pictures.XMP * 5,
        "naïve \u6587\u5b57.txt": b"names in every script\n" * 9,
        "empty": b"",
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "nothing in it").mkdir()
    (folder / "link").symlink_to("photo.jpg")
    for path in (*sorted(folder.rglob("*")), folder):
        os.utime(path, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """TIFF file, not compressed unless the options say so."""
    file = io.BytesIO()
    pictures.image(pixels).save(file, "TIFF", **options)
    return file.getvalue()


def grow(folder: Path, path: Path) -> dict[str, bytes]:
    """An archive that was packed, updated, thinned out and rearranged, and what it holds then."""
    options = PackOptions(CodingOptions(Mode.LOSSLESS))
    draw(folder)
    pack.pack([folder / "album"], path, options)
    (folder / "album" / "photo.xmp").write_bytes(pictures.XMP * 6)
    shutil.copy2(folder / "album" / "colour.png", folder / "album" / "copy.png")
    (folder / "album" / "rated.bmp").write_bytes((folder / "album" / "old.bmp").read_bytes() + b"five stars")
    for changed in ("photo.xmp", "rated.bmp"):
        os.utime(folder / "album" / changed, ns=(MTIME_NS + 1, MTIME_NS + 1))
    photoarc.add(path, folder / "album", replace=True)
    photoarc.remove(path, ["album/colour.png", "album/grey.xmp", "album/scan*"])
    photoarc.move(path, "album", "kept")
    with photoarc.open(path) as archive:
        return {member.display_name: archive.read(member) for member in archive if member.kind is Kind.FILE}


def make_grown(place: Path, digests: dict[str, dict[str, str]]) -> None:
    """Writes `grown.pha` and notes what is in it."""
    with tempfile.TemporaryDirectory() as scratch:
        files = grow(Path(scratch), place / "grown.pha")
    digests["grown.pha"] = {name: blake3(data).hexdigest() for name, data in files.items()}


def make(version: str) -> None:
    """Raises FileExistsError: a release's archives are never written again."""
    place = GOLDEN / version
    if version == UNRELEASED:
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    digests = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photos"
        folder.mkdir()
        draw(folder)
        asked = {mode.value: CodingOptions(mode) for mode in Mode}
        asked["lzma"] = CodingOptions(Mode.LZMA, effort=4)  # JPEG files that are kept, by JPEG XL
        asked |= {"smallest": CodingOptions(Mode.LOSSLESS, effort=9), "psnr": CodingOptions(tuning=Tuning.PSNR)}
        for name, coding in asked.items():
            path = place / f"{name}.pha"
            pack.pack([folder], path, PackOptions(coding))
            with photoarc.open(path) as archive:
                digests[path.name] = {
                    member.display_name: blake3((Path(scratch) / member.display_name).read_bytes()).hexdigest()
                    for member in archive
                    if member.kind is Kind.FILE and member.photo is None
                }
    make_grown(place, digests)
    (place / "digests.json").write_text(json.dumps(digests, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(*sys.argv[1:] or (UNRELEASED,))
