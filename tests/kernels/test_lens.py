"""Lens models against pycolmap, their own inverse, and the formulas without loops."""

import math

import numpy as np
import pytest
import torch

from nerfloss.data.cameras.camera import Camera
from nerfloss.kernels import lens as lenses

WIDTH, HEIGHT = 640, 480
PARAMS = {
    "SIMPLE_PINHOLE": (600, 320, 240),
    "PINHOLE": (600, 580, 330, 235),
    "SIMPLE_RADIAL": (600, 320, 240, -0.12),
    "RADIAL": (600, 320, 240, -0.12, 0.05),
    "OPENCV": (600, 580, 330, 235, -0.3, 0.08, 0.004, -0.003),
    "FULL_OPENCV": (600, 580, 330, 235, -0.3, 0.08, 0.004, -0.003, 0.01, 0.02, -0.01, 0.003),
    "OPENCV_FISHEYE": (300, 290, 320, 240, 0.02, -0.01, 0.003, -0.001),
    "SIMPLE_RADIAL_FISHEYE": (300, 320, 240, 0.02),
    "RADIAL_FISHEYE": (300, 320, 240, 0.02, -0.01),
    "THIN_PRISM_FISHEYE": (
        300, 290, 320, 240, 0.02, -0.01, 0.003, -0.002, 0.002, -0.001, 0.001, -0.002,
    ),
    "EQUIRECTANGULAR": (),
}  # fmt: skip


def camera(model: str) -> Camera:
    return Camera(model, WIDTH, HEIGHT, tuple(map(float, PARAMS[model])))


def rows(one: Camera, count: int) -> torch.Tensor:
    return torch.tensor([one.row], dtype=torch.float64).expand(count, -1)


@pytest.fixture
def pixels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    size = torch.tensor([WIDTH, HEIGHT], dtype=torch.float64)
    return torch.rand(500, 2, generator=generator, dtype=torch.float64) * size


@pytest.mark.parametrize("model", PARAMS)
def test_the_inverse_is_exact_to_a_millionth_of_a_pixel(model, pixels):
    lens = rows(camera(model), len(pixels))
    directions = lenses.pixel_to_direction(pixels, lens)
    again, depth = lenses.direction_to_pixel(5 * directions, lens)
    torch.testing.assert_close(again, pixels, atol=1e-6, rtol=0)
    assert (depth > 0).all()
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(500, dtype=torch.float64))


@pytest.mark.parametrize("model", [name for name in PARAMS if name != "EQUIRECTANGULAR"])
def test_pixels_are_those_of_colmap(model, pixels):
    pycolmap = pytest.importorskip("pycolmap")
    theirs = pycolmap.Camera(model=model, width=WIDTH, height=HEIGHT, params=[*PARAMS[model]])
    directions = lenses.pixel_to_direction(pixels, rows(camera(model), len(pixels)))
    found = np.asarray(theirs.img_from_cam(3 * directions.numpy()))
    np.testing.assert_allclose(found, pixels.numpy(), atol=1e-6)


@pytest.mark.parametrize("model", PARAMS)
def test_the_compiled_loop_equals_the_formulas(model, pixels):
    lens = rows(camera(model), len(pixels))
    target = (pixels - lens[:, 3:5]) / lens[:, 1:3]
    expected = lenses.direction_of(lenses.undistort(target, lens), lens)
    found = lenses.pixel_to_direction(pixels, lens)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_directions_beyond_the_fold_of_a_lens_are_not_seen():
    lens = rows(camera("OPENCV"), 2)
    barrel = rows(Camera("SIMPLE_RADIAL", WIDTH, HEIGHT, (600.0, 320.0, 240.0, -0.3)), 2)
    aside = torch.tensor([[0.3, 0.2, 1.0], [1.9, 0.0, 1.0]], dtype=torch.float64)
    folded = lenses.distort(aside[:, :2], barrel)
    assert 0 < float(folded[1, 0]) * 600 + 320 < WIDTH, "the formula alone would see it"
    _, depth = lenses.direction_to_pixel(aside, barrel)
    assert depth[0] > 0 > depth[1]
    assert (lenses.direction_to_pixel(-aside, lens)[1] <= 0).all()


def test_a_fisheye_sees_behind_its_plane_and_a_pinhole_does_not():
    behind = torch.tensor([[1.0, 0.0, -0.1]], dtype=torch.float64)
    assert lenses.direction_to_pixel(behind, rows(camera("SIMPLE_RADIAL_FISHEYE"), 1))[1] > 0
    assert lenses.direction_to_pixel(behind, rows(camera("PINHOLE"), 1))[1] < 0


def test_the_middle_of_a_panorama_is_forward_and_its_right_quarter_the_right():
    at = torch.tensor([[WIDTH / 2, HEIGHT / 2], [0.75 * WIDTH, HEIGHT / 2], [WIDTH / 2, HEIGHT]])
    found = lenses.pixel_to_direction(at, rows(camera("EQUIRECTANGULAR"), 3))
    expected = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("projection", "coefficients", "radius"),
    [
        (lenses.PERSPECTIVE, (-0.3, *[0.0] * 10), 1 / math.sqrt(0.9)),
        (lenses.PERSPECTIVE, (0.1, *[0.0] * 10), math.inf),
        (lenses.FISHEYE, (0.0,) * 11, math.pi),
    ],
)
def test_the_invertible_radius_is_where_the_image_turns_back(projection, coefficients, radius):
    found = lenses.invertible_radius(projection, coefficients)
    assert math.sqrt(found) == pytest.approx(radius, abs=2e-3)
