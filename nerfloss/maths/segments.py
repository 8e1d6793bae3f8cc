"""Items in groups of different sizes, such as the rays of each view: sums, and pairs within."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """To which of ``count`` groups, numbered from 0, every item belongs."""

    index: Int[Tensor, "items"]
    count: int

    @classmethod
    def of(cls, labels: Int[Tensor, "items"]) -> "Groups":
        """Items with one label are one group; a label may be any whole number."""
        found, index = labels.unique(return_inverse=True)
        return cls(index, len(found))

    def sizes(self) -> Int[Tensor, "groups"]:
        """How many items each group has."""
        return torch.bincount(self.index, minlength=self.count)

    def sum(self, values: Float[Tensor, "items"]) -> Float[Tensor, "groups"]:
        """Sum of each group's values."""
        return values.new_zeros(self.count).index_add(0, self.index, values)

    def log_softmax(self, scores: Float[Tensor, "items"]) -> Float[Tensor, "items"]:
        """Logarithm of ``exp s_i / sum_j exp s_j``, j running over the group of i."""
        highest = scores.new_full((self.count,), -torch.inf)
        highest = highest.scatter_reduce(0, self.index, scores.detach(), "amax")
        # Less the highest, no exponential overflows and every sum is at least 1.
        below = scores - highest[self.index]
        return below - self.sum(below.exp()).log()[self.index]

    def order(self, within: Int[Tensor, "items"]) -> Int[Tensor, "items"]:
        """Items group after group, each in the order in which ``within`` lists them."""
        return within[self.index[within].argsort(stable=True)]


def pair_blocks(
    groups: Int[Tensor, "items"], pairs: int, least: int = 64
) -> list[tuple[slice, slice]]:
    """Rows and columns of the table of all pairs that hold every pair within a group.

    ``groups`` are the numbers of the items' groups, in rising order. A row is in one block, with
    columns for all of its group and some others'. A block has at most ``pairs`` pairs, unless a
    single row has more, and ``least`` rows where that allows it: many small groups share one.
    """
    sizes = groups.bincount()
    ends = sizes.cumsum(0)
    largest = max(int(sizes.max()) if len(sizes) else 0, least)
    # As many columns as there are rows, and at either end the rest of a group that is cut.
    rows = max(1, min(largest, pairs // (3 * largest)))
    begins = torch.arange(0, len(groups), rows, device=groups.device)
    stops = (begins + rows).clamp_max(len(groups))
    first, last = groups[begins], groups[stops - 1]
    bounds = torch.stack([begins, stops, (ends - sizes)[first], ends[last]], -1)
    return [(slice(a, b), slice(c, d)) for a, b, c, d in bounds.tolist()]
