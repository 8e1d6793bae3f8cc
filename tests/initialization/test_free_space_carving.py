"""Free-space carving keeps the cells of a density that cameras do not see through."""

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.visual_hull import cell_centers, visual_hull
from nerfloss.initialization.free_space_carving import (
    FreeSpaceCarving,
    box_around,
    densities_in,
    in_any_image,
)

UNIT = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
RESOLUTION = 40
CELL = 2 / RESOLUTION


@pytest.fixture(scope="module")
def scene():
    return small_scene("craters", views=30, test_views=1, size=48)


@pytest.fixture(scope="module")
def distance(scene):
    return scene.sdf(cell_centers(UNIT, RESOLUTION)).reshape(3 * [RESOLUTION])


def test_opaque_cells_are_solid_and_visible_free_space_is_empty(scene, distance):
    solid = FreeSpaceCarving()(200.0 * (distance < 0), UNIT, scene.train.cameras)
    assert solid[distance < 0].float().mean() > 0.99
    assert solid[distance > 3 * CELL].float().mean() < 0.01


def test_concavities_outside_of_every_silhouette_are_empty(scene, distance):
    solid = FreeSpaceCarving()(200.0 * (distance < 0), UNIT, scene.train.cameras)
    bowls = visual_hull(scene.train, UNIT, RESOLUTION) & (distance > 2 * CELL)
    assert bowls.sum() > 300
    assert solid[bowls].float().mean() < 0.1


def test_the_inside_of_a_shell_is_solid_for_any_density(scene, distance):
    shell = 200.0 * (distance.abs() < 2 * CELL)
    solid = FreeSpaceCarving()(shell, UNIT, scene.train.cameras)
    assert solid[distance < -2 * CELL].all()


def test_transparent_density_is_empty(scene, distance):
    fog = 0.1 * torch.rand(3 * [RESOLUTION], generator=torch.Generator().manual_seed(0))
    plain = FreeSpaceCarving()(200.0 * (distance < 0), UNIT, scene.train.cameras)
    foggy = FreeSpaceCarving()(200.0 * (distance < 0) + fog, UNIT, scene.train.cameras)
    assert (plain == foggy).float().mean() > 0.99
    assert not FreeSpaceCarving()(fog, UNIT, scene.train.cameras).any()


def test_a_gap_seen_by_one_view_stays_solid(scene, distance):
    density = 200.0 * (distance < 0)
    before = FreeSpaceCarving()(density, UNIT, scene.train.cameras)
    # A channel one cell wide right along the line of sight of one camera.
    start = scene.train.cameras.poses[0, :, 3]
    for share in torch.linspace(-1.2, 1.2, 200):
        cell = ((share * start / start.norm() + 1) / CELL).long().clamp(0, RESOLUTION - 1)
        density[tuple(cell.tolist())] = 0.0
    after = FreeSpaceCarving(max_votes=3, views_per_vote=10)(density, UNIT, scene.train.cameras)
    assert (before & ~after).sum() < 40


def test_cells_outside_of_all_images_are_empty(scene):
    cameras = scene.train.cameras[:1]
    density = torch.full(3 * [RESOLUTION], 200.0)
    solid = FreeSpaceCarving()(density, 2 * UNIT, cameras).reshape(-1)
    shown = in_any_image(cell_centers(2 * UNIT, RESOLUTION), cameras)
    assert 0.1 < shown.float().mean() < 0.9
    # Centres of some cells at the border of the image lie outside of it.
    assert solid[~shown].float().mean() < 0.03
    assert solid[shown].float().mean() > 0.9


def test_at_most_max_views_are_used(scene, distance):
    density = 200.0 * (distance < 0)
    some = FreeSpaceCarving(max_views=10)(density, UNIT, scene.train.cameras)
    which = torch.linspace(0, 29, 10).round().long()
    assert torch.equal(some, FreeSpaceCarving()(density, UNIT, scene.train.cameras[which]))


def test_box_around_contains_solid_cells_and_the_margin():
    solid = torch.zeros(20, 20, 20, dtype=torch.bool)
    solid[4:8, 10:12, 15] = True
    box = box_around(solid, UNIT, 0.1)
    expected = torch.tensor([[-0.7, -0.1, 0.4], [-0.1, 0.3, 0.7]])
    torch.testing.assert_close(box, expected, atol=1e-6, rtol=0)
    assert torch.equal(box_around(torch.ones_like(solid), UNIT, 0.3), UNIT)
    assert torch.equal(box_around(torch.zeros_like(solid), UNIT, 0.3), UNIT)


def test_densities_are_evaluated_at_the_centres_of_the_cells_of_a_box():
    class Ramp:
        box = UNIT

        def __call__(self, points, needs):
            assert needs == {"densities"}
            return {"densities": points @ torch.tensor([1.0, 10.0, 100.0])}

    box = torch.tensor([[0.0, 0.0, 0.0], [0.8, 0.4, 0.8]])
    densities = densities_in(Ramp(), box, 4)
    assert densities[0, 0, 0].item() == pytest.approx(0.1 + 0.5 + 10)
    assert densities[3, 0, 1].item() == pytest.approx(0.7 + 0.5 + 30)
