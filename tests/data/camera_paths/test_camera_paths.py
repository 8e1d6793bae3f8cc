"""Paths of cameras: an orbit, a spiral, and a curve through given cameras."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nerfloss.data.camera_paths.interpolation import interpolate, thinned, tour
from nerfloss.data.camera_paths.look_at import look_at
from nerfloss.data.camera_paths.orbit import orbit
from nerfloss.data.camera_paths.spiral import spiral

UP = np.array([0.0, 0.6, 0.8])


def ring(count: int, elevation: float, distance: float, degrees: float = 360.0) -> np.ndarray:
    """Centres on a part of a circle around `UP`."""
    x = np.array([1.0, 0.0, 0.0])
    angle = np.radians(np.linspace(0, degrees, count, endpoint=degrees < 360))
    around = np.cos(angle)[:, None] * x + np.sin(angle)[:, None] * np.cross(UP, x)
    tilt = np.radians(elevation)
    return distance * (np.cos(tilt) * around + np.sin(tilt) * UP)


def is_rotation(poses: np.ndarray) -> bool:
    turns = poses[:, :, :3]
    near = np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    return near and np.allclose(np.linalg.det(turns), 1)


def facing(count: int = 9) -> np.ndarray:
    """A forward-facing capture: cameras in a plane that look along z, from z = -4."""
    grid = np.linspace(-0.5, 0.5, int(count**0.5))
    x, y = np.meshgrid(grid, 0.4 * grid)
    centers = np.stack([x.ravel(), y.ravel(), np.full(x.size, -4.0)], 1)
    return np.concatenate([np.tile(np.eye(3), (len(centers), 1, 1)), centers[:, :, None]], axis=2)


def test_an_orbit_has_the_mean_elevation_and_distance_and_looks_at_the_origin() -> None:
    centers = np.concatenate([ring(8, 20, 2.0), ring(8, 40, 4.0)])
    made = orbit(centers, UP, 12)
    assert made.elevation == pytest.approx(30)
    assert made.distance == pytest.approx(3)
    assert is_rotation(made.poses)
    at = made.poses[:, :, 3]
    np.testing.assert_allclose(np.linalg.norm(at, axis=1), 3)
    np.testing.assert_allclose(np.degrees(np.arcsin(at @ UP / 3)), 30)
    np.testing.assert_allclose(made.poses[:, :, 2], -at / 3, atol=1e-12)
    # Level: the x axis is horizontal, and y points down.
    np.testing.assert_allclose(made.poses[:, :, 0] @ UP, 0, atol=1e-12)
    assert (made.poses[:, :, 1] @ UP < 0).all()


def test_an_orbit_goes_around_once_in_equal_steps_from_the_first_camera() -> None:
    made = orbit(ring(10, 0, 2.0), UP, 36)
    at = made.poses[:, :, 3] / 2
    np.testing.assert_allclose(at[0], [1, 0, 0], atol=1e-12)
    steps = (at * np.roll(at, -1, axis=0)).sum(1)
    np.testing.assert_allclose(np.degrees(np.arccos(steps)), 10)


@pytest.mark.parametrize(("degrees", "covered"), [(90.0, 90.0), (180.0, 180.0)])
def test_an_orbit_tells_how_much_of_the_circle_the_cameras_cover(degrees, covered) -> None:
    assert orbit(ring(7, 10, 2.0, degrees), UP, 4).covered == pytest.approx(covered)


def test_an_orbit_of_cameras_above_the_object_stays_a_circle() -> None:
    made = orbit(np.array([UP * 3, UP * 3]), UP, 8)
    assert made.elevation == 85
    assert is_rotation(made.poses)


def test_a_camera_that_looks_along_up_has_a_pose() -> None:
    pose = look_at(UP[None], np.zeros((1, 3)), UP)
    assert is_rotation(pose)
    np.testing.assert_allclose(pose[0, :, 2], -UP)


def test_a_spiral_is_centred_on_the_mean_pose_and_looks_at_one_point() -> None:
    poses = facing()
    made = spiral(poses, near=3.0, far=5.0, frames=240)
    assert is_rotation(made)
    offsets = made[:, :, 3] - poses[:, :, 3].mean(0)
    np.testing.assert_allclose(np.abs(offsets[:, :2]).max(0), (0.5, 0.2), rtol=1e-3)
    # Lines along the optical axes meet at the depth between the inverse ones.
    focus = np.array([0, 0, -4 + 1 / (0.25 / 5 + 0.75 / 3)])
    to_focus = focus - made[:, :, 3]
    np.testing.assert_allclose(np.cross(to_focus, made[:, :, 2]), 0, atol=1e-9)


def test_a_spiral_of_cameras_around_an_object_goes_around_the_first() -> None:
    centers = ring(12, 20, 3.0)
    poses = look_at(centers, np.zeros_like(centers), UP)
    made = spiral(poses, near=2.0, far=4.0, frames=20)
    assert np.linalg.norm(made[:, :, 3] - centers[0], axis=1).max() < 1


def test_an_interpolation_passes_its_cameras_at_constant_speed() -> None:
    centers = ring(6, 20, 2.0, 200)
    poses = look_at(centers, np.zeros_like(centers), UP)
    made = interpolate(poses, 401)
    assert is_rotation(made)
    for pose in poses:
        nearest = np.linalg.norm(made[:, :, 3] - pose[:, 3], axis=1).argmin()
        np.testing.assert_allclose(made[nearest], pose, atol=0.01)
    np.testing.assert_allclose(made[[0, -1]], poses[[0, -1]], atol=1e-9)
    speed = np.linalg.norm(np.diff(made[:, :, 3], axis=0), axis=1)
    assert speed.max() < 1.05 * speed.min()


def test_an_interpolation_between_cameras_of_unequal_distance_does_not_overshoot() -> None:
    x = np.array([0, 1, 1.02, 3.0])
    centers = np.stack([x, np.zeros(4), np.zeros(4)], 1)
    poses = np.concatenate([np.tile(np.eye(3), (4, 1, 1)), centers[:, :, None]], axis=2)
    along = interpolate(poses, 200)[:, 0, 3]
    assert (np.diff(along) > 0).all()


def test_cameras_at_one_place_turn_smoothly() -> None:
    turns = Rotation.from_euler("y", [[0], [30], [90]], degrees=True).as_matrix()
    poses = np.concatenate([turns, np.zeros((3, 3, 1))], axis=2)
    made = Rotation.from_matrix(interpolate(poses, 10)[:, :, :3])
    steps = np.degrees((made[:-1].inv() * made[1:]).magnitude())
    np.testing.assert_allclose(steps, 10, rtol=1e-3)


def test_a_path_through_one_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 cameras, got 1"):
        interpolate(facing()[:1], 5)


def test_cameras_in_random_order_are_sorted_into_a_tour_and_others_keep_theirs() -> None:
    centers = ring(24, 20, 2.0, 300)
    poses = look_at(centers, np.zeros_like(centers), UP)
    order, changed = tour(poses)
    assert not changed
    assert order.tolist() == list(range(24))
    mixed = np.concatenate([[0], 1 + np.random.default_rng(0).permutation(23)])
    order, changed = tour(poses[mixed])
    assert changed
    assert mixed[order].tolist() == list(range(24))


def test_of_many_cameras_every_nth_is_passed_unless_it_is_too_far_away() -> None:
    centers = ring(121, 20, 2.0, 120)
    poses = look_at(centers, np.zeros_like(centers), UP)
    assert thinned(poses, 11).tolist() == list(range(0, 121, 12))
    wide = thinned(poses, 2)
    assert wide[0] == 0
    assert wide[-1] == 120
    assert 20 < np.diff(wide)[:-1].min() <= np.diff(wide).max() < 40
    assert thinned(facing(), 2).tolist() == [0, 8]
