"""View-independent shading of analytic scenes: directional lights and ambient light."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.synthetic.analytic_scenes import Model
from nerfloss.data.synthetic.shapes import Sdf

# Direction towards each light, and its colour: a warm key, a cool fill, a weak light from below.
LIGHTS = (
    ((0.45, -0.55, 0.70), (0.60, 0.56, 0.48)),
    ((-0.60, 0.50, 0.30), (0.20, 0.24, 0.30)),
    ((0.10, 0.30, -0.95), (0.16, 0.14, 0.13)),
)
AMBIENT = (0.50, 0.51, 0.54)


def shade(
    model: Model, points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
) -> Float[Tensor, "points 3"]:
    """Return the colour of surface points: Lambertian, plus ambient light times `openness`."""
    light = points.new_tensor(AMBIENT) * openness(model.sdf, points, normals)[:, None]
    for direction, color in LIGHTS:
        towards = torch.nn.functional.normalize(points.new_tensor(direction), dim=0)
        light = light + (normals @ towards).clamp_min(0.0)[:, None] * points.new_tensor(color)
    return (model.texture(points) * light).clamp(0.0, 1.0)


def openness(
    sdf: Sdf, points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
) -> Float[Tensor, "points"]:
    """Approximate ambient visibility in [0, 1] from the free distance along the normal.

    Reference: Evans, "Fast Approximations for Global Illumination on Dynamic Scenes", 2006.
    """
    total = torch.zeros_like(points[:, 0])
    for reach in (0.1, 0.35):
        total = total + (sdf(torch.add(points, normals, alpha=reach)) / reach).clamp(0.0, 1.0)
    return total / 2
