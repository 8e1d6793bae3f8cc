"""Reductions over groups of different sizes, such as the rays of each view."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Group of every item, as an index in [0, ``count``)."""

    index: Int[Tensor, "items"]
    count: int

    @classmethod
    def of(cls, labels: Int[Tensor, "items"]) -> "Segments":
        """Return the groups of items with equal labels; a label may be any integer."""
        unique, index = labels.unique(return_inverse=True)
        return cls(index, len(unique))

    def sizes(self) -> Int[Tensor, "groups"]:
        """Return the number of items of each group."""
        return torch.bincount(self.index, minlength=self.count)

    def sum(self, values: Float[Tensor, "items"]) -> Float[Tensor, "groups"]:
        """Return the sum of the values of each group."""
        return values.new_zeros(self.count).index_add(0, self.index, values)

    def log_softmax(self, scores: Float[Tensor, "items"]) -> Float[Tensor, "items"]:
        """Return the log softmax of each item over its group."""
        highest = scores.new_full((self.count,), -torch.inf)
        highest = highest.scatter_reduce(0, self.index, scores.detach(), "amax")
        # Relative to the maximum, no exponential overflows and every sum is at least 1.
        below = scores - highest[self.index]
        return below - self.sum(below.exp()).log()[self.index]

    def order(self, within: Int[Tensor, "items"]) -> Int[Tensor, "items"]:
        """Return the items group by group, within a group in the order of ``within``."""
        return within[self.index[within].argsort(stable=True)]


def pair_blocks(
    groups: Int[Tensor, "items"], pairs: int, least: int = 64
) -> list[tuple[slice, slice]]:
    """Return blocks (rows, columns) of the table of all pairs that cover all pairs within groups.

    ``groups`` are the group numbers of the items, in increasing order. Each row is in one block,
    whose columns cover its group and some others. A block has at most ``pairs`` pairs, unless a
    single row has more, and at least ``least`` rows where that allows it, so that small groups
    share a block.
    """
    sizes = groups.bincount()
    ends = sizes.cumsum(0)
    largest = max(int(sizes.max()) if len(sizes) else 0, least)
    # Columns are the rows, and at either end the rest of a group that is cut.
    rows = max(1, min(largest, pairs // (3 * largest)))
    begins = torch.arange(0, len(groups), rows, device=groups.device)
    stops = (begins + rows).clamp_max(len(groups))
    first, last = groups[begins], groups[stops - 1]
    bounds = torch.stack([begins, stops, (ends - sizes)[first], ends[last]], -1)
    return [(slice(a, b), slice(c, d)) for a, b, c, d in bounds.tolist()]
