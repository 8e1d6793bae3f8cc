"""Costs of warped patches: their derivative, and views that do not see a patch."""

import pytest
import textured_sphere as sphere
import torch

from nerfloss.maths.images import grey_at
from nerfloss.maths.patch_warps import patch_costs
from nerfloss.maths.projections import centre_and_inverse


@pytest.fixture(scope="module")
def patches():
    """Two patches of 11 x 11 pixels in views 2 and 3, near the sphere, and two sources of each."""
    projections, centres = sphere.cameras(480.0, 160)
    images, _ = sphere.images(projections, centres, 160)
    own, sources = torch.tensor([2, 3]), torch.tensor([[3, 4], [2, 4]])
    offsets = torch.cartesian_prod(torch.arange(11), torch.arange(11)).double() - 5
    pixels = offsets + torch.tensor([[[80.5, 78.5]], [[76.5, 81.5]]]).double()
    starts, inverse = centre_and_inverse(projections[own])
    directions = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1) @ inverse.mT
    hits = torch.stack(
        [
            sphere.first_hits(start, d / d.norm()) / d.norm()
            for start, rays in zip(starts, directions, strict=True)
            for d in rays
        ]
    ).view(2, 121)
    reference = grey_at(images, own[:, None].expand(2, 121), pixels)
    return hits, (starts, directions, reference, images, sources, projections[sources])


def test_the_true_surface_costs_least(patches):
    hits, rest = patches
    costs = [float(patch_costs(hits + shift, *rest)[0].mean()) for shift in (-0.01, 0.0, 0.01)]
    assert costs[1] < 0.005 < 0.1 * min(costs[0], costs[2])


def test_derivatives_are_those_of_the_costs(patches):
    hits, rest = patches
    distances = (hits + 0.004).requires_grad_()
    costs, whole = patch_costs(distances, *rest)
    assert whole.all()
    (found,) = torch.autograd.grad(costs[0].sum() + 2 * costs[1].sum(), distances)
    for ray, pixel, weight in ((0, 0, 1), (0, 60, 1), (1, 120, 2)):
        move = torch.zeros_like(hits)
        move[ray, pixel] = 1e-7
        with torch.no_grad():
            rise = patch_costs(hits + 0.004 + move, *rest)[0][ray].sum()
            rise -= patch_costs(hits + 0.004 - move, *rest)[0][ray].sum()
        assert found[ray, pixel] == pytest.approx(weight * float(rise) / 2e-7, rel=1e-4, abs=1e-6)
    assert found.abs().max() > 1e-3


def test_views_that_do_not_see_a_patch_are_marked_and_change_nothing(patches):
    hits, (*rest, projections) = patches
    behind = projections.clone()
    behind[0, 1] *= -1
    distances = hits.clone().requires_grad_()
    costs, whole = patch_costs(distances, *rest, behind)
    assert whole.tolist() == [[True, False], [True, True]]
    (found,) = torch.autograd.grad(torch.where(whole, costs, 0).sum(), distances)
    assert found.isfinite().all()
    seen, _ = patch_costs(distances, *rest, projections)
    (alone,) = torch.autograd.grad(seen[0, 0] + seen[1].sum(), distances)
    torch.testing.assert_close(found, alone)
