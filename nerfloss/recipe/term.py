"""A loss term: what to compute, how much it weighs, when and where it acts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.quantities.signature import inputs_of
from nerfloss.recipe.schedules import Schedule


@dataclass(frozen=True)
class Term:
    """One entry of a recipe, with the five keys that its YAML has.

    The positional parameters of ``fn`` name the quantities it takes; ``inputs`` renames them,
    ``{parameter: quantity}``. ``where`` names a quantity that selects or weights the mean.
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
        """Every quantity the term looks at, ``where`` included."""
        return frozenset(self.arguments.values()) | ({self.where} if self.where else set())

    def weight_at(self, step: int) -> float:
        """Weight times schedule. Raises ValueError where the schedule leaves [0, 1]."""
        if self.weight == 0 or self.schedule is None:
            return self.weight
        factor = float(self.schedule(step))
        if not 0.0 <= factor <= 1.0:
            raise ValueError(
                f"a schedule returns a factor in [0, 1], got {factor} at step {step}: "
                f"put the size into the term's weight"
            )
        return self.weight * factor

    def unreduced(self, quantities: Mapping[str, Any]) -> Tensor:
        """What ``fn`` returns, before any mean."""
        errors = self.fn(*(_in_full(quantities[name]) for name in self.arguments.values()))
        if not isinstance(errors, Tensor):
            raise TypeError(f"a loss term returns a tensor, got {type(errors).__name__}")
        return errors

    def __call__(self, quantities: Mapping[str, Any]) -> Float[Tensor, ""]:
        """The term's mean over everything, or over what ``where`` keeps."""
        errors = self.unreduced(quantities)
        if self.where is None:
            # Over nothing, the mean is 0 with a gradient of 0, not NaN.
            return errors.mean() if errors.numel() else errors.sum()
        return weighted_mean(errors, quantities[self.where])


def weighted_mean(errors: Float[Tensor, "*shape"], keep: Tensor) -> Float[Tensor, ""]:
    """Mean of ``errors`` weighted by ``keep``: ``sum(keep e) / sum(keep)``.

    ``keep`` (a mask, or weights that are not negative) has the leading axes of ``errors`` and
    holds for all that follow. Where nothing is kept the mean is 0, and so is its gradient. No
    gradient flows into ``keep``: what a loss looks at is not for the optimizer to choose.
    Raises ValueError where the axes do not match.
    """
    if keep.shape != errors.shape[: keep.ndim]:
        raise ValueError(
            f"'where' has shape {tuple(keep.shape)}, which are not the leading axes of the term's "
            f"values {tuple(errors.shape)}: choose a quantity with one value per ray or per sample"
        )
    repeats = errors.numel() / max(keep.numel(), 1)
    keep = keep.detach().reshape(keep.shape + (1,) * (errors.ndim - keep.ndim))
    # What is left out may be anything, even NaN: an unknown depth, the normal of a missed ray.
    if keep.dtype == torch.bool:
        kept = torch.where(keep, errors, 0.0)
    else:
        keep = keep.to(errors.dtype)
        kept = torch.where(keep > 0, errors * keep, 0.0)
    # The floor only makes 0 / 0 a 0: where nothing is kept, the sum above is 0 already.
    return kept.sum() / (keep.sum() * repeats).clamp_min(1e-12)


def _in_full(value: Any) -> Any:
    """Half-precision tensors as float32, where squares and logarithms keep their digits."""
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
