"""How processes are started so that nothing of the current folder runs in them: no module of Python's, no program of others.

A new Python looks for modules in the current folder first (`python -c`, which is how workers and multiprocessing's resource tracker
start) and in every relative entry of PYTHONPATH; Windows and an empty entry of PATH look there for programs.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from photoarc.errors import PhotoarcError
from photoarc.jobs.safe_path import HOME, is_current, with_home

_ENDINGS = (".exe", ".com", "") if os.name == "nt" else ("",)
_ONE_AT_A_TIME = threading.Lock()  # environment and sys.path are those of the whole process


def absolute(value: str) -> list[str]:
    """The entries of a PATH or PYTHONPATH that mean the same whatever the current folder is."""
    return [entry for entry in value.split(os.pathsep) if os.path.isabs(entry)]


def program(name: str) -> str | None:
    """Where a program is installed; never in the current folder, where Windows looks first. None: nowhere, or it is a path already."""
    if os.path.dirname(name):
        return None
    for folder in absolute(os.environ.get("PATH", os.defpath)):
        for ending in _ENDINGS:
            if found := shutil.which(os.path.join(folder, name + ending)):
                return found
    return None


def environment() -> dict[str, str]:
    """The environment of a command that is measured: a Python child finds the package that is running."""
    value = os.environ | {"PATH": os.pathsep.join(absolute(os.environ.get("PATH", os.defpath)))}
    value |= {"NoDefaultCurrentDirectoryInExePath": "1"} if os.name == "nt" else {}  # for what tar starts
    return value | {"PYTHONPATH": os.pathsep.join([HOME, *absolute(os.environ.get("PYTHONPATH", ""))])}


@contextmanager
def safe_start() -> Iterator[None]:
    """While a worker is started by multiprocessing, which takes environment and sys.path of this process as they are.

    The main module is hidden from it, which it would run again in every worker: a caller's script without `if __name__ == "__main__"`.
    Raises PhotoarcError under `python -E`, where a child cannot be told.
    """
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        raise PhotoarcError("under python -E workers would import modules of the current folder; add -P, or use -I instead, or use -j 0")
    with _ONE_AT_A_TIME:
        before, path = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "PYTHONPATH")}, sys.path[:]
        entries = absolute(before["PYTHONPATH"] or "")
        try:
            _set("PYTHONSAFEPATH", "1")
            _set("PYTHONPATH", os.pathsep.join(entries) or None)
            sys.path[:] = with_home([entry for entry in path if not is_current(entry)])
            with _interrupts_blocked(), _no_main_module():
                yield
        finally:
            sys.path[:] = path
            for name, value in before.items():
                _set(name, value)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Puts an empty module in the place of the main one. Nothing that workers are given is defined there."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Blocks Ctrl-C while a worker starts: it inherits the mask, so a Ctrl-C in the terminal reaches only the parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which unblocks Ctrl-C when it starts its own process
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
