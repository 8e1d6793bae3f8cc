"""Report of a recipe on one step: the total loss and the part of each term."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LossReport:
    """The total loss, and the value and the weight of each active term.

    ``values`` are the unweighted means, ``weights`` their factors: weight, schedule and balancer.
    ``factors`` are the balancer's part of those, for the terms that it changes; ``penalty`` is what
    it adds to the total itself. ``term_metrics`` are the results of the
    terms' ``after_step``, as ``<term>/<name>``.
    """

    total: Float[Tensor, ""]
    values: Mapping[str, Tensor]
    weights: Mapping[str, float | Tensor]
    factors: Mapping[str, float | Tensor] = field(default_factory=dict)
    penalty: Tensor | None = None
    term_metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def shares(self) -> dict[str, float]:
        """Each term's share of the total in absolute value: these sum to 1, or are all 0."""
        return _shares(_numbers(self._parts()))

    def scalars(self) -> dict[str, float]:
        """Return the numbers to log: ``loss/<name>``, ``weight/<name>``, ``share/<name>`` ...

        ``balance/<name>`` is the balancer's part of a weight, for the terms that it changes.
        """
        parts = self._parts()
        penalty = {} if self.penalty is None else {"balancer/penalty": self.penalty}
        # Read together: one synchronization with the GPU.
        read = _numbers(
            {
                "loss/total": self.total,
                **{f"loss/{name}": value for name, value in self.values.items()},
                **{f"loss/{name}": value for name, value in self.term_metrics.items()},
                **{f"weight/{name}": weight for name, weight in self.weights.items()},
                **{f"balance/{name}": factor for name, factor in self.factors.items()},
                **{f"share/{name}": part for name, part in parts.items()},
                **penalty,
            }
        )
        shares = _shares({name: read[f"share/{name}"] for name in parts})
        return read | {f"share/{name}": share for name, share in shares.items()}

    def _parts(self) -> dict[str, Tensor]:
        return {name: self.weights[name] * self.values[name] for name in self.values}


def _shares(parts: Mapping[str, float]) -> dict[str, float]:
    total = sum(abs(part) for part in parts.values())
    return {name: abs(part) / total if total > 0 else 0.0 for name, part in parts.items()}


def _numbers(values: Mapping[str, float | Tensor]) -> dict[str, float]:
    """Return the values as numbers, in order; those on a GPU are copied together."""
    away = {n: v for n, v in values.items() if isinstance(v, Tensor) and v.device.type == "cuda"}
    found: dict[str, float] = {}
    if away:
        # In float64, which holds every float32.
        row = torch.stack([value.detach().double().reshape(()) for value in away.values()])
        found = dict(zip(away, row.tolist(), strict=True))
    for name, value in values.items():
        if name not in found:
            found[name] = value.item() if isinstance(value, Tensor) else float(value)
    return {name: found[name] for name in values}
