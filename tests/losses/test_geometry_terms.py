"""Terms on SDFs and normals: 0 for exact distances, and directions of gradients."""

import math

import torch
from known_fields import small_sdf_field

from nerfloss.losses.curvature import curvature, surface_curvature
from nerfloss.losses.eikonal import eikonal, eikonal_l1
from nerfloss.losses.surface import normal_cosine, orientation, sparsity
from nerfloss.testing.quantities import fake, fake_field


def test_an_exact_distance_has_no_eikonal_error():
    points = fake("space_points", dtype=torch.float64)
    gradients = fake_field(points, ["gradients"])["gradients"]
    torch.testing.assert_close(eikonal(gradients), torch.zeros(7, dtype=torch.float64))


def test_eikonal_is_the_squared_and_eikonal_l1_the_absolute_distance_of_the_length_from_one():
    gradients = torch.tensor([[[0.0, 3.0, 4.0], [0.5, 0.0, 0.0]]])
    torch.testing.assert_close(eikonal(gradients), torch.tensor([[16.0, 0.25]]))
    torch.testing.assert_close(eikonal_l1(gradients), torch.tensor([[4.0, 0.5]]))


def test_a_vanishing_gradient_costs_one_and_has_a_finite_slope():
    gradients = torch.zeros(2, 3, requires_grad=True)
    eikonal(gradients).sum().backward()
    torch.testing.assert_close(eikonal(gradients), torch.ones(2))
    assert gradients.grad.isfinite().all()


def test_the_curvature_of_a_sphere_is_two_over_its_radius():
    points = 0.5 * fake("directions", dtype=torch.float64)
    laplacian = fake_field(points, ["laplacian"])["laplacian"]
    torch.testing.assert_close(curvature(laplacian), torch.full_like(laplacian, 4.0))
    torch.testing.assert_close(curvature(-laplacian), curvature(laplacian))
    torch.testing.assert_close(surface_curvature(fake_field, points), curvature(laplacian))


def test_a_laplacian_alone_is_the_one_beside_other_quantities():
    field, points = small_sdf_field(), 0.5 * fake("directions")
    alone = field(points, {"laplacian"})["laplacian"]
    beside = field(points, {"laplacian", "gradients"})["laplacian"]
    torch.testing.assert_close(alone, beside, rtol=1e-4, atol=1e-3)
    assert float(alone.detach().abs().max()) > 1


def test_surface_curvature_changes_the_field_and_not_the_points():
    field, points = small_sdf_field(), (0.5 * fake("directions")).requires_grad_()
    surface_curvature(field, points).mean().backward()
    assert points.grad is None
    assert float(field.network.grid.table.grad.abs().max()) > 0


def test_sparsity_falls_with_the_distance_from_a_surface_on_either_side():
    sdf = torch.tensor([0.0, 0.5, -0.5, 2.0])
    expected = [1.0, math.exp(-1), math.exp(-1), math.exp(-4)]
    torch.testing.assert_close(sparsity(sdf, scale=2.0), torch.tensor(expected))


def test_normal_cosine_ignores_lengths_and_ends_at_two():
    normal = torch.tensor([[0.0, 0.0, 0.3], [0.0, 0.7, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
    target = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(normal_cosine(normal, target), torch.tensor([0.0, 1.0, 2.0, 1.0]))


def test_orientation_equals_the_loop_over_samples():
    normals, weights, directions = (fake(name) for name in ("normals", "weights", "directions"))
    found = orientation(normals, weights, directions)
    for ray in range(len(found)):
        facing = [max(0.0, float(normal @ directions[ray])) ** 2 for normal in normals[ray]]
        expected = sum(float(w) * f for w, f in zip(weights[ray], facing, strict=True))
        assert math.isclose(float(found[ray]), expected, rel_tol=1e-5)


def test_surface_that_faces_the_camera_has_no_orientation_error():
    directions, weights = fake("directions"), fake("weights")
    normals = -directions[:, None].expand(-1, weights.shape[1], -1)
    assert orientation(normals, weights, directions).eq(0).all()
