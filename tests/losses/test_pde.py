"""Residuals of equations: 0 for their exact solutions, and known energies."""

import math

import pytest
import torch
from known_fields import plane_field, small_sdf_field

from nerfloss.losses.pde import eikonal_equation, residual, screened_heat, viscous_eikonal
from nerfloss.testing.quantities import fake, fake_field


def space(dtype=torch.float64):
    points = fake("space_points", dtype=dtype)
    found = fake_field(points, ())
    return points, found["sdf"], found["gradients"], found["laplacian"]


def test_an_exact_distance_without_viscosity_has_no_residual():
    _, sdf, gradients, laplacian = space()
    value = viscous_eikonal(sdf, gradients, laplacian, viscosity=0.0)
    torch.testing.assert_close(value, torch.zeros(7).double())


def test_viscous_eikonal_equals_the_loop():
    sdf, laplacian = (fake(n, dtype=torch.float64) for n in ("space_sdf", "space_laplacian"))
    gradients = fake("space_gradients", dtype=torch.float64)
    found = viscous_eikonal(sdf, gradients, laplacian, viscosity=0.3)
    for k in range(7):
        length = math.sqrt(sum(float(g) ** 2 for g in gradients[k]))
        expected = abs((length - 1) * math.copysign(1, sdf[k]) - 0.3 * float(laplacian[k]))
        assert float(found[k]) == pytest.approx(expected)


def test_the_solution_of_the_viscous_equation_in_one_dimension_has_no_residual():
    # Outside, |f'| - 1 = e f'' is solved by f = x + c (exp(x / e) - 1); here c = 0.1.
    x, viscosity = torch.linspace(0.1, 1, 7, dtype=torch.float64), 0.5
    growth = 0.1 * (x / viscosity).exp()
    sdf, slope, bend = x + growth - 0.1, 1 + growth / viscosity, growth / viscosity**2
    gradients = torch.stack([slope, torch.zeros_like(x), torch.zeros_like(x)], -1)
    value = viscous_eikonal(sdf, gradients, bend, viscosity=viscosity)
    torch.testing.assert_close(value, torch.zeros_like(x))


def test_screened_heat_equals_the_loop_and_is_one_on_an_exact_surface():
    sdf, gradients = (fake(n, dtype=torch.float64) for n in ("space_sdf", "space_gradients"))
    found = screened_heat(sdf, gradients, absorption=3.0)
    for k in range(7):
        square = sum(float(g) ** 2 for g in gradients[k])
        expected = 0.5 * math.exp(-6 * abs(float(sdf[k]))) * (square + 1)
        assert float(found[k]) == pytest.approx(expected)
    normals = fake("space_gradients", dtype=torch.float64)
    normals = normals / normals.norm(dim=-1, keepdim=True)
    on_surface = screened_heat(torch.zeros(7).double(), normals, absorption=3.0)
    torch.testing.assert_close(on_surface, torch.ones(7).double())


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.1, 2.0])
def test_of_all_multiples_of_a_distance_the_distance_has_least_heat(scale):
    # In half a space, f = s x: the energy of the heat is 1/2 (s^2 + 1) / (2 a s), least at s = 1.
    x = torch.linspace(0, 20, 200_001, dtype=torch.float64)

    def energy(s):
        slope = torch.tensor([s, 0.0, 0.0]).double().expand(len(x), 3)
        return float(torch.trapezoid(screened_heat(s * x, slope, absorption=2.0), x))

    assert energy(scale) == pytest.approx((scale**2 + 1) / (8 * scale), rel=1e-4)
    assert energy(scale) > energy(1.0)


def test_screened_heat_pushes_superfluous_surfaces_away():
    sdf = torch.tensor([0.1, -0.1], requires_grad=True)
    screened_heat(sdf, torch.tensor([[1.0, 0, 0]] * 2), absorption=4.0).sum().backward()
    assert sdf.grad[0] < 0 < sdf.grad[1]


def test_a_residual_is_squared_and_takes_any_equation():
    points, sdf, gradients, laplacian = space()

    def equation(value, gradient, laplacian):
        return 2 * value + gradient[:, 0] - laplacian

    expected = (2 * sdf + gradients[:, 0] - laplacian) ** 2
    torch.testing.assert_close(residual(fake_field, points, equation=equation), expected)


def test_exact_fields_solve_their_equations():
    points = space()[0]
    torch.testing.assert_close(
        residual(fake_field, points, equation=eikonal_equation), torch.zeros(7).double()
    )
    harmonic = residual(plane_field(), points, equation=lambda f, g, laplacian: laplacian)  # noqa: ARG005
    assert harmonic.eq(0).all()
    # Around a sphere lap f = 2 / |x|, and |x| = f + 1/2.
    bent = residual(fake_field, points, equation=lambda f, g, lap: lap - 2 / (f + 0.5))  # noqa: ARG005
    torch.testing.assert_close(bent, torch.zeros(7).double(), atol=1e-9, rtol=0)


def test_a_real_field_learns_from_a_residual():
    field = small_sdf_field()
    points = fake("space_points")
    residual(field, points, equation=lambda f, g, lap: f + g.sum(-1) - lap).mean().backward()
    assert float(field.network.grid.table.grad.abs().max()) > 0
