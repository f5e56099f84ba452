"""Progress on a terminal; the only importer of rich."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from photoarc.cli.text import speed
from photoarc.progress import Progress

NARROW, LEAST_NAME = 70, 12
SHORT_BAR, LONG_BAR = 8, 20


class Bar:
    """A bar on stderr that follows a job and vanishes when it ends; a context manager whose `update` is the job's callback.

    Percent and time stay on every terminal. What has no room is left out: first the name, then speed, files, and time so far.
    """

    def __init__(self, verb: str) -> None:
        console = Console(stderr=True)
        bar_width = SHORT_BAR if console.width < NARROW else LONG_BAR
        self.started = self.told = time.monotonic()
        self.now = Progress(files_done=0, files_total=0, bytes_done=0, bytes_total=0)
        room = len(verb) + bar_width + 4  # with a turning sign of life before them
        self.rich = RichProgress(
            SpinnerColumn("line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=bar_width),
            _Words(lambda: self.words(console.width - room)),
            console=console,
            transient=True,
        )
        self.task = self.rich.add_task(verb, total=None)

    def __enter__(self) -> Bar:
        with suppress(OSError):  # the terminal is gone: work goes on
            self.rich.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self.rich.stop()

    def update(self, now: Progress) -> None:
        """Shows how far the job is; cheap, as the screen is refreshed by rich's own clock."""
        self.now, self.told = now, time.monotonic()
        self.rich.update(self.task, total=1.0, completed=now.share)

    def words(self, width: int) -> str:
        """Everything but the bar, in so many columns; time goes on between two updates."""
        now, at = self.now, time.monotonic()
        left_s = None if now.left_s is None else max(now.left_s - (at - self.told), 0)
        return line(now, at - self.started, left_s, width)


class _Words(ProgressColumn):
    """A column of text that is made anew at every refresh."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__()
        self.words = words

    def render(self, task: Task) -> Text:
        """Called by rich."""
        return Text(self.words(), no_wrap=True, overflow="crop")


def line(now: Progress, passed_s: float, left_s: float | None, width: int) -> str:
    """`42% 0:05:11 left  0:01:20  12/40 files  3.20 MB/s  a.jpg`, as much of it as `width` columns hold."""
    parts = [f"{int(100 * now.share):3d}%" + (f" {clock(left_s)} left" if left_s is not None and now.share else "")]
    speeds = f"{speed(now.bytes_done, passed_s)} {now.pixels_done / 1e6 / passed_s:.1f} MP/s" if passed_s > 1 else ""
    wanted = [clock(passed_s), f"{now.files_done:,}/{now.files_total:,} files", speeds.removesuffix(" 0.0 MP/s")]
    for part in filter(None, wanted):
        if len("  ".join([*parts, part])) > width:
            return "  ".join(parts)
        parts.append(part)
    room = width - len("  ".join(parts)) - 2
    if now.name and room >= min(LEAST_NAME, len(now.name)):
        parts.append(now.name if len(now.name) <= room else "..." + now.name[3 - room :])
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """`0:05:11`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
