"""AdamW over named groups of parameters, each with its rate, warmed up and then decayed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class NonFiniteGradient(RuntimeError):
    """A gradient that is not finite; nothing was updated."""


class Optimizer:
    """Fused AdamW whose rates follow the schedule of the run.

    A group's rate is ``rates[group]`` or ``learning_rate``, times a linear warm-up over ``warmup``
    steps, times an exponential decay that reaches ``final`` at the end of the budget. A group in
    ``waits`` stands still before its step. Gradients are clipped to the total norm ``clip``.

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
        clip: float | None = None,
        weight_decay: float = 0.0,
        betas: Sequence[float] = (0.9, 0.99),
        eps: float = 1e-15,
    ) -> None:
        rates, waits = dict(rates or {}), dict(waits or {})
        unknown = (rates.keys() | waits.keys()) - groups.keys()
        if unknown:
            raise ValueError(
                f"the optimizer has settings for {sorted(unknown)}, but this model's parameters "
                f"come as {sorted(groups)}: rename or remove them (model.optimizer)"
            )
        if not (learning_rate > 0 and 0 < final <= 1 and warmup >= 0):
            raise ValueError(
                "the optimizer needs learning_rate > 0, 0 < final <= 1 and warmup >= 0, got "
                f"{learning_rate}, {final} and {warmup}"
            )
        self.groups = {name: list(parameters) for name, parameters in groups.items() if parameters}
        self._rates = {name: rates.get(name, learning_rate) for name in self.groups}
        self._waits = {name: waits.get(name, 0) for name in self.groups}
        self._warmup, self._final, self._clip = warmup, final, clip
        self._parameters = [p for parameters in self.groups.values() for p in parameters]
        self._adam = torch.optim.AdamW(
            [{"params": parameters} for parameters in self.groups.values()],
            lr=learning_rate,
            betas=(betas[0], betas[1]),
            eps=eps,
            weight_decay=weight_decay,
            fused=True,
        )

    def factor(self, step: int, progress: float) -> float:
        """What multiplies every rate at a scheduled step."""
        warm = min(1.0, (step + 1) / self._warmup) if self._warmup else 1.0
        return warm * self._final**progress

    def step(self, total: Tensor, step: int, progress: float) -> None:
        """Descend ``total``. Raises NonFiniteGradient, before any update, for a broken gradient."""
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._clip or float("inf"))
        if not torch.isfinite(norm):
            self._adam.zero_grad()
            raise NonFiniteGradient(f"the gradient at step {step} is not finite")
        factor = self.factor(step, progress)
        for group, (name, parameters) in zip(
            self._adam.param_groups, self.groups.items(), strict=True
        ):
            group["lr"] = self._rates[name] * factor
            if step < self._waits[name]:
                for parameter in parameters:
                    parameter.grad = None
        self._adam.step()
        self._adam.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return self._adam.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._adam.load_state_dict(dict(state))
