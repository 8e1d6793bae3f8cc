"""Terms with state: optional methods of a module in addition to ``forward``, and their calls."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer


@runtime_checkable
class StatefulTerm(Protocol):
    """A term that does work of its own after every step in which it had a weight."""

    def after_step(self, step: int) -> Mapping[str, float] | None:
        """Finish a step, e.g. train a discriminator, and return numbers to log by name."""
        ...


@runtime_checkable
class SelfTrainedTerm(Protocol):
    """A term whose own ``optimizer`` trains some of its parameters, in ``after_step``."""

    optimizer: Optimizer


def self_trained_parameters(module: nn.Module) -> list[Tensor]:
    """Return the parameters that a term's own optimizer trains."""
    if not isinstance(module, SelfTrainedTerm):
        return []
    groups = module.optimizer.param_groups
    return [parameter for group in groups for parameter in group["params"]]


def finish_step(module: nn.Module, step: int) -> dict[str, float]:
    """Call a term's ``after_step``, if it has one, and return the numbers that it reports.

    First drops the gradients that the total left in parameters that the term trains itself.
    Raises TypeError where it returns neither None nor numbers by name.
    """
    if not isinstance(module, StatefulTerm):
        return {}
    if isinstance(module, SelfTrainedTerm):
        module.optimizer.zero_grad(set_to_none=True)
    reported = module.after_step(step)
    if reported is None:
        return {}
    if not isinstance(reported, Mapping):
        raise TypeError(
            f"after_step returns numbers by name or None, got {type(reported).__name__}: "
            f"return e.g. {{'discriminator': 0.7}}"
        )
    return {name: float(value) for name, value in reported.items()}
