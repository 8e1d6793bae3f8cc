"""AdamW over named groups of parameters, each with its rate, warmed up and then decayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adamw import adamw

from nerfloss.recipe import Fault
from nerfloss.training.protocols import Differentiable


class NonFiniteGradient(RuntimeError):
    """A gradient that is not finite; nothing was updated. ``fault`` says where, if it is known."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class Moments:
    """AdamW state of one parameter: running means of its gradient and its square, and a count.

    ``rate`` and ``freeze_steps`` are those of the parameter's group.
    """

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor
    count: Tensor
    rate: float
    freeze_steps: int

    @classmethod
    def of(cls, parameter: nn.Parameter, rate: float, freeze_steps: int) -> "Moments":
        mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        count = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return cls(parameter, mean.detach(), square.detach(), count, rate, freeze_steps)


class Optimizer:
    """Fused AdamW over named groups of parameters, with a learning rate schedule.

    The learning rate of a group is ``learning_rates[group]``, or ``learning_rate`` where the group
    is not listed, times a linear warm-up over ``warmup_steps``, times an exponential decay that
    reaches ``end_factor`` at the end of the budget, times a linear decay to 0 over the last
    ``cooldown_fraction`` of the budget. A group in ``freeze_steps`` is not updated before that
    step. Gradients are clipped to the total norm ``max_grad_norm``.

    Reference: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[nn.Parameter]],
        *,
        learning_rate: float = 1e-2,
        learning_rates: Mapping[str, float] | None = None,
        freeze_steps: Mapping[str, int] | None = None,
        warmup_steps: int = 100,
        end_factor: float = 0.03,
        cooldown_fraction: float = 0.0,
        max_grad_norm: float | None = None,
        weight_decay: float | None = None,
        betas: Sequence[float] = (0.9, 0.99),
        eps: float = 1e-15,
    ) -> None:
        rates, freeze, weight_decay = learning_rates or {}, freeze_steps or {}, weight_decay or 0.0
        unknown = (rates.keys() | freeze.keys()) - groups.keys()
        if unknown:
            raise ValueError(
                f"the optimizer has settings for {sorted(unknown)}, but this model's parameter "
                f"groups are {sorted(groups)}: rename or remove them (model.optimizer)"
            )
        if not (learning_rate > 0 and 0 < end_factor <= 1 and warmup_steps >= 0):
            raise ValueError(
                "the optimizer needs learning_rate > 0, 0 < end_factor <= 1 and warmup_steps >= 0, "
                f"got {learning_rate}, {end_factor} and {warmup_steps}"
            )
        if not 0 <= cooldown_fraction <= 1:
            raise ValueError(f"cooldown_fraction must be in [0, 1], got {cooldown_fraction}")
        if not (all(0 <= beta < 1 for beta in betas) and weight_decay >= 0 and eps >= 0):
            raise ValueError(
                "the optimizer needs betas in [0, 1), weight_decay >= 0 and eps >= 0, got "
                f"{list(betas)}, {weight_decay} and {eps}"
            )
        self._moments = [
            Moments.of(parameter, rates.get(name, learning_rate), freeze.get(name, 0))
            for name, parameters in groups.items()
            for parameter in parameters
        ]
        self._warmup_steps, self._end_factor = warmup_steps, end_factor
        self._cooldown_fraction, self._max_grad_norm = cooldown_fraction, max_grad_norm
        self._betas, self._weight_decay, self._eps = tuple(betas), weight_decay, eps

    def factor(self, step: int, progress: float) -> float:
        """Return the factor of every learning rate at a scheduled step."""
        warmup = min(1.0, (step + 1) / self._warmup_steps) if self._warmup_steps else 1.0
        cooldown = (1.0 - progress) / self._cooldown_fraction if self._cooldown_fraction else 1.0
        return warmup * self._end_factor**progress * min(1.0, max(0.0, cooldown))

    def warmed_up(self, step: int) -> bool:
        """Return True once the warm-up is over and no group is frozen any more."""
        return step >= max([self._warmup_steps, *(each.freeze_steps for each in self._moments)])

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Return all parameters, group by group."""
        return [each.parameter for each in self._moments]

    def step(self, total: Differentiable, step: int, progress: float) -> None:
        """Descend ``total``, or what stands for it: its ``backward()`` leaves the gradients.

        Raises NonFiniteGradient, with nothing updated, for a broken gradient.
        """
        if self.descend(total, step, progress):
            raise NonFiniteGradient(f"the gradient at step {step} is not finite")

    def descend(
        self, total: Differentiable, step: int, progress: float, spoiled: Tensor | None = None
    ) -> Float[Tensor, ""]:
        """The same, but nobody waits to hear whether the gradient was finite.

        Returns 1 if it was not, or if ``spoiled`` was 1 before, else 0, both where the parameters
        are; with 1 nothing was updated.
        """
        total.backward()
        reached = [each for each in self._moments if each.parameter.grad is not None]
        broken = self._not_finite(reached)
        if spoiled is not None:
            broken = torch.maximum(broken, spoiled)
        factor = self.factor(step, progress)
        moving = [each for each in reached if step >= each.freeze_steps]
        # A call costs as much as ten thousand numbers: one for all that share a rate.
        for rate in dict.fromkeys(each.rate for each in moving):
            self._update([each for each in moving if each.rate == rate], rate * factor, broken)
        self._drop_gradients()
        return broken

    def state_dict(self) -> dict[str, Any]:
        return {
            name: [getattr(each, name) for each in self._moments]
            for name in ("mean", "square", "count")
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, saved in state.items():
            for each, value in zip(self._moments, saved, strict=True):
                getattr(each, name).copy_(value)

    def _not_finite(self, reached: Sequence[Moments]) -> Float[Tensor, ""]:
        if not reached:
            return torch.zeros(())
        return (~torch.isfinite(self._checked_norm(reached))).float()

    def _checked_norm(self, reached: Sequence[Moments]) -> Tensor:
        """Clip where that is asked for; a number that is not finite where any gradient is not."""
        if self._max_grad_norm is not None:
            parameters = [each.parameter for each in reached]
            return torch.nn.utils.clip_grad_norm_(parameters, self._max_grad_norm)
        # Squares, because AdamW squares too: where that overflows, a parameter never moves again.
        # Half of what clipping costs, which also writes every gradient.
        flat = [_gradient(each).flatten() for each in reached]
        return torch.stack([gradient.dot(gradient) for gradient in flat]).sum()

    @torch.no_grad()
    def _update(self, moments: Sequence[Moments], rate: float, broken: Tensor) -> None:
        adamw(
            [each.parameter for each in moments],
            [_gradient(each) for each in moments],
            [each.mean for each in moments],
            [each.square for each in moments],
            [],
            [each.count for each in moments],
            fused=True,
            found_inf=broken,
            amsgrad=False,
            maximize=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=rate,
            weight_decay=self._weight_decay,
            eps=self._eps,
        )

    def _drop_gradients(self) -> None:
        for each in self._moments:
            each.parameter.grad = None


def _gradient(moments: Moments) -> Tensor:
    assert moments.parameter.grad is not None
    return moments.parameter.grad
