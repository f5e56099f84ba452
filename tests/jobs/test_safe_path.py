"""Nothing of the current folder is executed: modules planted there are imported by no command, no worker, no tracker, no bench."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from photoarc.jobs import safe_path, spawning, workers

SOURCE = (
    "import os\nopen(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'RAN'), 'a').write(__name__ + '\\n')\nraise SystemExit(99)\n"
)
OTHERS = "numpy PIL onnxruntime typer rich click blake3 constriction isal pathspec pyjpegxl lepton_jpeg_python pillow_heif sitecustomize"
START = "from photoarc.__main__ import main\nif __name__ == '__main__':\n    main()\n"
COMMANDS = (
    "pack -q -j 1 pics p.pha",
    "test -q -j 1 p.pha",
    "unpack -q -j 1 p.pha back",
    "verify -q p.pha --against pics",
    "list p.pha",
    "info p.pha",
    "dups p.pha",
    "bench -q --rounds 1 --mode lossless pics --temp elsewhere",
)
LIBRARY = """
import os, sys
import photoarc.jobs.pack, photoarc.jobs.test, photoarc.jobs.unpack
for folder in sys.argv[1:]:  # in the first, which is clean, the caller imports all that it needs itself
    os.chdir(folder)
    photoarc.jobs.pack.pack(["pics"], "l.pha", photoarc.jobs.pack.PackOptions(workers=1))
    assert photoarc.jobs.test.test("l.pha", 1).sound == 3
assert sys.path[0] == "" and "PYTHONSAFEPATH" not in os.environ
"""
WHERE = """
from photoarc.jobs import safe_path, workers
print(list(workers.run(safe_path.with_home, [["/a"]], workers=1, cost=len))[0].value)
"""


def plant(folder: Path, but: set[str] = frozenset()) -> Path:  # type: ignore[assignment]
    """A folder with two files to pack and a module for every name that could be imported."""
    (folder / "pics").mkdir(parents=True)
    for name in ("a.txt", "b.txt"):
        (folder / "pics" / name).write_text(f"{name} " * 400)
    for name in (*(sys.stdlib_module_names - but), *OTHERS.split()):
        (folder / f"{name}.py").write_text(SOURCE)
    (folder / "elsewhere").mkdir()
    return folder


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    values = os.environ | environment
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=values, text=True, capture_output=True, check=False)


def before_photoarc() -> set[str]:
    """What Python itself imports for `-m`, from the current folder: out of our reach."""
    done = subprocess.run([sys.executable, "-c", "import runpy, sys; print(*sys.modules)"], text=True, capture_output=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("way", ["-m", "script"])
def test_no_command_imports_from_the_current_folder(tmp_path: Path, way: str) -> None:
    folder = plant(tmp_path / "here", before_photoarc() if way == "-m" else set())
    (tmp_path / "photoarc-script.py").write_text(START)
    begin = ("-m", "photoarc") if way == "-m" else (str(tmp_path / "photoarc-script.py"),)
    for command in COMMANDS if way == "-m" else COMMANDS[:-1]:
        done = python(folder, *begin, *command.split())
        assert not (folder / "RAN").exists(), (command, (folder / "RAN").read_text())
        assert done.returncode == 0, (command, done.stderr)


def test_an_empty_entry_of_pythonpath_does_not_reach_workers_and_children(tmp_path: Path) -> None:
    folder = plant(tmp_path, set(sys.stdlib_module_names))  # Python's own modules come from there before anybody can do anything
    (folder / "selectors.py").write_text(SOURCE)
    (folder / "sitecustomize.py").unlink()
    for command in (COMMANDS[0], COMMANDS[1], COMMANDS[-1]):
        done = python(folder, "-m", "photoarc", *command.split(), PYTHONPATH=os.pathsep + ".")
        assert (done.returncode, (folder / "RAN").exists()) == (0, False), (command, done.stderr)


def test_workers_of_a_library_import_nothing_that_the_caller_did_not(tmp_path: Path) -> None:
    folder = plant(tmp_path / "here")
    clean = plant(tmp_path / "clean", {*sys.stdlib_module_names})
    for path in clean.glob("*.py"):
        path.unlink()
    done = python(clean, "-c", LIBRARY, str(clean), str(folder))
    assert (done.returncode, (folder / "RAN").exists()) == (0, False), done.stderr


def test_a_checkout_runs_in_its_root_and_its_workers_run_the_same_code(tmp_path: Path) -> None:
    folder = plant(tmp_path, {*sys.stdlib_module_names} - {"selectors", "socket", "struct", "signal", "random", "multiprocessing"})
    for name in OTHERS.split():  # another photoarc is installed here, beside these
        (folder / f"{name}.py").unlink()
    (folder / "photoarc").symlink_to(safe_path.HOME + "/photoarc")
    done = python(folder, "-m", "photoarc", *COMMANDS[0].split())
    assert (done.returncode, (folder / "RAN").exists()) == (0, False), done.stderr
    for path in folder.glob("*.py"):  # with -c they are the caller's own
        path.unlink()
    workers = python(folder, "-c", WHERE)
    assert (workers.stdout.strip(), (folder / "RAN").exists()) == (str(["/a", str(folder)]), False), workers.stderr


def home_of(_: int) -> str:
    return safe_path.HOME


def test_a_worker_has_the_photoarc_of_its_parent() -> None:
    (outcome,) = workers.run(home_of, [0], workers=1, cost=lambda _: 1)
    assert outcome.value == safe_path.HOME


def test_home_goes_before_another_photoarc_and_behind_everything_else(tmp_path: Path) -> None:
    (tmp_path / "photoarc").mkdir()
    assert safe_path.with_home(["/a", str(tmp_path), "/b"]) == ["/a", safe_path.HOME, str(tmp_path), "/b"]
    assert safe_path.with_home(["/a"]) == ["/a", safe_path.HOME]
    assert safe_path.with_home([safe_path.HOME, "/a"]) == [safe_path.HOME, "/a"]


def test_the_surroundings_are_as_before_after_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "relative", safe_path.HOME]))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setattr(sys, "path", ["", ".", "/x"])
    inside = []

    def start() -> None:
        with spawning.safe_start():
            inside.append((os.environ["PYTHONSAFEPATH"], os.environ["PYTHONPATH"], [*sys.path]))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [("1", safe_path.HOME, ["/x", safe_path.HOME])] * 8
    assert sys.path == ["", ".", "/x"]
    assert "PYTHONSAFEPATH" not in os.environ
    assert os.environ["PYTHONPATH"].startswith(os.pathsep)


def test_where_a_child_cannot_be_told_no_worker_starts(tmp_path: Path) -> None:
    done = python(plant(tmp_path, set(sys.stdlib_module_names)), "-E", "-m", "photoarc", *COMMANDS[0].split())
    assert done.returncode == 2
    assert "under python -E workers would import modules of the current folder" in done.stderr
    assert python(tmp_path, "-I", "-c", START, *COMMANDS[0].split()).returncode == 0


def test_programs_are_not_looked_for_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "7zz"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "bin"]))
    assert spawning.program("7zz") is None
    assert spawning.environment()["PATH"] == ""
    monkeypatch.setenv("PATH", os.pathsep.join(["", str(tmp_path)]))
    assert spawning.program("7zz") == str(tool)
