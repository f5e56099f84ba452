"""Hold another machine against this one: exact files, symbols and pixels of the golden archives, and archives that the other one writes.

    python tests/support/elsewhere.py write DIR      here: pixels of the golden archives, and a folder to pack
    python tests/support/elsewhere.py check DIR      there: reads the golden archives, packs the folder, tests what it packed
    python tests/support/elsewhere.py read DIR       here: tests the other one's archives, compares every file

`there` may be an emulator, with the packages in PYTHONPATH: `qemu-aarch64 -L ROOT ROOT/usr/bin/python3.11 tests/support/elsewhere.py ...`.
Reading compares each exact file with its BLAKE3 and each photograph's symbols with their CRC; pixels come from floats and may differ a bit.
The exit code is 1 if anything is wrong.
"""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from make_golden import GOLDEN, UNRELEASED, draw

import photoarc
from photoarc.errors import NotDecoded, PhotoarcError
from photoarc.jobs import pack
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions

TOLERATED = 1  # levels of 255 between processors (docs/format.md section 9)
MODES = {mode.value: CodingOptions(mode) for mode in Mode}


def golden() -> list[Path]:
    return sorted((GOLDEN / UNRELEASED).glob("*.pha"))


def photographs(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with photoarc.open(path) as archive:
        for member in archive:
            if member.photo:
                yield f"{path.stem} {member.display_name}", np.asarray(archive.image(member))


def write(folder: Path) -> bool:
    draw_into = folder / "photos"
    draw_into.mkdir(parents=True)
    draw(draw_into)
    np.savez_compressed(folder / "pixels.npz", **dict(pair for path in golden() for pair in photographs(path)))
    return True


def exact(path: Path) -> bool:
    """Read every file that is exact; its BLAKE3 is compared."""
    right = wrong = 0
    missing = set()
    with photoarc.open(path) as archive:
        for member in archive:
            if member.kind is Kind.FILE and not member.photo:
                try:
                    archive.read(member)
                    right += 1
                except NotDecoded as error:
                    missing.add(str(error))
                except PhotoarcError as error:
                    wrong += 1
                    print(f"{path.name}: {error}")
    print(f"{path.name}: {right} exact files come back, {wrong} do not", *sorted(missing))
    return not wrong


def check(folder: Path) -> bool:
    print(platform.machine(), "Python", platform.python_version(), "ONNX Runtime", onnxruntime.__version__, "NumPy", np.__version__)
    fine = not [path for path in golden() if not exact(path)]
    with np.load(folder / "pixels.npz") as wanted:
        for path in golden():
            for name, pixels in photographs(path):
                apart = np.abs(pixels.astype(int) - wanted[name])
                fine &= int(apart.max()) <= TOLERATED
                print(f"{name}: symbols equal; pixels: {(apart > 0).mean():.2e} differ, by at most {apart.max()}")
    for name, coding in MODES.items():
        done = pack.pack([folder / "photos"], folder / f"{name}.pha", PackOptions(coding, workers=0, force=True))
        tested = photoarc.test(folder / f"{name}.pha", workers=0)
        fine &= not tested.failures
        print(f"{name}.pha: {done.archive_bytes} bytes, {tested.sound} files sound, {len(tested.failures)} not")
    return fine


def read(folder: Path) -> bool:
    fine = True
    for name in MODES:
        found = photoarc.verify(folder / f"{name}.pha", [folder / "photos"])
        fine &= not (found.failures or found.changed or found.missing or found.extra)
        print(f"{name}.pha: {found.same} files the same, {found.lossy} lossy, {len(found.changed)} changed, {len(found.failures)} damaged")
    return fine


if __name__ == "__main__":
    sys.exit(not {"write": write, "check": check, "read": read}[sys.argv[1]](Path(sys.argv[2])))
