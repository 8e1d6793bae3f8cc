"""Gradient diagnostics of a run: values, gradients and health of its terms, in a CSV file."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from nerfloss.diagnostics.gradient_snapshot import GradientSnapshot, take_snapshot
from nerfloss.diagnostics.term_health import OK, Health
from nerfloss.recipe.term_gradients import AllReduce
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.loggers.best_effort import BestEffortWriter
from nerfloss.training.loggers.csv_logger import CsvLogger
from nerfloss.training.step import Step

log = logging.getLogger(__name__)
FILE = "diagnostics.csv"
TERM_COLUMNS = ("value", "weight", "share", "gradient_norm", "gradient_share")
GAP = "gap/psnr"


def columns_of(terms: Sequence[str]) -> list[str]:
    """Return the columns of diagnostics.csv after ``step``, for terms in a recipe's order."""
    return [
        *(f"{term}/{name}" for term in terms for name in TERM_COLUMNS),
        *(f"conflict/{one}/{other}" for one, other in combinations(terms, 2)),
        *(f"health/{term}" for term in terms),
        GAP,
    ]


class Diagnostics(Callback):
    """Measure the gradient of each term every ``every`` steps; `Health` has the other settings.

    A measurement takes one backward pass for each active term and does not change the run. An
    inactive term has empty cells and a weight of 0. A resumed run restores the health of its terms
    from the rows of the file.
    """

    def __init__(
        self,
        *,
        every: int = 50,
        dead: int = 3,
        vanishing: float | int = 1e-3,
        exploding: float | int = 100.0,
        window: int = 20,
    ) -> None:
        if every < 1:
            raise ValueError(f"diagnostics.every must be at least 1, got {every}")
        self.every = every
        self._new_health: Callable[[], Health] = partial(
            Health, dead=dead, vanishing=vanishing, exploding=exploding, window=window
        )
        self._new_health()  # raises ValueError for invalid settings before training
        self._health: dict[str, Health] = {}
        self._last_health: dict[str, str] = {}
        self._shared: Sequence[nn.Parameter] = ()
        self._try = BestEffortWriter(FILE)
        self._all_reduce: AllReduce | None = None

    def setup(self, context: CallbackContext) -> None:
        """Open the run's file, in the main process; numbers are also written to TensorBoard.

        With several processes all compute the gradients, and the main process writes.
        """
        group, recipe = context.process_group, context.recipe
        self._shared = recipe.shared_parameters(context.parameters)
        self._all_reduce = group.mean_gradient_rows if group.size > 1 else None
        if group.is_main:
            self._open(context)

    def _open(self, context: CallbackContext) -> None:
        terms = [name for name, term in context.recipe.terms.items() if term.weight > 0]
        curves, start = context.loggers.curves, context.start
        self._table = CsvLogger(
            context.folder / FILE, every=self.every, start=start, columns=columns_of(terms)
        )
        self._curves = () if curves is None else (curves,)
        self._health = {term: self._new_health() for term in terms}
        self._last_health = dict.fromkeys(terms, OK)
        for row in self._table.rows():
            for term in terms:
                if row[f"{term}/gradient_norm"]:
                    # Nine digits identify the float32 that was measured.
                    norm = float(np.float32(row[f"{term}/gradient_norm"]))
                    self._last_health[term] = self._health[term].classify(norm)

    def after_forward(self, trainer: TrainerState, step: Step) -> None:
        """Measure the gradients of a step that is due, before its update frees the graph."""
        number = step.index + 1
        if number % self.every == 0:
            with trainer.timer.paused():
                self._measure(number, step.report)

    def _measure(self, step: int, report: Any) -> None:
        found = take_snapshot(report, self._shared, self._all_reduce)
        if not self._health:
            return
        health = {name: self._health[name].classify(norm) for name, norm in found.norms.items()}
        self._log_changes(step, health)
        numbers = _numbers(found)
        idle = {f"{name}/weight": 0.0 for name in self._health if name not in found.norms}
        healthy = {f"health/{name}": state for name, state in health.items()}
        self._try(self._table.write, step, {**numbers, **idle, **healthy})
        as_numbers = {name: float(state == OK) for name, state in healthy.items()}
        for logger in self._curves:
            self._try(logger.write, step, {**numbers, **idle, **as_numbers})

    def after_preview(self, step: int, test_psnr: float, train_psnr: Callable[[], float]) -> None:
        """Write how much better a training view is rendered than a test view, in dB."""
        gap = train_psnr() - test_psnr
        for logger in (self._table, *self._curves):
            self._try(logger.write, step, {GAP: gap})

    def _log_changes(self, step: int, health: Mapping[str, str]) -> None:
        for name, state in health.items():
            if state != self._last_health[name]:
                level = logging.INFO if state == OK else logging.WARNING
                log.log(level, "step %d: the gradient of loss term '%s' is %s", step, name, state)
        self._last_health |= health


def _numbers(found: GradientSnapshot) -> dict[str, float]:
    """Return the numbers of a snapshot by column."""
    parts = zip(
        TERM_COLUMNS,
        (found.values, found.weights, found.shares, found.norms, found.gradient_shares),
        strict=True,
    )
    numbers = {f"{term}/{name}": value for name, part in parts for term, value in part.items()}
    pairs = {f"conflict/{one}/{other}": value for (one, other), value in found.cosines.items()}
    return {**numbers, **pairs}
