"""Rotations: the exponential map, angles, the nearest rotation, and alignment of camera poses."""

import torch
from jaxtyping import Float
from torch import Tensor

# Below this squared angle the series is exact to the last digit of float64.
SMALL = 1e-2


def rotation_exp(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotations about ``vectors`` by their length, in radians (Rodrigues' formula).

    ``I + sin(a)/a K + (1 - cos(a))/a^2 K^2`` with the cross-product matrix ``K`` of a vector of
    length ``a``. Differentiable everywhere, also at 0, where the factors are evaluated as series.
    """
    squared = vectors.square().sum(-1)[..., None, None]
    small = squared < SMALL
    # The branch that is not selected must be differentiable, too: no root of 0.
    angle = torch.where(small, 1.0, squared).sqrt()
    sine = 1 - squared / 6 * (1 - squared / 20 * (1 - squared / 42 * (1 - squared / 72)))
    cosine = 0.5 - squared / 24 * (1 - squared / 30 * (1 - squared / 56 * (1 - squared / 90)))
    # 1 - cos(a) = 2 sin(a/2)^2 keeps its digits.
    first = torch.where(small, sine, angle.sin() / angle)
    second = torch.where(small, cosine, 2 * ((0.5 * angle).sin() / angle).square())
    matrix = _cross(vectors)
    return torch.eye(3).to(vectors) + first * matrix + second * (matrix @ matrix)


def rotation_angle(rotations: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return the angles of rotations, in radians, in [0, pi]; to all digits near 0."""
    skew = 0.5 * (rotations - rotations.mT)
    axis = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)
    cosine = 0.5 * (rotations.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)
    return torch.atan2(axis.square().sum(-1).sqrt(), cosine)


def nearest_rotation(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    """Return the rotation nearest to a matrix, in the Frobenius norm.

    Reference: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
    """
    left, _, right = torch.linalg.svd(matrix)
    sign = torch.ones(3).to(matrix)
    sign[2] = torch.linalg.det(left @ right).sign()
    return left @ (sign[:, None] * right)


def aligned_poses(
    poses: Float[Tensor, "views 3 4"], onto: Float[Tensor, "views 3 4"]
) -> Float[Tensor, "views 3 4"]:
    """Return camera-to-world poses after the similarity that brings them nearest to others.

    The rotation minimizes the differences between orientations; scale and translation then
    minimize the distances between the centres. What remains does not depend on the world's frame.
    """
    rotation = nearest_rotation((onto[:, :, :3] @ poses[:, :, :3].mT).sum(0))
    turned = rotation @ poses
    source, target = turned[:, :, 3], onto[:, :, 3]
    from_mean, to_mean = source - source.mean(0), target - target.mean(0)
    # Cameras in one place have no scale; the floor leaves theirs at 0.
    scale = (from_mean * to_mean).sum() / from_mean.square().sum().clamp_min(1e-12)
    centers = scale * from_mean + target.mean(0)
    return torch.cat([turned[:, :, :3], centers[:, :, None]], -1)


def _cross(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
