"""AdamW over named parameter groups, with warm-up, decay and a check for finite gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adamw import adamw

from nerfloss.training.protocols import Fault, Gradient


class NonFiniteGradient(RuntimeError):
    """A gradient that is not finite; nothing was updated. ``fault`` locates it, where known."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class Moments:
    """AdamW state of one parameter: running means of its gradient and its square, and a count.

    ``rate``, ``freeze_steps`` and ``warmup_steps`` are those of the parameter's group.
    """

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor
    count: Tensor
    rate: float
    freeze_steps: int
    warmup_steps: int

    @classmethod
    def of(
        cls, parameter: nn.Parameter, rate: float, freeze_steps: int, warmup_steps: int
    ) -> "Moments":
        mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        count = torch.zeros((), dtype=torch.float32, device=parameter.device)
        moments = (mean.detach(), square.detach(), count)
        return cls(parameter, *moments, rate, freeze_steps, warmup_steps)

    def rate_at(self, step: int) -> float:
        """Return the rate after the group's own warm-up, which begins when it is not frozen."""
        begun = step - self.freeze_steps + 1
        return self.rate * begun / self.warmup_steps if begun < self.warmup_steps else self.rate


class Optimizer:
    """Fused AdamW over named groups of parameters, with a learning rate schedule.

    The learning rate of a group is ``learning_rates[group]``, or ``learning_rate`` where the group
    is not listed, times a linear warm-up over ``warmup_steps``, times an exponential decay that
    reaches ``end_factor`` at the end of the budget, times a linear decay to 0 over the last
    ``cooldown_fraction`` of the budget. A group in ``freeze_steps`` is not updated before that
    step, from which its rate rises over its ``group_warmup_steps``, if any. Gradients are clipped
    to the total norm ``max_grad_norm``.

    Reference: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[nn.Parameter]],
        *,
        learning_rate: float = 1e-2,
        learning_rates: Mapping[str, float] | None = None,
        freeze_steps: Mapping[str, int] | None = None,
        group_warmup_steps: Mapping[str, int] | None = None,
        warmup_steps: int = 100,
        end_factor: float = 0.03,
        cooldown_fraction: float = 0.0,
        max_grad_norm: float | None = None,
        weight_decay: float | None = None,
        betas: Sequence[float] = (0.9, 0.99),
        eps: float = 1e-15,
    ) -> None:
        rates, freeze, weight_decay = learning_rates or {}, freeze_steps or {}, weight_decay or 0.0
        warmup = group_warmup_steps or {}
        unknown = (rates.keys() | freeze.keys() | warmup.keys()) - groups.keys()
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
            Moments.of(
                parameter,
                rates.get(name, learning_rate),
                freeze.get(name, 0),
                warmup.get(name, 0),
            )
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

    def step(self, gradient: Gradient, step: int, progress: float) -> None:
        """Call ``gradient.backward()`` and update the parameters, at a scheduled step.

        Raises NonFiniteGradient, with nothing updated, where the gradient is not finite.
        """
        if self.step_async(gradient, step, progress):
            raise NonFiniteGradient(f"the gradient at step {step} is not finite")

    def step_async(
        self,
        gradient: Gradient,
        step: int,
        progress: float,
        *,
        skip: Float[Tensor, ""] | None = None,
    ) -> Float[Tensor, ""]:
        """Update the parameters without waiting for the device.

        Returns a tensor that is 1 where nothing was updated, because the gradient was not finite or
        because ``skip`` is 1, and 0 otherwise.
        """
        gradient.backward()
        moments = [each for each in self._moments if each.parameter.grad is not None]
        found_inf = self._found_inf(moments)
        if skip is not None:
            found_inf = torch.maximum(found_inf, skip)
        factor = self.factor(step, progress)
        updated = [each for each in moments if step >= each.freeze_steps]
        # A call costs as much as ten thousand numbers: one call per learning rate.
        for rate in dict.fromkeys(each.rate_at(step) for each in updated):
            group = [each for each in updated if each.rate_at(step) == rate]
            self._update(group, rate * factor, found_inf)
        for each in self._moments:
            each.parameter.grad = None
        return found_inf

    def state_dict(self) -> dict[str, Any]:
        return {
            "mean": [each.mean for each in self._moments],
            "square": [each.square for each in self._moments],
            "count": [each.count for each in self._moments],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        saved = zip(self._moments, state["mean"], state["square"], state["count"], strict=True)
        for each, mean, square, count in saved:
            each.mean.copy_(mean)
            each.square.copy_(square)
            each.count.copy_(count)

    def _found_inf(self, moments: Sequence[Moments]) -> Float[Tensor, ""]:
        """Return 1 where any gradient is not finite, else 0; clip where that is set."""
        if not moments:
            return torch.zeros(())
        return (~torch.isfinite(self._gradient_norm(moments))).float()

    def _gradient_norm(self, moments: Sequence[Moments]) -> Tensor:
        """Clip, if set; return a number that is not finite where any gradient is not."""
        if self._max_grad_norm is not None:
            parameters = [each.parameter for each in moments]
            return torch.nn.utils.clip_grad_norm_(parameters, self._max_grad_norm)
        # Squares, because AdamW squares too: where that overflows, a parameter never moves again.
        # Half the cost of clipping, which also writes every gradient.
        flat = [_gradient(each).flatten() for each in moments]
        return torch.stack([gradient.dot(gradient) for gradient in flat]).sum()

    @torch.no_grad()
    def _update(self, moments: Sequence[Moments], rate: float, found_inf: Tensor) -> None:
        adamw(
            [each.parameter for each in moments],
            [_gradient(each) for each in moments],
            [each.mean for each in moments],
            [each.square for each in moments],
            [],
            [each.count for each in moments],
            fused=True,
            found_inf=found_inf,
            amsgrad=False,
            maximize=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=rate,
            weight_decay=self._weight_decay,
            eps=self._eps,
        )


def _gradient(moments: Moments) -> Tensor:
    assert moments.parameter.grad is not None
    return moments.parameter.grad
