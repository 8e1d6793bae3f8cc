"""Whole patches of pixels to learn from, for terms that look at pixels beside each other."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from nerfloss.data.global_targets import NEIGHBOURS, POINTS, GlobalTargets, with_all_views
from nerfloss.data.pixel_samplers.pixel_pool import PixelPool, streams
from nerfloss.data.pixel_samplers.uniform import (
    Batch,
    background_colors,
    check_masks_for,
    gather,
    pixels_near,
    step_generator,
)
from nerfloss.data.views import Views


@dataclass(frozen=True)
class Patches:
    """Asks for batches of patches, ``height`` by ``width`` pixels each.

    With ``near_mask`` the middle of a patch lies at most that many rows and columns away from the
    mask; ``points`` and ``neighbours`` are settings of `GlobalTargets`.
    """

    height: int = 16
    width: int = 16
    near_mask: int | None = None
    points: int = POINTS
    neighbours: int = NEIGHBOURS

    def __post_init__(self) -> None:
        for name in ("height", "width", "points", "neighbours"):
            if getattr(self, name) < 1:
                raise ValueError(f"batch.{name} must be at least 1, got {getattr(self, name)}")

    @property
    def least_rays(self) -> int:
        """The rays of one patch: fewer make no batch."""
        return self.height * self.width

    def offers(self, observed: frozenset[str]) -> frozenset[str]:
        """What batches offer of a dataset that offers ``observed``."""
        return with_all_views(observed) | {"patch_shape"}

    def __call__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> "PatchBatches":
        """Batches of these views."""
        return PatchBatches(
            views, self, background=background, seed=seed, device=torch.device(device), needs=needs
        )


class PatchBatches:
    """Draw whole patches, uniformly over all places in all views where they fit.

    Rays come patch after patch, each in row-major order, and ``patch_shape`` is among the targets.
    As with single pixels, drawing depends on (seed, step, rays) and nothing else. A random
    background has one colour per patch: from pixel to pixel it would be noise to look at.
    Raises ValueError where a patch is larger than the images.
    """

    def __init__(
        self,
        views: Views,
        patches: Patches,
        *,
        background: str,
        seed: int,
        device: torch.device,
        needs: Collection[str] | None = None,
    ) -> None:
        check_masks_for(background, views)
        _check_fit(patches, views)
        self.views, self.background, self.needs = views, background, needs
        self.seed, self.device, self._near = seed, device, patches.near_mask
        self.shape = (patches.height, patches.width)
        self._around = GlobalTargets(
            views, needs or (), points=patches.points, neighbours=patches.neighbours, device=device
        )
        self._cameras = views.cameras.to(device)
        self._pool = PixelPool.of(*_all_corners(views, self.shape), self._around.place)
        self._offsets = self._within().to(self._around.place)
        if self._near is not None and views.mask is not None:
            corners = self._corners_near(views.mask, self._near)
            self._pool = PixelPool.of(*corners, self._around.place)

    def narrow(self, seen: UInt8[Tensor, "views height width"]) -> None:
        """Draw only patches with their middle where ``seen`` marks, unless ``near_mask`` is None.

        Where there are none, everything is drawn as before.
        """
        if self._near is not None and bool(seen.any()):
            starts, bounds = pixels_near(seen, 0, self.shape)
            if int(bounds[-1]) > 0:
                self._pool = PixelPool.of(starts, bounds, self._around.place)

    @property
    def least_rays(self) -> int:
        """The rays of one patch: fewer make no batch."""
        return self.shape[0] * self.shape[1]

    @property
    def corners(self) -> int:
        """How many different patches there are to draw."""
        return self._pool.count

    @property
    def streams(self) -> bool:
        """Whether pixels lie elsewhere than on the device, so that it pays to ask early."""
        return streams(self.views, self.device)

    def draw(self, step: int, rays: int) -> Batch:
        """Draw as many patches as fit into ``rays``, at least one, with replacement."""
        height, width = self.shape
        patches = max(1, rays // (height * width))
        generator = step_generator(self.seed, step, rays)
        corner = self._pool.draw(patches, generator)
        flat = (corner[:, None] + self._offsets).reshape(-1)
        colors = background_colors(self.background, patches, generator, self.device)
        background = colors.repeat_interleave(height * width, 0)
        composite = self.background != "none"
        batch = gather(self.views, self._cameras, flat, background, composite, self.needs)
        return batch.beside({**self._around(flat, generator), "patch_shape": self.shape})

    def _within(self) -> Int[Tensor, "pixels"]:
        """Where a patch's pixels lie after its corner, flat, in row-major order."""
        height, width = self.shape
        rows = torch.arange(height)[:, None] * self.views.cameras.width
        return (rows + torch.arange(width)).reshape(-1)

    def _corners_near(
        self, mask: UInt8[Tensor, "views height width"], reach: int
    ) -> tuple[Int[Tensor, "runs"], Int[Tensor, "runs+1"]]:
        starts, bounds = pixels_near(mask, reach, self.shape)
        if int(bounds[-1]) == 0:
            height, width = self.shape
            raise ValueError(
                f"no patch of batch.height={height} x batch.width={width} pixels has its middle "
                f"within batch.near_mask={reach} of a mask; take smaller patches, or "
                f"batch.near_mask=null"
            )
        return starts, bounds


def _check_fit(patches: Patches, views: Views) -> None:
    height, width = views.cameras.height, views.cameras.width
    if patches.height > height or patches.width > width:
        raise ValueError(
            f"patches of batch.height={patches.height} x batch.width={patches.width} pixels do not "
            f"fit into images of {height} x {width}; lower them, or use larger images"
        )


def _all_corners(
    views: Views, shape: tuple[int, int]
) -> tuple[Int[Tensor, "runs"], Int[Tensor, "runs+1"]]:
    """Runs of the corners of all patches that lie whole in an image: one per view and row."""
    height, width = views.cameras.height, views.cameras.width
    rows, columns = height - shape[0] + 1, width - shape[1] + 1
    starts = torch.arange(len(views))[:, None] * height * width + torch.arange(rows) * width
    return starts.reshape(-1), torch.arange(len(views) * rows + 1) * columns
