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
    """What AdamW keeps of a parameter: running means of its gradient and of the squares, a count.

    ``rate`` and ``wait`` are those of its group.
    """

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor
    count: Tensor
    rate: float
    wait: int

    @classmethod
    def of(cls, parameter: nn.Parameter, rate: float, wait: int) -> "Moments":
        mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        count = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return cls(parameter, mean.detach(), square.detach(), count, rate, wait)


class Optimizer:
    """Fused AdamW whose rates follow the schedule of the run.

    A group's rate is ``rates[group]`` or ``learning_rate``, times a linear warm-up over ``warmup``
    steps, times an exponential decay that would reach ``final`` at the end of the budget, times a
    linear way down to nothing over its last part, ``cooldown``: what a step's few rays say is
    mostly noise by then, and only small steps average it. A group in ``waits`` stands still before
    its step. Gradients are clipped to the total norm ``clip``.

    Reference: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[nn.Parameter]],
        *,
        learning_rate: float = 1e-2,
        rates: Mapping[str, float] | None = None,
        waits: Mapping[str, int] | None = None,
        warmup: int = 100,
        final: float = 0.03,
        cooldown: float = 0.0,
        clip: float | None = None,
        weight_decay: float | None = None,
        betas: Sequence[float] = (0.9, 0.99),
        eps: float = 1e-15,
    ) -> None:
        rates, waits, weight_decay = dict(rates or {}), dict(waits or {}), weight_decay or 0.0
        unknown = (rates.keys() | waits.keys()) - groups.keys()
        if unknown:
            raise ValueError(
                f"the optimizer has settings for {sorted(unknown)}, but this model's parameters "
                f"come as {sorted(groups)}: rename or remove them (model.optimizer)"
            )
        if not (learning_rate > 0 and 0 < final <= 1 and warmup >= 0 and 0 <= cooldown <= 1):
            raise ValueError(
                "the optimizer needs learning_rate > 0, 0 < final <= 1, warmup >= 0 and cooldown "
                f"in [0, 1], got {learning_rate}, {final}, {warmup} and {cooldown}"
            )
        if not (all(0 <= beta < 1 for beta in betas) and weight_decay >= 0 and eps >= 0):
            raise ValueError(
                "the optimizer needs betas in [0, 1), weight_decay >= 0 and eps >= 0, got "
                f"{list(betas)}, {weight_decay} and {eps}"
            )
        self._moments = [
            Moments.of(parameter, rates.get(name, learning_rate), waits.get(name, 0))
            for name, parameters in groups.items()
            for parameter in parameters
        ]
        self._warmup, self._final, self._cooldown, self._clip = warmup, final, cooldown, clip
        self._betas, self._weight_decay, self._eps = tuple(betas), weight_decay, eps

    def factor(self, step: int, progress: float) -> float:
        """What multiplies every rate at a scheduled step."""
        warm = min(1.0, (step + 1) / self._warmup) if self._warmup else 1.0
        left = (1.0 - progress) / self._cooldown if self._cooldown else 1.0
        return warm * self._final**progress * min(1.0, max(0.0, left))

    def warm(self, step: int) -> bool:
        """Whether every group moves by now, and none slower than it ever will for being new."""
        return step >= max([self._warmup, *(each.wait for each in self._moments)])

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that it moves, group by group."""
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
        moving = [each for each in reached if step >= each.wait]
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
        if self._clip is not None:
            parameters = [each.parameter for each in reached]
            return torch.nn.utils.clip_grad_norm_(parameters, self._clip)
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
