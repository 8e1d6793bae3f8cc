"""Log the metrics of training steps."""

from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.step import Step
from nerfloss.training.step_metrics import step_metrics


class MetricsLogging(Callback):
    """Write the metrics of a step to every logger that is due, and of the last step to all."""

    def __init__(self) -> None:
        self._last: Step | None = None

    def setup(self, context: CallbackContext) -> None:
        self._loggers = context.loggers

    def after_step(self, trainer: TrainerState, step: Step) -> None:
        self._last = step
        if self._loggers.due(trainer.step):
            trainer.flush()
            self._loggers.write(trainer.step, _metrics(trainer, step))

    def after_training(self, trainer: TrainerState, *, interrupted: bool) -> None:
        if self._last is not None and not interrupted:
            trainer.flush()
            self._loggers.write_all(trainer.step, _metrics(trainer, self._last))


def _metrics(trainer: TrainerState, step: Step) -> dict[str, float]:
    """Return everything that is logged of a step; reading it waits for the device."""
    seconds = trainer.timer.state_dict()
    training_seconds = max(seconds["wall"] - trainer.start_seconds, 1e-9)
    metrics = step_metrics(step)
    for callback in trainer.callbacks:
        metrics |= callback.metrics()
    constants = trainer.model.field.constants()
    return {
        **metrics,
        **{name: float(value.detach()) for name, value in constants.items()},
        "rays_per_second": trainer.rays_seen / training_seconds,
        **{f"{clock}_seconds": value for clock, value in seconds.items()},
    }
