"""Smoothness terms: 0 for planes, closed forms for spheres, tangent steps."""

import math

import pytest
import torch
from known_fields import Recorder, plane_field, small_sdf_field

from nerfloss.losses.smoothness import (
    directional_divergence,
    normal_smoothness,
    tangent_curvature,
)
from nerfloss.testing.quantities import fake, fake_field


def test_a_plane_has_no_tangent_curvature_and_the_same_normal_everywhere():
    positions, field = fake("positions"), plane_field((1.0, 2.0, -1.0))
    value = tangent_curvature(field, positions, fake("generator"), step=0.1)
    assert value.shape == positions.shape[:-1]
    assert float(value.max()) < 1e-6
    assert normal_smoothness(field, positions[0], fake("generator"), radius=0.5).max() < 1e-12


@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0])
def test_the_normal_of_a_sphere_turns_by_the_angle_under_which_the_step_is_seen(step):
    radius = 0.3
    positions = radius * fake("normals", dtype=torch.float64)
    value = tangent_curvature(fake_field, positions, fake("generator"), step=step)
    torch.testing.assert_close(value, torch.full_like(value, math.atan(step / radius) / math.pi))


def test_a_normal_that_turns_round_has_a_tangent_curvature_of_one():
    calls = []

    def flipping(points, needs):  # noqa: ARG001
        calls.append(points)
        return {"gradients": points.new_tensor([0.0, 0.0, 3.0 if len(calls) == 1 else -5.0])}

    def field(points, needs):
        return {"gradients": flipping(points, needs)["gradients"].expand_as(points)}

    value = tangent_curvature(field, fake("positions"), fake("generator"), step=0.1)
    torch.testing.assert_close(value, torch.ones_like(value))


def test_the_second_normal_is_one_tangent_step_away():
    field, positions = Recorder(fake_field), fake("positions")
    tangent_curvature(field, positions, fake("generator"), step=0.02)
    first, second = field.asked
    step = second - first
    torch.testing.assert_close(step.norm(dim=-1), torch.full((30,), 0.02))
    normals = fake_field(first, ())["normals"]
    assert float((step * normals).sum(-1).abs().max()) < 1e-7
    # In no preferred direction: the mean of 30 random tangents is far shorter than each of them.
    assert float(step.mean(0).norm()) < 0.02 / 2


def test_small_angles_keep_their_digits_in_float32():
    positions = 0.5 * fake("normals")
    value = tangent_curvature(fake_field, positions, fake("generator"), step=1e-4)
    expected = torch.full_like(value, 2e-4 / math.pi)
    # acos(n . n') of two float32 normals would be 0 or wrong by a third here
    torch.testing.assert_close(value, expected, rtol=0.01, atol=0)


def test_directional_divergence_equals_the_loop():
    g, hg = fake("gradients", dtype=torch.float64), fake("hessian_gradients", dtype=torch.float64)
    found = directional_divergence(g, hg, eps=1e-2)
    for ray in range(len(g)):
        for sample in range(g.shape[1]):
            along = sum(float(g[ray, sample, k] * hg[ray, sample, k]) for k in range(3))
            length = sum(float(g[ray, sample, k]) ** 2 for k in range(3))
            assert math.isclose(float(found[ray, sample]), abs(along) / (length + 1e-2))


def test_directional_divergence_is_0_for_distances_and_1_for_half_the_squared_distance():
    points = fake("space_points", dtype=torch.float64)
    found = fake_field(points, ())
    exact = directional_divergence(found["gradients"], found["hessian_gradients"])
    assert exact.eq(0).all()
    # f = |x|^2 / 2 has g = x and H = 1, so that g . Hg = g . g.
    torch.testing.assert_close(
        directional_divergence(points, points, eps=1e-12), torch.ones(7, dtype=torch.float64)
    )


def test_normal_smoothness_is_the_squared_distance_of_normals_within_the_radius():
    field, points = Recorder(fake_field), fake("surface_points", dtype=torch.float64)
    value = normal_smoothness(field, points, fake("generator"), radius=0.1)
    (asked,) = field.asked
    here, there = asked[:6], asked[6:]
    torch.testing.assert_close(here, points)
    assert float((here - there).norm(dim=-1).max()) <= 0.1
    for ray in range(6):
        a, b = (each[ray] / each[ray].norm() for each in (here, there))
        assert math.isclose(float(value[ray]), float(((a - b) ** 2).sum()), rel_tol=1e-9)


def test_smoothness_has_gradients_to_the_field_but_not_the_points():
    field = small_sdf_field()
    points = (0.5 * fake("normals")).requires_grad_()
    total = tangent_curvature(field, points, fake("generator"), step=0.05).mean()
    total = total + normal_smoothness(field, points[:, 0], fake("generator"), radius=0.1).mean()
    total.backward()
    assert points.grad is None
    assert float(field.network.grid.table.grad.abs().max()) > 0


def test_the_same_generator_draws_the_same_steps():
    field, points = small_sdf_field(), 0.5 * fake("normals")
    values = [tangent_curvature(field, points, fake("generator"), step=0.05) for _ in range(2)]
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=0)
