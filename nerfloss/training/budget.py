"""How long a run lasts, in steps or in seconds, and where on its schedules a step is."""

from dataclasses import dataclass

from nerfloss.training.timer import CLOCKS


@dataclass(frozen=True)
class Budget:
    """A run of ``max_steps``, or of ``max_seconds`` by ``clock`` (wall or cpu) where that is set.

    Every schedule (learning rates, loss terms, annealing, levels) reads the *scheduled* step. It is
    the step itself, unless a budget of seconds stretches the ``max_steps`` over them: then decay
    and annealing end when the time does, however fast the machine is.
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
                f"trainer.clock={self.clock!r} is no clock: use wall (what a watch shows) or cpu "
                "(what all threads of the process together have used)"
            )

    def progress(self, step: int, seconds: float | int) -> float:
        """Share of the budget that is spent, in [0, 1]."""
        spent = step / self.max_steps if self.max_seconds is None else seconds / self.max_seconds
        return min(spent, 1.0)

    def scheduled_step(self, step: int, seconds: float | int) -> int:
        """The step that schedules read, in [0, max_steps]."""
        if self.max_seconds is None:
            return step
        return int(self.progress(step, seconds) * self.max_steps)

    def spent(self, step: int, seconds: float | int) -> bool:
        """Whether the run is over."""
        return self.progress(step, seconds) >= 1.0
