"""What a run has spent so far: seconds of the wall's clock, and seconds of the CPU."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

# cpu: of all threads of this process together, whatever else the machine is busy with.
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.monotonic, "cpu": time.process_time}


class Timer:
    """Counts by every clock at once, while it runs and is not paused."""

    def __init__(self, clocks: Mapping[str, Callable[[], float]] = CLOCKS) -> None:
        self._clocks = clocks
        self._spent = dict.fromkeys(clocks, 0.0)
        self._began: dict[str, float] | None = None

    def read(self, clock: str) -> float:
        """Seconds counted so far by ``clock``: wall or cpu."""
        running = 0.0 if self._began is None else self._clocks[clock]() - self._began[clock]
        return self._spent[clock] + running

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what the ``with`` block takes, also where it fails."""
        self._start()
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what the ``with`` block takes; nothing changes where nothing is counted."""
        was_running = self._began is not None
        self._stop()
        try:
            yield
        finally:
            if was_running:
                self._start()

    def state_dict(self) -> dict[str, float]:
        return {clock: self.read(clock) for clock in self._clocks}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self._spent = {clock: state[clock] for clock in self._clocks}

    def _start(self) -> None:
        self._began = {clock: now() for clock, now in self._clocks.items()}

    def _stop(self) -> None:
        self._spent, self._began = self.state_dict(), None
