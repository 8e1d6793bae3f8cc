"""The harmonics are orthonormal on the sphere: the property that fixes every constant."""

import torch

from nerfloss.maths.spherical_harmonics import spherical_harmonics


def test_harmonics_are_orthonormal():
    # An equal-area grid: even in z and in the angle.
    z = (torch.arange(400, dtype=torch.float64) + 0.5) / 200 - 1
    angle = (torch.arange(400, dtype=torch.float64) + 0.5) / 400 * 2 * torch.pi
    z, angle = torch.meshgrid(z, angle, indexing="ij")
    radius = (1 - z * z).sqrt()
    directions = torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1).reshape(-1, 3)
    basis = spherical_harmonics(directions)
    product = basis.T @ basis * (4 * torch.pi / len(basis))
    torch.testing.assert_close(product, torch.eye(16, dtype=torch.float64), atol=1e-4, rtol=0)
