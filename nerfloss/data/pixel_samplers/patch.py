"""Whole patches of pixels, for losses on neighbouring pixels."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from nerfloss.data.global_targets import (
    NEIGHBOURS,
    POINTS,
    GlobalTargets,
    with_global_targets,
)
from nerfloss.data.pixel_samplers.backgrounds import background_colors, check_background_for
from nerfloss.data.pixel_samplers.batch import COMPUTED, Batch, gather_pixels
from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns, step_generator
from nerfloss.data.views import Views


@dataclass(frozen=True)
class PatchSampling:
    """Settings of `PatchPixelSampler`: patches of ``height`` by ``width`` pixels.

    With ``near_mask`` the middle of a patch is at most that many rows and columns away from the
    mask. ``points`` and ``neighbours`` are settings of `GlobalTargets`.
    """

    height: int = 16
    width: int = 16
    near_mask: int | None = None
    points: int = POINTS
    neighbours: int = NEIGHBOURS

    def __post_init__(self) -> None:
        sizes = {"height": self.height, "width": self.width}
        for name, value in {**sizes, "points": self.points, "neighbours": self.neighbours}.items():
            if value < 1:
                raise ValueError(f"batch.{name} must be at least 1, got {value}")

    @property
    def least_rays(self) -> int:
        """Number of rays in one patch."""
        return self.height * self.width

    @property
    def patch_size(self) -> tuple[int, int]:
        """Height and width of the patches."""
        return (self.height, self.width)

    def offers(self, observed: frozenset[str]) -> frozenset[str]:
        """Return the quantities in a batch, given those that the dataset offers."""
        return with_global_targets(observed) | COMPUTED | {"patch_shape"}

    def __call__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> "PatchPixelSampler":
        """Build the sampler for these views."""
        return PatchPixelSampler(
            views, self, background=background, seed=seed, device=torch.device(device), needs=needs
        )


class PatchPixelSampler:
    """Draw whole patches, uniformly over all positions in all views.

    Rays are ordered patch after patch, row-major within each, and ``patch_shape`` is among the
    targets. A batch depends on (seed, step, rays) only. A random background has one colour per
    patch, since colours that vary between pixels would be noise for losses on patches.
    Raises ValueError where a patch is larger than the images.
    """

    def __init__(
        self,
        views: Views,
        settings: PatchSampling,
        *,
        background: str,
        seed: int,
        device: torch.device,
        needs: Collection[str] | None = None,
    ) -> None:
        check_background_for(background, views)
        _check_size(settings, views)
        self.views, self.background, self.needs = views, background, needs
        self.seed, self.device, self._near_mask = seed, device, settings.near_mask
        self.shape, self.least_rays = settings.patch_size, settings.least_rays
        self._global_targets = GlobalTargets(
            views,
            needs or (),
            points=settings.points,
            neighbours=settings.neighbours,
            device=device,
        )
        self._cameras = views.cameras.to(device)
        index_device = self._global_targets.index_device
        self._offsets = self._patch_offsets().to(index_device)
        corners = PixelRuns.everywhere(views, self.shape)
        if self._near_mask is not None and views.mask is not None:
            corners = self._corners_near(views.mask, self._near_mask)
        self._corners = corners.to(index_device)

    def restrict_to(self, masks: UInt8[Tensor, "views height width"]) -> None:
        """Draw only patches whose middle has a non-zero mask.

        No effect if there are none or ``near_mask`` is None.
        """
        if self._near_mask is not None and bool(masks.any()):
            corners = PixelRuns.near_masks(masks, 0, self.shape, self.views)
            if corners.count > 0:
                self._corners = corners.to(self._global_targets.index_device)

    @property
    def positions(self) -> int:
        """Number of different patches that can be drawn."""
        return self._corners.count

    @property
    def needs_transfer(self) -> bool:
        """True if images and device differ, so that drawing early hides the transfer."""
        return self.views.rgb.device.type != self.device.type

    def draw(self, step: int, rays: int) -> Batch:
        """Return as many patches as fit into ``rays``, at least one, drawn with replacement."""
        patches = max(1, rays // self.least_rays)
        generator = step_generator(self.seed, step, rays)
        corner = self._corners.draw(patches, generator)
        flat = (corner[:, None] + self._offsets).reshape(-1)
        colors = background_colors(self.background, patches, generator, self.device)
        background = None if colors is None else colors.repeat_interleave(self.least_rays, 0)
        composite = self.background != "none"
        batch = gather_pixels(self.views, self._cameras, flat, background, composite, self.needs)
        return batch.with_targets(
            {**self._global_targets(flat, generator), "patch_shape": self.shape}
        )

    def _patch_offsets(self) -> Int[Tensor, "pixels"]:
        """Flat indices of a patch's pixels relative to its corner, in row-major order."""
        height, width = self.shape
        rows = torch.arange(height)[:, None] * self.views.cameras.width
        return (rows + torch.arange(width)).reshape(-1)

    def _corners_near(self, mask: UInt8[Tensor, "views height width"], distance: int) -> PixelRuns:
        corners = PixelRuns.near_masks(mask, distance, self.shape, self.views)
        if corners.count == 0:
            height, width = self.shape
            raise ValueError(
                f"no patch of batch.height={height} x batch.width={width} pixels has its middle "
                f"within batch.near_mask={distance} of a mask; take smaller patches, or "
                f"batch.near_mask=null"
            )
        return corners


def _check_size(settings: PatchSampling, views: Views) -> None:
    height, width = views.cameras.height, views.cameras.width
    if settings.height > height or settings.width > width:
        raise ValueError(
            f"patches of batch.height={settings.height} x batch.width={settings.width} pixels do "
            f"not fit into images of {height} x {width}; lower them, or use larger images"
        )
