"""The command line as its users meet it: output, exit codes, interrupts, full disks, what is loaded."""

import base64
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import stored, write
from typer.testing import CliRunner, Result

import photoarc
from photoarc.cli import app
from photoarc.jobs import pack as packing
from photoarc.options import Tuning

NEVER_FOR_HELP = {"numpy", "onnxruntime", "PIL", "rich", "pathspec", "constriction", "pyjpegxl", "multiprocessing", "pydantic"}
NEVER_FOR_LIST = NEVER_FOR_HELP - {"pydantic"}  # typer checks arguments with it


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app.app, [str(argument) for argument in arguments])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "photoarc", *map(str, arguments)]


def start(*arguments: object, cwd: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments), cwd=cwd, env=_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"some text " * 50)
    (folder / "b.bin").write_bytes(os.urandom(2000))
    return folder


def test_pack_list_test_info_unpack(photos: Path, tmp_path: Path) -> None:
    packed = run("pack", "photos", "out.pha")
    assert packed.exit_code == 0, packed.output
    assert "packed 2 files, 1 folder into out.pha" in packed.stdout
    assert "2 files kept bit-exact" in packed.stdout
    listed = run("list", "out.pha").stdout
    assert "photos/b.bin" in listed
    assert "2 files, 2.50 kB ->" in listed
    assert run("list", "out.pha", "-q", "*.txt").stdout == "photos/a.txt\n"
    assert "out.pha is sound: 3 of 3 members" in run("test", "out.pha").stdout
    assert "every file comes back bit for bit" in run("info", "out.pha").stdout
    unpacked = run("unpack", "out.pha")
    assert "unpacked 2 files, 1 folder, 2.50 kB, into out" in unpacked.stdout
    assert (tmp_path / "out/photos/a.txt").read_bytes() == (photos / "a.txt").read_bytes()
    again = run("unpack", "out.pha", "out")
    assert again.exit_code == 0
    assert "unpacked 0 files, 1 folder, 0 B, into out\n  2 members there already, not written again" in again.stdout
    (tmp_path / "out/photos/a.txt").write_bytes(b"my own text")
    again = run("unpack", "out.pha", "out")
    assert again.exit_code == 1
    assert "photos/a.txt: exists already" in again.stderr
    assert run("unpack", "out.pha", "out", "-f", "-q").output == ""


def test_patterns_in_any_case(photos: Path, tmp_path: Path) -> None:
    (photos / "IMG.JPG").write_bytes(b"picture")
    assert run("pack", "photos", "out.pha", "-j", "0").exit_code == 0
    assert run("list", "out.pha", "*.jpg").exit_code == 2
    assert run("list", "out.pha", "-q", "--ignore-case", "*.jpg").stdout == "photos/IMG.JPG\n"
    assert run("unpack", "out.pha", "to", "--only", "*.jpg", "--ignore-case", "-j", "0").exit_code == 0
    assert (tmp_path / "to/photos/IMG.JPG").read_bytes() == b"picture"
    assert "IMG.JPG" not in run("pack", "--dry-run", "--exclude", "*.jpg", "--ignore-case", "photos", "b.pha").stdout
    assert run("verify", "out.pha", "--against", "to", "--exclude", "*.jpg", "--ignore-case").exit_code == 1


def test_json_is_one_document(photos: Path) -> None:
    packed = json.loads(run("pack", "photos", "out.pha", "--json").stdout)
    assert (packed["files"], packed["failures"], packed["photographs"]["files"]) == (2, [], 0)
    listed = json.loads(run("list", "out.pha", "--json").stdout)
    assert [member["name"] for member in listed["members"]] == ["photos", "photos/a.txt", "photos/b.bin"]
    assert listed["members"][1]["size_bytes"] == 500
    assert json.loads(run("test", "out.pha", "--json").stdout)["sound"] == 3
    assert json.loads(run("info", "out.pha", "--json").stdout)["format_version"] == "1.0"
    assert json.loads(run("unpack", "out.pha", "--json").stdout)["destination"] == "out"
    failed = run("list", "photos/a.txt", "--json")
    assert failed.exit_code == 2
    assert "not a photoarc archive" in json.loads(failed.stdout)["error"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    write(tmp_path / "x.pha", [(stored(b"\xff\n.jpg", b"x"), b"x"), (stored("é.jpg".encode(), b"x"), b"x")])
    members = json.loads(run("list", tmp_path / "x.pha", "--json").stdout)["members"]
    assert members[0]["name"] == "é.jpg"  # sorted by the bytes of the names, whatever the order in the archive
    assert "name_hex" not in members[0]
    assert members[1]["name"] == "\\xff\\n.jpg"
    assert bytes.fromhex(members[1]["name_hex"]) == b"\xff\n.jpg"
    assert run("list", "-q", tmp_path / "x.pha").stdout == "é.jpg\n\\xff\\n.jpg\n"


@pytest.mark.parametrize(("arguments", "tuning"), [([], Tuning.SSIM), (["--tune", "psnr"], Tuning.PSNR)])
def test_tune_is_passed_on(photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], tuning: Tuning) -> None:
    asked = []
    pack = packing.pack
    monkeypatch.setattr(packing, "pack", lambda *given, **more: (asked.append(given[2].coding.tuning), pack(*given, **more))[1])
    assert run("pack", "photos", "out.pha", *arguments).exit_code == 0
    assert asked == [tuning]


