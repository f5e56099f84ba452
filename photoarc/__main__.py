"""`python -m photoarc`, and the entry point of the command: light, because spawned workers import it again."""

import os
import sys

from photoarc.safe_path import leave_current_folder

# NumPy's OpenBLAS starts a thread a core in every process, which costs 60 ms of CPU time and is never used here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Runs the command line; a Ctrl-C while it is still being imported ends quietly, too."""
    leave_current_folder()
    try:
        from photoarc.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
