"""One command as a whole process: wall seconds, exit code, and the memory of it and its children."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc.jobs import spawning

_SAMPLE_S = 0.02  # a look at ten processes takes 0.5 ms


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a process; `message` is the last line of stderr of one that failed.

    `peak_bytes` counts its children too on Linux, where what a process took in its last 20 ms is missed; on macOS it is that of the
    largest process; None where the system does not tell.
    """

    seconds: float
    code: int
    peak_bytes: int | None
    message: str


def run(command: Sequence[str], folder: Path, errors_path: Path) -> Finished:
    """Run a command in a folder; its output is dropped, its stderr goes to a file. Its environment is photoarc.jobs.spawning's.

    Raises OSError if it cannot be started.
    """
    filled = [spawning.program(command[0]) or command[0], *command[1:]]
    with errors_path.open("w+b") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            filled, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=spawning.environment()
        )
        sampler = _Sampler(process.pid)
        sampler.start()
        try:
            largest = _wait(process)
            seconds = time.monotonic() - started
        except BaseException:
            process.terminate()  # interrupted: photoarc's own workers end with it
            process.wait()
            raise
        finally:
            sampler.stopped.set()
            sampler.join()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    peak = sampler.peak_bytes or largest
    return Finished(seconds, process.returncode, peak or None, lines[-1] if lines and process.returncode else "")


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """Waits; on macOS, says what the largest process of the family held at its peak.

    Linux counts what the parent held before exec into ru_maxrss (`true` "takes" 507 MB if the bench holds that), so it is not asked.
    """
    if sys.platform != "darwin":
        process.wait()
        return None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return int(usage.ru_maxrss)


class _Sampler(threading.Thread):
    """Sums up the memory of a process and all its children, fifty times a second; shared pages count once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_bytes = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Until stopped; at once where the system does not tell."""
        if not Path("/proc/self/statm").exists():
            return
        while True:
            self.peak_bytes = max(self.peak_bytes, _family_bytes(self.pid))
            if self.stopped.wait(_SAMPLE_S):
                return


def _family_bytes(pid: int) -> int:
    """What the process and its children hold now, or the highest that one of them ever held: what came between two looks."""
    own = shared = highest = 0
    todo = [pid]
    while todo:
        proc = Path("/proc") / str(todo.pop())
        try:
            resident, of_files = (int(field) for field in (proc / "statm").read_text().split()[1:3])
            highest = max(highest, _high_water_bytes(proc))
            todo += [int(child) for task in (proc / "task").iterdir() for child in (task / "children").read_text().split()]
        except (OSError, ValueError):  # it has just ended
            continue
        own += resident - of_files
        shared = max(shared, of_files)
    return max((own + shared) * os.sysconf("SC_PAGE_SIZE"), highest)


def _high_water_bytes(proc: Path) -> int:
    lines = (proc / "status").read_text(errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
