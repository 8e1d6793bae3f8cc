"""Gather the quantities of all rays of a step, of which every process has rendered a share.

A loss term may compare rays with each other, and a mean divides by the number of rays that it
keeps. Terms are therefore not computed per share: every process has the quantities of all rays and
computes the same total. The gradient flows back into the process's own share alone, so each process
gets a part of the gradient through the rays, but all of it where a term queries the field itself.
Where the gradient enters the share it is multiplied by the number of processes: the mean over the
processes is then the gradient of a single process with all rays, for both kinds.
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
from nerfloss.training.distributed.shard import is_per_ray


class GatheredQuantities(Mapping[str, Any]):
    """Quantities of all rays, by name, from ``own``, those of this process's share.

    Quantities per ray are gathered, all of ``needs`` at once. Other derived quantities (surface
    points, means) are computed again from gathered ones. Quantities that are the same for all rays
    are taken as they are. ``own`` includes ``shard_sizes``, the number of rays of every process.
    """

    def __init__(
        self, own: Quantities, needs: Collection[str], collectives: CollectiveProtocol
    ) -> None:
        self._own, self._sizes, self._collectives = own, own["shard_sizes"], collectives
        self._values: dict[str, Any] = {}
        # Sorted: all processes must gather in the same order.
        leaves = {leaf for name in sorted(needs) for leaf in self._leaves(name)}
        self._gather(sorted(leaves))

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            rule = self._own.rule(name)
            if rule is None or self._is_per_ray(name):
                self._gather([name])
            else:
                inputs = [self[other] for other in rule.inputs]
                self._values[name] = rule.function(*inputs)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own

    def __iter__(self) -> Iterator[str]:
        """Iterate over the quantities of all rays that exist so far."""
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _leaves(self, name: str) -> set[str]:
        """Return the gathered or constant quantities that a quantity is computed from."""
        rule = self._own.rule(name)
        if rule is None or self._is_per_ray(name):
            return {name}
        return set().union(*(self._leaves(other) for other in rule.inputs))

    def _is_per_ray(self, name: str) -> bool:
        if name in VOCABULARY:
            return VOCABULARY[name].shape.partition(" ")[0] in ("rays", "patches")
        rule = self._own.rule(name)
        if rule is not None and not rule.of_samples:
            return False
        return is_per_ray(name, self._own[name], self._sizes[self._collectives.rank])

    def _gather(self, names: Sequence[str]) -> None:
        own = {name: self._own[name] for name in names}
        rows = {name: value for name, value in own.items() if self._is_per_ray(name)}
        self._values |= own | all_gather_per_ray(rows, self._sizes, self._collectives)


def all_gather_per_ray(
    own: Mapping[str, Tensor], sizes: Sequence[int], collectives: CollectiveProtocol
) -> dict[str, Tensor]:
    """Gather values per ray, or per patch, from all processes: one message per dtype."""
    by_dtype: dict[torch.dtype, list[str]] = defaultdict(list)
    for name, value in own.items():
        by_dtype[value.dtype].append(name)
    gathered = {}
    for dtype in sorted(by_dtype, key=str):
        names = by_dtype[dtype]
        flat = torch.cat([_as_rows(own[name], sizes[collectives.rank]) for name in names], 1)
        rows = _AllGather.apply(flat, tuple(sizes), collectives)
        widths = [own[name].numel() // sizes[collectives.rank] for name in names]
        for name, piece in zip(names, rows.split(widths, 1), strict=True):
            gathered[name] = piece.reshape(-1, *own[name].shape[1:])
    return gathered


def _as_rows(value: Tensor, rays: int) -> Tensor:
    """Reshape to a row per ray; the pixels of patches are rays in row-major order."""
    return value.reshape(rays, math.prod(value.shape) // rays)


class _AllGather(torch.autograd.Function):
    """Gather rows; the gradient of a process's own rows, times the number of processes, returns."""

    @staticmethod
    def forward(
        ctx: Any, own: Tensor, sizes: tuple[int, ...], collectives: CollectiveProtocol
    ) -> Tensor:
        begin = sum(sizes[: collectives.rank])
        ctx.own, ctx.times = slice(begin, begin + len(own)), collectives.size
        return collectives.all_gather_rows(own, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][ctx.own] * ctx.times, None, None
