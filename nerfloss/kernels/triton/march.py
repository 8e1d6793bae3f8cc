"""The march through a cached grid and the placement of samples on a GPU, one program per ray.

`nerfloss.samplers.march` defines it, in the same order of operations. The steps of a ray stay in
registers; only the bounds of its samples are written.
"""

import math

import torch
from torch import Tensor

from nerfloss.kernels.async_host_copy import HostCopy
from nerfloss.kernels.march_kernel import MarchParameters
from nerfloss.kernels.triton.compositing_weights import MAX_ALPHA, product
from nerfloss.kernels.triton.language import constexpr, jit, launch, next_power_of_two, tl

# The box of the previous march: it rarely changes, so that it is rarely copied from the GPU.
last_box = HostCopy()


def place(
    origins: Tensor, directions: Tensor, shifts: Tensor, values: Tensor, region: Tensor,
    box: Tensor, is_sdf: bool, parameters: MarchParameters, count: int, explore: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    rays = len(origins)
    starts, ends = (torch.zeros(rays, count, device=origins.device) for _ in range(2))
    # No ray is longer inside than from corner to corner.
    steps = 3 + int(math.dist(*last_box(box).tolist()) / parameters.step)
    inputs = [
        each.detach().contiguous()
        for each in (origins, directions, shifts, values, region.view(torch.uint8), box)
    ]
    launch(
        place_ray, (rays,), *inputs, starts, ends, rays, steps, values.shape[0], *parameters,
        explore, COUNT=count, WIDE=next_power_of_two(count), STEPS=next_power_of_two(steps),
        SDF=is_sdf, num_warps=4,
    )  # fmt: skip
    return starts, ends


@jit
def place_ray(
    origins, directions, shifts, values, region, box, starts, ends, rays, steps, resolution, step,
    band, sharpness, threshold, uniform_share, min_transmittance, exploring_steps, dark_steps,
    explore, COUNT: constexpr, WIDE: constexpr, STEPS: constexpr, SDF: constexpr,
):  # fmt: skip
    """Write start and end of the samples of one ray; empty ones where it misses the box."""
    ray = tl.program_id(0)
    first, last = meets_box(origins, directions, box, ray)
    first_step = first - step * tl.load(shifts + ray)
    index = tl.arange(0, STEPS)
    middle = first_step + step * (index + 0.5)
    inside = (middle > first) & (middle < last) & (index < steps)
    x = along(origins, directions, box, ray, 0, middle, resolution)
    y = along(origins, directions, box, ray, 1, middle, resolution)
    z = along(origins, directions, box, ray, 2, middle, resolution)
    alpha, candidate, dark_limit = find_candidates(
        values, x, y, z, resolution, index, steps, step, band, sharpness, threshold, dark_steps, SDF
    )
    light = transmittance(tl.where(inside, alpha, 0.0), index)
    candidate = candidate & inside
    passed = tl.cumsum((candidate & (light <= min_transmittance)).to(tl.float32), 0)
    candidate = (candidate & (passed <= dark_limit)).to(tl.float32)
    mass, found = light * alpha, tl.sum(candidate, 0)
    number = found * 0.0 + COUNT
    if not SDF:
        number = tl.minimum(2.0 * found, number)
    if found == 0:
        # no candidates: a few short intervals explore the region
        in_region = tl.load(region + cell(x, y, z, resolution)) > 0
        candidate = (inside & in_region).to(tl.float32)
        mass, number = mass * 0.0, tl.minimum(found * 0.0 + explore, COUNT)
    longest = tl.where(found == 0, exploring_steps, 1e30)
    mass = sampling_mass(mass, candidate, index, steps, uniform_share)
    shift = tl.load(shifts + rays + ray)
    begin, end, middle, whole = cut_intervals(mass, candidate, shift, number, steps, WIDE)
    half = 0.5 * step * tl.minimum(tl.maximum(end - begin, 0.0), longest)
    center = first_step + step * (whole + middle)
    sample = tl.arange(0, WIDE)
    to, kept = ray.to(tl.int64) * COUNT + sample, sample < COUNT
    tl.store(starts + to, center - half, mask=kept)
    tl.store(ends + to, center + half, mask=kept)


@jit
def find_candidates(
    values, x, y, z, resolution, index, steps, step, band, sharpness, threshold, dark_steps,
    SDF: constexpr,
):  # fmt: skip
    """Return each step's cached opacity, the candidates, and how many are allowed in the dark."""
    if SDF:
        value = trilinear(values, x, y, z, resolution)
        before = tl.sigmoid(sharpness * value)
        after = tl.gather(before, tl.minimum(index + 1, steps - 1), 0)
        alpha = tl.minimum(tl.maximum((before - after) / (before + 1e-6), 0.0), 1.0)
        candidate, dark_limit = tl.abs(value) < band, 0.0
    else:
        value = tl.load(values + cell(x, y, z, resolution))
        alpha, candidate, dark_limit = 1.0 - tl.exp(-value * step), value > threshold, dark_steps
    return alpha, candidate, dark_limit


@jit
def meets_box(origins, directions, box, ray):
    """Return the distances at which a ray enters and leaves a box; 0 and 0 where it misses."""
    enter, leave = 0.0, float("inf")
    for axis in tl.static_range(3):
        o, d = tl.load(origins + ray * 3 + axis), tl.load(directions + ray * 3 + axis)
        d = tl.where(tl.abs(d) < 1e-12, 1e-12, d)
        near, far = (tl.load(box + axis) - o) / d, (tl.load(box + 3 + axis) - o) / d
        enter = tl.maximum(tl.minimum(near, far), enter)
        leave = tl.minimum(tl.maximum(near, far), leave)
    hit = leave > enter
    return tl.where(hit, enter, 0.0), tl.where(hit, leave, 0.0)


@jit
def along(origins, directions, box, ray, axis: constexpr, t, resolution):
    """Return the coordinate of each step along an axis, in units of cells."""
    lower, upper = tl.load(box + axis), tl.load(box + 3 + axis)
    o, d = tl.load(origins + ray * 3 + axis), tl.load(directions + ray * 3 + axis)
    return (o + t * d - lower) * (resolution / (upper - lower))


@jit
def cell(x, y, z, resolution):
    """Return the index of the cell that holds a point; outside the grid of the nearest cell."""
    i = tl.minimum(tl.maximum(x, 0.0), resolution - 1.0).to(tl.int32)
    j = tl.minimum(tl.maximum(y, 0.0), resolution - 1.0).to(tl.int32)
    k = tl.minimum(tl.maximum(z, 0.0), resolution - 1.0).to(tl.int32)
    return (k * resolution + j) * resolution + i


@jit
def trilinear(values, x, y, z, resolution):
    """Interpolate between cell centres; outside the grid return the value at its border."""
    top = resolution - 1.001
    x = tl.minimum(tl.maximum(x - 0.5, 0.0), top)
    y = tl.minimum(tl.maximum(y - 0.5, 0.0), top)
    z = tl.minimum(tl.maximum(z - 0.5, 0.0), top)
    i, j, k = x.to(tl.int32), y.to(tl.int32), z.to(tl.int32)
    u, v, w = x - i, y - j, z - k
    total = tl.zeros_like(x)
    for corner in tl.static_range(8):
        a = u if corner & 1 else 1.0 - u
        b = v if corner & 2 else 1.0 - v
        c = w if corner & 4 else 1.0 - w
        row = (k + (corner >> 2)) * resolution + j + ((corner >> 1) & 1)
        total += a * b * c * tl.load(values + row * resolution + i + (corner & 1))
    return total


@jit
def transmittance(alpha, index):
    """Return the transmittance up to each step."""
    passes = 1.0 - tl.minimum(tl.gather(alpha, tl.maximum(index - 1, 0), 0), MAX_ALPHA)
    return tl.associative_scan(tl.where(index > 0, passes, 1.0), 0, product)


@jit
def sampling_mass(mass, candidate, index, steps, uniform_share):
    """Return mass that sums to 1 over the candidates: blurred, in part uniform."""
    own = mass * candidate
    left = tl.gather(own, tl.maximum(index - 1, 0), 0)
    right = tl.gather(own, tl.minimum(index + 1, steps - 1), 0)
    blurred = tl.maximum(own, tl.maximum(left, right)) * candidate
    total = tl.sum(blurred, 0)
    even = candidate / tl.maximum(tl.sum(candidate, 0), 1.0)
    known = total > 1e-6
    sharp = tl.where(known, (1.0 - uniform_share) * blurred / tl.maximum(total, 1e-6), 0.0)
    return sharp + tl.where(known, uniform_share, 1.0) * even


@jit
def quantile(order, number, shift, cdf, mass, joined, candidate, steps):
    """Return the end of interval ``order``, in steps along the joined candidates."""
    level = (order + shift) / tl.maximum(number - 1.0, 1.0) * tl.sum(mass, 0)
    at = tl.sum((cdf[None, :] <= level[:, None]).to(tl.int32), 1)
    at = tl.minimum(at, steps - 1)
    own, taken = tl.gather(mass, at, 0), tl.gather(candidate, at, 0)
    share = (level - (tl.gather(cdf, at, 0) - own)) / tl.maximum(own, 1e-12)
    share = tl.minimum(tl.maximum(share, 0.0), 1.0)
    inner = tl.gather(joined, at, 0) - taken + share * taken
    end = tl.where(order < number - 1.0, inner, tl.sum(candidate, 0))
    return tl.where(order < 0, 0.0, end)


@jit
def cut_intervals(mass, candidate, shift, number, steps, WIDE: constexpr):
    """Return intervals of equal mass: begin, end, and the middle as offset in a step, and step."""
    cdf, joined = tl.cumsum(mass, 0), tl.cumsum(candidate, 0)
    order = tl.arange(0, WIDE).to(tl.float32)
    begin = quantile(order - 1.0, number, shift, cdf, mass, joined, candidate, steps)
    end = quantile(order, number, shift, cdf, mass, joined, candidate, steps)
    middle = begin + 0.5 * tl.maximum(end - begin, 0.0)
    at = tl.minimum(tl.sum((joined[None, :] <= middle[:, None]).to(tl.int32), 1), steps - 1)
    within = middle - (tl.gather(joined, at, 0) - tl.gather(candidate, at, 0))
    return begin, end, within, at.to(tl.float32)
