"""Whether a step's numbers were finite: known at once, or a step late where nobody waits for a GPU.

A GPU works through what it was asked while the host asks for more. A host that wants to know after
each step whether its gradient was finite lets the GPU finish, and then stand still until the next
step has been put together. So the verdict of a step is read when the next one is under way. From a
step that failed on the optimizer updates nothing, so that the failure can be kept as it was.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.async_host_copy import AsyncScalar
from nerfloss.recipe import LossRecipe, LossReport
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.failure_snapshot import Attempt
from nerfloss.training.optimizer import NonFiniteGradient


class AsyncNanCheck:
    """Raises the error of a step that failed: at once, or after the next step if ``late``."""

    def __init__(self, recipe: LossRecipe, *, late: bool) -> None:
        self.recipe, self.late = recipe, late
        self._spoiled: Float[Tensor, ""] | None = None
        self._open: Callable[[], None] | None = None

    @classmethod
    def on(cls, device: torch.device, recipe: LossRecipe, team: ProcessGroup) -> "Verdicts":
        """Late ones of a GPU, unless several processes are to fail together, or something moves in
        the recipe, which could not be kept as it was.
        """
        return cls(recipe, late=device.type == "cuda" and team.size == 1 and recipe.stateless)

    def spoiled_by(self, total: Float[Tensor, ""]) -> Float[Tensor, ""] | None:
        """What the optimizer is told: 1 after a total that is not finite; None: it is."""
        if not self.late:
            return None
        now = (~total.detach().isfinite()).float()
        return now if self._spoiled is None else now.maximum(self._spoiled)

    def hear(
        self,
        broken: Float[Tensor, ""],
        report: LossReport,
        quantities: Mapping[str, Any],
        attempt: Attempt,
    ) -> None:
        """Take note of a step, ``broken`` if that is 1, and raise what is known by now.

        Raises NonFiniteLoss or NonFiniteGradient with the term at fault; the step is kept.
        """
        self.settle()
        self._open = partial(self._judge, AsyncScalar(broken), report, quantities, attempt)
        if self.late:
            self._spoiled = broken
        else:
            self.settle()

    def settle(self) -> None:
        """Wait for the last step, and raise what is to be said of it, if anything."""
        asked, self._open = self._open, None
        if asked is not None:
            asked()

    def _judge(
        self,
        broken: AsyncScalar,
        report: LossReport,
        quantities: Mapping[str, Any],
        attempt: Attempt,
    ) -> None:
        if not float(broken):
            return
        step = attempt.at["step"]
        with attempt.kept():
            if not report.total.isfinite():
                raise self.recipe.explain_value(report, quantities, step)
            culprit = self.recipe.explain_gradient(quantities, step)
            said = f"the gradient at step {step} is not finite: {culprit}"
            raise NonFiniteGradient(said, culprit)
