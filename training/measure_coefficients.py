"""Bits that models of JPEG coefficients expect files to take: checkpoints in floats and in bytes, side by side.

    python training/measure_coefficients.py training/checkpoints/jpeg-2.pt out/jpeg3.pt --set kodak=PICTURES --set cameras=JPEGS

Pictures that are no JPEGs are coded at each of --qualities with 4:2:0. Bits are those of the logistic distributions, without the coarsest
DC, heads and shifts of tables: what to compare trainings by, not what files take.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from byte_layers import byte_jpeg
from coefficients import Jpeg, luma_energies
from PIL import Image
from torch import Tensor

from photoarc.errors import PhotoarcError
from photoarc.pictures.jpeg import scans

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("checkpoints", nargs="+", type=Path)
p.add_argument("--set", action="append", default=[], metavar="NAME=FOLDER", required=True)
p.add_argument("--qualities", type=int, nargs="+", default=[75, 90, 95])
p.add_argument("--every", type=int, default=4, help="only every so many pictures of a folder")
p.add_argument("--blocks", type=int, default=40_000, help="leave out larger pictures")


def load(path: Path) -> Jpeg:
    """The model of a checkpoint, in floats or in bytes; of the latter, DC's scale has no base but what Component adds (byte_layers.py)."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    jpeg = byte_jpeg() if state["m"]["luma.base"][0] == -3 else Jpeg()
    jpeg.load_state_dict(state["m"])
    return jpeg.float().eval()


def jpeg_files(folder: Path, every: int, qualities: list[int]) -> dict[str, list[bytes]]:
    """Files by what they are called in the table: the quality of those that are made here."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)[::every]:
        if path.suffix.lower() in {".jpg", ".jpeg"}:
            found.setdefault("files", []).append(path.read_bytes())
            continue
        with Image.open(path, formats=("PNG", "WEBP")) as picture:
            pixels = picture.convert("RGB")
        for quality in qualities:
            out = io.BytesIO()
            pixels.save(out, "JPEG", quality=quality, optimize=True)
            found.setdefault(f"q{quality}", []).append(out.getvalue())
    return found


def whole_eights(plane: np.ndarray) -> Tensor:
    """(1, 64, h, w) of a plane, cut to multiples of 8 blocks."""
    _, h, w = plane.shape
    return torch.from_numpy(plane[:, : h // 8 * 8, : w // 8 * 8].astype(np.float32))[None]


def sample(data: bytes, most: int) -> tuple[list[Tensor], list[Tensor], tuple[int, int]] | None:
    """Coefficients, steps and sampling of a file, or None if it is not one for these models."""
    try:
        scan = scans.read(data)
    except PhotoarcError:
        return None
    planes, layout = scan.coefficients, scans.layout(scan.head).planes
    if len(planes) not in {1, 3} or not 64 <= planes[0][0].size <= most:
        return None
    small = planes[-1].shape
    down, across = planes[0].shape[1] // small[1], planes[0].shape[2] // small[2]
    v = [whole_eights(planes[0]), *(whole_eights(plane) for plane in planes[1:])]
    h, w = v[-1].shape[2:]
    if len(v) == 3:
        v[0] = v[0][:, :, : h * down, : w * across]
    if not h or not w:
        return None
    return v, [torch.from_numpy(plane.quantiser.astype(np.float32))[None] for plane in layout], (down, across)


@torch.no_grad()
def bits(jpeg: Jpeg, v: list[Tensor], q: list[Tensor], sampling: tuple[int, int]) -> tuple[float, float]:
    """Bits of luma and of chroma."""
    luma, _ = jpeg.luma(v[0], q[0])
    if len(v) == 1:
        return float(luma), 0.0
    energies = luma_energies(v[0] * q[0][:, :, None, None], *sampling)
    cb, _ = jpeg.cb(v[1], q[1], energies)
    cr, _ = jpeg.cr(v[2], q[2], energies, v[1] * q[1][:, :, None, None])
    return float(luma), float(cb + cr)


def main() -> None:
    """Command line."""
    a = p.parse_args()
    torch.set_num_threads(1)
    models = [load(path) for path in a.checkpoints]
    print("set\tfiles\tcoefficients\t" + "\t".join(f"{path.stem} luma\tchroma\tbits a coefficient\tto the first" for path in a.checkpoints))
    for name, folder in (one.split("=", 1) for one in a.set):
        for kind, files in jpeg_files(Path(folder), a.every, a.qualities).items():
            samples = [s for s in (sample(data, a.blocks) for data in files) if s]
            count = sum(plane.numel() for v, _, _ in samples for plane in v)
            sums = [np.array([bits(jpeg, *s) for s in samples]).sum(0) for jpeg in models]
            cells = [f"{name} {kind}", str(len(samples)), str(count)]
            for found in sums:
                cells += [f"{number:.5f}" for number in (*found / count, found.sum() / count)]
                cells.append(f"{100 * found.sum() / sums[0].sum() - 100:+.2f} %")
            print("\t".join(cells), flush=True)


if __name__ == "__main__":
    main()
