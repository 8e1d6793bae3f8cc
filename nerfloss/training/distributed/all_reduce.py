"""Gradients that are the same in all processes: the mean of theirs, in one message."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.recipe.term_gradients import CombinedGradient
from nerfloss.training.distributed.collective_protocol import CollectiveProtocol


@dataclass(frozen=True)
class AllReducedGradient:
    """Stands for a descent: afterwards the parameters hold the mean of all processes' gradients.

    A descent that combines the terms' gradients is fed the mean of those: what it makes of them is
    no sum. Not every process need reach every parameter, or any: where its rays miss everything.
    """

    descent: Any
    parameters: Sequence[nn.Parameter]
    exchange: CollectiveProtocol

    def backward(self) -> None:
        """Leave the mean gradient in the parameters; None where no process reaches one."""
        if isinstance(self.descent, CombinedGradient):
            everybodys = replace(self.descent, all_reduce=self._mean_rows)
            everybodys.backward()
            average(self.descent.own, self.exchange)
            return
        if self.descent.requires_grad:
            self.descent.backward()
        average(self.parameters, self.exchange)

    def _mean_rows(self, rows: Tensor, reached: list[bool]) -> tuple[Tensor, list[bool]]:
        return mean_rows(rows, reached, self.exchange)


@torch.no_grad()
def average(parameters: Sequence[nn.Parameter], exchange: CollectiveProtocol) -> None:
    """Replace gradients by their mean over the processes; a missing one counts as 0."""
    kinds: dict[torch.dtype, list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        kinds[parameter.dtype].append(parameter)
    for some in kinds.values():
        gradients = [each.grad for each in some]
        pieces = [
            torch.zeros_like(each).flatten() if found is None else found.flatten()
            for each, found in zip(some, gradients, strict=True)
        ]
        # Behind the numbers, which parameters are reached: any process's 1 is above 0 on average.
        reached = pieces[0].new_tensor([float(found is not None) for found in gradients])
        flat = exchange.mean(torch.cat([*pieces, reached]))
        *means, reached = flat.split([*(each.numel() for each in some), len(some)])
        for each, mean, share in zip(some, means, reached.tolist(), strict=True):
            each.grad = mean.view_as(each) if share > 0 else None


def mean_rows(
    rows: Tensor, reached: list[bool], exchange: CollectiveProtocol
) -> tuple[Tensor, list[bool]]:
    """The mean of everybody's gradient rows, and which parameters any process reached."""
    flags = rows.new_tensor([float(each) for each in reached])
    flat = exchange.mean(torch.cat([rows.flatten(), flags]))
    mean, shares = flat.split([rows.numel(), len(reached)])
    return mean.view_as(rows), [share > 0 for share in shares.tolist()]
