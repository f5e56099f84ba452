"""Progress on a terminal; the only importer of rich."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from photoarc.progress import Progress
from photoarc.report import size

WIDTH_WITHOUT_NAME = 72


class Bar:
    """A bar on stderr that follows a job and vanishes when it ends; a context manager whose `update` is the job's callback."""

    def __init__(self, verb: str) -> None:
        console = Console(stderr=True)
        self.name_width = max(console.width - WIDTH_WITHOUT_NAME - len(verb), 12)
        self.started = time.monotonic()
        self.rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[files]}", markup=False),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[name]}", markup=False),
            console=console,
            transient=True,
        )
        self.task = self.rich.add_task(verb, total=None, files="", speed="", name="")

    def __enter__(self) -> Bar:
        self.rich.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.rich.stop()

    def update(self, now: Progress) -> None:
        """Shows how far the job is; cheap, as the screen is refreshed by rich's own clock."""
        seconds = max(time.monotonic() - self.started, 1e-3)
        speed = f"{size(now.bytes_done / seconds)}/s"
        if now.pixels_done:
            speed += f" {now.pixels_done / 1e6 / seconds:.1f} MP/s"
        name = now.name if len(now.name) <= self.name_width else "..." + now.name[3 - self.name_width :]
        files = f"{now.files_done:,}/{now.files_total:,} files"
        self.rich.update(self.task, total=now.bytes_total or 1, completed=now.bytes_done, files=files, speed=speed, name=name)
