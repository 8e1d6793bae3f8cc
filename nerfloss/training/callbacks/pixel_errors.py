"""Pixel errors: pass the colour error of every ray of a step to an error-guided pixel sampler."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.protocols import Batch
from nerfloss.training.step import Step

log = logging.getLogger(__name__)


@runtime_checkable
class ErrorGuided(Protocol):
    """A source of batches that draws by the errors of earlier ones."""

    def blocks_of(self, batch: Batch) -> Int[Tensor, "rays"]:
        """Return the block of pixels of every ray."""
        ...

    def observe(
        self,
        step: int,
        progress: float,
        *,
        blocks: Int[Tensor, "rays"],
        errors: Float[Tensor, "rays"],
    ) -> None:
        """Record the errors of the rays of a step; ``progress`` is the part of the budget spent."""
        ...

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class ColorRecipe(Protocol):
    """A recipe that can be asked which quantities its terms need."""

    def mentions(self, quantity: str) -> bool: ...


class PixelErrors(Callback):
    """Pass the mean absolute error of every ray's colour to the source of batches.

    Every process passes on the errors of all rays, so that all draw the same pixels. Raises
    ValueError where the recipe compares no colours.
    """

    state_key = "pixel_errors"

    def __init__(
        self, batches: ErrorGuided, recipe: ColorRecipe, process_group: ProcessGroup
    ) -> None:
        if not recipe.mentions("rgb"):
            raise ValueError(
                "batch=error_guided draws pixels by the errors of their colours, but no term of "
                "this recipe needs 'rgb': use batch=uniform"
            )
        self._batches, self._process_group = batches, process_group

    def setup(self, context: CallbackContext) -> None:
        if context.process_group.is_main:
            log.info(
                "batch=error_guided: training losses and PSNR are means over the drawn pixels, "
                "among which large errors are over-represented"
            )

    def after_forward(self, trainer: TrainerState, step: Step) -> None:  # noqa: ARG002
        if "rgb" not in set(step.quantities):
            return
        batch = step.inputs.batch
        error = (step.quantities["rgb"].detach() - batch.targets["target_rgb"]).abs().mean(-1)
        own = {"errors": error, "blocks": self._batches.blocks_of(batch)}
        every = self._process_group.gather_per_ray(own, batch)
        self._batches.observe(step.index, step.schedule.progress, **every)

    def state_dict(self) -> dict[str, Any]:
        return self._batches.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._batches.load_state_dict(state)
