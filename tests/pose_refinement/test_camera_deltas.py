"""Corrections of cameras move rays as the corrected cameras do, and the gauge is fixed."""

import numpy as np
import pytest
import torch

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.geometry import Rays
from nerfloss.pose_refinement.camera_deltas import (
    moved_poses,
    moved_rays,
    position_basis,
    refocused_rays,
    without_gauge,
)
from nerfloss.pose_refinement.refined_lenses import camera_groups, refocused, refocused_camera

VIEWS, RAYS = 4, 50
LENSES = {
    "pinhole": Camera.pinhole(64, 48, 60.0, 62.0, 31.0, 25.0),
    "distorted": Camera(
        "FULL_OPENCV",
        64,
        48,
        (60.0, 62.0, 31.0, 25.0, 0.08, -0.02, 0.003, -0.002, 0.01, 0.02, -0.01, 0.004),
    ),
}


def cameras(lens="pinhole"):
    poses = cameras_at(2.7 * fibonacci_sphere(VIEWS), 64, 40.0).poses
    return Cameras.of([LENSES[lens]] * VIEWS, poses.double().numpy())


def rays_of(cameras, seed=0):
    generator = torch.Generator().manual_seed(seed)
    view = torch.randint(0, VIEWS, (RAYS,), generator=generator)
    size = torch.tensor([cameras.width, cameras.height])
    pixel = torch.rand(RAYS, 2, generator=generator) * size
    return cameras.rays(view, pixel, torch.zeros(RAYS, 3))


def twists(seed=1, size=0.1, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(VIEWS, 6, generator=generator, dtype=dtype)


def test_twists_of_zero_leave_rays_as_they_are_to_the_last_bit():
    rays = rays_of(cameras())
    moved = moved_rays(rays, torch.zeros(RAYS, 6))
    assert torch.equal(moved.origins, rays.origins)
    assert torch.equal(moved.directions, rays.directions)


def test_moved_rays_are_those_of_the_moved_cameras():
    given = cameras()
    moved = Cameras(given.intrinsics, moved_poses(given.poses, twists()), given.width, given.height)
    expected, found = rays_of(moved), moved_rays(rays_of(given), twists()[rays_of(given).view])
    assert torch.allclose(found.origins, expected.origins, atol=1e-6)
    assert torch.allclose(found.directions, expected.directions, atol=1e-6)


@pytest.mark.parametrize("lens", LENSES)
def test_refocused_rays_are_those_of_cameras_with_other_focal_lengths(lens):
    given, log_scales = cameras(lens), torch.tensor([0.0, 0.05, -0.1, 0.2])
    expected = rays_of(refocused(given, log_scales.exp()))
    rays = rays_of(given)
    found = refocused_rays(rays, log_scales[rays.view], given.poses[rays.view, :, 2])
    assert torch.allclose(found.directions, expected.directions, atol=2e-6)


@pytest.mark.parametrize("lens", LENSES)
def test_a_refocused_camera_is_the_row_of_refocused_cameras(lens):
    rows = refocused(cameras(lens), torch.full((VIEWS,), 1.1))
    camera = refocused_camera(LENSES[lens], 1.1)
    assert torch.allclose(Cameras.of([camera], np.eye(4)[None, :3]).intrinsics, rows.intrinsics[:1])
    if rows.lens is not None:
        found = torch.tensor(camera.row)
        assert torch.allclose(found[:16], rows.lens[0, :16].float(), rtol=1e-5)


def test_corrections_are_differentiable_in_double_precision():
    made, axes = rays_of(cameras()), cameras().poses[:, :, 2].double()
    rays = Rays(
        made.origins.double(), made.directions.double(), made.pixel, made.view, made.background
    )

    def corrected(twists, log_scales):
        view = rays.view
        found = moved_rays(refocused_rays(rays, log_scales[view], axes[view]), twists[view])
        return found.origins, found.directions

    zero = torch.zeros(VIEWS, 6, dtype=torch.float64, requires_grad=True)
    scales = torch.zeros(VIEWS, dtype=torch.float64, requires_grad=True)
    for values in (zero, twists(dtype=torch.float64).requires_grad_()):
        assert torch.autograd.gradcheck(corrected, (values, scales))


def test_what_moves_the_whole_world_is_projected_out():
    centers = cameras().poses[:, :, 3]
    common = torch.tensor([0.1, -0.2, 0.3, 0.4, -0.5, 0.6]).expand(VIEWS, 6)
    scaling = torch.cat([torch.zeros(VIEWS, 3), 0.2 * centers], -1)
    own = without_gauge(twists(), centers)
    assert torch.allclose(without_gauge(twists() + common + scaling, centers), own, atol=1e-6)
    assert torch.allclose(without_gauge(own, centers), own, atol=1e-6)
    assert torch.allclose(own.mean(0), torch.zeros(6), atol=1e-7)
    assert not torch.allclose(own, torch.zeros_like(own), atol=1e-2)


def test_views_with_the_same_intrinsics_share_a_focal_length():
    other = Camera.pinhole(64, 48, 80.0, 80.0, 32.0, 24.0)
    mixed = Cameras.of(
        [LENSES["pinhole"], other, LENSES["pinhole"], other],
        cameras().poses.double().numpy(),
    )
    group = camera_groups(mixed, "per_camera")
    assert group[0] == group[2] != group[1] == group[3]
    assert camera_groups(mixed, "per_view").tolist() == [0, 1, 2, 3]


def test_the_focal_length_of_a_fisheye_lens_is_refused():
    fisheye = Camera("OPENCV_FISHEYE", 64, 48, (60.0, 60.0, 32.0, 24.0, 0.01, 0.0, 0.0, 0.0))
    made = Cameras.of([fisheye] * VIEWS, cameras().poses.double().numpy())
    with pytest.raises(ValueError, match=r"4 of 4 training views have a fisheye.*focal=fixed"):
        camera_groups(made, "per_camera")
    assert camera_groups(made, "fixed").tolist() == [0] * VIEWS


def test_the_basis_of_linear_twists_has_no_mean_and_a_spread_of_one():
    centers = cameras().poses[:, :, 3] + 5.0
    basis = position_basis(centers)
    assert torch.allclose(basis.mean(0), torch.zeros(3), atol=1e-6)
    assert float(basis.square().sum(-1).mean()) == pytest.approx(1.0)
    # Proportional to the positions: the basis of larger captures is the same.
    assert torch.allclose(position_basis(3.0 * centers), basis, atol=1e-6)
    assert not position_basis(torch.ones(VIEWS, 3)).any()
