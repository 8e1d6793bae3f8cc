"""A loss recipe over the rays of all processes, each of which renders a share of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nerfloss.training.distributed.all_reduce import average_gradients, mean_rows
from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.gather import GatheredQuantities
from nerfloss.training.protocols import Gradient, ShareableRecipe


class DistributedRecipe:
    """Gather the quantities of all processes, and average the gradients over them.

    Every process computes the same total, of all rays; see `nerfloss.training.distributed.gather`.
    """

    def __init__(self, recipe: ShareableRecipe, collectives: CollectiveProtocol) -> None:
        self._recipe, self._collectives = recipe, collectives
        self.balancer, self.stateless = recipe.balancer, recipe.stateless
        self.needs = recipe.needs
        self.state_dict, self.load_state_dict = recipe.state_dict, recipe.load_state_dict

    def __call__(self, quantities: Any, step: int, *, check_finite: bool) -> Any:
        return self._recipe(self._gather(quantities, step), step, check_finite=check_finite)

    def objective(
        self, report: Any, step: int, parameters: Sequence[nn.Parameter]
    ) -> "AllReducedGradient":
        """Return a gradient that is the mean over the processes.

        Where the balancer combines the gradients of the terms, these are averaged before, because
        the combination is not linear.
        """
        combined = self._recipe.combines(step)
        gradient = self._recipe.objective(report, step, parameters, all_reduce=self._mean_rows)
        remaining = self._recipe.trainable_parameters() if combined else parameters
        return AllReducedGradient(gradient, remaining, self._collectives)

    def after_step(self, step: int) -> dict[str, float]:
        """Finish the step of terms with state; parameters that they train become rank 0's."""
        reported = self._recipe.after_step(step)
        # All have trained on the same values, but a GPU may add them in another order.
        parameters = self._recipe.self_trained_parameters()
        if parameters:
            with torch.no_grad():
                flat = torch.cat([each.flatten() for each in parameters])
                flat = self._collectives.broadcast_tensor(flat)
                pieces = flat.split([each.numel() for each in parameters])
                for parameter, piece in zip(parameters, pieces, strict=True):
                    parameter.copy_(piece.view_as(parameter))
        return reported

    def explain_value(self, report: Any, quantities: Any, step: int) -> Any:
        return self._recipe.explain_value(report, self._gather(quantities, step), step)

    def explain_gradient(self, quantities: Any, step: int) -> Any:
        return self._recipe.explain_gradient(self._gather(quantities, step), step)

    def _gather(self, quantities: Any, step: int) -> Mapping[str, Any]:
        return GatheredQuantities(quantities, self.needs(step), self._collectives)

    def _mean_rows(
        self, rows: torch.Tensor, reached: list[bool]
    ) -> tuple[torch.Tensor, list[bool]]:
        return mean_rows(rows, reached, self._collectives)


@dataclass(frozen=True)
class AllReducedGradient:
    """A gradient that is averaged over the processes for ``parameters``."""

    gradient: Gradient
    parameters: Sequence[nn.Parameter]
    collectives: CollectiveProtocol

    # Another process may reach a parameter where this one's rays miss everything.
    requires_grad = True

    def backward(self) -> None:
        """Write the mean gradient to the parameters; None where no process reaches one."""
        if self.gradient.requires_grad:
            self.gradient.backward()
        average_gradients(self.parameters, self.collectives)
