"""Single pixels, drawn uniformly over all views."""

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
class UniformSampling:
    """Settings of `UniformPixelSampler`."""

    near_mask: int | None = None
    points: int = POINTS
    neighbours: int = NEIGHBOURS

    least_rays = 1
    patch_size = None

    def offers(self, observed: frozenset[str]) -> frozenset[str]:
        """Return the quantities in a batch, given those that the dataset offers."""
        return with_global_targets(observed) | COMPUTED

    def __call__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> "UniformPixelSampler":
        """Build the sampler for these views."""
        return UniformPixelSampler(
            views,
            background=background,
            seed=seed,
            near_mask=self.near_mask,
            device=device,
            needs=needs,
            points=self.points,
            neighbours=self.neighbours,
        )


class UniformPixelSampler:
    """Draw pixels uniformly over all views.

    With ``near_mask`` only pixels at most that many rows and columns away from the mask are drawn;
    without masks all pixels, until `restrict_to` is called. A batch depends on (seed, step, rays)
    only, so a resumed run needs no state. Pixels are gathered where the images are stored, and the
    batch is made on ``device``, with the same bits in either case. Only the targets in ``needs``
    are gathered (None: all). ``points`` and ``neighbours`` are settings of `GlobalTargets`.
    """

    least_rays = 1

    # A batch can have a single ray.

    def __init__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        near_mask: int | None = None,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
        points: int = POINTS,
        neighbours: int = NEIGHBOURS,
    ) -> None:
        check_background_for(background, views)
        self.views, self.background, self.needs = views, background, needs
        self.seed, self.device, self._near_mask = seed, torch.device(device), near_mask
        self._global_targets = GlobalTargets(
            views, needs or (), points=points, neighbours=neighbours, device=self.device
        )
        self._cameras = views.cameras.to(self.device)
        runs = PixelRuns.everywhere(views)
        if near_mask is not None and views.mask is not None:
            runs = PixelRuns.near_masks(views.mask, near_mask, views=views)
        self._runs = runs.to(self._global_targets.index_device)

    def restrict_to(self, masks: UInt8[Tensor, "views height width"]) -> None:
        """Draw only pixels whose mask is not 0; no effect if all are 0 or ``near_mask`` is None."""
        if self._near_mask is not None and bool(masks.any()):
            runs = PixelRuns.near_masks(masks, 0, views=self.views)
            self._runs = runs.to(self._global_targets.index_device)

    @property
    def positions(self) -> int:
        """Number of different pixels that can be drawn."""
        return self._runs.count

    @property
    def needs_transfer(self) -> bool:
        """True if images and device differ, so that drawing early hides the transfer."""
        return self.views.rgb.device.type != self.device.type

    def draw(self, step: int, rays: int) -> Batch:
        """Return ``rays`` pixels, drawn with replacement."""
        generator = step_generator(self.seed, step, rays)
        return self._batch(self._runs.draw(rays, generator), generator)

    def _batch(self, flat: Int[Tensor, "rays"], generator: torch.Generator) -> Batch:
        """Return the batch of pixels, given by flat indices over (view, row, column)."""
        background = background_colors(self.background, len(flat), generator, self.device)
        composite = self.background != "none"
        batch = gather_pixels(self.views, self._cameras, flat, background, composite, self.needs)
        return batch.with_targets(self._global_targets(flat, generator))
