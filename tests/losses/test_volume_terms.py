"""Terms on densities, proposals and grids: equal to loops, bounds, constant grids."""

import math

import pytest
import torch

from nerfloss.fields.appearance import RadianceColor, SurfaceColor
from nerfloss.fields.density import DensityField
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf import SDFField
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.losses.volume import density_cauchy, grid_decay, grid_tv, interlevel
from nerfloss.testing.quantities import fake, fake_field

INTERLEVEL = (
    *("weights", "t_starts", "t_ends"),
    *("proposal_weights", "proposal_t_starts", "proposal_t_ends"),
)


def test_density_cauchy_is_snergs_with_half_the_squared_scale_for_c():
    densities = fake("densities", dtype=torch.float64)
    for scale, c in ((1.0, 0.5), (2.0, 2.0)):
        found = density_cauchy(densities, scale=scale)
        for value, sigma in zip(found.flatten(), densities.flatten(), strict=True):
            assert float(value) == pytest.approx(math.log(1 + float(sigma) ** 2 / c))


def test_a_dense_sample_is_pulled_less_than_a_thin_one_in_proportion():
    densities = torch.tensor([0.1, 100.0], requires_grad=True)
    density_cauchy(densities).sum().backward()
    assert 0 < densities.grad[1] < densities.grad[0]


def loop_over_intervals(w, a, b, p, s, e):
    total = 0.0
    for weight, begin, end in zip(w, a, b, strict=True):
        bound = sum(
            q for q, start, stop in zip(p, s, e, strict=True) if stop > begin and start < end
        )
        total += max(0.0, weight - bound) ** 2 / (weight + 1e-7)
    return total


def test_interlevel_equals_the_loop_over_pairs_of_intervals():
    given = [fake(name, dtype=torch.float64) for name in INTERLEVEL]
    given[3] = 0.2 * given[3]
    found = interlevel(*given)
    assert found.max() > 0
    for ray in range(6):
        expected = loop_over_intervals(*(each[ray].tolist() for each in given))
        assert float(found[ray]) == pytest.approx(expected)


def test_interlevel_equals_the_loop_where_intervals_have_gaps_and_padding():
    starts = torch.tensor([[0.0, 0.3, 0.5, 0.9, 0.9]], dtype=torch.float64)
    ends = torch.tensor([[0.2, 0.4, 0.9, 0.9, 0.9]], dtype=torch.float64)
    weights = torch.tensor([[0.2, 0.3, 0.4, 0.0, 0.0]], dtype=torch.float64)
    others = torch.tensor([[0.1, 0.2, 0.45, 0.8]], dtype=torch.float64)
    until = torch.tensor([[0.2, 0.35, 0.5, 0.8]], dtype=torch.float64)
    proposed = torch.tensor([[0.1, 0.05, 0.2, 0.0]], dtype=torch.float64)
    given = (weights, starts, ends, proposed, others, until)
    expected = loop_over_intervals(*(each[0].tolist() for each in given))
    assert float(interlevel(*given)) == pytest.approx(expected)
    assert expected > 0


def test_interlevel_is_0_for_a_coarser_histogram_of_the_same_weights():
    weights, starts, ends = (fake(name, dtype=torch.float64) for name in INTERLEVEL[:3])
    weights, starts, ends = weights[:, :4], starts[:, :4], ends[:, :4]
    coarse = weights[:, ::2] + weights[:, 1::2]
    value = interlevel(weights, starts, ends, coarse, starts[:, ::2], ends[:, 1::2])
    torch.testing.assert_close(value, torch.zeros(6, dtype=torch.float64))


def test_interlevel_trains_the_proposal_only():
    given = [fake(name, dtype=torch.float64) for name in INTERLEVEL]
    weights = given[0].requires_grad_()
    proposed = (0.2 * given[3]).requires_grad_()
    value = interlevel(weights, *given[1:3], proposed, *given[4:])
    value.sum().backward()
    assert weights.grad is None
    assert proposed.grad.max() <= 0 > proposed.grad.min()
    assert torch.autograd.gradcheck(
        lambda p: interlevel(weights.detach(), *given[1:3], p, *given[4:]), proposed
    )


