"""A watchdog: it looks at a run now and then, and says when and how the run is stuck."""

import logging
from collections.abc import Mapping
from typing import Any

from nerfloss.training.failure_modes import STALLED, Signs, Verdict, diagnose
from nerfloss.training.health_metrics import vital_signs

log = logging.getLogger(__name__)

# The share of the budget after which rates are so low that a steady error is no news.
LATE = 0.7


class StuckRun(RuntimeError):
    """A run that learns nothing any more, where the watchdog is told to stop it."""


class Watchdog:
    """Look every ``every`` steps at what a step has made; nothing is evaluated for it.

    A verdict is on the mean of the last ``patience`` looks, and none is given in the ``after``
    steps that follow the first. That a run has stalled shows in the last ``long`` looks: the error
    of the second half of them is that of the first; towards its end a run may stand still. Each
    cause is logged once, with what was seen and what to do; with ``stop`` the first ends the run
    as a StuckRun.

    ``cause`` is what holds the run now, or None, and ``seen`` what was said of each cause so far.
    """

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
        self._began: int | None = None
        self._signs: list[Signs] = []

    def look(self, step: int, progress: float, quantities: Mapping[str, Any]) -> None:
        """Judge the run after ``step`` steps, where it is time to. Raises StuckRun if told to."""
        if step % self.every:
            return
        self._began = step if self._began is None else self._began
        self._signs = [*self._signs, vital_signs(quantities)][-self.stall_window :]
        if step < self._began + self.grace_steps or len(self._signs) < self.window:
            return
        verdict = self._verdict(progress)
        if verdict is None and self.cause is not None:
            log.info("step %d: no longer stuck (%s)", step, self.cause)
        self.cause = verdict and verdict.cause
        if verdict is not None and verdict.cause not in self.seen:
            self._tell(verdict, step)

    def state_dict(self) -> dict[str, Any]:
        looked = {"began": self._began, "signs": self._signs}
        return {"cause": self.cause, "seen": self.seen, **looked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.cause, self.seen = state["cause"], dict(state["seen"])
        self._began, self._signs = state["began"], list(state["signs"])

    def _verdict(self, progress: float) -> Verdict | None:
        held = self.cause == STALLED
        expected = held or progress < LATE
        stretch = self._signs if expected and len(self._signs) == self.stall_window else []
        # Chance alone moves the error by some percent: what has stalled must fall clearly.
        return diagnose(self._signs[-self.window :], stretch, enough=0.2 if held else 0.05)

    def _tell(self, verdict: Verdict, step: int) -> None:
        text = f"stuck at step {step}, {verdict}"
        self.seen[verdict.cause] = text
        if self.stop:
            raise StuckRun(f"{text} (trainer.watchdog.stop=false would go on)")
        log.warning("%s", text)
