"""Interface of a training callback."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import nn

from nerfloss.training.clock import Schedule
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.optimizer import Optimizer
from nerfloss.training.prefetch import PreparedStep
from nerfloss.training.protocols import Model, Recipe
from nerfloss.training.step import Step
from nerfloss.training.timer import Timer


@dataclass(frozen=True)
class CallbackContext:
    """Objects of a run that callbacks may use; ``start`` is the first step to train, from 1.

    ``recipe`` is the loss recipe itself; with several processes the trainer uses it through an
    adapter.
    """

    folder: Path
    start: int
    recipe: Any
    parameters: Sequence[nn.Parameter]
    loggers: Loggers
    process_group: ProcessGroup


@runtime_checkable
class TrainerState(Protocol):
    """Read access to the trainer, for callbacks."""

    model: Model
    recipe: Recipe
    optimizer: Optimizer
    step: int
    rays_seen: int
    start_seconds: float

    @property
    def stop_requested(self) -> bool: ...
    @property
    def callbacks(self) -> "Sequence[Callback]": ...
    @property
    def timer(self) -> Timer: ...
    @property
    def schedule(self) -> Schedule: ...
    def flush(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...


@runtime_checkable
class Callback(Protocol):
    """Actions around the steps of the training loop. Every method does nothing by default.

    Callbacks are called in the order in which the trainer lists them. ``state_key`` names the
    callback's entry in a checkpoint; None means that it has no state to save.
    """

    state_key: str | None = None

    def setup(self, context: CallbackContext) -> None:
        """Prepare for training; called once, before the first step."""

    def before_forward(self, trainer: TrainerState, inputs: PreparedStep) -> None:
        """Run before the quantities of a step are rendered."""

    def after_forward(self, trainer: TrainerState, step: Step) -> None:
        """Run after the loss is computed, while its graph exists, before the update."""

    def after_update(self, trainer: TrainerState, step: Step) -> None:
        """Run after the parameters are updated, before loss terms with state finish the step."""

    def after_step(self, trainer: TrainerState, step: Step) -> None:
        """Run at the end of a step, which ``trainer.step`` counts by then."""

    def after_preview(self, step: int, test_psnr: float, train_psnr: Callable[[], float]) -> None:
        """Run after a preview; ``train_psnr`` renders a training view when called."""

    def flush(self) -> None:
        """Finish pending checks; called before metrics or a checkpoint are written."""

    def after_training(self, trainer: TrainerState, *, interrupted: bool) -> None:
        """Run once after the last step."""

    def metrics(self) -> Mapping[str, float]:
        """Return values to log with the metrics of the step."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that ``state_dict`` returned."""
