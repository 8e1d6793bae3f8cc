"""Fit an SDF field to a given signed distance, before training on images."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from nerfloss.quantities.field import TrainedField
from nerfloss.training.optimizer import Optimizer


def fit_distance(
    field: TrainedField,
    distance: Float[Tensor, "depth height width"],
    *,
    steps: int = 200,
    points: int = 2048,
    band: float = 0.08,
    learning_rate: float = 5e-3,
    eikonal: float = 0.1,
    seed: int = 0,
) -> float:
    """Minimise ``|f - d| + eikonal (|grad f| - 1)^2`` and return the last mean ``|f - d|``.

    ``distance`` is the signed distance, negative inside, at the centres of the cells of the field's
    box. Three quarters of the points are drawn within ``band`` of the surface, in scene units, the
    rest uniformly. Only the parameter groups ``grid`` and ``geometry`` are trained.
    """
    groups = field.parameter_groups()
    geometry = {name: groups[name] for name in ("grid", "geometry")}
    optimizer = Optimizer(geometry, learning_rate=learning_rate, warmup_steps=0, end_factor=0.2)
    generator = torch.Generator(distance.device).manual_seed(seed)
    near = (distance.abs() < band).nonzero()
    error = float("nan")
    for step in range(steps):
        unit = _draw(near, distance.shape, points, generator)
        values = field(field.box[0] + unit * (field.box[1] - field.box[0]), {"sdf", "gradients"})
        residual = (values["sdf"] - _interpolate(distance, unit)).abs().mean()
        norm = values["gradients"].square().sum(-1).clamp_min(1e-12).sqrt()
        loss = residual + eikonal * (norm - 1).square().mean()
        optimizer.step(loss, step, step / steps)
        error = float(residual.detach())
    return error


def _draw(
    near: Tensor, shape: torch.Size, count: int, generator: torch.Generator
) -> Float[Tensor, "points 3"]:
    """Draw points (x, y, z) of the unit cube: three quarters of them in cells ``near``."""
    device = near.device
    close_count = count * 3 // 4 if len(near) else 0
    chosen = torch.randint(max(len(near), 1), (close_count,), generator=generator, device=device)
    jitter = torch.rand(close_count, 3, generator=generator, device=device)
    sizes = torch.tensor([shape[2], shape[1], shape[0]], device=device)
    close = (near[chosen].flip(-1) + jitter) / sizes
    return torch.cat(
        [close, torch.rand(count - close_count, 3, generator=generator, device=device)]
    )


def _interpolate(
    distance: Float[Tensor, "depth height width"], unit: Float[Tensor, "points 3"]
) -> Float[Tensor, "points"]:
    normalized = (unit * 2 - 1).reshape(1, 1, 1, -1, 3)
    values = grid_sample(
        distance[None, None], normalized, padding_mode="border", align_corners=False
    )
    return values.reshape(-1)
