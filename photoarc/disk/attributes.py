"""What a file system knows of a file beside its name, mode, size and time: extended attributes and the time of birth.

    Linux    extended attributes `user.*`; Python's os.stat tells no birth time
    macOS    birth time; Python has no call for extended attributes
    Windows  birth time (Python 3.12)

Namespaces other than `user.` belong to the system (labels, capabilities, access lists): an archive must not plant them, so they are neither
read nor set.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from photoarc.member import Attributes

SUPPORTED = hasattr(os, "listxattr")
CAN_SET_BIRTH = hasattr(os.stat_result, "st_birthtime")  # so far as set_times says
PREFIX = b"user."
MAX_BYTES = 1 << 18  # of one file, names and values together: they stand in its record, which ends at 1 MiB
# macOS gives a birth time as float: seconds since 1970 are then exact to a quarter of a microsecond.
_BIRTH_PRECISION_NS = 1000
EXTENDED, MODES, DATES, BIRTHS = "extended attributes", "modes", "dates", "times of birth"  # what `restore` may lose
DATES_DIFFER_NS = 2_000_000_000  # FAT counts in steps of two seconds
EARLIEST_NS, LATEST_NS = -(1 << 63), (1 << 63) - 1  # 1677 and 2262: what a file record can hold; some file systems go beyond
_NONE = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def read(what: int | bytes) -> Attributes | None:
    """Extended attributes of an open file, or of a path, by name; None if they cannot be read or are too large to be kept."""
    if sys.platform != "linux":
        return ()
    follow = isinstance(what, int)
    try:
        names = sorted(os.fsencode(name) for name in os.listxattr(what, follow_symlinks=follow))
        found = tuple((name, os.getxattr(what, name, follow_symlinks=follow)) for name in names if name.startswith(PREFIX))
    except OSError as error:
        return () if error.errno in _NONE else None
    return found if sum(len(name) + len(value) for name, value in found) <= MAX_BYTES else None


def write(what: int | bytes, attributes: Attributes) -> str:
    """Sets those that this system has a place for. Returns why not all of them are set, "" if they are."""
    why = ""
    for name, value in attributes:
        if sys.platform != "linux" or not name.startswith(PREFIX):
            why = "this system has no place for them"
            continue
        try:
            os.setxattr(what, name, value, follow_symlinks=isinstance(what, int))
        except OSError as error:
            why = error.strerror or str(error)
    return why


def differ(member: Attributes, file: Attributes | None) -> bool:
    """Whether a file has other attributes than a member, of those that this system can have; None cannot be told to be equal."""
    if not SUPPORTED:
        return False
    return file is None or tuple(each for each in member if each[0].startswith(PREFIX)) != file


def mtime_ns(info: os.stat_result) -> int:
    """Time of modification in nanoseconds since 1970; one of the ends if a record cannot hold it."""
    return min(max(info.st_mtime_ns, EARLIEST_NS), LATEST_NS)


def birth_ns(info: os.stat_result) -> int | None:
    """When the file was made, in nanoseconds since 1970; None where the system does not tell."""
    exact: int | None = getattr(info, "st_birthtime_ns", None)
    seconds: float | None = getattr(info, "st_birthtime", None)
    if exact is None and seconds is not None and abs(seconds) < 1 << 33:
        exact = round(seconds * 1e9)
    return exact if exact is None or EARLIEST_NS <= exact <= LATEST_NS else None


class Lost:
    """What could not be restored of some members: how many, the first of them (printable), and why."""

    def __init__(self) -> None:
        self.count, self.first, self.why = 0, "", ""

    def add(self, name: str, why: str) -> None:
        """One more."""
        if not self.count:
            self.first, self.why = name, why
        self.count += 1


def restore(what: int | bytes, mode: int, mtime_ns: int, born_ns: int | None, extended: Attributes) -> dict[str, str]:
    """Sets everything, as far as the file system lets us, and looks whether it is there. Returns what is not, and why; raises nothing.

    Extended attributes come first, which a mode may forbid to set, times last.
    """
    lost = {}
    if why := write(what, extended):
        lost[EXTENDED] = why
    try:
        if stat.S_IMODE(os.stat(what).st_mode) != mode:
            os.chmod(what, mode)
    except OSError as error:
        lost[MODES] = error.strerror or str(error)
    try:
        if not set_times(what, mtime_ns, born_ns):
            lost[BIRTHS] = "this system has no call for that"
    except OSError as error:
        lost[DATES] = error.strerror or str(error)
    except OverflowError:
        lost[DATES] = "beyond what this system can store"
    try:
        found = os.stat(what)
    except OSError:
        return lost
    if sys.platform != "win32" and stat.S_IMODE(found.st_mode) & 0o777 != mode:
        lost.setdefault(MODES, "this file system has no place for them")
    if abs(found.st_mtime_ns - mtime_ns) > DATES_DIFFER_NS:
        lost.setdefault(DATES, "this file system has no place for them")
    return lost


def date_link(name: bytes, dir_fd: int | None, mtime_ns: int) -> dict[str, str]:
    """Sets the time of a symbolic link itself, where the system can. Returns what is lost, and why."""
    if os.utime in os.supports_follow_symlinks:
        try:
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=dir_fd, follow_symlinks=False)
        except (OSError, OverflowError) as error:
            return {DATES: getattr(error, "strerror", None) or "beyond what this system can store"}
    return {}


def set_times(what: int | bytes, mtime_ns: int, born_ns: int | None) -> bool:
    """Sets time of modification and, if possible, of birth; whether the latter is as wanted. Raises OSError, OverflowError.

    BSD and macOS move a birth time back to a modification time that is set before it, and never forward.
    """
    if born_ns is not None and born_ns < mtime_ns and CAN_SET_BIRTH:
        os.utime(what, ns=(born_ns, born_ns))
    os.utime(what, ns=(mtime_ns, mtime_ns))
    if born_ns is None:
        return True
    now_ns = birth_ns(os.stat(what))
    return now_ns is not None and abs(now_ns - born_ns) <= _BIRTH_PRECISION_NS
