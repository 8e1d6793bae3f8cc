"""Samples of a scene with a background: those of the foreground end at the unit sphere."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nerfloss.geometry import Rays, Samples, intersect_sphere
from nerfloss.quantities.field import Field
from nerfloss.quantities.vocabulary import BACKGROUND_SAMPLES


@runtime_checkable
class Behind(Protocol):
    """A background, as its samples are concerned."""

    def place(self, rays: Rays, generator: torch.Generator | None) -> Mapping[str, Tensor]: ...
    def refresh(self, step: int, generator: torch.Generator | None) -> None: ...


class ForegroundSampler(nn.Module):
    """Restrict a ``sampler`` to the unit ball, and add the samples of a ``background``.

    Intervals are cut at the unit sphere. Parameters of the background are not part of this module.
    """

    def __init__(self, sampler: Any, background: Behind) -> None:
        super().__init__()
        self.sampler = sampler
        self.offers: frozenset[str] = sampler.offers | set(BACKGROUND_SAMPLES)
        self.learns_from: str | None = sampler.learns_from
        self.supports_prefetch: bool = sampler.supports_prefetch
        # In a tuple, so that the background is no submodule.
        self._background = (background,)
        resolution = 64
        self.sampler.restrict_to(_in_ball(torch.tensor([[-1.0] * 3, [1.0] * 3]), resolution))

    @property
    def region(self) -> Bool[Tensor, "x y z"] | None:
        """Cells of the field's box to which samples are restricted; None: all."""
        return self.sampler.region

    def restrict_to(self, region: Bool[Tensor, "x y z"]) -> None:
        """Restrict samples to a region of the field's box."""
        self.sampler.restrict_to(region)

    def sampled_region(self, field: Field) -> Bool[Tensor, "x y z"] | None:
        """Return the cells of the field's box in which samples are placed, one cell wider."""
        cells = self.sampler.sampled_region(field)
        if cells is None:
            return _in_ball(field.box, 96)
        return cells & _in_ball(field.box, len(cells))

    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        samples = self.sampler(field, rays, generator)
        enter, leave = (each[:, None] for each in intersect_sphere(rays))
        within = (each.clamp(enter, leave) for each in (samples.t_starts, samples.t_ends))
        (background,) = self._background
        t_starts, t_ends = within
        more = {**samples.more, **background.place(rays, generator)}
        return replace(samples, t_starts=t_starts, t_ends=t_ends, more=more, count=None)

    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Update the sampler's and the background's copies of their fields, where due."""
        self.sampler.refresh(field, step, generator)
        (background,) = self._background
        background.refresh(step, generator)


def _in_ball(box: Float[Tensor, "2 3"], count: int) -> Bool[Tensor, "x y z"]:
    """Return the cells of a box that touch the unit ball, up to half a cell's diagonal."""
    steps = (torch.arange(count, device=box.device) + 0.5) / count
    axes = [box[0, k] + steps * (box[1, k] - box[0, k]) for k in range(3)]
    radius = torch.cartesian_prod(*axes).norm(dim=1).reshape(count, count, count)
    return radius < 1 + 0.5 * (box[1] - box[0]).norm() / count
