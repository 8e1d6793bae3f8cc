"""Occupancy sampling: march through a cached grid of the field and place few samples."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from nerfloss.geometry import Rays, Samples
from nerfloss.kernels.async_host_copy import StaleScalar
from nerfloss.quantities.field import Field
from nerfloss.samplers.cached_grid import CachedGrid
from nerfloss.samplers.march import March, place_samples

# Largest sharpness that samples are placed for, times the longest edge of the box. In training a
# shape has to form, in space that a narrower band would not sample.
MAX_SHARPNESS = 180.0
EVAL_MAX_SHARPNESS = 360.0


class OccupancySampler(torch.nn.Module):
    """Place at most ``samples`` intervals per ray by inverse CDF on a cached grid of the field.

    The grid holds the SDF or the density. Candidate steps lie in the band around the cached
    surface, for the field's sharpness clamped to ``max_sharpness`` in training and to
    ``eval_max_sharpness`` in images (None: so that the width of the surface is the same fraction
    of the box in every scene), or in cells with more than ``density_threshold``. The fraction
    ``uniform_fraction`` of the samples is spread evenly over the candidates
    (``density_uniform_fraction`` for a density; higher values re-sample free space and remove
    floaters). A ray without candidates that crosses the sampled region gets
    ``exploration_samples`` short intervals there, so that a surface can appear. ``density_decay``
    multiplies the old densities at each update, every ``refresh_every`` steps. ``backend`` selects
    the kernels.
    """

    offers: frozenset[str] = frozenset()
    learns_from: str | None = None
    # Samples depend on the cached grid only, so the next step's can be placed early.
    supports_prefetch = True
    sharpness: Float[Tensor, ""]

    def __init__(
        self,
        *,
        samples: int = 10,
        eval_samples: int = 24,
        resolution: int = 96,
        uniform_fraction: float = 0.3,
        density_uniform_fraction: float = 0.6,
        max_sharpness: float | None = None,
        eval_max_sharpness: float | None = None,
        density_threshold: float = 1.0,
        exploration_samples: int = 4,
        density_decay: float = 0.4,
        refresh_every: int = 25,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        fractions = (uniform_fraction, density_uniform_fraction)
        if min(samples, eval_samples, refresh_every) < 1 or not all(0 < x <= 1 for x in fractions):
            raise ValueError(
                "the occupancy sampler needs samples, eval_samples, refresh_every >= 1 and "
                "uniform_fraction, density_uniform_fraction in (0, 1], got "
                f"{samples}, {eval_samples}, {refresh_every} and {fractions}"
            )
        self.grid = CachedGrid(resolution)
        self.register_buffer("sharpness", torch.tensor(0.0))
        self.samples, self.eval_samples = samples, eval_samples
        self.uniform_fraction = uniform_fraction
        self.density_uniform_fraction = density_uniform_fraction
        self.max_sharpness, self.eval_max_sharpness = max_sharpness, eval_max_sharpness
        self.density_threshold = density_threshold
        self.exploration_samples, self.density_decay = exploration_samples, density_decay
        self.refresh_every, self.backend = refresh_every, backend
        self._host_sharpness = StaleScalar()

    @property
    def region(self) -> Bool[Tensor, "x y z"]:
        """Cells of the field's box to which sampling is restricted."""
        return self.grid.region.permute(2, 1, 0)

    def restrict_to(self, region: Bool[Tensor, "x y z"]) -> None:
        """Place samples in cells that touch the region only, given at any resolution."""
        self.grid.restrict_to(region)

    @torch.no_grad()
    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        if not self.grid.initialized:
            self.refresh(field, 0, generator)
        training, backend = generator is not None, self.backend
        count = self.samples if training else self.eval_samples
        march = self._march(field, training=training)
        return place_samples(rays, self.grid, field.box, march, count, generator, backend=backend)

    @torch.no_grad()
    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Update the grid if it is due: three times as often early in training.

        Of an SDF, the cells near the surface are updated, and all cells at every eighth update.
        The sharpness is that of the field at this step.
        """
        if "sdf" in field.offers:
            self.sharpness.copy_(field.constants()["sharpness"].detach())
        # Updating a fourth as often late in training would save 10 % of a step but cost geometry.
        every = self.refresh_every if step > 4 * self.refresh_every else self.refresh_every // 3 + 1
        # All planes at once: cells of different age create edges that the field does not have.
        if self.grid.initialized and step % every:
            return
        if "sdf" in field.offers:
            update_all = step // every % 8 == 0
            band = float("inf") if update_all else 6 * self.grid.cell(field.box)
            self.grid.refresh_sdf(field, band=band)
        else:
            if not self.grid.initialized:
                # An untrained density carries no information: mark every cell as occupied.
                self.grid.values.copy_(self.grid.region * 2 * self.density_threshold)
            # Empty cells are updated in turn, but all of them while the density is still forming.
            turn = None if step < 8 * self.refresh_every else step // every
            self.grid.refresh_density(
                field,
                decay=self.density_decay,
                generator=generator,
                threshold=self.density_threshold,
                turn=turn,
            )

    @torch.no_grad()
    def sampled_region(self, field: Field) -> Bool[Tensor, "x y z"] | None:
        """Return the cells of the field's box in which samples are placed, one cell wider.

        For an SDF they are those in the band around its surface, and its inside. None before the
        first refresh.
        """
        if not self.grid.initialized:
            return None
        march = self._march(field, training=True)
        if march.sharpness is None:
            cells, within = self.grid.values > march.threshold, self.grid.region
        else:
            cells, within = self.grid.values < march.band, torch.ones_like(self.grid.region)
        wide = max_pool3d(cells[None].float(), 3, stride=1, padding=1)[0] > 0
        return (wide & within).permute(2, 1, 0)

    def _march(self, field: Field, *, training: bool) -> March:
        step, threshold = self.grid.cell(field.box), self.density_threshold
        if "sdf" not in field.offers:
            fraction = self.density_uniform_fraction
            return March(step, 0.0, None, threshold, fraction, self.exploration_samples)
        limit = self.max_sharpness if training else self.eval_max_sharpness
        if limit is None:
            relative = MAX_SHARPNESS if training else EVAL_MAX_SHARPNESS
            limit = relative / self.grid.longest_edge(field.box)
        sharpness = min(self._host_sharpness(self.sharpness), limit)
        band = max(1.5 * step, 4 / sharpness)
        fraction = self.uniform_fraction
        return March(step, band, sharpness, threshold, fraction, self.exploration_samples)
