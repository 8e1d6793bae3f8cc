"""Counts of views that see a cell, against a naive loop."""

import math

import torch

from nerfloss.geometry import Rays, intersect_box
from nerfloss.kernels.numba.visibility import count_view, new_view_counts

BOX = torch.tensor([[-1.0, -0.8, -0.6], [1.0, 0.9, 0.7]])
RESOLUTION = 10
STEP = 0.1
SPENT = 0.4


def bundle(count, generator):
    """Rays from outside the box towards points inside."""
    origins = 2.5 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    targets = torch.rand(count, 3, generator=generator) - 0.5
    directions = torch.nn.functional.normalize(targets - origins, dim=1)
    other = torch.zeros(count, 3)
    return Rays(origins, directions, other[:, :2], torch.zeros(count, dtype=torch.long), other)


def seen_step_by_step(rays, densities):
    """The cells (z, y, x) that rays see before what stops them, and those that they see there."""
    before, there = set(), set()
    enter, leave = intersect_box(rays, BOX)
    for ray in range(len(rays)):
        cells, light, stop = [], 0.0, None
        for index in range(int((leave[ray] - enter[ray]) / STEP + 0.5)):
            t = enter[ray] + (index + 0.5) * STEP
            point = rays.origins[ray] + t * rays.directions[ray]
            place = ((point - BOX[0]) / (BOX[1] - BOX[0]) * RESOLUTION).long()
            x, y, z = place.clamp(0, RESOLUTION - 1).tolist()
            cells.append((z, y, x))
            light += float(densities[z, y, x]) * STEP
            if stop is None and light > -math.log(1 - SPENT):
                stop = index
        stop = len(cells) + 1 if stop is None else stop
        before |= set(cells[: max(stop - 1, 0)])
        there |= set(cells[max(stop - 1, 0) : stop + 2])
    return before, there


def test_a_view_counts_once_in_every_visible_cell():
    generator = torch.Generator().manual_seed(0)
    densities = 4 * torch.rand(3 * [RESOLUTION], generator=generator) ** 8
    counts, expected = (
        new_view_counts(RESOLUTION),
        torch.zeros(2, *3 * [RESOLUTION], dtype=torch.int32),
    )
    for view in range(3):
        rays = bundle(60, generator)
        ends = intersect_box(rays, BOX)
        count_view(
            counts,
            view,
            rays.origins,
            rays.directions,
            *ends,
            densities,
            BOX,
            step=STEP,
            spent=SPENT,
        )
        for kind, cells in enumerate(seen_step_by_step(rays, densities)):
            for cell in cells:
                expected[kind][cell] += 1
    # A point on the border of two cells may be rounded into either.
    assert (counts[0] != expected).float().mean() < 2e-3
    assert expected.sum(dim=(1, 2, 3)).min() > 100


def test_without_density_no_cell_is_at_a_surface():
    rays = bundle(60, torch.Generator().manual_seed(1))
    counts = new_view_counts(RESOLUTION)
    nothing = torch.zeros(3 * [RESOLUTION])
    ends = intersect_box(rays, BOX)
    count_view(
        counts, 0, rays.origins, rays.directions, *ends, nothing, BOX, step=STEP, spent=SPENT
    )
    assert counts[0, 0].any()
    assert not counts[0, 1].any()
