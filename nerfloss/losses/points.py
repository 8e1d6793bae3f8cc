"""Distances between sets of points: surface points of rays, and observed points.

All pairs are compared, in blocks of bounded memory.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.losses.learnable_chamfer import learnable_chamfer as learnable_chamfer
from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import count, not_negative, positive
from nerfloss.maths.directions import length
from nerfloss.maths.nearest_neighbours import nearest
from nerfloss.maths.random_numbers import normal
from nerfloss.maths.transport import sinkhorn_divergence


def chamfer(
    surface_points: Float[Tensor, "*surface 3"], target_points: Float[Tensor, "*observed 3"]
) -> Float[Tensor, ""]:
    """Return the sum of the mean squared distances to the nearest point of the other set.

    ``mean_i min_j |x_i - y_j|^2 + mean_j min_i |x_i - y_j|^2``, in squared scene units; 0 where a
    set is empty. The choice of the nearest points has no gradient.

    Reference: Fan, Su and Guibas, "A Point Set Generation Network for 3D Object Reconstruction from
    a Single Image", CVPR 2017, with means for its sums.
    """
    x, y = surface_points, target_points
    if not len(x) or not len(y):
        return _nothing(x, y)
    there = (x - y[nearest(x, y)[:, 0]]).square().sum(-1).mean()
    back = (y - x[nearest(y, x)[:, 0]]).square().sum(-1).mean()
    return there + back


@requires(count("references"), count("neighbours"), positive("spread"), not_negative("trust"))
def directional_distance(
    surface_points: Float[Tensor, "*surface 3"],
    target_points: Float[Tensor, "*observed 3"],
    generator: Generator | None = None,
    *,
    references: int = 3,
    spread: float = 0.05,
    neighbours: int = 5,
    trust: float | int = 3.0,
) -> Float[Tensor, "references"]:
    """Return the difference of directional distance fields (DirDist) at reference points.

    At a reference point q the directional distance to a set is ``v(q) = sum_k a_k (q - p_k)`` over
    its nearest ``neighbours``, with ``a_k`` proportional to ``1 / |q - p_k|^2``, and the distance
    ``|v|``. The value is ``e exp(-trust e)`` with ``e = | |v| - |v'| | + |v - v'|_1``, the
    exponential without gradient: it lowers the weight of references where the sets differ much and
    their nearest parts may not correspond. References are ``references`` points around each target
    point, with a normal deviation of ``spread`` scene units, and the detached surface points. The
    a_k have no gradient either. Empty where a set is empty.

    Reference: Ren et al., "Measuring the Discrepancy between 3D Geometric Models using Directional
    Distance Fields", TPAMI 2025 (arXiv 2401.09736, 2024), and its released code.
    """
    x, y = surface_points, target_points
    if not len(x) or not len(y):
        return _nothing(x, y)[None][:0]
    origins = y.detach().repeat_interleave(references, 0)
    noise = spread * normal(origins.shape, generator, origins)
    origins = torch.cat([origins + noise, x.detach()])
    (v, distance), (w, other) = (_towards(origins, each, neighbours) for each in (x, y))
    error = (distance - other).abs() + (v - w).abs().sum(-1)
    return error * (-trust * error.detach()).exp()


@requires(
    positive("blur"),
    count("steps"),
    approximate_gradient="exact once the iterations have converged",
)
def sinkhorn_emd(
    surface_points: Float[Tensor, "*surface 3"],
    target_points: Float[Tensor, "*observed 3"],
    *,
    blur: float = 0.01,
    steps: int = 10,
) -> Float[Tensor, ""]:
    """Return the earth mover's distance of two sets, smoothed at the scale ``blur``.

    In scene units, with uniform mass on each set, so that sizes may differ. It is the debiased
    Sinkhorn divergence: 0 for equal sets, and the exact distance as ``blur`` (scene units)
    vanishes. ``steps`` iterations follow those in which the blur is halved down to its value; a
    smaller blur needs more. 0 where a set is empty.

    Reference: Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn
    Divergences", AISTATS 2019, equation 3.
    """
    if not len(surface_points) or not len(target_points):
        return _nothing(surface_points, target_points)
    return sinkhorn_divergence(surface_points, target_points, blur, steps)


def _towards(origins: Tensor, points: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Return the mean vector from the nearest points to each reference, and its length."""
    apart = origins[:, None] - points[nearest(origins, points, min(neighbours, len(points)))]
    # A reference may be a point of the set; the floor keeps its share finite.
    shares = 1 / (apart.detach().square().sum(-1, keepdim=True) + 1e-8)
    vectors = (apart * shares).sum(1) / shares.sum(1)
    return vectors, length(vectors)


def _nothing(*points: Tensor) -> Float[Tensor, ""]:
    """Return a 0 that depends on the points, so that the loss has a gradient."""
    return torch.stack([0 * each.sum() for each in points]).sum()
