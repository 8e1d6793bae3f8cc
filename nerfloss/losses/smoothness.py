"""Smoothness terms: normals vary slowly over the surface."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import positive
from nerfloss.maths.directions import length, random_directions, random_offsets, unit


@requires(positive("step"))
def tangent_curvature(
    field: Callable[..., Mapping[str, Tensor]],
    positions: Float[Tensor, "rays samples 3"],
    generator: Generator | None = None,
    *,
    step: float,
) -> Float[Tensor, "rays samples"]:
    """Return the angle between normals a ``step`` apart along the surface: ``acos(n . n') / pi``.

    In [0, 1]. ``n' = n(x + step tau)`` with tau a random unit vector perpendicular to ``n(x)``;
    ``step`` in scene units. For small steps it is ``step / pi`` times the absolute normal curvature
    along tau. The angle is computed as the arc tangent of sine over cosine, which is accurate for
    small angles; the sine is floored at 1e-6. No gradient flows through the position of the second
    normal.

    Reference: Rosu and Behnke, "PermutoSDF: Fast Multi-View Reconstruction with Implicit Surfaces
    using Permutohedral Lattices", CVPR 2023, its curvature loss.
    """
    points = positions.detach().reshape(-1, 3)
    here = unit(field(points, {"gradients"})["gradients"])
    along = torch.linalg.cross(here.detach(), random_directions(points, generator))
    there = unit(field(points + step * unit(along), {"gradients"})["gradients"])
    sine = length(torch.linalg.cross(here, there))
    angle = torch.atan2(sine, (here * there).sum(-1))
    return (angle / torch.pi).reshape(positions.shape[:-1])


@requires(positive("eps"))
def directional_divergence(
    gradients: Float[Tensor, "*shape 3"],
    hessian_gradients: Float[Tensor, "*shape 3"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "*shape"]:
    """Return the second derivative of the SDF along its gradient: ``|g . Hg| / (g . g + eps)``.

    Per inverse scene unit. It is 0 for every exact distance, so unlike the Laplacian it does not
    flatten the surface. ``eps`` keeps the quotient finite where the gradient vanishes.

    Reference: Yang et al., "StEik: Stabilizing the Optimization of Neural Signed Distance
    Functions and Finer Shape Representation", NeurIPS 2023, and its released code.
    """
    along = (gradients * hessian_gradients).sum(-1)
    return along.abs() / (gradients.square().sum(-1) + eps)


@requires(positive("radius"))
def normal_smoothness(
    field: Callable[..., Mapping[str, Tensor]],
    surface_points: Float[Tensor, "rays 3"],
    generator: Generator | None = None,
    *,
    radius: float,
) -> Float[Tensor, "rays"]:
    """Return the squared distance of the unit normals at and near a surface point, in [0, 4].

    ``|n(x) - n(x + r)|^2`` with r uniform in the ball of ``radius`` scene units. No gradient flows
    into the surface points: the term changes the normals, and does not move the points to where
    normals agree.

    Reference: Oechsle, Peng and Geiger, "UNISURF: Unifying Neural Implicit Surfaces and Radiance
    Fields for Multi-View Reconstruction", ICCV 2021, whose distance is not squared.
    """
    points = surface_points.detach()
    near = points + random_offsets(points, radius, generator)
    both = unit(field(torch.cat([points, near]), {"gradients"})["gradients"])
    here, there = both.chunk(2)
    return (here - there).square().sum(-1)
