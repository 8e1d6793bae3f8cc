"""Cameras of single views: models, sizes, lenses, and several of them in one split."""

import numpy as np
import pytest
import torch

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.global_targets import GlobalTargets
from nerfloss.data.undistortion import pinhole_images
from nerfloss.data.views import Views

OPENCV = (60.0, 58.0, 33.0, 21.0, -0.3, 0.08, 0.004, -0.003)


def poses(count: int) -> np.ndarray:
    """Cameras on the z axis that look at the origin from further and further away."""
    pose = np.eye(4)[:3]
    return np.stack([pose - [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2.0 + i]] for i in range(count)])


@pytest.fixture
def mixed() -> Cameras:
    return Cameras.of(
        [
            Camera.pinhole(64, 48, 60, 58, 33, 21),
            Camera("OPENCV", 40, 56, OPENCV),
            Camera("SIMPLE_RADIAL_FISHEYE", 64, 64, (30.0, 32.0, 32.0, 0.02)),
        ],
        poses(3),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("FOV", 64, 48, (1.0,)), "none of SIMPLE_PINHOLE"),
        (("PINHOLE", 64, 48, (60.0,)), "1 parameters, not fx, fy, cx, cy"),
        (("PINHOLE", 64, 48, (60.0, float("nan"), 32.0, 24.0)), "not finite"),
        (("PINHOLE", 64, 48, (60.0, -1.0, 32.0, 24.0)), "focal length is -1"),
        (("PINHOLE", 0, 48, (60.0, 60.0, 32.0, 24.0)), "0 x 48"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Camera(*arguments)


@pytest.mark.parametrize("model", ["SIMPLE_RADIAL", "OPENCV", "SIMPLE_RADIAL_FISHEYE"])
def test_a_resized_camera_sees_the_same_directions(model):
    params = {"OPENCV": OPENCV}.get(model, (60.0, 33.0, 21.0, -0.1))
    full = Camera(model, 65, 49, params)
    small = full.resized(32, 25)
    pixel = torch.rand(50, 2) * torch.tensor([32.0, 25.0])
    scale = torch.tensor([65 / 32, 49 / 25])
    both = Cameras.of([full, small], poses(2))
    zero, background = torch.zeros(50, dtype=torch.long), torch.zeros(50, 3)
    one = both.rays(zero, pixel * scale, background)
    two = both.rays(zero + 1, pixel, background)
    torch.testing.assert_close(one.directions, two.directions, atol=1e-6, rtol=0)


def test_rays_of_mixed_cameras_project_to_their_pixels(mixed):
    for view in range(3):
        pixel = torch.rand(40, 2) * torch.tensor(mixed.size(view))
        rays = mixed.rays(torch.full((40,), view), pixel, torch.zeros(40, 3))
        seen, depth = mixed.project(rays.origins + 2 * rays.directions, view)
        assert (depth > 0).all()
        torch.testing.assert_close(seen, pixel, atol=1e-3, rtol=0)
        assert mixed.in_image(pixel, view).all()
    assert [mixed.size(view) for view in range(3)] == [(64, 48), (40, 56), (64, 64)]
    assert (mixed.width, mixed.height) == (64, 64)


def test_cameras_without_distortion_or_of_one_size_carry_neither():
    cameras = Cameras.of([Camera.pinhole(64, 48, 60, 58, 33, 21)] * 2, poses(2))
    assert cameras.lens is None
    assert cameras.sizes is None
    assert cameras[1:].size(0) == (64, 48)


def test_a_pinhole_copy_of_a_distorted_image_is_what_a_pinhole_sees():
    camera = Camera("OPENCV", 64, 48, OPENCV)
    cameras = Cameras.of([camera], poses(1))

    def scene(directions: torch.Tensor) -> torch.Tensor:
        x, y = directions[..., 0] / directions[..., 2], directions[..., 1] / directions[..., 2]
        return (127 + 100 * torch.stack([x, y, x * y], -1)).round().to(torch.uint8)

    centers = pixel_centers(64, 48)
    zero, background = torch.zeros(len(centers), dtype=torch.long), torch.zeros(len(centers), 3)
    image = scene(cameras.rays(zero, centers, background).directions).reshape(1, 48, 64, 3)
    found = pinhole_images(Views(cameras, ("a",), image), image)[0]
    pinhole = Cameras.of([Camera.pinhole(64, 48, 60, 58, 33, 21)], poses(1))
    expected = scene(pinhole.rays(zero, centers, background).directions).reshape(48, 64, 3)
    inner = (slice(8, 40), slice(10, 54))
    assert (found[inner].int() - expected[inner].int()).abs().max() <= 2
    pixel = cameras.rays(zero, centers, background).pixel.reshape(48, 64, 2)
    assert (pixel - centers.reshape(48, 64, 2)).abs().max() > 0.5, "rays name the pinhole's pixels"


def test_where_a_pinhole_sees_more_than_the_photograph_there_is_no_edge_and_no_background():
    camera = Camera("SIMPLE_RADIAL", 64, 48, (50, 32, 24, 0.3))  # a pincushion
    image = torch.full((1, 48, 64, 3), 200, dtype=torch.uint8)
    mask = torch.zeros(1, 48, 64, dtype=torch.uint8)
    views = Views(Cameras.of([camera], poses(1)), ("a",), image, mask=mask)
    needs, cpu = {"view_images", "view_masks"}, torch.device("cpu")
    targets = GlobalTargets(views, needs, points=1, neighbours=1, device=cpu)
    given = targets(torch.zeros(1, dtype=torch.long), torch.Generator())
    assert given["view_images"].eq(200).all()
    found = given["view_masks"][0]
    assert found[24, 32] == 0
    assert found[0, 0] == found[-1, -1] == 255
