"""A start from a shape that is known: an SDF is fitted to its distance before an image is used."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from nerfloss.training.optimizer import Optimizer


def fit_distance(
    field: Any,
    distance: Float[Tensor, "depth height width"],
    *,
    steps: int = 200,
    points: int = 2048,
    band: float = 0.08,
    learning_rate: float = 5e-3,
    eikonal: float = 0.1,
    seed: int = 0,
) -> float:
    """Descend ``|f - d| + eikonal (|grad f| - 1)^2`` and return the last mean ``|f - d|``.

    ``distance`` holds signed distances, negative inside, at the centres of the cells of the field's
    box. Three quarters of the points lie within ``band`` of its surface, in scene units, the rest
    anywhere. Only the geometry learns; from a sphere the same run needs many times the steps, or
    gets stuck where the untrained colours push the surface away.
    """
    groups = field.parameter_groups()
    shape = {name: groups[name] for name in ("grid", "geometry")}
    optimizer = Optimizer(shape, learning_rate=learning_rate, warmup_steps=0, end_factor=0.2)
    generator = torch.Generator(distance.device).manual_seed(seed)
    near = (distance.abs() < band).nonzero()
    error = float("nan")
    for step in range(steps):
        unit = _draw(near, distance.shape, points, generator)
        values = field(field.box[0] + unit * (field.box[1] - field.box[0]), {"sdf", "gradients"})
        misfit = (values["sdf"] - _look_up(distance, unit)).abs().mean()
        slope = values["gradients"].square().sum(-1).clamp_min(1e-12).sqrt()
        loss = misfit + eikonal * (slope - 1).square().mean()
        optimizer.step(loss, step, step / steps)
        error = float(misfit.detach())
    return error


def _draw(
    near: Tensor, shape: torch.Size, count: int, generator: torch.Generator
) -> Float[Tensor, "points 3"]:
    """Points of the unit cube (x, y, z): three quarters in cells ``near``, the rest anywhere."""
    device = near.device
    many = count * 3 // 4 if len(near) else 0
    chosen = torch.randint(max(len(near), 1), (many,), generator=generator, device=device)
    jitter = torch.rand(many, 3, generator=generator, device=device)
    sizes = torch.tensor([shape[2], shape[1], shape[0]], device=device)
    close = (near[chosen].flip(-1) + jitter) / sizes
    return torch.cat([close, torch.rand(count - many, 3, generator=generator, device=device)])


def _look_up(
    distance: Float[Tensor, "depth height width"], unit: Float[Tensor, "points 3"]
) -> Float[Tensor, "points"]:
    where = (unit * 2 - 1).reshape(1, 1, 1, -1, 3)
    values = grid_sample(distance[None, None], where, padding_mode="border", align_corners=False)
    return values.reshape(-1)