def test_dry_run_writes_nothing(photos: Path, tmp_path: Path) -> None:
    (photos / ".cache").mkdir()
    (tmp_path / "patterns").write_text("# caches\n.cache/\n")
    shown = run("pack", "photos", "out.pha", "--dry-run", "--exclude", "*.bin", "--exclude-from", "patterns")
    assert shown.exit_code == 0, shown.output
    assert "photos/a.txt" in shown.stdout
    assert "b.bin" not in shown.stdout
    assert ".cache" not in shown.stdout
    assert "would pack 1 file, 1 folder, 500 B; nothing was written" in shown.stdout
    planned = json.loads(run("pack", "photos", "out.pha", "--dry-run", "--json").stdout)
    assert [member["name"] for member in planned["members"]] == ["photos", "photos/.cache", "photos/a.txt", "photos/b.bin"]
    assert not (tmp_path / "out.pha").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pack", "photos"], "only photos is named; the archive to write comes last: photoarc pack photos photos.pha"),
        (["pack"], "Missing argument 'SRC... ARCHIVE'"),
        (["pack", "photos", "out.pha", "--quality", "high"], "'high' is not a number from 0 to 100"),
        (["pack", "photos", "out.pha", "--quality", "nan"], "'nan' is not a number from 0 to 100"),
        (["pack", "photos", "out.pha", "--effort", "2.5"], "'2.5' is not a whole number from 0 to 9"),
        (["test", "good.pha", "-j", "all"], "'all' is not a whole number of 0 or more"),
        (["pack", "missing", "out.pha"], "missing: cannot be read"),
        (["pack", "photos", "photos"], "comes last"),
        (["pack", "photos", "taken.pha"], "exists already"),
        (["pack", "photos", "out.pha", "--quality", "101"], "--quality"),
        (["pack", "photos", "out.pha", "--mode", "best"], "--mode"),
        (["pack", "photos", "out.pha", "--min-gain", "100"], "--min-gain"),
        (["pack", "photos", "out.pha", "--min-gain", "0", "--mode", "lossless"], "--min-gain is about lossy photographs"),
        (["pack", "photos", "out.pha", "-j", "-1"], "--jobs"),
        (["pack", "photos", "out.pha", "--exclude-from", "nowhere"], "nowhere: cannot read the patterns"),
        (["unpack", "taken.pha"], "not a photoarc archive"),
        (["unpack", "missing.pha"], "missing.pha: cannot open"),
        (["test", "photos"], "photos: an archive is a regular file"),
        (["list", "good.pha", "*.png"], "no member matches '*.png'"),
        (["info", "missing.pha"], "cannot open"),
        (["unpack", "good.pha", "taken.pha"], "taken.pha: is a file"),
        (["frobnicate"], "No such command"),
    ],
)
def test_requests_that_cannot_be_carried_out_exit_2(photos: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "taken.pha").write_bytes(b"precious")
    write(tmp_path / "good.pha", [(stored(b"x", b"x"), b"x")])
    before = sorted(tmp_path.iterdir())
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.pha").read_bytes() == b"precious"


def test_a_failed_member_exits_1_with_its_reason(photos: Path) -> None:
    os.mkfifo(photos / "pipe")
    packed = run("pack", "photos", "out.pha")
    assert packed.exit_code == 1
    assert "1 member could not be packed:\n  photos/pipe: is a FIFO" in packed.stderr
    assert json.loads(run("list", "out.pha", "--json").stdout)["members"][1]["name"] == "photos/a.txt"


def test_a_damaged_index_exits_1_and_lists_what_is_there(photos: Path, tmp_path: Path) -> None:
    run("pack", "photos", "out.pha")
    archive = tmp_path / "out.pha"
    archive.write_bytes(archive.read_bytes()[:-10])
    for arguments in (["list", "-q", "out.pha"], ["test", "out.pha"], ["info", "out.pha"], ["unpack", "out.pha"]):
        result = run(*arguments)
        assert result.exit_code == 1, arguments
        assert "warning: out.pha: the archive has no footer" in result.stderr
    assert run("list", "-q", "out.pha").stdout.split() == ["photos", "photos/a.txt", "photos/b.bin"]


