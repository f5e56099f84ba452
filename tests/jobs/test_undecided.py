"""`test` says DAMAGED only of what is: a killed worker, short memory, a missing model or a name that is taken say nothing of the kind."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from photoarc import errors
from photoarc.cli import app
from photoarc.cli.dups import dups_names
from photoarc.cli.test import check_lines
from photoarc.jobs import coding, test, workers
from photoarc.jobs import test as testing
from photoarc.jobs.decoding import Job
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Mode, PackOptions
from photoarc.progress import failure


def killed(number: int, _: Job) -> int:
    os.kill(os.getpid(), number)
    return 0


def by_kill(job: Job) -> int:
    return killed(signal.SIGKILL, job)


def by_term(job: Job) -> int:
    return killed(signal.SIGTERM, job)


def by_fault(job: Job) -> int:
    return killed(signal.SIGSEGV, job)


def out_of_memory(_: Job) -> int:
    raise MemoryError


def without_model(_: Job) -> int:
    raise errors.ModelMissing(2, "not found")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.txt").write_text("".join(f"{number} bottles\n" for number in range(20_000)))
    pack(["long.txt"], "x.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0))
    return "x.pha"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, [*arguments])


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (by_kill, "its worker process was killed twice (SIGKILL; by the system if memory is short; try -j 1)"),
        (by_term, "its worker process was killed twice (SIGTERM; by the system if memory is short; try -j 1)"),
        (out_of_memory, "MemoryError"),
        (without_model, "model 2: not found"),
    ],
)
def test_what_says_nothing_about_the_archive(archive: str, monkeypatch: pytest.MonkeyPatch, check: Any, why: str) -> None:
    monkeypatch.setattr(testing, "check", check)
    done = run("test", archive, "-j", "1")
    assert done.exit_code == 1
    assert "DAMAGED" not in done.output
    assert "x.pha could not be checked completely: 0 of 1 member decoded and compared" in done.stdout
    assert "long.txt" in done.stderr
    assert why in done.stderr


def test_a_decoder_that_dies_of_a_member_means_damage(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "check", by_fault)
    done = run("test", archive, "-j", "1")
    assert done.exit_code == 1
    assert "x.pha is DAMAGED" in done.stdout


def test_workers_that_cannot_be_started_are_no_damage(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise errors.PhotoarcError("worker processes cannot be started; try -j 0")

    monkeypatch.setattr(workers, "_Worker", refuse)
    done = run("test", archive, "-j", "1")
    assert done.exit_code == 2
    assert "DAMAGED" not in done.output


@pytest.mark.parametrize(
    ("error", "damaged"), [(errors.CannotWrite, False), (errors.UnsupportedCodec, False), (errors.PayloadCorrupt, True)]
)
def test_a_name_that_is_taken_is_no_damage(error: type[errors.MemberError], damaged: bool) -> None:
    failures = (failure(errors.NotDecoded("a", "no memory")), failure(error("b", "why")))
    done = test.CheckSummary(archive="x.pha", members=3, sound=1, photographs=0, size_bytes=10, seconds=1.0, failures=failures, warnings=())
    assert done.damaged == damaged
    assert ("DAMAGED" in check_lines(done)[0]) == damaged


def test_coding_that_failed_ends_with_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a" * 30_000)
    assert run("pack", "a.txt", "well.pha", "-j", "0").exit_code == 0
    monkeypatch.setattr(coding.pipeline, "encode_file", lambda *_: 1 / 0)
    done = run("pack", "a.txt", "out.pha", "-j", "0")
    assert done.exit_code == 1
    assert "a.txt: coding it failed (ZeroDivisionError: division by zero); it was kept bit-exact" in done.stderr
    assert run("test", "out.pha").exit_code == 0


def test_quiet_says_names_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / name).write_text("the same" * 100)
    (tmp_path / "d").write_text("other")
    run("pack", "a", "b", "c", "d", "x.pha")
    assert run("dups", "-q", "x.pha").output.split() == ["a", "b", "c"]
    assert (run("info", "-q", "x.pha").output, run("info", "-q", "x.pha").exit_code) == ("", 0)
    against = [word for name in "abcde" for word in ("--against", name)]
    assert run("verify", "-q", "x.pha", *against[:8]).output == ""
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("changed")
    (tmp_path / "e").touch()
    done = run("verify", "-q", "x.pha", *against[2:])
    assert (done.exit_code, done.stdout) == (1, "a\nb\ne\n")


def test_exit_codes_are_in_the_help() -> None:
    text = " ".join(run("--help").stdout.split())
    assert "0 all is well; 1 something failed or differs, and is named; 2 nothing could be done; 130 interrupted" in text


def test_names_between_groups() -> None:
    assert dups_names([], []) == []
