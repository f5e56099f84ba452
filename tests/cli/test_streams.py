"""Standard streams that are closed, full or gone: every command ends with a sentence and an exit code, and never with a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from containers import sample, write

COMMANDS = {
    "pack": "pack -f pics new.pha",
    "dry": "pack --dry-run pics other.pha",
    "unpack": "unpack -f p.pha back",
    "list": "list p.pha",
    "names": "list -q p.pha",
    "test": "test p.pha",
    "verify": "verify p.pha --against pics",
    "info": "info p.pha",
    "dups": "dups p.pha",
    "bench": "bench --rounds 1 --mode lossless pics",
    "help": "pack --help",
    "version": "--version",
}
CODES = {"verify": 1}  # what is in p.pha is not what is in pics
WRONG = ("Traceback", "Exception ignored", "internal error", "AttributeError", "NoneType")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "p.pha", sample())
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.txt").write_text("text " * 30)
    return tmp_path


def shell(place: Path, line: str, streams: str) -> subprocess.CompletedProcess[str]:
    command = f"exec {sys.executable} -m photoarc {line} {streams}"
    return subprocess.run(["sh", "-c", command], cwd=place, text=True, capture_output=True, check=False)


def refused(done: subprocess.CompletedProcess[str], why: str) -> bool:
    return f"the result cannot be written to standard output: {why}" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_stdout_that_is_closed_or_full(place: Path, name: str) -> None:
    full = [(">/dev/full", "No space left on device")] if Path("/dev/full").exists() else []
    for streams, why in ((">&-", "it is closed"), *full):
        done = shell(place, COMMANDS[name], streams)
        assert not any(word in done.stderr for word in WRONG), done.stderr
        assert done.returncode in (1, 2), (streams, done.stderr)
        assert refused(done, why), done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_stdin_and_stderr_may_be_closed(place: Path, name: str) -> None:
    for streams in ("<&- 2>&-", *(["2>/dev/full"] if Path("/dev/full").exists() else [])):
        done = shell(place, COMMANDS[name], streams)
        assert done.returncode == CODES.get(name, 0), (streams, done.stderr)
        assert done.stdout
        assert not any(word in done.stdout + done.stderr for word in WRONG)
    done = shell(place, COMMANDS[name] + " <&-" + " --json" * (name not in ("help", "version")), "")
    assert done.returncode == CODES.get(name, 0)


@pytest.mark.parametrize("name", ["pack", "list", "test", "info"])
def test_json_onto_a_full_disk(place: Path, name: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = shell(place, COMMANDS[name] + " --json", ">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "photoarc: the result cannot be written to standard output: No space left on device\n"
    done = shell(place, "list missing.pha --json", ">/dev/full 2>&-")
    assert (done.returncode, done.stderr) == (2, "")


def test_an_archive_is_never_written_where_messages_go(place: Path) -> None:
    assert shell(place, "pack -j 1 pics quiet.pha", "<&- >&- 2>&-").returncode == 1
    assert shell(place, "pack -q -j 1 -f pics quiet.pha", "<&- >&- 2>&-").returncode == 0
    assert "quiet.pha is sound" in shell(place, "test quiet.pha", "").stdout


def test_a_question_to_a_closed_stdin_is_refused_before_anything_is_packed(place: Path) -> None:
    done = shell(place, "pack --delete-after-verify pics new.pha", "<&-")
    assert done.returncode == 2
    assert "nobody can answer here" in done.stderr
    assert not (place / "new.pha").exists()


def test_a_reader_who_has_seen_enough_is_no_failure_and_hides_none(place: Path) -> None:
    pairs = [(COMMANDS["list"], 0), (COMMANDS["test"], 0)]
    if os.geteuid():  # root reads everything
        (place / "pics" / "secret").write_text("x")
        (place / "pics" / "secret").chmod(0)
        pairs.append((COMMANDS["pack"], 1))
    pairs.append((COMMANDS["verify"], 1))
    for line, code in pairs:
        read_end, write_end = os.pipe()
        os.close(read_end)
        command = [sys.executable, "-m", "photoarc", *line.split()]
        done = subprocess.run(command, cwd=place, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write_end)
        assert done.returncode == code, done.stderr
        assert not any(word in done.stderr for word in WRONG)


def test_errors_are_json_too(place: Path) -> None:
    done = shell(place, "list pics --json", "")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]
    assert shell(place, "unpack", "2>&-").returncode == 2  # an argument is missing


def test_a_terminal_that_is_gone_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from photoarc.cli.bar import Bar
    from photoarc.progress import Progress

    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    bar = Bar("packing")
    monkeypatch.setattr(bar.rich, "start", gone)
    monkeypatch.setattr(bar.rich, "stop", gone)
    with bar:
        bar.update(Progress(files_done=1, files_total=2, bytes_done=3, bytes_total=4))
