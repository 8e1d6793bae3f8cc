"""What a recipe says of one step: the total, and what each term contributed to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LossReport:
    """The total to descend, and what each active term contributed to it.

    ``values`` are the raw means, ``weights`` what multiplied them: weight, schedule and balancer.
    ``factors`` are the balancer's part of that, for the terms that it changes; ``penalty`` is what
    it adds to the total itself. ``afterwards`` is what terms reported once the step was taken, as
    ``<term>/<name>``.
    """

    total: Float[Tensor, ""]
    values: Mapping[str, Tensor]
    weights: Mapping[str, float | Tensor]
    factors: Mapping[str, float | Tensor] = field(default_factory=dict)
    penalty: Tensor | None = None
    afterwards: Mapping[str, float] = field(default_factory=dict)

    @property
    def shares(self) -> dict[str, float]:
        """Each term's part of the total, by size: these sum to 1, or are all 0."""
        sizes = {name: abs(_number(self.weights[name] * self.values[name])) for name in self.values}
        total = sum(sizes.values())
        return {name: size / total if total > 0 else 0.0 for name, size in sizes.items()}

    def scalars(self) -> dict[str, float]:
        """Everything worth logging: ``loss/<name>``, ``weight/<name>``, ``share/<name>``, ...

        ``balance/<name>`` is the balancer's part of a weight, for the terms that it changes.
        """
        penalty = {} if self.penalty is None else {"balancer/penalty": _number(self.penalty)}
        return {
            "loss/total": _number(self.total),
            **{f"loss/{name}": _number(value) for name, value in self.values.items()},
            **{f"loss/{name}": value for name, value in self.afterwards.items()},
            **{f"weight/{name}": _number(weight) for name, weight in self.weights.items()},
            **{f"balance/{name}": _number(factor) for name, factor in self.factors.items()},
            **{f"share/{name}": share for name, share in self.shares.items()},
            **penalty,
        }


def _number(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else float(value)
