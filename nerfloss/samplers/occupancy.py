"""Occupancy sampling: march through a cached copy of the field, spend few samples where it is."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool1d

from nerfloss.maths.compositing import density_alphas, transmittance
from nerfloss.quantities.field import Field
from nerfloss.rays import Rays, Samples, intersect_box
from nerfloss.samplers.cached_grid import CachedGrid

# Behind this little light nothing is worth a sample.
DARK = 1e-3


@dataclass(frozen=True)
class March:
    """Equal steps through the box, as far as the longest ray needs; what the cache says of them.

    ``candidates`` are the steps worth sampling, ``mass`` the light they are thought to stop.
    """

    starts: Float[Tensor, "rays steps"]
    step: float
    candidates: Bool[Tensor, "rays steps"]
    mass: Float[Tensor, "rays steps"]


class OccupancySampler(torch.nn.Module):
    """Place at most ``samples`` intervals per ray by inverse-CDF on a cached grid of the field.

    The cache holds the SDF (with a band around its surface as candidates; its sharpness is the
    field's, at most ``sharpest``) or the density (cells above ``threshold``). ``mix`` is the share
    of samples that spreads evenly over the candidates. A ray without candidates that crosses the
    cache's region is sampled evenly there, so that a surface can appear where none is yet.
    """

    def __init__(
        self,
        *,
        samples: int = 10,
        eval_samples: int = 24,
        resolution: int = 96,
        mix: float = 0.3,
        sharpest: float = 100.0,
        threshold: float = 1.0,
        decay: float = 0.9,
        refresh_every: int = 25,
    ) -> None:
        super().__init__()
        if min(samples, eval_samples, refresh_every) < 1 or not 0 < mix <= 1:
            raise ValueError(
                "the occupancy sampler needs samples, eval_samples, refresh_every >= 1 and mix in "
                f"(0, 1], got {samples}, {eval_samples}, {refresh_every} and {mix}"
            )
        self.grid = CachedGrid(resolution)
        self.samples, self.eval_samples = samples, eval_samples
        self.mix, self.sharpest, self.threshold = mix, sharpest, threshold
        self.decay, self.refresh_every = decay, refresh_every

    @torch.no_grad()
    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        if not self.grid.fresh:
            self.refresh(field, 0, generator)
        march = self._march(field, rays, generator)
        mass = _blurred(march.mass) * march.candidates
        total = mass.sum(-1, keepdim=True)
        even = march.candidates / march.candidates.sum(-1, keepdim=True).clamp_min(1)
        known = total > 1e-6
        mass = torch.where(known, (1 - self.mix) * mass / total.clamp_min(1e-6), 0.0)
        mass = mass + torch.where(known, self.mix, 1.0) * even
        count = self.eval_samples if generator is None else self.samples
        return _place(rays, march, mass, count, generator)

    @torch.no_grad()
    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Renew the cache when it is due: more often early, all of it every eighth time."""
        every = self.refresh_every if step > 4 * self.refresh_every else self.refresh_every // 3 + 1
        if self.grid.fresh and step % every:
            return
        if "sdf" in field.offers:
            everything = step // every % 8 == 0
            reach = float("inf") if everything else 6 * self.grid.cell(field.box)
            self.grid.refresh_sdf(field, reach=reach)
        else:
            if not self.grid.fresh:
                # An untrained density says nothing yet: look everywhere.
                self.grid.values.copy_(self.grid.region * 2 * self.threshold)
            self.grid.refresh_density(field, decay=self.decay, generator=generator)

    def _march(self, field: Field, rays: Rays, generator: torch.Generator | None) -> March:
        enter, leave = intersect_box(rays, field.box)
        step = self.grid.cell(field.box)
        steps = int(((leave - enter).max() / step).ceil()) + 1 if len(rays) else 1
        jitter = (
            torch.full_like(enter, 0.5)
            if generator is None
            else torch.rand(len(rays), generator=generator, device=enter.device)
        )
        offsets = torch.arange(steps, device=enter.device) - jitter[:, None]
        starts = enter[:, None] + step * offsets
        inside = (starts + 0.5 * step > enter[:, None]) & (starts + 0.5 * step < leave[:, None])
        points = rays.origins[:, None] + (starts + 0.5 * step)[..., None] * rays.directions[:, None]
        look = self._look_sdf if "sdf" in field.offers else self._look_density
        candidates, alphas = look(field, points, step)
        candidates, alphas = candidates & inside, alphas * inside
        light = transmittance(alphas)
        candidates = candidates & (light > DARK)
        lost = ~candidates.any(-1)
        if lost.any():
            candidates[lost] = inside[lost] & self.grid.in_region(points[lost], field.box)
        return March(starts, step, candidates, light * alphas)

    def _look_sdf(self, field: Field, points: Tensor, step: float) -> tuple[Tensor, Tensor]:
        sharpness = field.constants()["sharpness"].clamp_max(self.sharpest)
        sdf = self.grid.sdf_at(points, field.box)
        band = max(1.5 * step, 4 / float(sharpness))
        before = torch.sigmoid(sharpness * sdf)
        after = torch.cat([before[:, 1:], before[:, -1:]], -1)
        return sdf.abs() < band, ((before - after) / (before + 1e-6)).clamp(0, 1)

    def _look_density(self, field: Field, points: Tensor, step: float) -> tuple[Tensor, Tensor]:
        density = self.grid.density_at(points, field.box)
        zero = torch.zeros_like(density)
        return density > self.threshold, density_alphas(density, zero, zero + step)


def _blurred(mass: Float[Tensor, "rays steps"]) -> Float[Tensor, "rays steps"]:
    """The largest of a step and its neighbours: the cache may be off by a cell."""
    return max_pool1d(mass[:, None], 3, stride=1, padding=1)[:, 0]


def _place(
    rays: Rays, march: March, mass: Tensor, count: int, generator: torch.Generator | None
) -> Samples:
    """Cut each ray's candidate steps, joined end to end, into ``count`` intervals of equal mass."""
    # u: length along the joined candidates, in steps; n: their number.
    taken = march.candidates.to(mass.dtype)
    u_after = torch.cumsum(taken, -1)
    n = u_after[:, -1:]
    cdf = torch.cumsum(mass, -1)
    shift = (
        torch.full_like(n, 0.5)
        if generator is None
        else torch.rand(n.shape, generator=generator, device=n.device)
    )
    levels = (torch.arange(count, device=n.device)[1:] - 1 + shift) / (count - 1 + 1e-9)
    levels = levels * cdf[:, -1:]
    at = torch.searchsorted(cdf, levels.contiguous(), right=True).clamp_max(mass.shape[-1] - 1)
    share = (levels - (cdf - mass).gather(-1, at)) / mass.gather(-1, at).clamp_min(1e-12)
    inner = (u_after - taken).gather(-1, at) + share.clamp(0, 1) * taken.gather(-1, at)
    u = torch.cat([torch.zeros_like(n), inner, n], -1)
    length = (u[:, 1:] - u[:, :-1]).clamp_min(0)
    middle = u[:, :-1] + 0.5 * length
    at = torch.searchsorted(u_after, middle.contiguous(), right=True).clamp_max(mass.shape[-1] - 1)
    t = march.starts.gather(-1, at) + march.step * (middle - (u_after - taken).gather(-1, at))
    half = 0.5 * march.step * length
    return Samples(rays, t - half, t + half)
