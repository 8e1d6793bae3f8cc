"""Marching through a cached copy of a field, and placing few samples where the light is stopped.

This is the definition, in tensors, for any device; `nerfloss.kernels.numba.march` and
`nerfloss.kernels.triton.march` compute the same in one pass. Every ray takes equal steps through
the box. *Candidates* are the steps worth sampling: within the band of the cached surface, or in
cells that are dense enough, as long as there is light left. A ray without any explores: a few short
intervals spread over its steps in the region, so that a surface can appear where none is yet. They
are short because opacity is extrapolated over an interval: a long one that passes a surface would
seem to hit it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool1d

from nerfloss.geometry import Rays, Samples, intersect_box
from nerfloss.kernels.backend_selection import implementation, select_float32_backend
from nerfloss.kernels.march_kernel import MarchKernel, MarchParameters
from nerfloss.maths.compositing import density_alphas, transmittance
from nerfloss.maths.per_ray_random import per_ray
from nerfloss.samplers.cached_grid import CachedGrid

# Behind this little light nothing is worth a sample.
DARK = 1e-3
# An exploring interval is at most so many steps long.
EXPLORING = 2.0
# So many dense steps are candidates behind where the cache thinks a density dark: it remembers the
# largest values of late, so it thinks so too soon.
BEYOND = 4.0


@dataclass(frozen=True)
class March:
    """How to march: step length and band in scene units, and what makes a step a candidate.

    With ``sharpness`` the cache holds an SDF, without (None) a density with its ``threshold``.
    ``mix`` is the share of samples that spreads evenly over the candidates, ``explore`` the number
    of intervals of a ray without candidates.
    """

    step: float
    band: float
    sharpness: float | None
    threshold: float
    mix: float
    explore: int


def place_samples(
    rays: Rays,
    grid: CachedGrid,
    box: Float[Tensor, "2 3"],
    march: March,
    count: int,
    generator: torch.Generator | None,
    *,
    backend: str = "auto",
) -> Samples:
    """Place up to ``count`` intervals per ray, steps and quantiles shifted at random or by a half.

    In a density a step has at most two, so a ray with few candidates has few of them. ``backend``
    is what `nerfloss.kernels.backend_selection` calls one.
    """
    shape, device = (2, len(rays)), rays.origins.device
    shifts = torch.full(shape, 0.5, device=device)
    if generator is not None:
        shifts = per_ray(shape, generator, device, axis=1)
    inputs = (rays, shifts, grid, box, march, count)
    kernel = implementation("march", select_float32_backend(backend, rays.origins))
    starts, ends = _place(*inputs) if kernel is None else _place_with(kernel, *inputs)
    return Samples(rays, starts, ends)


def _place_with(
    kernel: MarchKernel,
    rays: Rays,
    shifts: Tensor,
    grid: CachedGrid,
    box: Tensor,
    march: March,
    count: int,
) -> tuple[Tensor, Tensor]:
    parameters = MarchParameters(
        step=march.step,
        band=march.band,
        sharpness=march.sharpness or 0.0,
        threshold=march.threshold,
        uniform_share=march.mix,
        min_transmittance=DARK,
        exploring_steps=EXPLORING,
        dark_steps=BEYOND,
    )
    is_sdf, fields = march.sharpness is not None, (grid.values, grid.region, box)
    return kernel.place(
        rays.origins, rays.directions, shifts, *fields, is_sdf, parameters, count, march.explore
    )


def _place(
    rays: Rays, shifts: Tensor, grid: CachedGrid, box: Tensor, march: March, count: int
) -> tuple[Tensor, Tensor]:
    enter, leave = intersect_box(rays, box)
    steps = int(((leave - enter).max() / march.step).ceil()) + 1 if len(rays) else 1
    offsets = torch.arange(steps, device=enter.device) - shifts[0][:, None]
    starts = enter[:, None] + march.step * offsets
    middle = starts + 0.5 * march.step
    inside = (middle > enter[:, None]) & (middle < leave[:, None])
    points = rays.origins[:, None] + middle[..., None] * rays.directions[:, None]
    candidates, alphas = _look(points, grid, box, march)
    light = transmittance(alphas * inside)
    candidates = candidates & inside
    beyond = torch.cumsum(candidates & (light <= DARK), -1)
    candidates = candidates & (beyond <= (BEYOND if march.sharpness is None else 0))
    lost = ~candidates.any(-1)
    candidates[lost] = inside[lost] & grid.in_region(points[lost], box)
    mass = _mixed(light * alphas * ~lost[:, None], candidates, march.mix)
    number = 2 * candidates.sum(-1) if march.sharpness is None else count + 0 * lost
    number = torch.where(lost, march.explore, number).clamp(max=count)[:, None]
    starts, ends = _cut(starts, march.step, candidates, mass, shifts[1][:, None], number, count)
    middle, half = 0.5 * (starts + ends), 0.5 * (ends - starts)
    half = torch.where(lost[:, None], half.clamp_max(0.5 * EXPLORING * march.step), half)
    return middle - half, middle + half


def _look(
    points: Float[Tensor, "rays steps 3"], grid: CachedGrid, box: Tensor, march: March
) -> tuple[Bool[Tensor, "rays steps"], Float[Tensor, "rays steps"]]:
    """Which steps the cache thinks worth sampling, and how opaque it thinks each is."""
    if march.sharpness is None:
        density = grid.density_at(points, box)
        zero = torch.zeros_like(density)
        return density > march.threshold, density_alphas(density, zero, zero + march.step)
    sdf = grid.sdf_at(points, box)
    before = torch.sigmoid(march.sharpness * sdf)
    after = torch.cat([before[:, 1:], before[:, -1:]], -1)
    return sdf.abs() < march.band, ((before - after) / (before + 1e-6)).clamp(0, 1)


def _mixed(
    mass: Float[Tensor, "rays steps"], candidates: Bool[Tensor, "rays steps"], mix: float
) -> Float[Tensor, "rays steps"]:
    """Mass that sums to 1 over a ray's candidates: blurred, then ``mix`` of it spread evenly."""
    # The largest of a step and its neighbours: the cache may be off by a cell.
    blurred = max_pool1d((mass * candidates)[:, None], 3, stride=1, padding=1)[:, 0] * candidates
    total = blurred.sum(-1, keepdim=True)
    even = candidates / candidates.sum(-1, keepdim=True).clamp_min(1)
    known = total > 1e-6
    sharp = torch.where(known, (1 - mix) * blurred / total.clamp_min(1e-6), 0.0)
    return sharp + torch.where(known, mix, 1.0) * even


