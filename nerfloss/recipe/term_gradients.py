"""The gradient of each term on its own, and a gradient that is made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Combine = Callable[[Float[Tensor, "terms numbers"]], Float[Tensor, "numbers"]]
Rows = tuple[Float[Tensor, "terms numbers"], list[bool]]


def gradient_rows(
    losses: Mapping[str, Tensor],
    shared: Sequence[nn.Parameter],
    own: Sequence[nn.Parameter] = (),
    *,
    keep: bool = False,
) -> tuple[Float[Tensor, "terms numbers"], list[bool]]:
    """The gradient of each loss, one row for each, on the shared parameters laid end to end.

    One backward pass for each loss. Says also which parameters any loss reached: the others'
    numbers are 0. What a loss does to ``own`` parameters is added to their ``grad``. ``keep``:
    the graph stays, for another backward pass.
    """
    rows = shared[0].new_zeros(len(losses), sum(each.numel() for each in shared))
    reached = [False] * len(shared)
    moving = [name for name, loss in losses.items() if loss.requires_grad]
    for index, (name, loss) in enumerate(losses.items()):
        if name not in moving:
            continue
        found = torch.autograd.grad(
            loss, [*shared, *own], retain_graph=keep or name != moving[-1], allow_unused=True
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
    """Stands for a total whose gradient is made of its terms' gradients by ``combine``.

    Parameters that a term has as its ``own`` get the plain sum: nothing competes there.
    ``exchange`` is what becomes of the rows first where several processes each find a part.
    """

    losses: Mapping[str, Tensor]
    shared: Sequence[nn.Parameter]
    own: Sequence[nn.Parameter]
    combine: Combine
    exchange: Callable[[Tensor, list[bool]], Rows] | None = None

    def backward(self) -> None:
        """Leave the combined gradient in the parameters; None where no term reaches one."""
        rows, reached = gradient_rows(self.losses, self.shared, self.own)
        if self.exchange is not None:
            rows, reached = self.exchange(rows, reached)
        combined = self.combine(rows)
        pieces = combined.split([each.numel() for each in self.shared])
        for parameter, piece, touched in zip(self.shared, pieces, reached, strict=True):
            if touched:
                parameter.grad = piece.view_as(parameter)
