"""`python -m photoarc`, and the entry point of the command: light, because spawned workers import it again."""

import os
import sys

from photoarc.jobs.safe_path import leave_current_folder

# NumPy's OpenBLAS starts a thread a core in every process, which costs 60 ms of CPU time and is never used here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _hold_streams() -> None:
    """Puts something harmless where a standard stream is closed: the next file would get its number, and what libraries say in it.

    What is written to a closed stdout is an error as before, what is written to a closed stderr goes nowhere.
    """
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def main() -> None:
    """Runs the command line; a Ctrl-C while it is still being imported ends quietly, too."""
    leave_current_folder()
    _hold_streams()
    try:
        from photoarc.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
