"""Consistency of normals and depth maps of planes and spheres."""

import pytest
import torch

from nerfloss.losses.depth_normals import normal_consistency


def camera(patches=1, height=5, width=6):
    """Rays through the pixels of patches, from a camera that looks along z."""
    rows, columns = torch.meshgrid(
        torch.linspace(-0.2, 0.2, height), torch.linspace(-0.3, 0.3, width), indexing="ij"
    )
    directions = torch.stack([columns, rows, torch.ones_like(rows)], -1).double()
    directions = (directions / directions.norm(dim=-1, keepdim=True)).expand(patches, -1, -1, -1)
    origins = torch.tensor([0.0, 0.0, -3.0]).double().expand_as(directions)
    return origins, directions


def composited(normals):
    """One normal per pixel as samples of two, of which the second is never seen."""
    rays = normals.reshape(-1, 1, 3)
    weights = torch.tensor([0.8, 0.0]).double().expand(len(rays), 2)
    return torch.cat([rays, -rays], 1), weights


@pytest.mark.parametrize("tilt", [(0.0, 0.0, -1.0), (0.3, -0.5, -1.0), (-0.8, 0.1, -0.6)])
def test_a_plane_agrees_with_its_own_normal_up_to_the_rim(tilt):
    origins, directions = camera(patches=2)
    n = torch.tensor(tilt).double() / torch.tensor(tilt).double().norm()
    depth = (-(origins @ n) / (directions @ n))[..., None]
    normals, weights = composited(n.expand(60, 3))
    same = normal_consistency(normals, weights, depth, origins, directions)
    torch.testing.assert_close(same, torch.zeros(60).double(), atol=1e-9, rtol=0)
    turned = normal_consistency(-normals, weights, depth, origins, directions)
    torch.testing.assert_close(turned, torch.full((60,), 1.6).double())


def test_a_sphere_agrees_with_its_own_normals_but_for_the_finite_differences():
    origins, directions = camera(height=41, width=61)
    towards = (origins * directions).sum(-1)
    depth = (-towards - (towards.square() - 9 + 2.25).sqrt())[..., None]
    normals, weights = composited((origins + depth * directions)[0] / 1.5)
    value = normal_consistency(normals, weights, depth, origins, directions)
    inner = value.reshape(41, 61)[1:-1, 1:-1]
    assert float(inner.max()) < 2e-3


def test_rays_lie_patch_after_patch_row_by_row():
    origins, directions = camera(patches=2, height=3, width=4)
    depth = torch.full((2, 3, 4, 1), 3.0).double()
    normals, weights = composited(torch.tensor([0.0, 0.0, -1.0]).double().expand(24, 3))
    normals = normals.clone()
    normals[12 + 4 + 2] *= -1  # second patch, second row, third column
    value = normal_consistency(normals, weights, depth, origins, directions)
    assert int(value.argmax()) == 18


def test_depth_is_pulled_towards_what_the_normals_say():
    origins, directions = camera()
    depth = torch.full((1, 5, 6, 1), 3.0, dtype=torch.float64, requires_grad=True)
    tilted = torch.tensor([-0.5, 0.0, -1.0]).double()
    normals, weights = composited((tilted / tilted.norm()).expand(30, 3))
    normal_consistency(normals, weights, depth, origins, directions).mean().backward()
    # The plane with this normal comes nearer to the left: its depth rises to the right.
    step = -depth.grad[0, ..., 0]
    slope = -tilted[0] / tilted[2]
    assert ((step[:, -1] - step[:, 0]) * slope > 0).all()


def test_patches_without_neighbours_are_refused_by_the_batch_settings():
    origins, directions = camera(height=1, width=6)
    depth = torch.ones(1, 1, 6, 1).double()
    normals, weights = composited(torch.ones(6, 3).double())
    with pytest.raises(ValueError, match=r"1 x 6: batch\.height and batch\.width"):
        normal_consistency(normals, weights, depth, origins, directions)
