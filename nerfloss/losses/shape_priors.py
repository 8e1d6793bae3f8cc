"""Shape priors: mirror symmetry, an empty boundary, and minimal surface area."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, count, not_negative, positive
from nerfloss.maths.directions import length, random_directions


def _is_plane(plane: Sequence[float | int]) -> bool:
    return len(plane) == 4 and all(math.isfinite(x) for x in plane) and any(plane[:3])


@requires(condition("plane=[a, b, c, d] with a normal (a, b, c) that is not 0", _is_plane))
def symmetry(
    field: Callable[..., Mapping[str, Tensor]],
    space_points: Float[Tensor, "points 3"],
    *,
    plane: Sequence[float | int],
) -> Float[Tensor, "points"]:
    """Return the asymmetry of the SDF about a plane, ``|f(x) - f(mirror x)|``.

    ``plane`` is ``[a, b, c, d]``, the points with ``a x + b y + c z + d = 0``; ``(a, b, c)`` need
    not be unit. In scene units.

    Reference: Insafutdinov et al., "SNeS: Learning Probably Symmetric Neural Surfaces from
    Incomplete Data", ECCV 2022.
    """
    *normal, offset = plane
    n = space_points.new_tensor(normal)
    above = (space_points @ n + offset) / n.square().sum()
    mirrored = space_points - 2 * above[:, None] * n
    here, there = field(torch.cat([space_points, mirrored]), {"sdf"})["sdf"].chunk(2)
    return (here - there).abs()


@requires(not_negative("margin"), positive("radius"), count("points"))
def boundary(
    field: Callable[..., Mapping[str, Tensor]],
    generator: Generator | None = None,
    *,
    margin: float | int = 0.1,
    radius: float | int = 1.0,
    points: int = 512,
) -> Float[Tensor, "points"]:
    """Return ``max(0, margin - f(x))^2`` on a sphere around the scene, which should be empty.

    At ``points`` random points of the sphere of ``radius`` around the origin, into which a
    normalised scene fits; ``margin`` and ``radius`` in scene units. The points are on the device of
    the generator; without one, on torch's default device.

    Reference: Yariv et al., "Volume Rendering of Neural Implicit Surfaces", NeurIPS 2021,
    which bounds the SDF by the scene's sphere.
    """
    device = None if generator is None else generator.device
    centre = torch.zeros(points, 3, device=device)
    places = radius * random_directions(centre, generator)
    return (margin - field(places, {"sdf"})["sdf"]).clamp_min(0).square()


@requires(positive("width"))
def minimal_surface(
    space_sdf: Float[Tensor, "points"],
    space_gradients: Float[Tensor, "points 3"],
    *,
    width: float = 0.05,
) -> Float[Tensor, "points"]:
    """Return the smoothed area density ``delta(f) |grad f|``.

    ``delta(f) = width / (pi (width^2 + f^2))``. By the coarea formula its mean over a box, times
    the box's volume, tends to the area of the surface within as the ``width`` (scene units)
    vanishes. Lengths are floored at 1e-6.

    Reference: Zhang et al., "Critical Regularizations for Neural Surface Reconstruction in the
    Wild", CVPR 2022, its minimal surface term.
    """
    smeared = width / (torch.pi * (width**2 + space_sdf.square()))
    return smeared * length(space_gradients)
