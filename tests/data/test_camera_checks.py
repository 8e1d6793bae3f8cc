"""Checks of cameras before training: what is refused, and what is named."""

import numpy as np
import pytest
from posed_captures import CAMERA, ball_masks, look_at, ring

from nerfloss.data.camera_checks import check_cameras
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.region import choose_region

CENTER, RADIUS = np.array([0.2, -0.1, 0.1]), 0.5
CAMERAS = [CAMERA] * 10


def said(poses, cameras=CAMERAS, masks=None, **settings) -> str:
    region = choose_region(poses, cameras, masks, **settings)
    return "\n".join(check_cameras(poses, cameras, region, masks))


def test_a_good_capture_has_no_line() -> None:
    assert said(ring(), masks=ball_masks(ring(), CAMERAS, CENTER, RADIUS)) == ""


def test_flipped_axes_are_refused_where_masks_prove_it() -> None:
    masks = ball_masks(ring(), CAMERAS, CENTER, RADIUS)
    flipped = ring()
    flipped[:, :, 1:3] *= -1
    with pytest.raises(DataError, match="y and z axes are flipped"):
        said(flipped, masks=masks)


def test_two_views_from_opposite_sides_prove_nothing_about_the_axes() -> None:
    places = np.array([[-1.42, -1.88, 1.31], [1.93, 0.36, -1.86]])
    opposite = np.stack([look_at(place, np.zeros(3)) for place in places])
    masks = ball_masks(opposite, CAMERAS[:2], CENTER, RADIUS)
    assert "flipped" not in said(opposite, CAMERAS[:2], masks)


def test_an_object_outside_of_the_region_is_warned_with_what_to_set() -> None:
    masks = ball_masks(ring(), CAMERAS, CENTER, RADIUS)
    lines = said(ring(), masks=masks, override={"center": [0.5, 0.2, 0.4], "radius": 0.3})
    assert "of the masked rays miss the region" in lines
    assert "set dataset.region.center=[" in lines


def test_copies_of_a_pose_are_named() -> None:
    poses = ring()
    poses[4] = poses[3]
    assert "2 of 10 views (3, 4) have the same pose" in said(poses)


def test_cameras_at_one_place_are_said() -> None:
    poses = ring()
    poses[:, :, 3] = [5, 6, 7]
    assert "all cameras are at one place" in said(poses)


def test_a_field_of_view_that_no_photograph_has_is_named() -> None:
    wide = [Camera.pinhole(64, 48, 0.1, 0.1, 32.0, 24.0)] * 10
    assert "is the focal length in pixels" in said(
        ring(), wide, override={"center": [0, 0, 0], "radius": 0.5}
    )
