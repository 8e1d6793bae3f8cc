"""Average gradients over all processes, in one message."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nerfloss.training.distributed.collective_protocol import CollectiveProtocol


@torch.no_grad()
def average_gradients(parameters: Sequence[nn.Parameter], collectives: CollectiveProtocol) -> None:
    """Replace gradients by their mean over the processes; a missing one counts as 0.

    A parameter that no process reaches keeps None as its gradient.
    """
    by_dtype: dict[torch.dtype, list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        by_dtype[parameter.dtype].append(parameter)
    for group in by_dtype.values():
        gradients = [each.grad for each in group]
        pieces = [
            torch.zeros_like(each).flatten() if gradient is None else gradient.flatten()
            for each, gradient in zip(group, gradients, strict=True)
        ]
        # Flags behind the numbers: the mean is above 0 where any process reaches the parameter.
        flags = pieces[0].new_tensor([float(gradient is not None) for gradient in gradients])
        flat = collectives.all_reduce_mean(torch.cat([*pieces, flags]))
        *means, flags = flat.split([*(each.numel() for each in group), len(group)])
        for each, mean, flag in zip(group, means, flags.tolist(), strict=True):
            each.grad = mean.view_as(each) if flag > 0 else None


def mean_rows(
    rows: Tensor, reached: list[bool], collectives: CollectiveProtocol
) -> tuple[Tensor, list[bool]]:
    """Return the mean of the gradient rows, and which parameters any process reaches."""
    flags = rows.new_tensor([float(each) for each in reached])
    flat = collectives.all_reduce_mean(torch.cat([rows.flatten(), flags]))
    mean, flags = flat.split([rows.numel(), len(reached)])
    return mean.view_as(rows), [flag > 0 for flag in flags.tolist()]
