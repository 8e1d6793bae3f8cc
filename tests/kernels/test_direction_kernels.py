"""Compiled unit vectors and harmonics agree with their definitions."""

import torch

from nerfloss.kernels import directions
from nerfloss.maths import directions as defined
from nerfloss.maths import spherical_harmonics as basis


def test_unit_vectors_and_their_derivatives_are_those_of_the_definition() -> None:
    vectors = torch.randn(40, 6, 3)
    vectors[0], vectors[1, 0] = 0.0, torch.tensor([1e-8, 0.0, 0.0])
    found = []
    for function, dtype in ((directions.unit, torch.float32), (defined.unit, torch.float64)):
        own = vectors.to(dtype).requires_grad_()
        units = function(own)
        total = (units * torch.linspace(-1, 1, units.numel()).view_as(units)).sum()
        (derivative,) = torch.autograd.grad(total, own)
        found.append((units, derivative))
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


def test_harmonics_are_those_of_the_definition_and_differentiable() -> None:
    rays = defined.unit(torch.randn(100, 3))
    expected = basis.spherical_harmonics(rays.double())
    torch.testing.assert_close(
        directions.spherical_harmonics(rays).double(), expected, rtol=0, atol=1e-5
    )
    moving = rays.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(directions.spherical_harmonics(moving).sum(), moving)
    assert derivative.abs().sum() > 0


def test_no_vectors_are_no_error() -> None:
    assert directions.unit(torch.empty(0, 3)).shape == (0, 3)
    assert directions.spherical_harmonics(torch.empty(0, 3)).shape == (0, 16)
