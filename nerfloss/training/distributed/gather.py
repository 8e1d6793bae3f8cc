"""The quantities of all rays of a step, of which each process has made those of its part.

A loss term may compare rays with each other, and a mean divides by what is kept of all rays. So
terms are not computed in parts: every process has the quantities of all, and computes the same
total. Its gradient goes back into the process's own part alone; so each process finds a part of the
gradient, and what a term asks of the field itself it finds whole. Where the gradient enters the
part it is multiplied by the number of processes: then the mean over the processes is the gradient
of one process with all the rays, of either kind.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nerfloss.quantities.resolve import Quantities
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.shard import per_ray


class GatheredQuantities(Mapping[str, Any]):
    """Quantities of all rays, by name; ``made`` are those of this process's part.

    What is one per ray is gathered, all of ``needs`` at once; what is the same for all rays is
    here; and what is made of these otherwise (the points that are hit, a mean) is made anew.
    """

    def __init__(
        self,
        made: Quantities,
        needs: Collection[str],
        counts: Sequence[int],
        exchange: CollectiveProtocol,
    ) -> None:
        self._made, self._counts, self._exchange = made, counts, exchange
        self._values: dict[str, Any] = {}
        # Sorted: all processes have to gather in the same order.
        leaves = {leaf for name in sorted(needs) for leaf in self._leaves(name)}
        self._gather(sorted(leaves))

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            rule = self._made.rule(name)
            if rule is None or self._is_per_ray(name):
                self._gather([name])
            else:
                inputs = [self[other] for other in rule.inputs]
                self._values[name] = rule.function(*inputs)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        """The quantities of all rays that exist by now."""
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _leaves(self, name: str) -> set[str]:
        """What a quantity of all rays is made of: quantities that are gathered, or constant."""
        rule = self._made.rule(name)
        if rule is None or self._is_per_ray(name):
            return {name}
        return set().union(*(self._leaves(other) for other in rule.inputs))

    def _is_per_ray(self, name: str) -> bool:
        if name in VOCABULARY:
            return VOCABULARY[name].shape.partition(" ")[0] in ("rays", "patches")
        rule = self._made.rule(name)
        if rule is not None and not rule.of_samples:
            return False
        return per_ray(name, self._made[name], self._own)

    @property
    def _own(self) -> int:
        return self._counts[self._exchange.rank]

    def _gather(self, names: Sequence[str]) -> None:
        own = {name: self._made[name] for name in names}
        rows = {name: value for name, value in own.items() if self._is_per_ray(name)}
        self._values |= own | gathered(rows, self._counts, self._exchange)


def gathered(
    own: Mapping[str, Tensor], counts: Sequence[int], exchange: CollectiveProtocol
) -> dict[str, Tensor]:
    """Values per ray, or per patch, of all rays: one message for each kind of number."""
    kinds: dict[torch.dtype, list[str]] = defaultdict(list)
    for name, value in own.items():
        kinds[value.dtype].append(name)
    found = {}
    for dtype in sorted(kinds, key=str):
        names = kinds[dtype]
        flat = torch.cat([_as_rows(own[name], counts[exchange.rank]) for name in names], 1)
        rows = _Gathered.apply(flat, tuple(counts), exchange)
        widths = [own[name].numel() // counts[exchange.rank] for name in names]
        for name, piece in zip(names, rows.split(widths, 1), strict=True):
            found[name] = piece.reshape(-1, *own[name].shape[1:])
    return found


def _as_rows(value: Tensor, rays: int) -> Tensor:
    """A row per ray; the pixels of patches are rays in their order."""
    return value.reshape(rays, math.prod(value.shape) // rays)


class _Gathered(torch.autograd.Function):
    """Rows of all processes; the gradient goes into one's own, times the number of processes."""

    @staticmethod
    def forward(
        ctx: Any, own: Tensor, counts: tuple[int, ...], exchange: CollectiveProtocol
    ) -> Tensor:
        begin = sum(counts[: exchange.rank])
        ctx.own, ctx.times = slice(begin, begin + len(own)), exchange.size
        return exchange.rows(own, counts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][ctx.own] * ctx.times, None, None
