"""Nearest neighbours between two sets of points by brute force, in bounded memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Pairs that are compared at once: 16 MB of float32 distances.
PAIRS = 2**22


@torch.no_grad()
def nearest(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"], count: int = 1
) -> Int[Tensor, "points count"]:
    """Return the indices of the ``count`` nearest others of each point, nearest first.

    Indices have no gradient; distances computed with them have. Needs at least ``count`` others.
    """
    rows = max(1, PAIRS // len(others))
    indices = [
        distances(part, others).topk(count, dim=-1, largest=False).indices
        for part in points.split(rows)
    ]
    return torch.cat(indices)


def distances(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"]
) -> Float[Tensor, "points others"]:
    """Return the Euclidean distances between all pairs."""
    # By differences: the faster form with products cancels for small distances.
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