def fields():
    sdf_grid, density_grid = (
        HashGrid(levels=3, log2_hashmap_size=7, base_resolution=3, max_resolution=9)
        for _ in range(2)
    )
    return [
        SDFField(SDFNetwork(sdf_grid, embedding=3), SurfaceColor(embedding=3)),
        DensityField(density_grid, RadianceColor(embedding=4), embedding=4),
    ]


def grid_of(field):
    return field.network.grid if isinstance(field, SDFField) else field.grid


@pytest.mark.parametrize("field", fields(), ids=lambda field: type(field).__name__)
def test_grid_decay_weighs_a_coarse_level_as_much_as_a_fine_one(field):
    grid = grid_of(field)
    expected = 0.0
    for level in grid.layout.grids:
        rows = grid.table[level.offset : level.offset + level.entries]
        expected += sum(float(v) ** 2 for v in rows.detach().flatten()) / rows.numel()
    assert float(grid_decay(field).detach()) == pytest.approx(expected)
    grid_decay(field).backward()
    first = grid.layout.grids[0].entries
    rows = grid.table.detach()[:first]
    torch.testing.assert_close(grid.table.grad[:first], 2 * rows / rows.numel())


@pytest.mark.parametrize("field", fields(), ids=lambda field: type(field).__name__)
def test_a_flat_grid_has_no_variation_and_a_ramp_has_that_of_its_steps(field):
    grid = grid_of(field)
    with torch.no_grad():
        grid.table.fill_(0.7)
    assert float(grid_tv(field, fake("generator")).detach().max()) == pytest.approx(1e-6, rel=0.1)
    level = grid.layout.grids[0]
    assert level.dense
    side = level.resolution + 1
    x, y, z = torch.meshgrid(*[torch.arange(side).float()] * 3, indexing="ij")
    ramp = (0.1 * x + 0.2 * y - 0.3 * z).permute(2, 1, 0).reshape(-1)  # x runs fastest
    with torch.no_grad():
        grid.table[: level.entries] = ramp[:, None]
    found = grid_tv(field, fake("generator"))
    assert float(found.detach()[0]) == pytest.approx(math.sqrt(0.01 + 0.04 + 0.09))


def test_neighbours_in_a_hashed_level_are_what_the_grid_interpolates_between():
    grid = HashGrid(levels=3, log2_hashmap_size=7, base_resolution=3, max_resolution=9)
    torch.nn.init.normal_(grid.table)
    assert not grid.layout.grids[-1].dense
    generator = torch.Generator().manual_seed(3)
    unit = torch.rand((5, 3), generator=torch.Generator().manual_seed(3))
    found = grid.neighbours(generator, 5)[-1]
    resolution = grid.layout.grids[-1].resolution
    corner = (unit * resolution).floor()
    for ahead, step in enumerate([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]):
        vertex = (corner + torch.tensor(step)) / resolution
        features = grid(2 * vertex - 1)[:, -2:]  # the box of the grid is [-1, 1]
        torch.testing.assert_close(found[ahead], features, atol=1e-5, rtol=1e-4)


def test_descending_the_variation_smooths_the_grid():
    field = fields()[0]
    grid = grid_of(field)
    torch.nn.init.normal_(grid.table)
    generator = fake("generator")
    before = float(grid_tv(field, generator).mean().detach())
    optimizer = torch.optim.Adam([grid.table], 0.05)
    for _ in range(30):
        optimizer.zero_grad()
        grid_tv(field, generator).mean().backward()
        optimizer.step()
    assert float(grid_tv(field, generator).mean().detach()) < 0.5 * before


def test_inactive_levels_are_ignored():
    field = fields()[0]
    grid_of(field).set_active(2)
    assert len(field.grid_levels()) == 2
    assert grid_tv(field, fake("generator")).shape == (2,)


def test_the_fake_field_has_a_grid_too():
    assert grid_decay(fake_field) > 0
    assert (grid_tv(fake_field, fake("generator"), vertices=9) > 0).all()
