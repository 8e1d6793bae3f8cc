"""Gradient of each term on its own, and a gradient that a balancer combines from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Combine = Callable[[Float[Tensor, "terms numbers"]], Float[Tensor, "numbers"]]
Jacobian = tuple[Float[Tensor, "terms numbers"], list[bool]]
AllReduce = Callable[[Tensor, list[bool]], Jacobian]


def loss_jacobian(
    losses: Mapping[str, Tensor],
    shared: Sequence[nn.Parameter],
    own: Sequence[nn.Parameter] = (),
    *,
    retain_graph: bool = False,
) -> Jacobian:
    """Return the gradients of the losses, one row for each, on the concatenated parameters.

    Takes one backward pass for each loss. The second value tells which of the ``shared`` parameters
    any loss depends on; the numbers of the others are 0. Gradients on ``own`` parameters are added
    to their ``grad``. With ``retain_graph`` another backward pass can follow.
    """
    rows = shared[0].new_zeros(len(losses), sum(each.numel() for each in shared))
    reached = [False] * len(shared)
    moving = [name for name, loss in losses.items() if loss.requires_grad]
    for index, (name, loss) in enumerate(losses.items()):
        if name not in moving:
            continue
        found = torch.autograd.grad(
            loss,
            [*shared, *own],
            retain_graph=retain_graph or name != moving[-1],
            allow_unused=True,
        )
        pieces = rows[index].split([each.numel() for each in shared])
        for place, (piece, gradient) in enumerate(zip(pieces, found, strict=False)):
            if gradient is not None:
                piece.copy_(gradient.reshape(-1))
                reached[place] = True
        for parameter, gradient in zip(own, found[len(shared) :], strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    return rows, reached


@dataclass(frozen=True)
class CombinedGradient:
    """Replace a total whose gradient ``combine`` makes of the terms' gradients.

    The recipe's ``own`` parameters get the plain sum: each belongs to one term. With several
    processes ``all_reduce`` averages the rows before they are combined.
    """

    losses: Mapping[str, Tensor]
    shared: Sequence[nn.Parameter]
    own: Sequence[nn.Parameter]
    combine: Combine
    all_reduce: AllReduce | None = None

    @property
    def requires_grad(self) -> bool:
        """True where any term depends on a parameter."""
        return any(loss.requires_grad for loss in self.losses.values())

    def backward(self) -> None:
        """Leave the combined gradient in the parameters; None where no term depends on one."""
        rows, reached = loss_jacobian(self.losses, self.shared, self.own)
        if self.all_reduce is not None:
            rows, reached = self.all_reduce(rows, reached)
        combined = self.combine(rows)
        pieces = combined.split([each.numel() for each in self.shared])
        for parameter, piece, touched in zip(self.shared, pieces, reached, strict=True):
            if touched:
                parameter.grad = piece.view_as(parameter)
