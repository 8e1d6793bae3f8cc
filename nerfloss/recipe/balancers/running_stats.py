"""Running statistics of each term, and conversions between names and tensors."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RunningStats(nn.Module):
    """Store a few numbers for each term, saved under its name.

    A new term starts with the numbers given here; an inactive one (its schedule is at 0) keeps its
    numbers. The order of the terms does not matter.
    """

    def __init__(self, **first: float) -> None:
        super().__init__()
        self._first = tuple(first.values())

    def read(self, losses: Mapping[str, Tensor]) -> tuple[Float[Tensor, "terms"], ...]:
        """Return each number as a tensor over the terms of ``losses``, in their order."""
        like = next(iter(losses.values()))
        known = [self._buffers.get(_key(name)) for name in losses]
        rows = [like.new_tensor(self._first) if row is None else row for row in known]
        return torch.stack(rows).unbind(-1)

    def write(self, losses: Mapping[str, Tensor], *numbers: Float[Tensor, "terms"]) -> None:
        """Replace every number of the terms of ``losses``."""
        rows = torch.stack(numbers, -1).detach()
        for name, row in zip(losses, rows.unbind(0), strict=True):
            self.register_buffer(_key(name), row)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Load the terms of the saved state and drop all others."""
        self._buffers.clear()
        for key, value in state.items():
            if key.startswith(prefix):
                self.register_buffer(key.removeprefix(prefix), torch.empty_like(value))
        super()._load_from_state_dict(state, prefix, *rest)


def unweighted(
    losses: Mapping[str, Tensor], base_weights: Mapping[str, float]
) -> Float[Tensor, "terms"]:
    """Return the detached losses divided by their base weights."""
    return torch.stack([loss.detach() / base_weights[name] for name, loss in losses.items()])


def by_term(losses: Mapping[str, Tensor], numbers: Float[Tensor, "terms"]) -> dict[str, Tensor]:
    """Return a mapping from the terms of ``losses`` to their numbers."""
    return dict(zip(losses, numbers.unbind(), strict=True))


def _key(name: str) -> str:
    # A prefix, since a term's name could be that of a module's attribute.
    return f"of_{name}"
