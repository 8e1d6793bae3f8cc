"""Error-guided pixel sampling: a share of the pixels is drawn in proportion to their error."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.data.pixel_samplers.pixel_blocks import PixelBlocks
from nerfloss.data.pixel_samplers.pixel_runs import step_generator, to_device
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler, UniformSampling
from nerfloss.data.views import Views

log = logging.getLogger(__name__)

# Share of the old error in the mean of a block, per drawn pixel.
KEEP = 0.7
# Blocks of all views together: two megabytes in a checkpoint.
MOST_BLOCKS = 2**17
# Mean error of a block that counts as none: no block has probability 0.
LEAST_ERROR = 1e-4
UNSEEN = -1.0
# Name of the target that holds the block of each ray's pixel.
BLOCK = "pixel_block"


@dataclass(frozen=True)
class ErrorGuidedSampling(UniformSampling):
    """Settings of `ErrorGuidedPixelSampler`."""

    fraction: float | int = 0.5
    block: int = 4
    refresh_every: int = 32

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise ValueError(f"batch.fraction must be in [0, 1), got {self.fraction}")
        for name in ("block", "refresh_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"batch.{name} must be at least 1, got {getattr(self, name)}")

    def __call__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> "ErrorGuidedPixelSampler":
        """Build the sampler for these views."""
        return ErrorGuidedPixelSampler(
            views, self, background=background, seed=seed, device=device, needs=needs
        )


@dataclass(frozen=True)
class _Table:
    """Cumulative sums of error times pixels over the blocks, and the first step that uses them.

    ``fraction`` is the share of the pixels that are drawn by them.
    """

    first_step: int
    fraction: float
    bounds: Float[Tensor, "blocks"]


class ErrorGuidedPixelSampler(UniformPixelSampler):
    """Draw some pixels uniformly, and others in proportion to the error of their block.

    The share of the latter is ``fraction`` at first and falls linearly to 0 at the end of the
    budget, since pixels that the model cannot explain (transients) keep their error.

    The error of a block of ``block`` x ``block`` pixels is a running mean of the absolute error of
    the colours of its drawn pixels, which `observe` is given; a block without any has the mean
    error of the others. Blocks are enlarged where there would be more than 131072. Losses are then
    means in which badly reconstructed pixels count more: an absolute error weighs about like a
    squared one.

    Probabilities are computed every ``refresh_every`` steps; before the first time all pixels are
    drawn uniformly. A batch depends on (seed, step, rays) and on them. They are used from the step
    after the next on, so that drawing a batch one step ahead changes nothing.

    Reference: Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash
    Encoding", ACM Transactions on Graphics 41, 2022: ``sample_image_proportional_to_error`` of its
    program.
    """

    def __init__(
        self,
        views: Views,
        settings: ErrorGuidedSampling,
        *,
        background: str = "white",
        seed: int = 0,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
    ) -> None:
        super().__init__(
            views,
            background=background,
            seed=seed,
            near_mask=settings.near_mask,
            device=device,
            needs=needs,
            points=settings.points,
            neighbours=settings.neighbours,
        )
        self._settings = settings
        self._blocks = self._partition()
        if self._blocks.edge > settings.block:
            log.info(
                "batch=error_guided: blocks of %d instead of %d pixels, for at most %d of them",
                self._blocks.edge,
                settings.block,
                MOST_BLOCKS,
            )
        # Sum and number of the errors that were observed since the last refresh.
        self._sum = torch.zeros(len(self._blocks.counts), device=self.device)
        self._times = torch.zeros_like(self._sum)
        self._errors = torch.full_like(self._sum, UNSEEN)
        self._tables: tuple[_Table, ...] = ()

    def restrict_to(self, masks: UInt8[Tensor, "views height width"]) -> None:
        super().restrict_to(masks)
        # A resumed run is restricted after its errors were restored.
        self._blocks = self._partition()

    def draw(self, step: int, rays: int) -> Batch:
        """Return ``rays`` pixels, drawn with replacement, and the block of each."""
        generator = step_generator(self.seed, step, rays)
        table = next((each for each in reversed(self._tables) if step >= each.first_step), None)
        guided = 0 if table is None else int(table.fraction * rays)
        flat = self._runs.draw(rays - guided, generator)
        if table is not None and guided:
            flat = torch.cat([flat, self._draw_by_error(table.bounds, guided, generator)])
        blocks = to_device(self._blocks.of_pixels(flat), self.device)
        return self._batch(flat, generator).with_targets({BLOCK: blocks})

    def blocks_of(self, batch: Batch) -> Int[Tensor, "rays"]:
        """Return the block of the pixel of every ray."""
        return batch.targets[BLOCK]

    def observe(
        self,
        step: int,
        progress: float,
        *,
        blocks: Int[Tensor, "rays"],
        errors: Float[Tensor, "rays"],
    ) -> None:
        """Record the errors of the rays of a step, by the block of their pixels.

        ``progress`` is the part of the budget that is spent, from 0 to 1.
        """
        self._sum.index_add_(0, blocks, errors)
        self._times.index_add_(0, blocks, torch.ones_like(errors))
        if (step + 1) % self._settings.refresh_every == 0:
            # Two steps later: the next batch may be drawn already.
            fraction = self._settings.fraction * (1 - progress)
            self._tables = (*self._tables[-1:], _Table(step + 2, fraction, self._refresh()))

    def state_dict(self) -> dict[str, Any]:
        return {
            "errors": self._errors,
            "sum": self._sum,
            "times": self._times,
            "tables": [(each.first_step, each.fraction, each.bounds) for each in self._tables],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore errors and probabilities; raises ValueError where the blocks are others."""
        if state["errors"].shape != self._errors.shape:
            raise ValueError(
                f"the checkpoint has errors of {len(state['errors'])} blocks of pixels, but these "
                f"images have {len(self._errors)}: resume with the same images and batch settings"
            )
        self._errors, self._sum, self._times = (
            state[name].to(self.device, copy=True) for name in ("errors", "sum", "times")
        )
        device = self._runs.bounds.device
        self._tables = tuple(
            _Table(step, fraction, bounds.to(device)) for step, fraction, bounds in state["tables"]
        )

    def _partition(self) -> PixelBlocks:
        """Return the blocks of the pixels that can be drawn; their number is that of the images."""
        cameras = self.views.cameras
        shape = (len(self.views), cameras.height, cameras.width)
        return PixelBlocks.of(self._runs, shape, edge=self._settings.block, most=MOST_BLOCKS)

    def _refresh(self) -> Float[Tensor, "blocks"]:
        """Update the errors of the blocks; return the cumulative sum of error times pixels."""
        # Until a block is seen its error is UNSEEN, of which nothing is kept afterwards.
        keep = torch.where(self._errors < 0, (self._times == 0).float(), KEEP**self._times)
        fresh = self._sum / self._times.clamp_min(1)
        self._errors = keep * self._errors + (1 - keep) * fresh
        self._sum, self._times = torch.zeros_like(self._sum), torch.zeros_like(self._times)
        seen = self._errors >= 0
        mean = (self._errors * seen).sum() / seen.sum().clamp_min(1)
        errors = torch.where(seen, self._errors, mean).clamp_min(LEAST_ERROR)
        counts = self._blocks.counts
        return (errors.to(counts.device) * counts).double().cumsum(0)

    def _draw_by_error(
        self, bounds: Float[Tensor, "blocks"], count: int, generator: torch.Generator
    ) -> Int[Tensor, "count"]:
        """Draw flat indices of pixels, in proportion to the errors of their blocks."""
        random = torch.rand(count, generator=generator, dtype=torch.float64)
        # Below the end: a block without pixels, where the sum is constant, is never drawn.
        height = to_device(random, bounds.device) * bounds[-1]
        block = torch.searchsorted(bounds, height, right=True)
        return self._blocks.draw(block.clamp_max(len(bounds) - 1), generator)
