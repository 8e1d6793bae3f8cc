"""Uniform sampling: intervals of equal length between entry into and exit from the box."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.geometry import Rays, Samples, intersect_box
from nerfloss.maths.per_ray_random import per_ray
from nerfloss.quantities.field import Field
from nerfloss.samplers.unrestricted import Unrestricted


def stratified_edges(
    enter: Float[Tensor, "rays"],
    leave: Float[Tensor, "rays"],
    samples: int,
    generator: torch.Generator | None,
) -> Float[Tensor, "rays edges"]:
    """Return the bounds of equal intervals; with a generator inner bounds are jittered."""
    steps = torch.linspace(0, 1, samples + 1, device=enter.device).expand(len(enter), -1)
    if generator is not None:
        jitter = per_ray((len(enter), samples - 1), generator, enter.device)
        inner = steps[:, 1:-1] + (jitter - 0.5) / samples
        steps = torch.cat([steps[:, :1], inner, steps[:, -1:]], -1)
    return enter[:, None] + (leave - enter)[:, None] * steps


class UniformSampler(Unrestricted, torch.nn.Module):
    """Place ``samples`` intervals of equal length inside the field's box."""

    def __init__(self, *, samples: int = 64) -> None:
        super().__init__()
        if samples < 2:
            raise ValueError(f"sampler.samples must be at least 2, got {samples}")
        self.samples = samples

    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        edges = stratified_edges(*intersect_box(rays, field.box), self.samples, generator)
        return Samples(rays, edges[:, :-1], edges[:, 1:])

    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Do nothing: there is no state."""