def _cut(
    starts: Tensor,
    step: float,
    candidates: Tensor,
    mass: Tensor,
    shift: Tensor,
    number: Tensor,
    count: int,
) -> tuple[Float[Tensor, "rays count"], Float[Tensor, "rays count"]]:
    """Cut each ray's candidate steps, joined end to end, into ``number`` intervals of equal mass.

    The rest of the ``count`` intervals have no length.
    """
    # u: length along the joined candidates, in steps; n: their number.
    taken = candidates.to(mass.dtype)
    u_after = torch.cumsum(taken, -1)
    n = u_after[:, -1:]
    cdf = torch.cumsum(mass, -1)
    order = torch.arange(count - 1, device=mass.device)
    levels = (order + shift) / (number - 1).clamp_min(1) * cdf[:, -1:]
    at = torch.searchsorted(cdf, levels, right=True).clamp_max(mass.shape[-1] - 1)
    share = (levels - (cdf - mass).gather(-1, at)) / mass.gather(-1, at).clamp_min(1e-12)
    inner = (u_after - taken).gather(-1, at) + share.clamp(0, 1) * taken.gather(-1, at)
    inner = torch.where(order < number - 1, inner, n)
    u = torch.cat([torch.zeros_like(n), inner, n], -1)
    length = (u[:, 1:] - u[:, :-1]).clamp_min(0)
    middle = u[:, :-1] + 0.5 * length
    at = torch.searchsorted(u_after, middle, right=True).clamp_max(mass.shape[-1] - 1)
    t = starts.gather(-1, at) + step * (middle - (u_after - taken).gather(-1, at))
    half = 0.5 * step * length
    return t - half, t + half
