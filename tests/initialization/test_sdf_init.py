"""An SDF fitted to a given distance has the same surface."""

import torch
from small_runs import assembled

from nerfloss.initialization.sdf_init import fit_distance


def test_fitting_a_distance_moves_the_surface(tmp_path):
    field = assembled(tmp_path).model.field
    axis = (torch.arange(32) + 0.5) / 16 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    # An off-centre sphere, which detects a wrong order of the axes.
    distance = (torch.stack([x - 0.3, y, z + 0.2], -1)).norm(dim=-1) - 0.4
    error = fit_distance(field, distance, steps=60, points=2048)
    assert error < 0.02
    center = torch.tensor([[0.3, 0.0, -0.2]])
    rim = center + torch.tensor([[0.4, 0, 0], [0, 0.4, 0], [0, 0, -0.4]])
    assert field(center, {"sdf"})["sdf"].item() < -0.25
    assert field(rim, {"sdf"})["sdf"].abs().max() < 0.06
