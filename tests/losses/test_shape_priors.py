"""Shape priors: mirrored shapes, empty boundaries and areas known in closed form."""

import math

import pytest
import torch
from known_fields import Recorder, plane_field

from nerfloss.losses.shape_priors import boundary, minimal_surface, symmetry
from nerfloss.testing.quantities import fake, fake_field


@pytest.mark.parametrize("plane", [[1.0, 0, 0, 0], [0, -2.0, 0, 0], [1.0, 2.0, 3.0, 0]])
def test_a_sphere_is_symmetric_to_every_plane_through_its_centre(plane):
    value = symmetry(fake_field, fake("space_points"), plane=plane)
    torch.testing.assert_close(value, torch.zeros(7), atol=1e-6, rtol=0)


def test_mirrored_points_lie_as_far_behind_the_plane():
    field, points = Recorder(fake_field), fake("space_points", dtype=torch.float64)
    symmetry(field, points, plane=[0.0, 2.0, 0.0, -0.6])
    (asked,) = field.asked
    expected = points.clone()
    expected[:, 1] = 0.6 - points[:, 1]  # the plane is y = 0.3
    torch.testing.assert_close(asked[7:], expected)


def test_symmetry_is_how_far_the_sdf_differs():
    points = fake("space_points")
    value = symmetry(plane_field((1.0, 0, 0)), points, plane=[1.0, 0, 0, 0])
    torch.testing.assert_close(value, 2 * points[:, 0].abs())


def test_symmetry_spreads_what_is_known_on_one_side():
    height = torch.tensor([0.3, 0.0], requires_grad=True)  # of the surface, right and left

    def field(points, needs):  # noqa: ARG001
        return {"sdf": points[:, 2] - torch.where(points[:, 0] > 0, height[0], height[1])}

    symmetry(field, fake("space_points"), plane=[1.0, 0, 0, 0]).mean().backward()
    assert height.grad[0] > 0 > height.grad[1]


def test_the_boundary_lies_on_the_sphere_and_is_free_outside_of_the_object():
    field = Recorder(fake_field)
    value = boundary(field, fake("generator"), margin=0.1, radius=2.0, points=64)
    torch.testing.assert_close(field.asked[0].norm(dim=-1), torch.full((64,), 2.0))
    assert value.eq(0).all()
    inside = boundary(fake_field, fake("generator"), margin=0.1, radius=0.4, points=64)
    torch.testing.assert_close(inside, torch.full((64,), 0.2**2))


def test_the_boundary_pushes_the_object_inwards():
    size = torch.tensor(1.2, requires_grad=True)

    def field(points, needs):  # noqa: ARG001
        return {"sdf": points.norm(dim=-1) - size}

    boundary(field, fake("generator")).mean().backward()
    assert size.grad > 0


@pytest.mark.parametrize("radius", [0.3, 0.6])
@pytest.mark.parametrize("slope", [1.0, 3.0])
def test_minimal_surface_measures_the_area_of_a_sphere_whatever_the_slope(radius, slope):
    points = 2 * torch.rand(400_000, 3, dtype=torch.float64) - 1
    distance = points.norm(dim=-1)
    sdf, gradients = slope * (distance - radius), slope * points / distance[:, None]
    width = 0.02
    found = 8 * minimal_surface(sdf, gradients, width=width).mean()
    # The tails of the smeared delta see larger spheres too: the exact integral by quadrature.
    r = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    smeared = slope * width / (math.pi * (width**2 + (slope * (r - radius)) ** 2))
    ball = torch.trapezoid(4 * math.pi * r**2 * smeared, r)
    corners = 8 * minimal_surface(sdf, gradients, width=width)[distance > 1].sum() / len(points)
    assert math.isclose(float(found - corners), float(ball), rel_tol=0.02)
    assert math.isclose(float(ball), 4 * math.pi * radius**2, rel_tol=0.3)


def test_minimal_surface_shrinks_a_sphere():
    radius = torch.tensor(0.5, requires_grad=True, dtype=torch.float64)
    points = 2 * torch.rand(100_000, 3, dtype=torch.float64) - 1
    distance = points.norm(dim=-1, keepdim=True)
    minimal_surface((distance - radius)[:, 0], points / distance, width=0.05).mean().backward()
    assert radius.grad > 0
