"""Consistency of patches: the compiled loop is the formulas, and these have their derivatives."""

import pytest
import textured_sphere as sphere
import torch

from nerfloss.kernels.patch_consistency import patch_consistency
from nerfloss.maths import patch_consistency as formulas
from nerfloss.maths.directions import unit

SIZE = 160


@pytest.fixture(scope="module")
def scene():
    """Rays of a textured sphere, near its surface: points, normals, pixels, views and sources."""
    projections, centres = sphere.cameras(480.0, SIZE)
    # The last camera looks away.
    projections[-1] *= -1
    images, _ = sphere.images(projections, centres, SIZE)
    generator = torch.Generator().manual_seed(0)
    view = torch.arange(200) % (len(centres) - 1)
    # Up to the border, where patches leave the image.
    pixel = torch.randint(0, SIZE, (200, 2), generator=generator).double() + 0.5
    rays = torch.stack([sphere.rays(projections[v], p) for v, p in zip(view, pixel, strict=True)])
    distance = torch.stack(
        [sphere.first_hits(c, d) for c, d in zip(centres[view], rays, strict=True)]
    )
    distance += 0.01 * torch.randn(200, generator=generator)
    points = centres[view] + torch.where(distance.isfinite(), distance, 1.0)[:, None] * rays
    normals = unit(points + 0.2 * torch.randn(200, 3, generator=generator))
    normals[::20] *= -1
    order = torch.cdist(centres, centres).argsort(-1)
    return points, normals, pixel, view, order[view][:, 1:], images, projections


def in_float32(given):
    return [x.float() if x.is_floating_point() else x for x in given]


def with_derivatives(function, given, **settings):
    points, normals = (x.clone().requires_grad_() for x in given[:2])
    costs = function(points, normals, *given[2:], **settings)
    weights = torch.linspace(-1, 1, len(costs)).to(costs)
    return costs.detach(), *torch.autograd.grad((weights * costs).sum(), (points, normals))


@pytest.mark.parametrize(("patch", "best"), [(3, 1), (7, 4), (11, 20)])
def test_the_compiled_loop_gives_the_costs_and_derivatives_of_the_formulas(scene, patch, best):
    found = with_derivatives(patch_consistency, in_float32(scene), patch=patch, best=best)
    exact = with_derivatives(formulas.patch_consistency, scene, patch=patch, best=best)
    assert 20 < int((exact[0] > 0).sum()) < 190
    torch.testing.assert_close(found[0].double(), exact[0], rtol=0, atol=2e-3)
    for ours, theirs in zip(found[1:], exact[1:], strict=True):
        # At edges of pixels the derivative of bilinear interpolation jumps.
        off = (ours - theirs).norm(dim=-1) > 0.01 * theirs.norm(dim=-1) + 0.01
        assert float(off.double().mean()) < 0.02
        assert theirs.norm(dim=-1).max() > 0.1


def test_formulas_have_their_derivatives(scene):
    few = [x[:12] for x in scene[:5]]
    given = [x.clone().requires_grad_() for x in few[:2]]

    def costs(points, normals):
        rest = (*few[2:], *scene[5:])
        return formulas.patch_consistency(points, normals, *rest, patch=5, best=3)

    assert costs(*given).count_nonzero() > 3
    assert torch.autograd.gradcheck(costs, given, atol=1e-4)


def test_threads_do_not_change_the_result(scene):
    given, threads = in_float32(scene), torch.get_num_threads()
    try:
        found = []
        for number in (1, 3):
            torch.set_num_threads(number)
            found.append(with_derivatives(patch_consistency, given, patch=7, best=4))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("function", [patch_consistency, formulas.patch_consistency])
def test_rays_without_a_finite_point_or_normal_are_not_compared(function, scene):
    points, normals, *rest = in_float32(scene)
    given = (points.clone(), normals.clone())
    compared = function(*given, *rest, patch=7, best=4).nonzero().squeeze(-1)[:2]
    for each, ray in zip(given, compared, strict=True):
        each[ray] = torch.nan
    costs = function(*given, *rest, patch=7, best=4)
    assert costs.isfinite().all()
    assert costs[compared].eq(0).all()


def test_no_rays_have_no_costs(scene):
    points, normals, *rest = in_float32(scene)
    none = (points[:0], normals[:0], *[x[:0] for x in rest[:3]], *rest[3:])
    assert patch_consistency(*none, patch=7, best=4).shape == (0,)
