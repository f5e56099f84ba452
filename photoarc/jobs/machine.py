"""What this machine, or the container that the process runs in, lets it have: cores and memory.

Containers are control groups (Linux): each group on the way up from this process may set a limit, and the smallest counts.
Source: the kernel's Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.high, cpu.max) and cgroup-v1.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from photoarc.errors import UsageError

LEAST_ADDRESS_BYTES = 4 << 30  # ONNX Runtime alone maps about one
_SHARE = 0.75  # of the memory that there is: the rest is for others and for the system's cache of files
_UNKNOWN_BYTES = 8 << 30
_SIZE = re.compile(r"(\d+(?:\.\d*)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use, which may be fewer than the machine has: its affinity, and the quota of its container."""
    if sys.version_info >= (3, 13):
        cores = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0)) or 1
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(round(quota) for quota in _quotas(root))]))


def memory_bytes(root: Path = Path("/")) -> int:
    """Memory that this machine or container has; 0 where the system does not say."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        there = 0
    limits = [limit for limit in _limits(root) if limit > 0]
    return min([there, *limits]) if there else min(limits, default=0)


def budget_bytes(asked: int | None = None) -> int:
    """What a job may take, all processes together: what was asked for, or a share of what there is."""
    return asked or int(_SHARE * (memory_bytes() or _UNKNOWN_BYTES))


def address_limit_bytes() -> int:
    """Address space of a worker: as much as the machine has memory, 0 where the system does not say."""
    there = memory_bytes()
    return max(there, LEAST_ADDRESS_BYTES) if there else 0


def size(text: str | None) -> int | None:
    """Bytes that `1G`, `512M`, `1.5GiB` or a plain number mean; None for None. Raises UsageError."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    size_bytes = float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2].lower() or " ") if found else 0
    if size_bytes < 1:
        raise UsageError(f"{text!r} is no size; say for example 2G, 512M or 1.5GiB")
    return int(size_bytes)


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """(controllers, folder) of each control group of this process, and of those above it; "" are those of version 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        below = [part for part in path.split("/") if part not in ("", "..")]
        names = [""] if not controllers else [controllers, *controllers.split(",")]
        for mount in {root / "sys/fs/cgroup" / name for name in names} | ({root / "sys/fs/cgroup/unified"} if not controllers else set()):
            for depth in range(len(below), -1, -1):
                yield controllers, mount.joinpath(*below[:depth])


def _limits(root: Path) -> Iterator[int]:
    for controllers, folder in _groups(root):
        if not controllers or "memory" in controllers.split(","):
            for name in ("memory.max", "memory.high") if not controllers else ("memory.limit_in_bytes",):
                yield _number(folder / name)


def _quotas(root: Path) -> Iterator[float]:
    """In cores."""
    for controllers, folder in _groups(root):
        if not controllers:
            quota, _, period = _text(folder / "cpu.max").partition(" ")
        elif "cpu" in controllers.split(","):
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        else:
            continue
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield max(int(quota) / int(period), 1)


def _number(path: Path) -> int:
    """0: no limit, or no such file."""
    text = _text(path)
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
