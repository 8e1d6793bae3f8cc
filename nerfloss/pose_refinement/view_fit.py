"""Fit of the pose of a single view to its image, with the scene frozen."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.pose_refinement.camera_deltas import about_pivots, moved_rays, pivots
from nerfloss.pose_refinement.gradient_clipping import with_clipped_gradient

# Colours along the second rays, of samples that were placed along the first.
RenderColors = Callable[[Rays, Rays], Float[Tensor, "rays 3"]]


@dataclass(frozen=True)
class ViewFit:
    """Descend the squared error of ``rays`` random pixels per step, for ``steps`` steps, by Adam.

    The learning rate falls linearly to 0. ``gradient_clip`` is that of `CameraRefinement`. The
    pixels follow from ``seed`` and the step.
    """

    steps: int = 60
    rays: int = 1024
    learning_rate: float = 3e-3
    gradient_clip: float | int | None = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.rays) < 1 or not self.learning_rate > 0:
            raise ValueError(
                "cameras.view_fit needs steps >= 1, rays >= 1 and learning_rate > 0, got "
                f"{self.steps}, {self.rays} and {self.learning_rate}"
            )

    def __call__(
        self,
        render: RenderColors,
        rays: Rays,
        target: Float[Tensor, "rays 3"],
        pixels: Int[Tensor, "pixels"],
    ) -> Float[Tensor, "6"]:
        """Return the twist that fits a view to its image; 0 where none fits better than the given.

        ``rays`` and ``target`` are those of the whole image, ``pixels`` the indices that count.
        """
        middle = pivots(rays.origins[:1])
        twist = torch.zeros(6, device=rays.origins.device, requires_grad=True)
        optimizer = torch.optim.Adam([twist], lr=self.learning_rate)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.learning_rate * (1 - step / self.steps)
            world = about_pivots(twist[None], middle)[0]
            error = self._error(render, rays, target, self._drawn(pixels, step), world)
            if not error.requires_grad:  # no pixel shows anything
                break
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        twist = about_pivots(twist.detach()[None], middle)[0]
        drawn = self._drawn(pixels, self.steps)
        with torch.no_grad():
            fitted = self._error(render, rays, target, drawn, twist)
            given = self._error(render, rays, target, drawn, torch.zeros_like(twist))
        return twist if bool(fitted < given) else torch.zeros_like(twist)

    def _drawn(self, pixels: Int[Tensor, "pixels"], step: int) -> Int[Tensor, "drawn"]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        drawn = torch.randint(len(pixels), (self.rays,), generator=generator)
        return pixels[drawn.to(pixels.device)]

    def _error(
        self,
        render: RenderColors,
        rays: Rays,
        target: Float[Tensor, "rays 3"],
        drawn: Int[Tensor, "drawn"],
        twist: Float[Tensor, "6"],
    ) -> Float[Tensor, ""]:
        moved = with_twist(rays[drawn], twist, self.gradient_clip)
        # Where samples lie is no function of the pose that could be differentiated.
        placed = replace(
            moved, origins=moved.origins.detach(), directions=moved.directions.detach()
        )
        return (render(placed, moved) - target[drawn]).square().mean()


def with_twist(
    rays: Rays, twist: Float[Tensor, "6"], gradient_clip: float | int | None = None
) -> Rays:
    """Return the rays of one view after a correction of its pose, with clipped gradients."""
    rows = twist.expand(len(rays), 6)
    return moved_rays(rays, with_clipped_gradient(rows, gradient_clip))
