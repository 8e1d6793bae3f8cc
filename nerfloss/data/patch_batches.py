"""Whole patches of pixels to learn from, for terms that look at pixels beside each other."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from nerfloss.data.batches import (
    Batch,
    background_colors,
    check_masks_for,
    gather,
    pixels_near,
    step_generator,
)
from nerfloss.data.surroundings import NEIGHBOURS, POINTS, Surroundings, with_all_views
from nerfloss.data.views import Views


@dataclass(frozen=True)
class Patches:
    """Asks for batches of patches, ``height`` by ``width`` pixels each.

    With ``near_mask`` the middle of a patch lies at most that many rows and columns away from the
    mask; ``points`` and ``neighbours`` are settings of `Surroundings`.
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
        self._around = Surroundings(
            views, needs or (), points=patches.points, neighbours=patches.neighbours, device=device
        )
        self._starts, self._bounds = _all_corners(views, self.shape)
        if self._near is not None and views.mask is not None:
            self._starts, self._bounds = self._corners_near(views.mask, self._near)

    def narrow(self, seen: UInt8[Tensor, "views height width"]) -> None:
        """Draw only patches with their middle where ``seen`` marks, unless ``near_mask`` is None.

        Where there are none, everything is drawn as before.
        """
        if self._near is not None and bool(seen.any()):
            starts, bounds = pixels_near(seen, 0, self.shape)
            if int(bounds[-1]) > 0:
                self._starts, self._bounds = starts, bounds

    @property
    def corners(self) -> int:
        """How many different patches there are to draw."""
        return int(self._bounds[-1])

    def draw(self, step: int, rays: int) -> Batch:
        """Draw as many patches as fit into ``rays``, at least one, with replacement."""
        height, width = self.shape
        patches = max(1, rays // (height * width))
        generator = step_generator(self.seed, step, rays)
        ticket = torch.randint(self.corners, (patches,), generator=generator)
        run = torch.searchsorted(self._bounds, ticket, right=True) - 1
        corner = self._starts[run] + (ticket - self._bounds[run])
        flat = (corner[:, None] + self._within()).reshape(-1)
        colors = background_colors(self.background, patches, generator)
        background = colors.repeat_interleave(height * width, 0)
        composite = self.background != "none"
        batch = gather(self.views, flat, background, composite, self.device, self.needs)
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
