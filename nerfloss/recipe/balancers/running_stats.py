"""What a balancer remembers of each term, and numbers of several terms as one tensor."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Memory(nn.Module):
    """A few numbers for each term, saved under its name.

    A term that was not met before begins with the numbers given here; one that is away (its
    schedule is at 0) keeps what it had. So the order of terms, and when they act, do not matter.
    """

    def __init__(self, **first: float) -> None:
        super().__init__()
        self._first = tuple(first.values())

    def read(self, losses: Mapping[str, Tensor]) -> tuple[Float[Tensor, "terms"], ...]:
        """Each number for the terms of ``losses``, in their order."""
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
        """Know the terms that the saved one knew, and no others."""
        self._buffers.clear()
        for key, value in state.items():
            if key.startswith(prefix):
                self.register_buffer(key.removeprefix(prefix), torch.empty_like(value))
        super()._load_from_state_dict(state, prefix, *rest)


def without_weights(
    losses: Mapping[str, Tensor], priors: Mapping[str, float]
) -> Float[Tensor, "terms"]:
    """The losses as they were before the recipe weighted them; no gradient goes through."""
    return torch.stack([loss.detach() / priors[name] for name, loss in losses.items()])


def by_name(losses: Mapping[str, Tensor], numbers: Float[Tensor, "terms"]) -> dict[str, Tensor]:
    """One number for each of the terms of ``losses``."""
    return dict(zip(losses, numbers.unbind(), strict=True))


def _key(name: str) -> str:
    # A prefix, since a module has attributes that a term could be called after.
    return f"of_{name}"
