"""Terms on the SDF along rays: observed depth, and no rise before the surface."""

import math

import torch

from nerfloss.losses.ray_sdf import monotone, sdf_truncation
from nerfloss.testing.quantities import fake

NAMES = ("sdf", "t_starts", "t_ends")


def along(values):
    """A ray with samples of length 0.1, and how far each of them lies."""
    starts = 0.1 * torch.arange(len(values), dtype=torch.float64)[None]
    return torch.tensor([values], dtype=torch.float64), starts, starts + 0.1


def test_sdf_truncation_equals_the_loop_over_samples():
    sdf, starts, ends = (fake(name, dtype=torch.float64) for name in NAMES)
    depth = 1.2 + 0.3 * fake("opacity", dtype=torch.float64)
    found = sdf_truncation(sdf, starts, ends, depth, truncation=0.12, near=7.0)
    for ray in range(len(sdf)):
        free, near = [], []
        for f, a, b in zip(sdf[ray].tolist(), starts[ray], ends[ray], strict=True):
            ahead = float(depth[ray]) - float(a + b) / 2
            if ahead > 0.12:
                free.append(max(0.0, 0.12 - f) ** 2)
            elif ahead >= -0.12:
                near.append((f - ahead) ** 2)
        expected = sum(free) / max(len(free), 1) + 7.0 * sum(near) / max(len(near), 1)
        assert math.isclose(float(found[ray]), expected, rel_tol=1e-9)


def test_the_distance_to_a_wall_costs_nothing_and_says_nothing_behind_it():
    values = [0.55 - 0.1 * i for i in range(10)]
    sdf, starts, ends = along(values)
    depth = torch.tensor([0.6], dtype=torch.float64)
    torch.testing.assert_close(
        sdf_truncation(sdf, starts, ends, depth, truncation=0.15), torch.zeros(1).double()
    )
    sdf[0, 8:] = 123.0  # farther behind than the truncation
    torch.testing.assert_close(
        sdf_truncation(sdf, starts, ends, depth, truncation=0.15), torch.zeros(1).double()
    )


def test_free_space_that_is_taken_for_inside_is_pushed_outside():
    sdf, starts, ends = along([-0.1, 0.02, 0.4, 0.0, -0.3])
    sdf.requires_grad_()
    sdf_truncation(sdf, starts, ends, torch.tensor([0.35]).double(), truncation=0.06).backward()
    assert sdf.grad[0, 0] < 0
    assert sdf.grad[0, 2] == 0  # far from everything is free
    assert sdf.grad[0, 4] == 0


def test_padding_changes_nothing():
    none = torch.zeros(6, 2)
    last = fake("t_ends")[:, -1:].expand(-1, 2)
    sdf, starts, ends = (fake(name) for name in NAMES)
    padded = [torch.cat([a, b], -1) for a, b in ((sdf, none), (starts, last), (ends, last))]
    depth = fake("t_ends")[:, 2]
    torch.testing.assert_close(
        sdf_truncation(*padded, depth), sdf_truncation(sdf, starts, ends, depth)
    )
    torch.testing.assert_close(monotone(*padded), monotone(sdf, starts, ends))


def test_a_falling_sdf_is_monotone_and_a_ray_that_hits_nothing_is_free():
    assert monotone(*along([0.5, 0.3, 0.1, -0.1, 0.2, 0.9])).item() == 0
    assert monotone(*along([0.5, 0.9, 0.1, 0.8])).item() == 0
    assert monotone(*along([-0.5, 0.9, -0.1, 0.8])).item() == 0


def test_a_rise_before_the_first_entry_costs_its_height():
    value = monotone(*along([0.5, 0.2, 0.3, 0.35, 0.1, -0.1, 0.4, 0.6, -0.3]))
    torch.testing.assert_close(value, torch.tensor([0.15], dtype=torch.float64))


def test_monotone_equals_the_loop_over_samples():
    sdf, starts, ends = (fake(name, dtype=torch.float64) for name in NAMES)
    sdf[:, 0] += 0.5
    found = monotone(sdf, starts, ends)
    for ray in range(len(sdf)):
        f = sdf[ray].tolist()
        enters = next((i for i, value in enumerate(f) if value < 0), 0)
        expected = sum(max(0.0, f[i + 1] - f[i]) for i in range(enters - 1))
        assert math.isclose(float(found[ray]), expected, rel_tol=1e-9, abs_tol=1e-12)
    assert found.max() > 0
