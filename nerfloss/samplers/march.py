"""March rays through a cached grid of a field and place few samples.

This is the reference in tensors, for any device; `nerfloss.kernels.numba.march` and
`nerfloss.kernels.triton.march` compute the same in one pass. Every ray takes equal steps through
the box. Candidates are the steps in the band around the cached surface, or in cells with enough
density, while transmittance lasts. A ray without candidates gets a few exploration intervals,
spread over its steps in the sampled region, so that a surface can appear there. They are short
because opacity is extrapolated over an interval: a long one near a surface would seem to hit it.
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

# Steps behind this transmittance are no candidates.
MIN_TRANSMITTANCE = 1e-3
# Largest length of an exploration interval, in steps.
MAX_EXPLORATION_STEPS = 2.0
# Dense steps that remain candidates behind MIN_TRANSMITTANCE: the grid keeps recent maxima, so it
# overestimates density.
EXTRA_DENSE_STEPS = 4.0


@dataclass(frozen=True)
class March:
    """Settings of a march: step length and band in scene units, and the candidate thresholds.

    If ``sharpness`` is None the grid holds a density, with its ``threshold``; otherwise an SDF.
    ``uniform_fraction`` of the samples is spread evenly over the candidates, and a ray without
    candidates has ``exploration_samples`` intervals.
    """

    step: float
    band: float
    sharpness: float | None
    threshold: float
    uniform_fraction: float
    exploration_samples: int


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
    """Place up to ``count`` intervals per ray.

    Steps and quantiles are shifted at random with a generator, by a half without. In a density each
    candidate step has at most two intervals. ``backend``: see `nerfloss.kernels.backend_selection`.
    """
    shape, device = (2, len(rays)), rays.origins.device
    if generator is None:
        shifts = torch.full(shape, 0.5, device=device)
    else:
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
        uniform_share=march.uniform_fraction,
        min_transmittance=MIN_TRANSMITTANCE,
        exploring_steps=MAX_EXPLORATION_STEPS,
        dark_steps=EXTRA_DENSE_STEPS,
    )
    is_sdf, fields = march.sharpness is not None, (grid.values, grid.region, box)
    return kernel.place(
        rays.origins,
        rays.directions,
        shifts,
        *fields,
        is_sdf,
        parameters,
        count,
        march.exploration_samples,
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
    candidates, alphas = _candidates(points, grid, box, march)
    light = transmittance(alphas * inside)
    candidates = candidates & inside
    behind = torch.cumsum(candidates & (light <= MIN_TRANSMITTANCE), -1)
    candidates = candidates & (behind <= (EXTRA_DENSE_STEPS if march.sharpness is None else 0))
    empty = ~candidates.any(-1)
    candidates[empty] = inside[empty] & grid.in_region(points[empty], box)
    mass = _with_uniform(light * alphas * ~empty[:, None], candidates, march.uniform_fraction)
    number = 2 * candidates.sum(-1) if march.sharpness is None else count + 0 * empty
    number = torch.where(empty, march.exploration_samples, number).clamp(max=count)[:, None]
    starts, ends = _split(starts, march.step, candidates, mass, shifts[1][:, None], number, count)
    middle, half = 0.5 * (starts + ends), 0.5 * (ends - starts)
    half = torch.where(
        empty[:, None], half.clamp_max(0.5 * MAX_EXPLORATION_STEPS * march.step), half
    )
    return middle - half, middle + half


def _candidates(
    points: Float[Tensor, "rays steps 3"], grid: CachedGrid, box: Tensor, march: March
) -> tuple[Bool[Tensor, "rays steps"], Float[Tensor, "rays steps"]]:
    """Return candidate steps, and the opacity of each step, from the cached grid."""
    if march.sharpness is None:
        density = grid.density_at(points, box)
        zero = torch.zeros_like(density)
        return density > march.threshold, density_alphas(density, zero, zero + march.step)
    sdf = grid.sdf_at(points, box)
    before = torch.sigmoid(march.sharpness * sdf)
    after = torch.cat([before[:, 1:], before[:, -1:]], -1)
    return sdf.abs() < march.band, ((before - after) / (before + 1e-6)).clamp(0, 1)


def _with_uniform(
    mass: Float[Tensor, "rays steps"], candidates: Bool[Tensor, "rays steps"], fraction: float
) -> Float[Tensor, "rays steps"]:
    """Return mass that sums to 1 over a ray's candidates, ``fraction`` of it spread evenly."""
    # Maximum over a step and its neighbours: the grid may be off by a cell.
    blurred = max_pool1d((mass * candidates)[:, None], 3, stride=1, padding=1)[:, 0] * candidates
    total = blurred.sum(-1, keepdim=True)
    even = candidates / candidates.sum(-1, keepdim=True).clamp_min(1)
    known = total > 1e-6
    sharp = torch.where(known, (1 - fraction) * blurred / total.clamp_min(1e-6), 0.0)
    return sharp + torch.where(known, fraction, 1.0) * even


def _split(
    starts: Tensor,
    step: float,
    candidates: Tensor,
    mass: Tensor,
    shift: Tensor,
    number: Tensor,
    count: int,
) -> tuple[Float[Tensor, "rays count"], Float[Tensor, "rays count"]]:
    """Split each ray's candidate steps, concatenated, into ``number`` intervals of equal mass.

    The rest of the ``count`` intervals have length 0.
    """
    # u: length along the concatenated candidates, in steps; n: their number.
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
