"""Rays, samples along them, and intersections with boxes and spheres."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """A batch of rays in the world frame.

    ``pixel`` is the (column, row) of the pixel's centre, without the distortion of a lens (as a
    pinhole camera of the same intrinsics would see it), ``view`` the index of its image, and
    ``background`` the colour behind the scene.
    """

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    pixel: Float[Tensor, "rays 2"]
    view: Int[Tensor, "rays"]
    background: Float[Tensor, "rays 3"]

    def __len__(self) -> int:
        return self.origins.shape[0]

    def __getitem__(self, which: slice | Tensor) -> "Rays":
        """Return the rays selected by a slice, an index or a mask."""
        return Rays(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def to(self, device: torch.device | str) -> "Rays":
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def chunks(self, size: int) -> Iterator["Rays"]:
        """Yield the rays in order, at most ``size`` at a time."""
        for begin in range(0, len(self), size):
            yield self[begin : begin + size]


@dataclass(frozen=True)
class Samples:
    """Intervals along rays; rays with fewer samples are padded with intervals of length zero.

    ``more`` holds quantities computed by the sampler, by name; ``count`` is the number of intervals
    of non-zero length, None if not known.
    """

    rays: Rays
    t_starts: Float[Tensor, "rays samples"]
    t_ends: Float[Tensor, "rays samples"]
    more: Mapping[str, Tensor] = field(default_factory=dict)
    count: int | None = None

    @property
    def occupied(self) -> Tensor:
        """True for intervals of non-zero length; the field is evaluated there only."""
        return self.t_ends > self.t_starts


def intersect_box(
    rays: Rays, box: Float[Tensor, "2 3"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Return the distances at which rays enter and leave an axis-aligned box.

    A ray that starts inside enters at 0. A ray that misses the box enters and leaves at 0, so that
    its samples have length zero.
    """
    # A component of zero divides to infinity: right unless the origin lies on the slab's plane.
    safe = torch.where(rays.directions.abs() < 1e-12, 1e-12, rays.directions)
    first = (box[0] - rays.origins) / safe
    second = (box[1] - rays.origins) / safe
    enter = torch.minimum(first, second).amax(-1).clamp_min(0.0)
    leave = torch.maximum(first, second).amin(-1)
    hit = leave > enter
    return torch.where(hit, enter, 0.0), torch.where(hit, leave, 0.0)


def intersect_sphere(
    rays: Rays, radius: float = 1.0
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Return the distances at which rays enter and leave the sphere of ``radius`` at the origin.

    A ray that starts inside enters at 0; a ray that misses enters and leaves at 0.
    """
    closest = -(rays.origins * rays.directions).sum(-1)
    half_squared = radius**2 - (rays.origins.square().sum(-1) - closest.square())
    half = half_squared.clamp_min(0.0).sqrt()
    enter, leave = (closest - half).clamp_min(0.0), closest + half
    hit = (half_squared > 0) & (leave > enter)
    return torch.where(hit, enter, 0.0), torch.where(hit, leave, 0.0)
