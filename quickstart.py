#!/usr/bin/env python3
"""Set-up and first job in one command, on a fresh machine with Python 3.11 to 3.14.

    python3 quickstart.py [FOLDER]    install photoarc into .venv, pack FOLDER, unpack it again beside it, print both summaries
    python3 quickstart.py --test      install it with its test tools and run the tests

Without FOLDER it packs pictures that tests/support/draw_folder.py draws. Results go to a new folder in out/;
nothing is deleted or replaced.
"""

from __future__ import annotations  # the message below must reach Python 3.9 of macOS, too

import argparse
import hashlib
import itertools
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
OLDEST, NEWEST = (3, 11), (3, 14)  # the newest that ONNX Runtime, constriction and pyjpegxl had wheels for in November 2026
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command: str | Path) -> None:
    """Run a command and say how long it took; its failure is ours."""
    started = time.monotonic()
    code = subprocess.run([str(c) for c in command], cwd=HERE, check=False).returncode
    if code:
        sys.exit(code)
    print(f"  ({time.monotonic() - started:.1f} s)\n", flush=True)


def install(extra: str) -> None:
    """Virtual environment with photoarc in it; nothing is done if pyproject.toml has not changed since."""
    stamp, wanted = VENV / f"installed{extra}", hashlib.sha256((HERE / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"installing photoarc{extra} into {VENV}", flush=True)
    if not PYTHON.is_file():
        venv.create(VENV, with_pip=True)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f".{extra}")
    stamp.write_text(wanted)


def new_folder(name: str) -> Path:
    """A folder in out/ that was not there before: out/NAME, or out/NAME-2 and so on beside earlier results."""
    for number in itertools.count(1):
        folder = HERE / "out" / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of photographs to pack")
    parser.add_argument("--test", action="store_true", help="run the tests instead")
    arguments = parser.parse_args()
    version = sys.version.split()[0]
    if sys.version_info < OLDEST:
        sys.exit(f"photoarc needs Python {OLDEST[0]}.{OLDEST[1]} or newer, this is {version}")
    if sys.version_info[:2] > NEWEST:
        known = f"{NEWEST[0]}.{NEWEST[1]}"
        print(f"note: not every package had wheels for Python {version} yet; if pip finds none, run this with Python {known}")
    folder = arguments.folder.absolute() if arguments.folder else None  # from here on other folders are the current one
    if folder and not folder.is_dir():
        sys.exit(f"{folder}: there is no such folder; name a folder of photographs")
    install("[dev]" if arguments.test else "")
    if arguments.test:
        run(PYTHON, "-m", "pytest", "-n", "auto")  # a core each
        return
    place = new_folder(folder.resolve().name or "root" if folder else "pictures")
    if folder is None:
        folder = place / "pictures"
        run(PYTHON, HERE / "tests" / "support" / "draw_folder.py", folder)
    archive, back = place / f"{place.name}.pha", place / "unpacked"
    print(f"$ photoarc pack {folder} {archive}", flush=True)
    run(PYTHON, "-m", "photoarc", "pack", folder, archive)
    print(f"$ photoarc unpack {archive} {back}", flush=True)
    run(PYTHON, "-m", "photoarc", "unpack", archive, back)
    print(f"look at {back}, or list what was packed: {PYTHON} -m photoarc list {archive}")


if __name__ == "__main__":
    main()
