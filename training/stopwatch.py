"""Time that a schedule has spent."""

import time

PAUSED_S = 120  # a step that took longer was held by SIGSTOP or a sleeping machine


class Stopwatch:
    """Seconds of training from a checkpoint's on; minutes in which the process was stopped count for nothing."""

    def __init__(self, spent_s: float = 0.0) -> None:
        self.spent_s = spent_s
        self._before = time.monotonic()

    def step(self) -> float:
        """To be called after each step; the seconds spent so far."""
        now = time.monotonic()
        if now - self._before < PAUSED_S:
            self.spent_s += now - self._before
        self._before = now
        return self.spent_s
