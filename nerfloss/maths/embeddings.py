"""Feature vectors: normalisation, group means, and distances between all pairs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.maths.directions import unit


def unit_features(features: Float[Tensor, "items channels"]) -> Float[Tensor, "items channels"]:
    """Return features scaled to length 1.

    Lengths are floored at 0.01: the direction of features near 0, as of rays that meet almost
    nothing, is noise, and its gradient is unbounded.
    """
    return unit(features, floor=1e-2)


def squared_distances(
    some: Float[Tensor, "some channels"], others: Float[Tensor, "others channels"]
) -> Float[Tensor, "some others"]:
    """Return the squared distances between all pairs, at least 0."""
    lengths = some.square().sum(-1)[:, None] + others.square().sum(-1)
    return (lengths - 2 * some @ others.T).clamp_min(0)


def group_means(
    features: Float[Tensor, "items channels"], group: Int[Tensor, "items"], groups: int
) -> tuple[Float[Tensor, "groups channels"], Int[Tensor, "groups"]]:
    """Return the mean feature of each group, 0 for an empty one, and the number of its items.

    Items with a negative group are ignored.
    """
    kept = group >= 0
    index = group[kept]
    counts = torch.bincount(index, minlength=groups)
    sums = features.new_zeros(groups, features.shape[1]).index_add(0, index, features[kept])
    return sums / counts.clamp_min(1)[:, None], counts
