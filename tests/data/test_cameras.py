import pytest
import torch

from nerfloss.data.cameras.cameras import pixel_centers
from nerfloss.data.synthetic.camera_layouts import (
    cameras_at,
    fibonacci_sphere,
    train_and_test_positions,
)


@pytest.fixture
def cameras():
    return cameras_at(2.7 * fibonacci_sphere(5), size=32, fov=38.0)


def test_points_along_a_ray_project_to_its_pixel(cameras):
    view = torch.randint(5, (64,))
    pixel = torch.rand(64, 2) * 32
    rays = cameras.rays(view, pixel, torch.zeros(64, 3))
    points = rays.origins + torch.linspace(1, 4, 64)[:, None] * rays.directions
    for index in range(5):
        seen, depth = cameras.project(points[view == index], index)
        assert (depth > 0).all()
        torch.testing.assert_close(seen, pixel[view == index], atol=1e-3, rtol=0)


def test_directions_have_unit_length(cameras):
    rays = cameras.rays(torch.zeros(9, dtype=torch.int64), torch.rand(9, 2) * 32, torch.zeros(9, 3))
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(9))


def test_the_principal_axis_passes_through_the_origin(cameras):
    views = torch.arange(5)
    rays = cameras.rays(views, torch.full((5, 2), 16.0), torch.zeros(5, 3))
    closest = rays.origins - (rays.origins * rays.directions).sum(-1, True) * rays.directions
    assert closest.norm(dim=-1).max() < 1e-5


def test_world_z_points_up_in_the_image(cameras):
    for view in range(5):
        low, _ = cameras.project(torch.tensor([[0.0, 0.0, -0.2]]), view)
        high, _ = cameras.project(torch.tensor([[0.0, 0.0, 0.2]]), view)
        assert high[0, 1] < low[0, 1]


def test_the_pose_of_a_vertical_camera_is_a_rotation():
    rotation = cameras_at(torch.tensor([[0.0, 0.0, 3.0]]), 8, 40.0).poses[0, :, :3]
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3))
    assert torch.linalg.det(rotation) > 0


def test_a_point_behind_the_camera_has_negative_depth(cameras):
    _, depth = cameras.project(2 * cameras.poses[:1, :, 3], 0)
    assert depth[0] < 0


def test_pixel_centers_are_row_major_at_half_integers():
    centers = pixel_centers(width=3, height=2)
    expected = [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [1.5, 1.5], [2.5, 1.5]]
    assert centers.tolist() == expected


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_test_cameras_keep_a_distance_to_train_cameras(seed):
    train, test = train_and_test_positions(60, 12, 2.7, seed)
    assert torch.cdist(train, test).min() > 0.3
    torch.testing.assert_close(train.norm(dim=-1), torch.full((60,), 2.7))


def test_the_seed_rotates_the_camera_layout():
    assert not torch.equal(
        train_and_test_positions(4, 2, 1.0, 0)[0], train_and_test_positions(4, 2, 1.0, 1)[0]
    )
