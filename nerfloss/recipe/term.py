"""Loss term: a function with its weight, schedule, selection and renamed inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.quantities.signature import inputs_of
from nerfloss.recipe.schedules import Schedule
from nerfloss.recipe.selection import weighted_mean, zero_unselected_non_finite

# Steps before and after a step within which a term that acts in few steps is found.
NEARBY = 100


@dataclass(frozen=True)
class Term:
    """One entry of a recipe, with the five keys that its YAML has.

    The positional parameters of ``fn`` name the quantities it takes; ``inputs`` renames them,
    ``{parameter: quantity}``. ``where`` names a quantity that selects or weights the mean.

    An entry at which ``where`` is 0 enters neither the value nor a gradient: its error is dropped
    from the mean, and where one of its quantities is not finite, ``fn`` takes it as 0. For a term
    that computes each entry by itself the entry is thereby absent. A term that compares entries
    (a ranking, SSIM, a distance between point sets) still sees all of them, the finite ones as they
    are and the others as 0: for observed quantities this means unknown.
    """

    fn: Callable[..., Tensor]
    weight: float = 1.0
    schedule: Schedule | None = None
    where: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The quantity that feeds each parameter of ``fn``, in the order of the signature."""
        return {name: self.inputs.get(name, name) for name in inputs_of(self.fn)}

    @cached_property
    def needs(self) -> frozenset[str]:
        """The quantities that the term takes, ``where`` included."""
        return frozenset(self.arguments.values()) | ({self.where} if self.where else set())

    def weight_at(self, step: int) -> float:
        """Return weight times schedule. Raises ValueError where the schedule leaves [0, 1]."""
        if self.weight == 0 or self.schedule is None:
            return self.weight
        factor = float(self.schedule(step))
        if not 0.0 <= factor <= 1.0:
            raise ValueError(
                f"a schedule returns a factor in [0, 1], got {factor} at step {step}: "
                f"put the size into the term's weight"
            )
        return self.weight * factor

    def weight_around(self, step: int) -> float:
        """Return the weight at the last step up to ``step`` at which the term acted.

        For terms that act in one of several steps (`one_in`), whose weight is 0 at most of them. A
        term that did not act in the last 100 steps, or will not in the next 100, has weight 0.
        """
        if (weight := self.weight_at(step)) > 0 or self.weight == 0 or self.schedule is None:
            return weight
        if not any(self.weight_at(step + after) > 0 for after in range(1, NEARBY + 1)):
            return 0.0
        earlier = (self.weight_at(step - before) for before in range(1, min(step, NEARBY) + 1))
        return next((each for each in earlier if each > 0), 0.0)

    def selected_inputs(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        """Return the quantities that ``fn`` takes, by name, as it takes them.

        Half-precision tensors become float32, and what ``where`` leaves out becomes finite.
        """
        fed = {name: _in_full(quantities[name]) for name in self.arguments.values()}
        keep = quantities[self.where] if self.where is not None else None
        if self.where is None or not isinstance(keep, Tensor):
            return fed
        return {
            name: zero_unselected_non_finite(value, name, keep, self.where)
            if isinstance(value, Tensor) and value.is_floating_point()
            else value
            for name, value in fed.items()
        }

    def unreduced(self, quantities: Mapping[str, Any]) -> Tensor:
        """Return the values of ``fn`` before the mean. Raises TypeError unless it is a tensor.

        An error of ``fn`` has a note on the shapes that it was called with.
        """
        fed = self.selected_inputs(quantities)
        try:
            errors = self.fn(*(fed[name] for name in self.arguments.values()))
        except Exception as error:
            error.add_note(f"called with {_shapes(fed)}")
            raise
        if not isinstance(errors, Tensor):
            raise TypeError(f"a loss term returns a tensor, got {type(errors).__name__}")
        if not errors.is_floating_point():
            raise TypeError(
                f"a loss term returns floating-point numbers, got {errors.dtype}, along which no "
                f"gradient flows"
            )
        return errors

    def __call__(self, quantities: Mapping[str, Any]) -> Float[Tensor, ""]:
        """Return the term's mean over all its values, or over what ``where`` selects."""
        errors = self.unreduced(quantities)
        if self.where is None:
            # Over nothing, the mean is 0 with a gradient of 0, not NaN.
            return errors.mean() if errors.numel() else errors.sum()
        return weighted_mean(errors, quantities[self.where])


def _shapes(quantities: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {tuple(value.shape)}" if isinstance(value, Tensor) else name
        for name, value in quantities.items()
    )


def _in_full(value: Any) -> Any:
    """Return a half-precision tensor as float32, where squares and logarithms keep their digits."""
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
