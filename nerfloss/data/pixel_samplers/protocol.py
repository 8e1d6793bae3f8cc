"""The interface of pixel samplers: the settings group ``batch``, and what it builds for a run."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import UInt8
from torch import Tensor

from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.data.views import Views


@runtime_checkable
class PixelSampler(Protocol):
    """Draws the pixels of each training step. The same (seed, step, rays) give the same batch."""

    @property
    def views(self) -> Views:
        """Views from which the pixels are drawn."""
        ...

    @property
    def least_rays(self) -> int:
        """Smallest number of rays in a batch."""
        ...

    @property
    def positions(self) -> int:
        """Number of different pixels, or patches, that are drawn from, all equally likely.

        A pixel that is not at the border of where patches may lie is in as many of them as a patch
        has pixels, so either way it gets one in ``positions`` of the rays.
        """
        ...

    @property
    def needs_transfer(self) -> bool:
        """True if images and device differ, so that drawing early hides the transfer."""
        ...

    def draw(self, step: int, rays: int) -> Batch:
        """Return a batch of about ``rays`` rays, drawn with replacement."""
        ...

    def restrict_to(self, masks: UInt8[Tensor, "views height width"]) -> None:
        """Draw only pixels whose mask is not 0; no effect if there are none, or none are wanted."""
        ...


@runtime_checkable
class PixelSampling(Protocol):
    """Settings of a pixel sampler, known before any image is read."""

    @property
    def least_rays(self) -> int:
        """Smallest number of rays in a batch."""
        ...

    @property
    def patch_size(self) -> tuple[int, int] | None:
        """Height and width of the patches; None for single pixels."""
        ...

    def offers(self, observed: frozenset[str]) -> frozenset[str]:
        """Return the quantities in a batch, given those that the dataset offers."""
        ...

    def __call__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> PixelSampler:
        """Build the sampler. ``needs`` names the targets that are used; None: all."""
        ...
