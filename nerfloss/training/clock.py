"""Training clock: the position of a step on the schedules, and the end of the run."""

from dataclasses import dataclass

from nerfloss.training.budget import Budget
from nerfloss.training.timer import Timer


@dataclass(frozen=True)
class Schedule:
    """Position on the schedules: the scheduled ``step``, and ``progress`` in [0, 1].

    Both are quantities that loss terms may take.
    """

    step: int
    progress: float


class Clock:
    """Combine a budget with the timer that measures it."""

    def __init__(self, budget: Budget, timer: Timer) -> None:
        self.budget, self.timer = budget, timer

    @property
    def seconds(self) -> float:
        """Return the training time so far by the budget's clock; previews do not count."""
        return self.timer.read(self.budget.clock)

    def schedule(self, step: int) -> Schedule:
        """Return the position of a step, counted from 0, on the schedules."""
        seconds = self.seconds
        return Schedule(
            self.budget.scheduled_step(step, seconds), self.budget.progress(step, seconds)
        )

    def finished(self, step: int) -> bool:
        """Return True if the budget is spent after ``step`` steps."""
        return self.budget.spent(step, self.seconds)

    def synchronize(self, stop: str | None) -> str | None:
        """Return the reason to stop now, or None. Several processes agree on time and reason."""
        return stop
