"""Watchdog: detect a run that has stopped learning, and name the cause."""

import logging
from collections.abc import Mapping
from typing import Any

from nerfloss.training.callbacks.callback import Callback, TrainerState
from nerfloss.training.failure_modes import STALLED, Diagnosis, HealthMetrics, diagnose
from nerfloss.training.health_metrics import health_metrics
from nerfloss.training.step import Step

log = logging.getLogger(__name__)

# Beyond this fraction of the budget learning rates are so low that a constant error is expected.
LATE = 0.7


class StuckRun(RuntimeError):
    """A run that has stopped learning, where the watchdog is set to stop it."""


class Watchdog(Callback):
    """Check the health of a run every ``every`` steps, from quantities that the step has made.

    A diagnosis averages the last ``window`` checks. None is made in the ``grace_steps`` after the
    first check. A run is stalled where the error of the second half of the last ``stall_window``
    checks is that of the first half; this is not checked towards the end of the budget. Each cause
    is logged once, with evidence and remedy, and so is its end; with ``stop`` the first one raises
    StuckRun.

    ``cause`` is the current diagnosis or None; ``seen`` holds the message of each cause so far, and
    ``recovered`` those whose end was logged.
    """

    state_key = "watchdog"

    def __init__(
        self,
        *,
        every: int = 50,
        grace_steps: int = 200,
        window: int = 4,
        stall_window: int = 20,
        stop: bool = False,
    ) -> None:
        if min(every, window) < 1 or grace_steps < 0 or stall_window < 2 * window:
            raise ValueError(
                "trainer.watchdog needs every >= 1, window >= 1, grace_steps >= 0 and stall_window "
                f">= 2 * window, got {every}, {window}, {grace_steps} and {stall_window}"
            )
        self.every, self.grace_steps, self.stop = every, grace_steps, stop
        self.window, self.stall_window = window, stall_window
        self.cause: str | None = None
        self.seen: dict[str, str] = {}
        self.recovered: set[str] = set()
        self._first_step: int | None = None
        self._history: list[HealthMetrics] = []

    def after_step(self, trainer: TrainerState, step: Step) -> None:
        schedule = trainer.schedule
        if trainer.optimizer.warmed_up(schedule.step):
            self.check(trainer.step, schedule.progress, step.quantities)

    def check(self, step: int, progress: float, quantities: Mapping[str, Any]) -> None:
        """Check the run after ``step`` steps, if one is due. Raises StuckRun with ``stop``."""
        if step % self.every:
            return
        self._first_step = step if self._first_step is None else self._first_step
        self._history = [*self._history, health_metrics(quantities)][-self.stall_window :]
        if step < self._first_step + self.grace_steps or len(self._history) < self.window:
            return
        diagnosis = self._diagnose(progress)
        if diagnosis is None and self.cause is not None and self.cause not in self.recovered:
            log.info("step %d: no longer stuck (%s)", step, self.cause)
            self.recovered.add(self.cause)
        self.cause = diagnosis and diagnosis.cause
        if diagnosis is not None and diagnosis.cause not in self.seen:
            self._report(diagnosis, step)

    def metrics(self) -> dict[str, float]:
        return {"stuck": float(self.cause is not None)}

    def state_dict(self) -> dict[str, Any]:
        history = {"began": self._first_step, "signs": self._history}
        recovered = sorted(self.recovered)
        return {"cause": self.cause, "seen": self.seen, "recovered": recovered, **history}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.cause, self.seen = state["cause"], dict(state["seen"])
        self.recovered = set(state.get("recovered", ()))
        self._first_step, self._history = state["began"], list(state["signs"])

    def _diagnose(self, progress: float) -> Diagnosis | None:
        stalled = self.cause == STALLED
        can_stall = stalled or progress < LATE
        history = self._history if can_stall and len(self._history) == self.stall_window else []
        # The error fluctuates by some percent: a stalled run has recovered only at a clear drop.
        return diagnose(self._history[-self.window :], history, min_drop=0.2 if stalled else 0.05)

    def _report(self, diagnosis: Diagnosis, step: int) -> None:
        text = f"stuck at step {step}, {diagnosis}"
        self.seen[diagnosis.cause] = text
        if self.stop:
            raise StuckRun(f"{text} (trainer.watchdog.stop=false continues)")
        log.warning("%s", text)
