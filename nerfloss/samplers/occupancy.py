"""Occupancy sampling: march through a cached copy of the field, spend few samples where it is."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from nerfloss.geometry import Rays, Samples
from nerfloss.kernels.async_host_copy import StaleScalar
from nerfloss.quantities.field import Field
from nerfloss.samplers.cached_grid import CachedGrid
from nerfloss.samplers.march import March, place_samples


class OccupancySampler(torch.nn.Module):
    """Place at most ``samples`` intervals per ray by inverse-CDF on a cached grid of the field.

    The cache holds the SDF or the density. Of an SDF the band around its surface is worth samples,
    as sharp as the field was when last looked at, but at most ``sharpest``; of a density the cells
    above ``threshold``. ``mix`` is the share of samples that spreads evenly over these candidates,
    ``density_mix`` that in a density, which keeps fog and floaters where nobody looks. A ray
    without candidates that crosses the cache's region has ``explore`` short intervals there: a
    surface can appear where none is yet. ``backend`` computes it, as it does the field's grid.
    """

    # What it sees of the field is its own copy: it may sample a step before the field has moved.
    looks_ahead = True
    offers: frozenset[str] = frozenset()
    sharpness: Float[Tensor, ""]

    learns_from: str | None = None

    def __init__(
        self,
        *,
        samples: int = 10,
        eval_samples: int = 24,
        resolution: int = 96,
        mix: float = 0.3,
        density_mix: float = 0.6,
        sharpest: float = 100.0,
        threshold: float = 1.0,
        explore: int = 4,
        decay: float = 0.9,
        refresh_every: int = 25,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        mixes = (mix, density_mix)
        if min(samples, eval_samples, refresh_every) < 1 or not all(0 < x <= 1 for x in mixes):
            raise ValueError(
                "the occupancy sampler needs samples, eval_samples, refresh_every >= 1 and mix, "
                f"density_mix in (0, 1], got {samples}, {eval_samples}, {refresh_every} and {mixes}"
            )
        self.grid = CachedGrid(resolution)
        self.register_buffer("sharpness", torch.tensor(0.0))
        self.samples, self.eval_samples = samples, eval_samples
        self.mix, self.density_mix = mix, density_mix
        self.sharpest, self.threshold = sharpest, threshold
        self.explore, self.decay, self.refresh_every = explore, decay, refresh_every
        self.backend = backend
        self._read = StaleScalar()

    @torch.no_grad()
    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        if not self.grid.known:
            self.refresh(field, 0, generator)
        count = self.eval_samples if generator is None else self.samples
        plan, backend = self._march(field), self.backend
        return place_samples(rays, self.grid, field.box, plan, count, generator, backend=backend)

    @torch.no_grad()
    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Renew the cache when it is due: more often early, all of it every eighth time.

        The sharpness by which it is read is the field's at this step.
        """
        if "sdf" in field.offers:
            self.sharpness.copy_(field.constants()["sharpness"].detach().clamp_max(self.sharpest))
        # Late, a fourth as often would save a tenth of a step, and cost in geometry.
        every = self.refresh_every if step > 4 * self.refresh_every else self.refresh_every // 3 + 1
        # All at once: a few planes at every step would make steps alike, but where planes of unlike
        # age meet the cache has edges that no field has, and one run of two lost two decibels.
        if self.grid.known and step % every:
            return
        if "sdf" in field.offers:
            everything = step // every % 8 == 0
            reach = float("inf") if everything else 6 * self.grid.cell(field.box)
            self.grid.refresh_sdf(field, reach=reach)
        else:
            if not self.grid.known:
                # An untrained density says nothing yet: look everywhere.
                self.grid.values.copy_(self.grid.region * 2 * self.threshold)
            # Everywhere while the density is still finding its place.
            turn = None if step < 8 * self.refresh_every else step // every
            self.grid.refresh_density(
                field, decay=self.decay, generator=generator, above=self.threshold, turn=turn
            )

    @torch.no_grad()
    def sampled_region(self, field: Field) -> Bool[Tensor, "x y z"] | None:
        """Return the cells of the field's box in which samples are placed, one cell wider.

        For an SDF they are those in the band around its surface, and its inside. None before the
        first refresh.
        """
        if not self.grid.known:
            return None
        march = self._march(field)
        if march.sharpness is None:
            cells, within = self.grid.values > march.threshold, self.grid.region
        else:
            cells, within = self.grid.values < march.band, torch.ones_like(self.grid.region)
        wide = max_pool3d(cells[None].float(), 3, stride=1, padding=1)[0] > 0
        return (wide & within).permute(2, 1, 0)

    def _march(self, field: Field) -> March:
        step = self.grid.cell(field.box)
        if "sdf" not in field.offers:
            return March(step, 0.0, None, self.threshold, self.density_mix, self.explore)
        sharpness = self._read(self.sharpness)
        band = max(1.5 * step, 4 / sharpness)
        return March(step, band, sharpness, self.threshold, self.mix, self.explore)
