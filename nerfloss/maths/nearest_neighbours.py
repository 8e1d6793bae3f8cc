"""Nearest neighbours between two sets of points by brute force, in bounded memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Pairs that are compared at once: 16 MB of distances.
PAIRS = 2**22


@torch.no_grad()
def nearest(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"], count: int = 1
) -> Int[Tensor, "points count"]:
    """Return the indices of the ``count`` nearest others of each point, nearest first.

    Indices have no gradient; distances computed with them have. Needs at least ``count`` others.
    """
    rows = max(1, PAIRS // len(others))
    found = [
        distances(part, others).topk(count, dim=-1, largest=False).indices
        for part in points.split(rows)
    ]
    return torch.cat(found)


def distances(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"]
) -> Float[Tensor, "points others"]:
    """Return the Euclidean distances between all pairs."""
    # By differences: the faster form with products loses small distances to cancellation.
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
