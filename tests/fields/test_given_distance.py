"""A distance network takes a given shape at once."""

import pytest
import torch

from nerfloss.fields.given_distance import become_distance
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork

BOX = torch.tensor([[-1.0, -0.8, -0.9], [1.0, 0.9, 0.7]])


def cells(resolution=64):
    """Centres of the cells of a grid over the box, indexed z, y, x."""
    share = (torch.arange(resolution) + 0.5) / resolution
    z, y, x = torch.meshgrid(share, share, share, indexing="ij")
    return BOX[0] + torch.stack([x, y, z], -1) * (BOX[1] - BOX[0])


def ball(points):
    """A ball beside the middle: right only if the order of the axes is."""
    return (points - torch.tensor([0.3, 0.0, -0.2])).norm(dim=-1) - 0.4


def ring(points):
    """A solid that no mixture of planes through the origin resembles."""
    around = points[..., :2].norm(dim=-1) - 0.5
    return torch.stack([around, points[..., 2]], -1).norm(dim=-1) - 0.15


def shaped(distance, *, hidden=1, seed=0, **grid):
    """A network after it became the distance, and how far off it says that it is."""
    torch.manual_seed(0)
    network = SDFNetwork(HashGrid(**grid), hidden=hidden, width=32)
    network.grid.set_box(BOX)
    error = become_distance(
        network, distance(cells()), generator=torch.Generator().manual_seed(seed)
    )
    return network, error


def anywhere(count=20000):
    return BOX[0] + torch.rand(count, 3) * (BOX[1] - BOX[0])


def distances(network, points):
    with torch.no_grad():
        return network(points)[:, 0]


@pytest.mark.parametrize("solid", [ball, ring])
@pytest.mark.parametrize(
    "settings",
    [{}, {"hidden": 3}, {"features": 1}, {"log2_table": 14}, {"backend": "reference"}],
    ids=str,
)
def test_the_network_becomes_the_distance(solid, settings):
    network, _ = shaped(solid, **settings)
    points = anywhere()
    error = (distances(network, points) - solid(points)).abs()
    # Cells of 1/32 to 1/64: what a grid of them cannot show of a curve is a tenth of one.
    assert error[solid(points).abs() < 0.1].mean() < 0.004
    assert error.mean() < 0.006


def test_the_surface_has_the_slope_of_a_distance():
    network, _ = shaped(ring)
    points = anywhere()
    points = points[ring(points).abs() < 0.05]
    with torch.no_grad():
        _, gradients = network.with_gradients(points)
    slope = gradients.norm(dim=-1)
    assert (slope - 1).abs().mean() < 0.15


def test_it_says_how_far_off_it_is():
    network, error = shaped(ring)
    points = cells().reshape(-1, 3)
    points = points[ring(points).abs() < 0.08]
    assert error == pytest.approx((distances(network, points) - ring(points)).abs().mean(), rel=0.5)
    rough = shaped(ring, levels=1, base=4, finest=4)[1]
    assert rough > 3 * error


def test_levels_that_are_not_active_or_too_fine_to_know_stay_as_they_were():
    network, _ = shaped(ball, start_levels=2, steps_per_level=100)
    layout = network.grid.layout
    sizes = [
        float(part.abs().max())
        for part in network.grid.table.detach().split([grid.entries for grid in layout.grids])
    ]
    assert min(sizes[:2]) > 1e-3
    assert max(sizes[2:]) <= 1e-4


def test_every_feature_reaches_the_units_so_that_it_can_learn():
    network, _ = shaped(ball)
    weight = network.layers[0].weight[:, :-3]
    assert (weight.abs() > 0).all()
    assert weight.abs().max() < 0.1


def test_it_is_the_same_for_the_same_seed():
    first, second, other = (shaped(ball, seed=seed)[0].state_dict() for seed in (1, 1, 2))
    assert torch.equal(first["grid.table"], second["grid.table"])
    assert not torch.equal(first["grid.table"], other["grid.table"])
