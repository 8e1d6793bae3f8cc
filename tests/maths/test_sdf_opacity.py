"""Opacity from a signed distance: properties derived in the papers."""

import torch

from nerfloss.maths.compositing import compositing_weights
from nerfloss.maths.sdf_opacity import neus_alphas, neus_densities, volsdf_densities


def plane(distance=2.0, samples=400, far=4.0):
    """A ray that meets a plane head-on at ``distance``, finely sampled."""
    t = torch.linspace(0, far, samples + 1, dtype=torch.float64)[None]
    starts, ends = t[:, :-1], t[:, 1:]
    sdf = distance - 0.5 * (starts + ends)
    directions = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    gradients = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64).expand(1, samples, 3)
    return sdf, gradients, directions, starts, ends


def sharpness(value):
    return torch.tensor(value, dtype=torch.float64)


def test_neus_weights_peak_at_the_surface():
    sdf, gradients, directions, starts, ends = plane()
    w = compositing_weights(
        neus_alphas(sdf, gradients, directions, starts, ends, sharpness(50.0), 1.0)
    )
    peak = w[0].argmax()
    assert starts[0, peak] - 1e-9 <= 2.0 <= ends[0, peak] + 1e-9


def test_neus_weights_are_the_logistic_density_in_front_of_a_plane():
    sdf, gradients, directions, starts, ends = plane()
    w = compositing_weights(
        neus_alphas(sdf, gradients, directions, starts, ends, sharpness(20.0), 1.0)
    )
    s = 20.0
    sigmoid = torch.sigmoid(s * sdf)
    logistic = s * sigmoid * (1 - sigmoid) * (ends - starts)
    # The floor of 1e-5 below Phi shows only far behind the surface.
    torch.testing.assert_close(w, logistic, rtol=0.02, atol=1e-4)


def test_neus_is_transparent_where_the_surface_faces_away():
    sdf, gradients, directions, starts, ends = plane()
    away = neus_alphas(-sdf, -gradients, directions, starts, ends, sharpness(20.0), 1.0)
    assert away.abs().max() == 0


def test_annealing_lets_surfaces_that_face_away_be_seen_early_on():
    sdf, gradients, directions, starts, ends = plane()
    early = neus_alphas(
        -sdf, 0 * gradients, directions, starts, ends, sharpness(20.0), 0.0, anneal_end=0.5
    )
    assert early.max() > 0


def test_an_interval_without_length_has_no_opacity():
    sdf, gradients, directions, starts, _ = plane()
    assert neus_alphas(sdf, gradients, directions, starts, starts, sharpness(20.0), 1.0).max() == 0


def test_neus_opacity_is_differentiable_in_everything_learned():
    sdf, gradients, directions, starts, ends = plane(samples=6)

    def alphas(f, g, s):
        return neus_alphas(f, g, directions, starts, ends, s, 0.3, anneal_end=1.0)

    g = gradients.clone() + 0.1
    inputs = (sdf.requires_grad_(), g.requires_grad_(), sharpness(3.0).requires_grad_())
    assert torch.autograd.gradcheck(alphas, inputs)


def test_both_densities_rise_from_zero_outside_to_the_sharpness_inside():
    sdf = torch.tensor([5.0, 0.0, -5.0])
    for densities in (neus_densities, volsdf_densities):
        outside, border, inside = densities(sdf, torch.tensor(10.0)).tolist()
        assert outside < 1e-9
        assert border == 5.0
        assert abs(inside - 10.0) < 1e-5


def test_volsdf_density_is_continuous_and_differentiable_at_the_surface():
    sdf = torch.linspace(-0.2, 0.2, 9, dtype=torch.float64, requires_grad=True)
    moved = sdf + 1e-3
    assert torch.autograd.gradcheck(lambda f: volsdf_densities(f, sharpness(4.0)), moved)
