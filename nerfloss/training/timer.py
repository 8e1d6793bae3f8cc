"""Timer: training time so far, in wall-clock and in CPU seconds."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

# cpu: CPU time of all threads of this process together.
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.monotonic, "cpu": time.process_time}


class Timer:
    """Measure elapsed time by several clocks at once, while running and not paused."""

    def __init__(self, clocks: Mapping[str, Callable[[], float]] = CLOCKS) -> None:
        self._clocks = clocks
        self._elapsed = dict.fromkeys(clocks, 0.0)
        self._started: dict[str, float] | None = None

    def read(self, clock: str) -> float:
        """Return the seconds measured so far by ``clock``: wall or cpu."""
        running = 0.0 if self._started is None else self._clocks[clock]() - self._started[clock]
        return self._elapsed[clock] + running

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the ``with`` block, also if it raises."""
        self._start()
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the ``with`` block; no effect if the timer is not running."""
        was_running = self._started is not None
        self._stop()
        try:
            yield
        finally:
            if was_running:
                self._start()

    def state_dict(self) -> dict[str, float]:
        return {clock: self.read(clock) for clock in self._clocks}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self._elapsed = {clock: state[clock] for clock in self._clocks}

    def _start(self) -> None:
        self._started = {clock: now() for clock, now in self._clocks.items()}

    def _stop(self) -> None:
        self._elapsed, self._started = self.state_dict(), None
