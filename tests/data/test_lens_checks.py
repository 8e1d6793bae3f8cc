"""Lens coefficients that do not fit the image are named before training."""

import pytest
from posed_captures import CAMERA, ring

from nerfloss.data.camera_checks import check_cameras
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.lens_checks import corner_stretch, lens_lines, pixels_without_direction
from nerfloss.data.region import choose_region


def opencv(k1: float, k2: float = 0.0, p1: float = 0.0, p2: float = 0.0) -> Camera:
    return Camera("OPENCV", 64, 48, (64.0, 58.0, 33.0, 23.0, k1, k2, p1, p2))


@pytest.mark.parametrize(
    "camera",
    [
        opencv(0.0),
        opencv(-0.3, 0.08, 0.004, -0.003),
        opencv(0.3),
        Camera("OPENCV_FISHEYE", 64, 48, (30.0, 30.0, 32.0, 24.0, 0.02, -0.01, 0.0, 0.0)),
        Camera("EQUIRECTANGULAR", 64, 32),
    ],
)
def test_lenses_of_photographs_have_no_line(camera):
    assert list(lens_lines([camera] * 3, ["a", "b", "c"])) == []


def test_a_lens_that_folds_inside_of_the_image_is_named_with_its_views():
    # r (1 - 3 r^2) rises until r = 1/3 and reaches 2/9: 14 of the 32 pixels to the side.
    fold = opencv(-3.0)
    share = pixels_without_direction(fold)
    assert 0.5 < share < 1
    (line,) = lens_lines([opencv(-0.3), fold, fold], ["a", "b", "c"])
    assert f"{share:.0%} of the pixels of 2 of 3 views (b, c) have no direction" in line


def test_a_lens_that_stretches_the_image_is_named():
    (line,) = lens_lines([opencv(40.0)], ["a"])
    assert "the lens of 1 of 1 views (a) moves the image's corner" in line


def test_the_stretch_is_that_of_the_formula():
    camera = Camera("SIMPLE_RADIAL", 64, 48, (64.0, 0.5, 0.5, 0.5))
    # The farthest pixel is at (63, 47) / 64 from the axis; r (1 + r^2 / 2) is its distance.
    shown, straight = ((63**2 + 47**2) ** 0.5) / 64, 0.0
    for _ in range(200):
        straight = shown / (1 + 0.5 * straight**2)
    assert corner_stretch(camera) == pytest.approx(shown / straight)


def test_the_checks_of_cameras_name_lenses():
    cameras = [Camera("SIMPLE_RADIAL", CAMERA.width, CAMERA.height, (CAMERA.fx, 32, 24, -5.0))] * 10
    region = choose_region(ring(), cameras, None, override={"center": [0, 0, 0], "radius": 0.5})
    lines = "\n".join(check_cameras(ring(), cameras, region))
    assert "have no direction: the lens model folds back" in lines