def test_internal_errors_are_one_line(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("photoarc.jobs.pack.pack", broken)
    result = run("pack", "photos", "out.pha")
    assert result.exit_code == 2
    assert result.stderr == "photoarc: internal error: ZeroDivisionError: oops; PHOTOARC_DEBUG=1 tells more\n"
    monkeypatch.setenv("PHOTOARC_DEBUG", "1")
    assert isinstance(run("pack", "photos", "out.pha").exception, ZeroDivisionError)


def test_what_is_loaded(photos: Path, tmp_path: Path) -> None:
    run("pack", "photos", "out.pha")
    names = "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    program = f"import sys, photoarc.__main__ as m\ntry: m.main()\nfinally: {names}"
    for arguments, never in (
        (["--help"], NEVER_FOR_HELP),
        (["bench", "--help"], NEVER_FOR_HELP),
        (["list", "out.pha"], NEVER_FOR_LIST),
        (["info", "out.pha"], NEVER_FOR_LIST),
    ):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, env=_environment())
        assert done.stdout
        assert not never & set(done.stderr.split()), arguments


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_version() -> None:
    assert run("--version").stdout == f"photoarc {photoarc.__version__}\n"


@pytest.fixture
def slow_job(photos: Path) -> Path:
    """A folder that takes two workers many seconds: noise of six bits a byte, which LZMA compresses at 2 MB/s."""
    for number in range(24):
        (photos / f"{number:02d}.dat").write_bytes(base64.b64encode(os.urandom(3 << 19)))
    return photos


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_pack_leaves_no_archive_and_no_process(slow_job: Path, tmp_path: Path, number: signal.Signals) -> None:
    job = start("pack", "photos", "out.pha", "-j", "2", cwd=tmp_path, start_new_session=True)
    wait_for(lambda: any(path.stat().st_size > 1000 for path in tmp_path.glob("out.pha.partial-*")))
    wait_for(lambda: len(children(job.pid)) >= 2)  # on busy cores the first worker writes before the second one is there
    workers = children(job.pid)
    if number == signal.SIGINT:
        os.killpg(job.pid, number)  # as the terminal does: to everybody
    else:
        os.kill(job.pid, number)
    _, errors = job.communicate(timeout=30)
    wait_for(lambda: not any(running(pid) for pid in workers))
    assert not (tmp_path / "out.pha").exists()
    if number == signal.SIGKILL:
        assert job.returncode == -signal.SIGKILL  # its partial file stays, under a name that says so
    else:
        assert (job.returncode, errors) == (
            130,
            "photoarc: interrupted, no archive was written; the same command goes on with what was packed, if that was much\n",
        )
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(("more", "said"), [((), ""), (("--delete-after-verify", "--yes"), ", some files may be deleted already")])
def test_an_interrupt_after_packing_does_not_deny_the_archive(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], said: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    archive = tmp_path / "out.pha"
    monkeypatch.setattr("photoarc.cli.pack.pack_lines", interrupted)
    result = CliRunner().invoke(app.app, ["pack", str(photos), str(archive), *more])
    assert (result.exit_code, result.stderr) == (130, f"photoarc: interrupted; {archive} is complete{said}\n")
    with photoarc.open(archive) as packed:
        assert packed.names()


def test_a_full_disk_ends_with_a_sentence(photos: Path, tmp_path: Path) -> None:
    (photos / "big.bin").write_bytes(os.urandom(3_000_000))

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails with EFBIG instead, as it would with ENOSPC
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    job = start("pack", "photos", "out.pha", cwd=tmp_path, preexec_fn=limit)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 2
    assert errors.startswith("photoarc: out.pha: cannot write the archive: File too large")
    assert len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_nobody_reads(photos: Path, tmp_path: Path) -> None:
    run("pack", "photos", "out.pha")
    shell = f"{' '.join(command('list', 'out.pha'))} | true"
    done = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=_environment())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_progress_on_a_terminal(photos: Path, tmp_path: Path, encoding: str) -> None:
    screen, terminal = os.openpty()
    environment = _environment() | {"PYTHONIOENCODING": encoding, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        command("pack", "photos", "out.pha"), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=terminal, check=True
    )
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert done.stdout.startswith(b"packed 2 files")
    assert "packing" in shown
    assert "2/2 files" in shown
    assert shown.isascii() == (encoding == "ascii")
