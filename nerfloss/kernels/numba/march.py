"""The march through a cached grid and the placement of samples, one ray after the other.

Implements `nerfloss.kernels.march_kernel.MarchKernel`; `nerfloss.samplers.march` defines it. A ray
is followed only as long as it has light left.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.march_kernel import MarchParameters
from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import exp_of_negative, sigmoid
from nerfloss.kernels.numba.grid_lookup import (
    AHEAD,
    cell_of,
    lookup_scratch,
    nearest,
    trilinear,
)
from nerfloss.kernels.numba.march_intervals import blur_and_mix, cut
from nerfloss.kernels.numba.point_ops import meets_box
from nerfloss.kernels.threads import parallel_for


def place(
    origins: Tensor,
    directions: Tensor,
    shifts: Tensor,
    values: Tensor,
    region: Tensor,
    box: Tensor,
    is_sdf: bool,
    parameters: MarchParameters,
    count: int,
    explore: int,
) -> tuple[Tensor, Tensor]:
    starts, ends = (origins.new_zeros(len(origins), count) for _ in range(2))
    arrays = [
        each.detach().contiguous().numpy()
        for each in (origins, directions, shifts, values, region, box, starts, ends)
    ]
    # No ray is longer inside than from corner to corner.
    steps = 3 + int(float((box[1] - box[0]).norm()) / parameters.step)
    settings = _float32(parameters)
    parallel_for(
        len(origins),
        lambda begin, end: _place(*arrays, is_sdf, settings, steps, count, explore, begin, end),
        least=64,
        block=16,
    )
    return torch.from_numpy(arrays[-2]), torch.from_numpy(arrays[-1])


def _float32(parameters: MarchParameters) -> Any:
    """Return the parameters as float32 numbers, so that the loops compute in float32."""
    return MarchParameters(*(np.float32(each) for each in parameters))  # pyright: ignore[reportArgumentType]


@compiled
def _place(
    origins, directions, shifts, values, region, box, starts, ends, is_sdf, settings,
    steps, count, explore, begin, end,
):  # fmt: skip
    t, mass = np.empty(steps, np.float32), np.empty(steps, np.float32)
    ahead, alphas = np.empty(AHEAD, np.float32), np.empty(AHEAD, np.float32)
    scratch = lookup_scratch(), ahead, np.empty(AHEAD + 1, np.float32), alphas
    for ray in range(begin, end):
        enter, leave = meets_box(origins[ray], directions[ray], box)
        if leave <= enter:
            continue
        o, d = _in_cells(origins[ray], directions[ray], box, values.shape[0])
        first = enter - shifts[0, ray] * settings.step
        if is_sdf:
            taken = _march_sdf(o, d, first, enter, leave, values, settings, scratch, t, mass)
        else:
            taken = _march_density(o, d, first, enter, leave, values, settings, scratch, t, mass)
        number, longest = count if is_sdf else min(count, 2 * taken), np.float32(np.inf)
        if taken == 0:
            taken = _march_region(o, d, first, enter, leave, region, settings, t, mass)
            number, longest = min(count, explore), settings.exploring_steps
        if taken > 0:
            blur_and_mix(mass, taken, settings.uniform_share)
            to = (starts[ray, :number], ends[ray, :number])
            cut(t, mass, taken, settings.step, longest, shifts[1, ray], *to)
            # the remaining intervals are empty
            starts[ray, number:] = ends[ray, number:] = ends[ray, number - 1]


@compiled
def _in_cells(origin, direction, box, resolution):
    """Return the ray in units of cells, so that a look-up costs no division."""
    cells = np.float32(resolution)
    x, y, z = (cells / (box[1, 0] - box[0, 0]), cells / (box[1, 1] - box[0, 1]),
               cells / (box[1, 2] - box[0, 2]))  # fmt: skip
    o = ((origin[0] - box[0, 0]) * x, (origin[1] - box[0, 1]) * y, (origin[2] - box[0, 2]) * z)
    return o, (direction[0] * x, direction[1] * y, direction[2] * z)


@compiled
def _march_sdf(o, d, first, enter, leave, values, settings, scratch, t, mass):
    """Write the steps within the band of the surface and their weights; return their number."""
    step, band, dark = settings.step, settings.band, settings.min_transmittance
    lookup, ahead, after, alphas = scratch
    light, taken = np.float32(1), 0
    after[AHEAD] = -1
    for begin in range(0, len(t), AHEAD):
        trilinear(values, o, d, first + (begin + np.float32(0.5)) * step, step, lookup, ahead)
        _opacities(ahead, settings.sharpness, after, alphas)
        for i in range(AHEAD):
            start = first + (begin + i) * step
            middle = start + np.float32(0.5) * step
            if middle >= leave or light <= dark:
                return taken
            if middle <= enter:
                after[i + 1] = -1
                continue
            if after[i] >= 0:
                # the opacity of the step before, now that both its ends are known
                if taken > 0 and t[taken - 1] > start - np.float32(1.5) * step:
                    mass[taken - 1] = light * alphas[i]
                light *= np.float32(1) - alphas[i]
            if abs(ahead[i]) < band and light > dark:
                t[taken], mass[taken] = start, 0
                taken += 1
    return taken


@compiled
def _opacities(sdf, sharpness, after, alphas):
    """Write ``after[i + 1] = sigmoid(sharpness sdf[i])`` and the opacities of the steps before.

    ``after[0]`` is taken from the end of the last call.
    """
    after[0] = after[AHEAD]
    for i in range(AHEAD):
        after[i + 1] = sigmoid(sharpness * sdf[i])
    for i in range(AHEAD):
        alpha = (after[i] - after[i + 1]) / (after[i] + np.float32(1e-6))
        alphas[i] = alpha if alpha > 0 else np.float32(0)


@compiled
def _march_density(o, d, first, enter, leave, values, settings, scratch, t, mass):
    """Write the steps in cells above the threshold and their weights; return their number."""
    step, threshold = settings.step, settings.threshold
    dark, spare = settings.min_transmittance, settings.dark_steps
    lookup, densities, _, alphas = scratch
    light, taken = np.float32(1), 0
    for begin in range(0, len(t), AHEAD):
        nearest(values, o, d, first + (begin + np.float32(0.5)) * step, step, lookup, densities)
        for i in range(AHEAD):
            alphas[i] = np.float32(1) - exp_of_negative(-densities[i] * step)
        for i in range(AHEAD):
            start = first + (begin + i) * step
            middle = start + np.float32(0.5) * step
            if middle >= leave:
                return taken
            if middle > enter and densities[i] > 0:
                if densities[i] > threshold:
                    spare -= np.float32(light <= dark)
                    if spare < 0:
                        return taken
                    t[taken], mass[taken] = start, light * alphas[i]
                    taken += 1
                light *= np.float32(1) - alphas[i]
    return taken


@compiled
def _march_region(o, d, first, enter, leave, region, settings, t, mass):
    """Write the steps in cells of the region, of weight 0; return their number."""
    step, taken, index = settings.step, 0, 0
    while True:
        start = first + index * step
        middle = start + np.float32(0.5) * step
        index += 1
        if middle >= leave:
            return taken
        if middle > enter and region[cell_of(o, d, middle, region.shape[0])]:
            t[taken], mass[taken] = start, 0
            taken += 1
