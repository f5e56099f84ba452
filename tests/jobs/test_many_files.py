"""Folders of thousands of files: time grows with their number, memory by what is known of each member. A long test.

python tests/jobs/test_many_files.py [COUNT...]        prints CPU seconds and peak memory of every command (default: 5000 10000 20000)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import many_files
import pytest

from photoarc import options, units
from photoarc.archive import open_archive

COUNTS = (5_000, 20_000)
COMMANDS = ("pack", "list", "list --json", "test", "verify", "unpack", "unpack --only")
# One process and what it started: CPU seconds, peak memory of the largest in kB.
CHILD = """
import os, resource, sys
with open(os.devnull, "w") as null:
    done = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-m", "photoarc", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""


def measure(*arguments: str | Path) -> tuple[float, float]:
    """(CPU seconds, peak MB) of a command that must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True
    )
    code, cpu_s, peak_kb = done.stderr.split()[-3:]
    assert code == "0", done.stderr
    return float(cpu_s), float(peak_kb) * (1e-6 if sys.platform == "darwin" else 1.024e-3)


def measure_all(root: Path, count: int) -> dict[str, tuple[float, float]]:
    """Every command on a folder of so many files, all that comes back compared."""
    folder, archive = root / f"{count} files", root / f"{count}.pha"
    many_files.write(folder, count)
    found = {
        "pack": measure("pack", folder, archive, "--mode", "lossless", "-j", "1", "-q"),
        "list": measure("list", archive),
        "list --json": measure("list", archive, "--json"),
        "test": measure("test", archive, "-j", "1"),
        "verify": measure("verify", archive, "--against", folder),
        "unpack": measure("unpack", archive, root / f"{count} out", "-j", "1"),
        "unpack --only": measure("unpack", archive, root / f"{count} some", "-j", "1", "--only", "album 003"),
    }
    back = root / f"{count} out" / folder.name
    names = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert names == sorted(path.relative_to(back) for path in back.rglob("*"))
    assert all((back / name).is_dir() or (back / name).read_bytes() == (folder / name).read_bytes() for name in names)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no measure of a child's memory")
def test_time_and_memory_grow_with_the_number_of_files(tmp_path: Path) -> None:
    few, many = (measure_all(tmp_path, count) for count in COUNTS)
    times = COUNTS[1] / COUNTS[0]
    for command in COMMANDS:
        (few_s, few_mb), (many_s, many_mb) = few[command], many[command]
        assert many_s < 1.5 * times * few_s, command  # a quadratic step would take 16 times as long
        assert many_mb - few_mb < 4e-3 * (COUNTS[1] - COUNTS[0]), command  # 4 kB a member; its contents are 1.2 kB on average


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for number in map(int, sys.argv[1:] or ("5000", "10000", "20000")):
            for name, (seconds, peak) in measure_all(Path(place), number).items():
                print(f"{number:7,} files  {name:14} {seconds:7.2f} s CPU  {peak:6.0f} MB")


def test_list_and_info_count_records_and_index(tmp_path: Path) -> None:
    """Of many files of a few bytes each, payloads are a small part of the archive: what it really takes is said."""
    from photoarc.cli.info import info_lines
    from photoarc.cli.list import list_lines
    from photoarc.jobs import overview, pack

    (tmp_path / "in").mkdir()
    for number in range(300):
        (tmp_path / "in" / f"{number}.json").write_text(f'{{"n": {number}}}')
    path = tmp_path / "a.pha"
    pack.pack([tmp_path / "in"], path, options.PackOptions(options.CodingOptions(options.Mode.LOSSLESS), workers=0))
    with open_archive(path) as archive:
        sizes = info_lines(overview.overview(str(path), archive))[2]
        assert f"-> {units.size(path.stat().st_size)} (" in sizes
        assert "of it records and index" in sizes
        assert units.size(path.stat().st_size) in list_lines(archive.members, path.stat().st_size)[-1]
