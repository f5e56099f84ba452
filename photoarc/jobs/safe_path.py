"""Keeps modules that lie in the current folder from being imported by a command. Imported before anything else: os and sys only.

`python -m photoarc` puts the current folder first on sys.path, and so does an empty entry of PYTHONPATH: a `types.py` beside
somebody's photographs would be executed. (What Python imports before photoarc is out of reach here; the installed command, and
`python -P -m photoarc`, do not look there at all.)
"""

import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # where `import photoarc` leads


def leave_current_folder() -> None:
    """Takes the current folder off sys.path where Python put it by itself, unless Python or photoarc lives there."""
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    path = sys.path[:]
    if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and path[:1] == [here]:
        del path[0]
    given = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    if given and any(is_current(entry) for entry in given.split(os.pathsep)):
        path = [entry for entry in path if entry != here]
    if here in sys.path and here not in path and here == os.path.dirname(os.__file__):
        path.append(here)
    sys.path[:] = with_home([entry for entry in path if not is_current(entry)])


def with_home(path: list[str]) -> list[str]:
    """The path with this photoarc on it, as far behind as another photoarc lets it be: a checkout that is run in its root."""
    if HOME in path:
        return path
    at = next((at for at, entry in enumerate(path) if os.path.isdir(os.path.join(entry, "photoarc"))), len(path))
    return [*path[:at], HOME, *path[at:]]


def is_current(entry: str) -> bool:
    """Whether an entry of a path stands for the current folder, whichever that is."""
    return os.path.normpath(entry) == os.curdir
