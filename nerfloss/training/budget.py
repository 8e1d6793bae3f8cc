"""Length of a run in steps or seconds, and the position of a step on its schedules."""

from dataclasses import dataclass

from nerfloss.training.timer import CLOCKS


@dataclass(frozen=True)
class Budget:
    """A run of ``max_steps``, or of ``max_seconds`` measured by ``clock`` where that is set.

    All schedules (learning rates, loss terms, annealing, levels) read the *scheduled* step. It is
    the step itself unless the budget is in seconds. Then ``max_steps`` are stretched over the
    seconds, so that decay and annealing end together with the run whatever the speed of the
    machine.
    """

    max_steps: int
    max_seconds: float | int | None = None
    clock: str = "wall"

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"trainer.max_steps must be at least 1, got {self.max_steps}")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"trainer.max_seconds must be positive, got {self.max_seconds}")
        if self.clock not in CLOCKS:
            raise ValueError(
                f"trainer.clock={self.clock!r} is no clock: use wall (elapsed time) or cpu (CPU "
                "time of all threads of the process)"
            )

    def progress(self, step: int, seconds: float | int) -> float:
        """Return the fraction of the budget that is spent, in [0, 1]."""
        spent = step / self.max_steps if self.max_seconds is None else seconds / self.max_seconds
        return min(spent, 1.0)

    def scheduled_step(self, step: int, seconds: float | int) -> int:
        """Return the step that schedules read, in [0, max_steps]."""
        if self.max_seconds is None:
            return step
        return int(self.progress(step, seconds) * self.max_steps)

    def spent(self, step: int, seconds: float | int) -> bool:
        """Return True once the run is over."""
        return self.progress(step, seconds) >= 1.0
