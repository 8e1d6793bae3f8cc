"""First crossing of a surface: equal to a loop, differentiable, finite without a crossing."""

import pytest
import torch

from nerfloss.maths.zero_crossing import first_crossing


def by_loop(sdf, t, known):
    """Walk along one ray."""
    for i in range(len(sdf) - 1):
        if known[i] and known[i + 1] and sdf[i] > 0 and sdf[i + 1] <= 0:
            return t[i] + (t[i + 1] - t[i]) * sdf[i] / (sdf[i] - sdf[i + 1]), True
    return 0.0, False


def random_rays(rays=200, samples=9, dtype=torch.float64):
    sdf = torch.randn(rays, samples, dtype=dtype)
    t = 1 + torch.rand(rays, samples, dtype=dtype).cumsum(-1)
    count = torch.randint(0, samples + 1, (rays, 1))
    return sdf, t, torch.arange(samples) < count


def test_first_crossing_equals_the_loop_along_the_ray():
    sdf, t, known = random_rays()
    distance, hit = first_crossing(sdf, t, known)
    expected = [by_loop(*ray) for ray in zip(sdf, t, known, strict=True)]
    assert hit.tolist() == [found for _, found in expected]
    assert 20 < int(hit.sum()) < 190
    torch.testing.assert_close(
        distance, torch.tensor([float(d) for d, _ in expected], dtype=torch.float64)
    )


def test_a_plane_is_met_exactly():
    t = torch.linspace(0.5, 3, 11).expand(4, -1)
    at = torch.tensor([0.8, 1.3, 2.0, 2.9])
    distance, hit = first_crossing(at[:, None] - t, t, torch.ones_like(t, dtype=torch.bool))
    assert hit.all()
    torch.testing.assert_close(distance, at)


@pytest.mark.parametrize(
    "sdf", [[0.5, 0.2, 0.1], [-0.5, -0.2, -0.1], [-0.5, -0.1, 0.4], [0.0, 0.0, 0.0], [1.0, 2.0, 0]]
)
def test_rays_that_do_not_enter_have_no_crossing(sdf):
    sdf = torch.tensor([sdf], requires_grad=True)
    known = torch.tensor([[True, True, False]])  # the last one is padding
    distance, hit = first_crossing(sdf, torch.tensor([[1.0, 2.0, 2.0]]), known)
    distance.sum().backward()
    assert not hit.any()
    assert distance.item() == 0
    assert sdf.grad.tolist() == [[0, 0, 0]]


def test_leaving_the_object_is_no_crossing_but_the_next_entry_is():
    t = torch.tensor([[1.0, 2, 3, 4]])
    sdf = torch.tensor([[-1.0, 1, 1, -1]])
    distance, hit = first_crossing(sdf, t, torch.ones(1, 4, dtype=torch.bool))
    assert hit.item()
    assert distance.item() == 3.5


@pytest.mark.parametrize("samples", [1, 2])
def test_rays_with_few_samples(samples):
    sdf = torch.ones(3, samples)
    distance, hit = first_crossing(sdf, sdf, sdf > 0)
    assert distance.tolist() == [0, 0, 0]
    assert not hit.any()


def test_no_rays_have_no_crossings():
    distance, hit = first_crossing(torch.ones(0, 4), torch.ones(0, 4), torch.ones(0, 4) > 0)
    assert distance.shape == hit.shape == (0,)


def test_the_derivative_is_right_in_the_distances_and_along_the_ray():
    sdf, t, known = random_rays(rays=12, samples=5)
    assert torch.autograd.gradcheck(
        lambda *x: first_crossing(*x, known)[0], (sdf.requires_grad_(), t.requires_grad_())
    )


def test_a_surface_that_grows_is_met_earlier():
    t = torch.linspace(1, 2, 5)[None]
    sdf = (1.6 - t).requires_grad_()
    first_crossing(sdf, t, torch.ones(1, 5, dtype=torch.bool))[0].sum().backward()
    # Less distance everywhere by d moves the crossing nearer by d, head-on.
    torch.testing.assert_close(sdf.grad.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e6])
def test_value_and_gradient_are_finite_at_any_scale(scale):
    sdf, t, known = random_rays(dtype=torch.float32)
    sdf = (scale * sdf).requires_grad_()
    distance, _ = first_crossing(sdf, t, known)
    distance.sum().backward()
    assert distance.isfinite().all()
    assert sdf.grad.isfinite().all()
