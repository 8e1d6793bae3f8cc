"""The warning that a training made no step."""

import logging

from nerfloss.training.budget import Budget

log = logging.getLogger(__name__)


def warn_of_no_step(step: int, budget: Budget) -> None:
    """Log why a run whose next step is ``step`` made none, and what to change."""
    if step == 0:
        log.warning(
            "no training step was made: the initialization took all of trainer.max_seconds, "
            "what follows is the initial state; raise it, or set initialization=sphere"
        )
    elif budget.max_seconds is not None:
        log.warning(
            "no training step was made: the run has had its %g s; raise trainer.max_seconds",
            budget.max_seconds,
        )
    else:
        log.warning(
            "no training step was made: the run has had %d of %d steps; raise trainer.max_steps",
            step,
            budget.max_steps,
        )
